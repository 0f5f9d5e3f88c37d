//! What clients say: posts and reactions, each tried with the same nonce until it is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use switchback_client::{Handle, SendError};
use switchback_core::wire::{Ack, Command, Problem, Request};
use switchback_core::{MessageId, Nonce, RoomId, Seq};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::http::Http;
use crate::limits;
use crate::line::Target;

/// Something said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) what: What,
    /// Where it stands in the log, once it was acknowledged; 0: acknowledged, and no event made.
    pub(crate) acked: Option<Seq>,
    pub(crate) attempts: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Post(Nonce),
    Reaction(MessageId),
}

/// All that was said, by all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Said>>>);

impl Ledger {
    pub(crate) fn read(&self) -> Vec<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A post that somebody else made was acknowledged at its first attempt.
    pub(crate) fn acknowledged(&self, nonce: Nonce, seq: Seq) {
        let said = Said { what: What::Post(nonce), acked: Some(seq), attempts: 1 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    }

    fn begin(&self, what: What) -> usize {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(Said { what, acked: None, attempts: 0 });
        said.len() - 1
    }

    fn note(&self, index: usize, change: impl FnOnce(&mut Said)) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.get_mut(index).map(change).unwrap_or_default();
    }
}

/// How somebody speaks.
#[derive(Debug, Clone)]
pub(crate) enum Voice {
    /// By `POST /chat`, which works beside any line.
    Post(Target),
    /// By the client's own line.
    Client(Handle),
}

/// Posts to a room; returns when it is answered.
pub(crate) async fn post(voice: &[Voice], room: RoomId, ledger: &Ledger) -> Result<()> {
    let nonce = Nonce::from_uuid(Uuid::now_v7());
    let body = format!("the quick brown fox, {nonce}").parse()?;
    let command = Command::MessagePost { room, nonce, body, reply_to: None };
    say(voice, command, ledger.begin(What::Post(nonce)), ledger).await
}

/// Puts an emoji under a message.
pub(crate) async fn react(voice: &[Voice], message: MessageId, ledger: &Ledger) -> Result<()> {
    let command = Command::ReactionAdd { message, emoji: "👍".parse()? };
    say(voice, command, ledger.begin(What::Reaction(message)), ledger).await
}

/// Tries by each voice in turn, for as long as it takes.
async fn say(voices: &[Voice], command: Command, index: usize, ledger: &Ledger) -> Result<()> {
    for voice in voices.iter().cycle() {
        ledger.note(index, |said| said.attempts += 1);
        match attempt(voice, &command).await? {
            Ok(ack) => {
                ledger.note(index, |said| said.acked = Some(ack.seq.unwrap_or_default()));
                return Ok(());
            }
            Err(after) => sleep(after.max(limits::POST_AGAIN)).await,
        }
    }
    Ok(())
}

/// One attempt: an answer, or how long to wait. An error: refused for good.
async fn attempt(voice: &Voice, command: &Command) -> Result<std::result::Result<Ack, Duration>> {
    match voice {
        Voice::Client(handle) => match timeout(limits::POST_ANSWER, handle.send(command.clone())).await {
            Ok(Ok(ack)) => Ok(Ok(ack)),
            Ok(Err(SendError::Refused(error))) if !error.retry => bail!("refused: {}", error.detail),
            Ok(Err(_)) | Err(_) => Ok(Err(Duration::ZERO)),
        },
        Voice::Post(target) => {
            let request = Request { id: None, command: command.clone() }.to_json();
            let answer = timeout(limits::POST_ANSWER, by_post(target, &request)).await;
            let Ok(Ok((status, body))) = answer else { return Ok(Err(Duration::ZERO)) };
            if status == 200 {
                return Ok(Ok(serde_json::from_str(&body)?));
            }
            let problem: Problem = serde_json::from_str(&body)?;
            if !problem.retry {
                bail!("refused with {status}: {}", problem.detail);
            }
            Ok(Err(Duration::from_millis(problem.retry_after_ms.unwrap_or_default())))
        }
    }
}

async fn by_post(target: &Target, request: &str) -> Result<(u16, String)> {
    let mut http = Http::dial(target.address).await?;
    let headers = format!("Content-Type: application/json\r\n{}", target.authorization());
    let head = http.ask("POST", "/chat", &headers, request).await?;
    let body = http.body(&head).await?;
    Ok((head.status, body))
}
