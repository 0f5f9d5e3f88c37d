//! One run: two nodes over one database, clients, a network, and what goes wrong, all by one seed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use switchback_client::simulation::{Course, Outbox, Reply};
use switchback_core::wire::Command;
use switchback_core::{Emoji, Nonce};
use switchback_server::simulation::Node;
use switchback_storage::{Store, simulation as database};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::chance::Chance;
use crate::check;
use crate::client::{Client, Meddling};
use crate::line;
use crate::record::{Given, Kind, Record};
use crate::schedule::{Owner, Schedule};
use crate::site::{self, Site};
use crate::wire::{self, End, Link};

/// Things that somebody does or that go wrong, in one run: few, because what goes wrong together is
/// mostly two or three of them, and many short runs find it sooner than a few long ones.
const ACTIONS: usize = 24;
/// Of so many who come in, one is let into the secret room or out of it at that moment.
const CHANGES_COMING_IN: usize = 4;
/// Steps after which a run that does not come to rest is one that never will.
const STEPS: usize = 30_000;
/// Looks in a row at which every command is answered and nobody has heard anything since the last one,
/// before a run counts as at rest; together longer than any patience of client or node.
const QUIET_LOOKS: usize = 5;
const QUIET_MS: u64 = 450;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// What happened, in order: all of it as a hash, the end of it as text.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) lines: Vec<String>,
}

impl Trace {
    /// FNV-1a.
    fn note(&mut self, line: String) {
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.lines.push(line);
    }
}

/// What connects everybody.
pub(crate) struct Net {
    nodes: RefCell<Vec<Option<Node>>>,
    links: RefCell<Vec<Link>>,
    begun: RefCell<Vec<(Owner, String, Work)>>,
    /// Clients that have just begun to come in.
    coming_in: RefCell<Vec<usize>>,
    trace: RefCell<Trace>,
    pub(crate) tally: RefCell<BTreeMap<&'static str, usize>>,
    /// No box in the middle meddles any more.
    healed: Cell<bool>,
}

impl Net {
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        self.trace.borrow_mut().note(line());
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.tally.borrow_mut().entry(what).or_default() += 1;
    }

    /// A node that answers.
    pub(crate) fn some_node(&self, chance: &mut Chance) -> Option<usize> {
        let node = chance.below(self.nodes.borrow().len());
        self.nodes.borrow()[node].is_some().then_some(node)
    }

    pub(crate) fn meddle(&self, chance: &mut Chance) -> Meddling {
        let (meddling, name) = match chance.below(20) {
            0 | 1 => (Meddling::Stripped, "cursors stripped"),
            2 => (Meddling::Mangled, "cursors mangled"),
            3 => (Meddling::Foreign, "cursors of another log"),
            _ => return Meddling::None,
        };
        if self.healed.get() {
            return Meddling::None;
        }
        self.count(name);
        self.note(|| name.to_owned());
        meddling
    }

    /// A client begins to come in.
    pub(crate) fn comes_in(&self, client: usize) {
        self.coming_in.borrow_mut().push(client);
    }

    pub(crate) fn websocket(&self, client: usize, node: usize, request: Request<Bytes>) -> End {
        self.connect(client, node, |node, end| Box::pin(line::serve_websocket(node, request, end)))
    }

    pub(crate) fn exchange(&self, client: usize, node: usize, request: Request<Bytes>) -> End {
        self.connect(client, node, |node, end| Box::pin(line::serve(node, request, end)))
    }

    fn connect(&self, client: usize, node: usize, serve: impl FnOnce(Node, End) -> Work) -> End {
        let (near, far, link) = wire::connect(node);
        let running = self.nodes.borrow()[node].clone();
        if let Some(running) = running {
            self.links.borrow_mut().push(link);
            let name = format!("node {node} for client {client}");
            self.begun.borrow_mut().push((Owner::Node(node), name, serve(running, far)));
        }
        near
    }
}

/// How a run ended.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) hash: u64,
    pub(crate) steps: usize,
    pub(crate) events: usize,
    pub(crate) tally: BTreeMap<&'static str, usize>,
    pub(crate) wrongs: Vec<String>,
    pub(crate) trace: Vec<String>,
}

struct Handle {
    asks: mpsc::UnboundedSender<(Command, Reply)>,
    record: Rc<RefCell<Record>>,
    open: Rc<Cell<usize>>,
}

struct World {
    site: &'static Site,
    chance: Chance,
    schedule: Schedule,
    net: Rc<Net>,
    stores: [Store; 2],
    clients: Vec<Handle>,
    /// Who of the people was let into the secret room last, as far as ada knows.
    inside: [bool; site::PEOPLE.len()],
    /// Doorbells on their way: to which node, and what they say.
    doorbells: Vec<(usize, String)>,
    labels: usize,
    steps: usize,
}

/// Runs a seed from beginning to end.
pub(crate) fn run(seed: u64) -> Outcome {
    let site = site::site();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // A paused clock moves by itself when a runtime is idle, unless something blocks beside it; here the
    // schedule alone moves it.
    let (holding, held) = std::sync::mpsc::channel::<()>();
    let outcome = runtime.block_on(async {
        tokio::task::spawn_blocking(move || held.recv());
        let (dir, stores) = site.open().await;
        let outcome = Box::pin(simulate(seed, site, stores)).await;
        drop(dir);
        outcome
    });
    drop(holding);
    runtime.shutdown_background();
    outcome
}

async fn simulate(seed: u64, site: &'static Site, stores: [Store; 2]) -> Outcome {
    let mut chance = Chance::new(seed);
    let net = Rc::new(Net {
        nodes: RefCell::new(vec![None, None]),
        links: RefCell::default(),
        begun: RefCell::default(),
        coming_in: RefCell::default(),
        trace: RefCell::default(),
        tally: RefCell::default(),
        healed: Cell::new(false),
    });
    let fork = chance.fork();
    let mut world = World {
        site,
        chance: fork,
        schedule: Schedule::new(),
        net,
        stores,
        clients: Vec::new(),
        inside: [true, false, false],
        doorbells: Vec::new(),
        labels: 0,
        steps: 0,
    };
    world.start(0).await;
    world.start(1).await;
    let count = 3 + chance.below(3);
    (0..count).for_each(|number| world.client(number, chance.fork()));
    database::begin();
    world.trouble().await;
    let rest = world.rest().await;
    database::end();
    world.outcome(seed, rest).await
}

impl World {
    async fn start(&mut self, node: usize) {
        database::end();
        let ring = 2 + self.chance.below(12);
        let (running, tail) = Node::start(self.stores[node].clone(), ring).await.unwrap();
        database::begin();
        self.net.nodes.borrow_mut()[node] = Some(running);
        self.schedule.spawn(Owner::Node(node), format!("log of node {node}"), Box::pin(tail));
        self.net.note(|| format!("node {node} starts with room for {ring} events"));
    }

    fn client(&mut self, number: usize, chance: Chance) {
        let person = &self.site.people[number % self.site.people.len()];
        let (asks, taken) = mpsc::unbounded_channel();
        let record = Record::new(person.id, self.site.cursor.seq, &person.rooms);
        let (record, open) = (Rc::new(RefCell::new(record)), Rc::new(Cell::new(0)));
        let client = Client {
            number,
            token: person.token.clone(),
            net: Rc::clone(&self.net),
            chance,
            asks: taken,
            course: Course::new(Some(self.site.cursor)),
            outbox: Outbox::default(),
            record: Rc::clone(&record),
            open: Rc::clone(&open),
        };
        self.clients.push(Handle { asks, record, open });
        self.schedule.spawn(Owner::Client(number), format!("client {number}"), Box::pin(client.run()));
    }

    /// People do things and things go wrong.
    async fn trouble(&mut self) {
        let mut actions = ACTIONS;
        while actions > 0 && self.steps < STEPS {
            if self.chance.one_in(6) {
                self.act().await;
                actions -= 1;
            } else if !self.step().await {
                let ms = 1 + self.chance.next() % 120;
                self.pass(ms).await;
            }
        }
    }

    /// Nothing goes wrong any more; until nothing is left to do. `false`: that does not come.
    async fn rest(&mut self) -> bool {
        self.net.healed.set(true);
        self.net.note(|| "nothing goes wrong any more".to_owned());
        for node in 0..self.stores.len() {
            if self.net.nodes.borrow()[node].is_none() {
                self.start(node).await;
            }
        }
        self.net.links.borrow().iter().filter(|link| link.is_silent()).for_each(Link::give_up);
        let (mut looks, mut heard) = (0, self.told());
        while looks < QUIET_LOOKS {
            while self.step().await {
                if self.steps > STEPS {
                    return false;
                }
            }
            let told = self.told();
            let quiet = told == heard && self.clients.iter().all(|client| client.open.get() == 0);
            looks = if quiet { looks + 1 } else { 0 };
            heard = told;
            self.steps += 1;
            self.pass(QUIET_MS).await;
        }
        true
    }

    /// What clients have heard, in all.
    fn told(&self) -> usize {
        let told = |client: &Handle| {
            let record = client.record.borrow();
            record.heard.len() + record.resets
        };
        self.clients.iter().map(told).sum()
    }

    /// Until everything that is due by then has been woken. That the clock was moved is not enough:
    /// timers fire when the runtime looks at them, and what wakes it is partly the machine's choice.
    async fn pass(&self, ms: u64) {
        self.net.note(|| format!("{ms} ms pass"));
        let time = Duration::from_millis(ms);
        let mut due = std::pin::pin!(tokio::time::sleep(time));
        // Among the timers before the clock moves.
        poll_fn(|context| Poll::Ready(due.as_mut().poll(context).is_ready())).await;
        tokio::time::advance(time).await;
        due.await;
    }

    /// One of all the things that can go on does. `false`: there is none.
    async fn step(&mut self) -> bool {
        self.steps += 1;
        let able: Vec<usize> = self.schedule.able().collect();
        let flying: Vec<(usize, usize)> = {
            let links = self.net.links.borrow();
            let ways = |(index, link): (usize, &Link)| link.flying().map(move |way| (index, way)).collect();
            links.iter().enumerate().flat_map(|pair| -> Vec<_> { ways(pair) }).collect()
        };
        let choices = able.len() + flying.len() + self.doorbells.len();
        if choices == 0 {
            return false;
        }
        let choice = self.chance.below(choices);
        if let Some(task) = able.get(choice) {
            let name = self.schedule.go_on(*task).await;
            self.net.note(|| name);
        } else if let Some((link, way)) = flying.get(choice - able.len()) {
            self.net.links.borrow()[*link].arrive(*way);
            self.net.note(|| format!("something arrives on link {link} way {way}"));
        } else {
            self.doorbell(choice - able.len() - flying.len());
        }
        self.gather();
        true
    }

    /// Takes over what the last step has begun.
    fn gather(&mut self) {
        for (owner, name, work) in self.net.begun.take() {
            self.schedule.spawn(owner, name, work);
        }
        for (node, running) in self.net.nodes.borrow().iter().enumerate() {
            let told = running.iter().flat_map(Node::doorbells);
            self.doorbells.extend(told.map(|message| (1 - node, message)));
        }
        for client in self.net.coming_in.take() {
            let who = client % self.site.people.len();
            // Who may see what is read while a connection opens: that is when it should change.
            if who > 0 && !self.net.healed.get() && self.chance.one_in(CHANGES_COMING_IN) {
                self.membership(who);
            }
        }
    }

    fn doorbell(&mut self, index: usize) {
        let (to, message) = self.doorbells.swap_remove(index);
        let healed = self.net.healed.get();
        match self.chance.below(8) {
            0 | 1 if !healed => return self.trouble_with("doorbells lost"),
            2 if !healed => {
                self.trouble_with("doorbells doubled");
                self.doorbells.push((to, message.clone()));
            }
            _ => self.net.note(|| format!("a doorbell rings at node {to}")),
        }
        if let Some(node) = &self.net.nodes.borrow()[to] {
            node.hear(&message);
        }
    }

    fn trouble_with(&self, what: &'static str) {
        self.net.count(what);
        self.net.note(|| what.to_owned());
    }

    async fn act(&mut self) {
        match self.chance.below(20) {
            0..=9 => self.command(),
            10..=12 => {
                let who = 1 + self.chance.below(self.site.people.len() - 1);
                self.membership(who);
            }
            13..=15 => self.cut(),
            16 => self.silence(),
            17 => self.crash().await,
            _ => {
                let ms = 1 + self.chance.next() % 400;
                self.pass(ms).await;
            }
        }
    }

    /// Somebody writes, changes, deletes or reacts.
    fn command(&mut self) {
        let client = self.chance.below(self.clients.len());
        self.labels += 1;
        let label = format!("p{}", self.labels);
        let (command, kind) = self.some_command(client, &label);
        let (reply, answer) = oneshot::channel();
        self.net.note(|| format!("client {client} is asked for {label}, a {}", command.name()));
        self.net.count("commands");
        let handle = &self.clients[client];
        handle.open.set(handle.open.get() + 1);
        handle.record.borrow_mut().given.push(Given { label, kind, answer });
        drop(handle.asks.send((command, reply)));
    }

    fn some_command(&mut self, client: usize, label: &str) -> (Command, Kind) {
        let record = Rc::clone(&self.clients[client].record);
        let record = record.borrow();
        let known: Vec<_> = record.messages.iter().filter(|(_, message)| !message.deleted).collect();
        if !known.is_empty() && self.chance.one_in(2) {
            let (id, message) = known[self.chance.below(known.len())];
            let own = message.author == record.me;
            return match self.chance.below(4) {
                0 if own => (Command::MessageDelete { message: *id }, Kind::Delete(*id)),
                1 | 2 if own => {
                    let post = message.body.split(' ').next().unwrap_or_default();
                    let body = format!("{post} edited by {label}").parse().unwrap();
                    (Command::MessageEdit { message: *id, body }, Kind::Edit(*id))
                }
                kind => {
                    let emoji = Emoji::new("\u{1f44d}").unwrap();
                    let command = if kind == 0 {
                        Command::ReactionRemove { message: *id, emoji }
                    } else {
                        Command::ReactionAdd { message: *id, emoji }
                    };
                    (command, Kind::React(*id))
                }
            };
        }
        let secret = record.rooms.contains_key(&self.site.secret) && self.chance.one_in(2);
        let room = if secret { self.site.secret } else { self.site.general };
        let (nonce, body) = (Nonce::from_uuid(Uuid::now_v7()), label.parse().unwrap());
        (Command::MessagePost { room, nonce, body, reply_to: None }, Kind::Post)
    }

    /// Ada lets somebody in or out, mostly by turns.
    fn membership(&mut self, who: usize) {
        let node = self.chance.below(self.stores.len());
        let comes = self.inside[who] == self.chance.one_in(8);
        self.inside[who] = comes;
        let (ada, person) = (self.site.people[0].id, self.site.people[who].id);
        let (store, secret) = (self.stores[node].clone(), self.site.secret);
        self.net.count("comings and goings");
        self.net.note(|| format!("{} {}", site::PEOPLE[who], if comes { "comes" } else { "goes" }));
        let work = async move {
            // Who is in cannot come, who is out cannot go: that is an answer, too.
            if comes {
                drop(store.add_member(ada, secret, person).await);
            } else {
                drop(store.remove_member(ada, secret, person).await);
            }
        };
        self.schedule.spawn(Owner::Node(node), "ada's doing".to_owned(), Box::pin(work));
    }

    fn some_link(&mut self) -> Option<usize> {
        let links = self.net.links.borrow();
        let live: Vec<usize> = (0..links.len()).filter(|link| !links[*link].is_over()).collect();
        (!live.is_empty()).then(|| live[self.chance.below(live.len())])
    }

    fn cut(&mut self) {
        let Some(link) = self.some_link() else { return };
        self.net.note(|| format!("link {link} is cut"));
        self.net.count("connections cut");
        self.net.links.borrow()[link].cut(&mut self.chance);
    }

    /// A connection goes silent, or somebody gives up one that is.
    fn silence(&mut self) {
        let Some(link) = self.some_link() else { return };
        let links = self.net.links.borrow();
        if links[link].is_silent() {
            self.net.note(|| format!("link {link} is given up"));
            return links[link].give_up();
        }
        self.net.note(|| format!("link {link} goes silent"));
        self.net.count("connections gone silent");
        links[link].go_silent();
    }

    /// A node loses its memory and everything that was under way in it, or is started again.
    async fn crash(&mut self) {
        let node = self.chance.below(self.stores.len());
        if self.net.nodes.borrow()[node].is_none() {
            return self.start(node).await;
        }
        self.net.note(|| format!("node {node} crashes"));
        self.net.count("nodes crashed");
        self.schedule.end(Owner::Node(node));
        self.net.nodes.borrow_mut()[node] = None;
        self.net.begun.borrow_mut().retain(|(owner, ..)| *owner != Owner::Node(node));
        let links = self.net.links.borrow();
        links.iter().filter(|link| link.node == node).for_each(|link| link.cut(&mut self.chance));
    }

    async fn outcome(mut self, seed: u64, rest: bool) -> Outcome {
        // Everything that waits ends here, so that no answer is still to come.
        self.schedule = Schedule::new();
        self.net.nodes.borrow_mut().clear();
        let records = self.clients.iter().map(|client| &client.record);
        let mut wrongs = check::check(&self.stores[0], self.site, records).await;
        if !rest {
            wrongs.insert(0, format!("it did not come to rest in {STEPS} steps"));
        }
        let Trace { hash, lines } = self.net.trace.take();
        let events = self.clients.iter().map(|client| client.record.borrow().heard.len()).sum();
        let mut tally = self.net.tally.take();
        let resets = self.clients.iter().map(|client| client.record.borrow().resets).sum();
        tally.insert("clients started over", resets);
        Outcome { seed, hash, steps: self.steps, events, tally, wrongs, trace: lines }
    }
}
