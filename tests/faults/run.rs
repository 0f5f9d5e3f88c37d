//! One run of a plan: a server of its own, people and rooms, a network for each client, the faults one
//! after the other, and the judgement when everybody has come to rest.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::PATIENCE;
use crate::check::{Verdict, check};
use crate::client::{Device, Seat};
use crate::disk::Kind;
use crate::draw::{PEOPLE, ROOMS};
use crate::faults::Site;
use crate::link::Link;
use crate::plan::{Fault, Plan};
use crate::record::Record;
use crate::reducer::State;
use crate::server::Server;
use crate::truth::{Fresh, Truth};
use crate::wire::exchange;

const HANDLES: [&str; PEOPLE] = ["ada", "bob", "cyd"];
/// Each device has its own, so that what is under a message has one author.
const EMOJI: [&str; 8] = ["👍", "🎉", "🚀", "👀", "😀", "🔥", "🌱", "🐢"];
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// The longest silence of any client, by way in.
    pub(crate) silence: [Duration; 3],
    pub(crate) proofs: Vec<String>,
}

struct Person {
    user: String,
    token: String,
}

pub(crate) async fn run(plan: &Plan) -> Outcome {
    let (mut site, people, rooms) = prepare(plan).await;
    // Before anybody says anything: what a client has not been told since, it need not know.
    let mut snapshots = Vec::new();
    for client in &plan.clients {
        snapshots.push(get(&site.server, &people[client.person].token, "/api/v1/snapshot").await);
    }
    let began = Instant::now();
    let mut devices = Vec::new();
    for (number, (client, snapshot)) in plan.clients.iter().zip(snapshots).enumerate() {
        let person = &people[client.person];
        let seat = Seat {
            name: format!("{} {number}", HANDLES[client.person]),
            emoji: EMOJI[number],
            user: person.user.clone(),
            token: person.token.clone(),
            address: site.links[number].address,
            rooms: rooms.clone(),
            began,
        };
        devices.push(Device::start(seat, client, snapshot));
    }
    let mut proofs = Vec::new();
    for fault in &plan.faults {
        sleep_until(began + Duration::from_millis(fault.at_ms)).await;
        proofs.push(site.suffer(&fault.fault).await);
    }
    rest(&devices).await;
    let records: Vec<Record> = devices.iter().map(Device::record).collect();
    let truth = Truth::read(&site.server.data_dir()).await;
    let mut verdict = check(&records, &truth);
    states(&site, &people, &rooms, &records, &mut verdict).await;
    if !verdict.is_clean() {
        eprintln!("{}", site.server.last_words());
    }
    Outcome { verdict, silence: silence(plan, &records), proofs }
}

async fn prepare(plan: &Plan) -> (Site, Vec<Person>, Vec<String>) {
    let any = |is: fn(&Fault) -> bool| plan.faults.iter().any(|fault| is(&fault.fault));
    let disk = if any(|fault| matches!(fault, Fault::ReadOnly { .. })) {
        Some(Kind::Ext4)
    } else {
        any(|fault| matches!(fault, Fault::DiskFull { .. })).then_some(Kind::Small)
    };
    let server = Server::start(disk, any(|fault| matches!(fault, Fault::Clock { .. }))).await;
    let mut people = Vec::new();
    for (number, handle) in HANDLES.into_iter().enumerate() {
        let token = server.account(handle, if number == 0 { "owner" } else { "member" }).await;
        let me = get(&server, &token, "/api/v1/snapshot").await;
        people.push(Person { user: me["me"]["id"].as_str().unwrap().to_owned(), token });
    }
    let owner = people[0].token.clone();
    for number in 1..ROOMS {
        let body = json!({"kind": "public", "name": format!("room {number}")}).to_string();
        let made =
            exchange(server.address, PATIENCE, ("POST", "/api/v1/rooms"), &owner, &body).await.unwrap().1;
        for person in &people[1..] {
            let path = format!("/api/v1/rooms/{}/members/me", made["id"].as_str().unwrap());
            let line = ("PUT", path.as_str());
            let (head, answer) = exchange(server.address, PATIENCE, line, &person.token, "").await.unwrap();
            assert!(head.status < 300, "{answer}");
        }
    }
    let snapshot = get(&server, &owner, "/api/v1/snapshot").await;
    let rooms = snapshot["rooms"].as_array().unwrap().iter();
    let rooms: Vec<String> = rooms.map(|room| room["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(rooms.len(), ROOMS);
    let mut links = Vec::new();
    for _ in &plan.clients {
        links.push(Link::to(server.address).await);
    }
    (Site { server, links, token: owner, room: rooms[0].clone(), clock_off_s: 0 }, people, rooms)
}

/// Until every command is answered and everybody has heard the last word. Whoever does not come to
/// rest is not waited for for ever: what is missing then is what the judgement finds.
async fn rest(devices: &[Device]) {
    let answered = async {
        while !devices.iter().all(Device::is_done) {
            sleep(LOOK).await;
        }
        let last = devices[0].last_word().await;
        while devices.iter().any(|device| device.heard() < last) {
            sleep(LOOK).await;
        }
    };
    if timeout(PATIENCE, answered).await.is_err() {
        for device in devices {
            let record = device.record();
            let open: Vec<String> = record
                .given
                .iter()
                .filter(|given| !given.settled())
                .map(|given| given.command.to_string())
                .collect();
            eprintln!("{} has heard {}, unanswered {open:?}", record.name, device.heard());
        }
    }
}

async fn get(server: &Server, token: &str, path: &str) -> Value {
    let (head, body) = exchange(server.address, PATIENCE, ("GET", path), token, "").await.unwrap();
    assert_eq!(head.status, 200, "{path}: {body}");
    body
}

async fn fresh(server: &Server, person: &Person, rooms: &[String]) -> Fresh {
    let snapshot = get(server, &person.token, "/api/v1/snapshot").await;
    let mut messages = Vec::new();
    for room in rooms {
        let mut after = 0;
        loop {
            let path = format!("/api/v1/rooms/{room}/messages?limit=100&after={after}");
            let page = get(server, &person.token, &path).await;
            messages.extend(page["messages"].as_array().unwrap().iter().cloned());
            after = messages.last().map_or(0, |message: &Value| message["seq"].as_u64().unwrap());
            if page["has_after"] == false {
                break;
            }
        }
    }
    Fresh { snapshot, messages }
}

/// Snapshot and events come to the same as a fresh snapshot, by the reference and by the web client.
async fn states(site: &Site, people: &[Person], rooms: &[String], records: &[Record], verdict: &mut Verdict) {
    let mut cases = Vec::new();
    for record in records {
        let person = people.iter().find(|person| person.user == record.user).unwrap();
        let fresh = fresh(&site.server, person, rooms).await;
        let Some(replayed) = State::replayed(record) else { continue };
        let difference = replayed.difference(&State::fresh(&fresh));
        verdict.other.extend(difference.map(|difference| format!("{}: {difference}", record.name)));
        cases.push(json!({
            "name": record.name,
            "begun": record.begun,
            "told": record.events().collect::<Vec<_>>(),
            "fresh": {"snapshot": fresh.snapshot, "messages": fresh.messages},
        }));
    }
    let said = web(&Value::Array(cases).to_string()).await;
    verdict.other.extend(said.lines().map(|line| format!("web client: {line}")));
}

async fn web(input: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/faults/web.mjs");
    let mut command = Command::new("node");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("node: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "the web client's state failed");
    String::from_utf8(output.stdout).unwrap()
}

fn silence(plan: &Plan, records: &[Record]) -> [Duration; 3] {
    let from = plan.faults.first().map_or(0, |fault| fault.at_ms);
    let to = plan.ends_ms();
    let mut longest = [Duration::ZERO; 3];
    for record in records {
        let column = &mut longest[record.way.column()];
        *column = (*column).max(Duration::from_millis(record.silence_ms(from, to)));
    }
    longest
}
