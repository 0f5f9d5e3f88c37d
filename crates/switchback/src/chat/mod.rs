//! `switchback chat URL`: a plain terminal chat over the Rust client.
//!
//! Plain on purpose: lines in, lines out, so that it works over ssh, in a pipe and in a script.
//! Messages go to standard output, everything about the connection to standard error.

mod input;
mod screen;
mod team;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use switchback_client::{
    Client, ClientConfig, Credential, EventStream, Handle, HistoryPage, Rest, SendError, StopReason,
    Transport, TransportPolicy, Update,
};
use switchback_core::wire::{Command, Snapshot};
use switchback_core::{MessageBody, Nonce, RoomId, Seq};
use uuid::Uuid;

use crate::cli::{ChatArgs, WayIn};
use crate::password;
use input::{Input, Lines};
use screen::Screen;
use team::Team;

/// Messages shown when a room is entered.
const TAIL_MESSAGES: usize = 20;
/// Lines that wait to be acknowledged; then no further line is read.
const LINES_UNDER_WAY: usize = 64;

pub(crate) async fn run(args: ChatArgs) -> Result<ExitCode> {
    let credential = credential(&args).await?;
    let mut config = ClientConfig::new(args.remote.url.clone(), credential.clone());
    config.extra_roots = args.remote.extra_roots()?;
    config.proxy = args.remote.proxy()?;
    config.transports = policy(args.transport);
    let rest = Rest::through(
        args.remote.address()?,
        Some(&credential),
        config.extra_roots.as_deref(),
        &config.proxy,
    )?;
    let snapshot = rest.snapshot().await.context("the server did not let us in")?;
    config.cursor = Some(snapshot.cursor);
    let team = Team::new(snapshot);
    let room = team.find(&args.room).with_context(|| format!("you are in no room `{}`", args.room))?;
    let (handle, stream) = Client::connect(&config)?;
    let mut chat = Chat::new(handle, team, room, args.transport != WayIn::Auto);
    chat.enter(room).await?;
    let code = chat.run(stream).await?;
    if args.handle.is_some() && chat.signed_in {
        // Ours alone; nobody else would ever end it.
        chat.handle.rest().sign_out().await.context("signing out")?;
    }
    Ok(code)
}

async fn credential(args: &ChatArgs) -> Result<Credential> {
    if let Some(token) = &args.remote.token {
        return Ok(Credential::Token(token.clone()));
    }
    let Some(handle) = &args.handle else {
        bail!("say who you are: --token TOKEN, or --handle HANDLE and its password");
    };
    let password = match std::env::var("SWITCHBACK_PASSWORD") {
        Ok(password) => password,
        Err(_) => password::ask(&format!("Password of @{handle}: "))?,
    };
    let (address, roots) = (args.remote.address()?, args.remote.extra_roots()?);
    let rest = Rest::through(address, None, roots.as_deref(), &args.remote.proxy()?)?;
    Ok(rest.sign_in(handle, &password).await.context("signing in")?.credential())
}

const fn policy(way: WayIn) -> TransportPolicy {
    match way {
        WayIn::Auto => TransportPolicy::Auto,
        WayIn::Websocket => TransportPolicy::Only(Transport::Websocket),
        WayIn::Sse => TransportPolicy::Only(Transport::Sse),
        WayIn::Batch => TransportPolicy::Only(Transport::Batch),
    }
}

struct Chat {
    handle: Handle,
    team: Team,
    screen: Screen,
    room: RoomId,
    /// The newest message shown of the room.
    shown: Seq,
    sending: FuturesUnordered<BoxFuture<'static, (String, Result<(), SendError>)>>,
    signed_in: bool,
    way_chosen: bool,
}

impl Chat {
    fn new(handle: Handle, team: Team, room: RoomId, way_chosen: bool) -> Self {
        let sending = FuturesUnordered::new();
        Self { handle, team, screen: Screen::new(), room, shown: 0, sending, signed_in: true, way_chosen }
    }

    /// Until `/quit`, the end of the input, or the end of the session.
    async fn run(&mut self, mut stream: EventStream) -> Result<ExitCode> {
        let mut lines = Lines::start();
        let mut quitting = false;
        loop {
            if quitting && self.sending.is_empty() {
                self.handle.close();
                return Ok(ExitCode::SUCCESS);
            }
            let reads = !quitting && self.sending.len() < LINES_UNDER_WAY;
            tokio::select! {
                update = stream.next() => {
                    if let Some(code) = self.update(update).await? {
                        return Ok(code);
                    }
                }
                Some((text, sent)) = self.sending.next() => {
                    if let Err(error) = sent {
                        self.screen.notice(&format!("not sent: {error}: {text}"));
                    }
                }
                line = lines.next(), if reads => match line {
                    Some(line) => quitting = self.typed(&line).await?,
                    None => quitting = true,
                },
            }
        }
    }

    /// Shows what happened; a code ends the program.
    async fn update(&mut self, update: Option<Update>) -> Result<Option<ExitCode>> {
        match update {
            Some(Update::Status(status)) => self.screen.status(&status, self.way_chosen),
            Some(Update::Event(event)) => {
                self.team.learn(&event);
                if let Some(text) = self.team.describe(&event, self.room) {
                    self.screen.line(event.at, &text);
                }
                if event.room == Some(self.room) {
                    self.shown = event.seq;
                }
            }
            Some(Update::Frame(_)) => {}
            Some(Update::Reset { snapshot, .. }) => self.start_over(*snapshot).await?,
            Some(Update::Stopped(why)) => return Ok(Some(self.stopped(why))),
            None => return Ok(Some(ExitCode::FAILURE)),
        }
        Ok(None)
    }

    fn stopped(&mut self, why: StopReason) -> ExitCode {
        self.signed_in = false;
        let why = match why {
            StopReason::SignedOut => "you are signed out",
            StopReason::Deactivated => "this account was deactivated",
            StopReason::Said(_) | StopReason::Closed(_) => "the server ended the connection for good",
            StopReason::Asked => return ExitCode::SUCCESS,
        };
        self.screen.notice(why);
        ExitCode::FAILURE
    }

    /// After a reset: what was missed is read from the history.
    async fn start_over(&mut self, snapshot: Snapshot) -> Result<()> {
        self.team = Team::new(snapshot);
        let missed = HistoryPage::After(self.shown);
        self.show(missed).await
    }

    /// Carries out a typed line; `true` ends the program.
    async fn typed(&mut self, line: &str) -> Result<bool> {
        self.screen.take_back_input();
        match Input::parse(line) {
            Input::Nothing => {}
            Input::Quit => return Ok(true),
            Input::Help => self.screen.notice(input::HELP),
            Input::Rooms => self.rooms().await,
            Input::Join(name) => self.join(&name).await,
            Input::Unknown(command) => {
                self.screen.notice(&format!("there is no command /{command}; /help lists them"));
            }
            Input::Post(text) => match MessageBody::new(&text) {
                Ok(body) => self.post(text, body),
                Err(error) => self.screen.notice(&format!("not sent: the message {error}")),
            },
        }
        Ok(false)
    }

    fn post(&mut self, text: String, body: MessageBody) {
        let nonce = Nonce::from_uuid(Uuid::now_v7());
        let command = Command::MessagePost { room: self.room, nonce, body, reply_to: None };
        let handle = self.handle.clone();
        self.sending.push(async move { (text, handle.send(command).await.map(drop)) }.boxed());
    }

    async fn rooms(&mut self) {
        match self.handle.rest().rooms().await {
            Ok(list) => {
                for room in &list.rooms {
                    let line = self.team.room_line(room, self.room);
                    self.screen.notice(&line);
                }
            }
            Err(error) => self.screen.notice(&format!("the rooms could not be loaded: {error}")),
        }
    }

    /// Goes to a room, becoming a member of it if need be.
    async fn join(&mut self, name: &str) {
        if let Err(error) = self.try_join(name).await {
            self.screen.notice(&crate::in_full(&error));
        }
    }

    async fn try_join(&mut self, name: &str) -> Result<()> {
        if let Some(room) = self.team.find(name) {
            return self.enter(room).await;
        }
        let list = self.handle.rest().rooms().await?;
        let found = list.rooms.into_iter().find(|view| team::is_called(&view.room, name));
        let room = found.with_context(|| format!("there is no room `{name}` that you may enter"))?.room;
        self.handle.rest().join(room.id).await?;
        let id = room.id;
        self.team.add_room(room);
        self.enter(id).await
    }

    async fn enter(&mut self, room: RoomId) -> Result<()> {
        self.room = room;
        self.screen.notice(&format!("in {}", self.team.room_name(room)));
        self.show(HistoryPage::Newest).await
    }

    async fn show(&mut self, page: HistoryPage) -> Result<()> {
        let history = self.handle.rest().history(self.room, page, TAIL_MESSAGES).await;
        let history = history.context("the history could not be loaded")?;
        for message in &history.messages {
            self.screen.line(message.at, &self.team.message_text(message));
            self.shown = self.shown.max(message.seq);
        }
        if history.has_after {
            self.screen.notice("there is more; the browser shows it all");
        }
        Ok(())
    }
}
