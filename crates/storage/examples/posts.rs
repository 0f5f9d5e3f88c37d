//! How many posts a second a database takes, for 1, 2, ... stores (nodes) that write at once.
//!
//! `cargo run --release -p switchback-storage --example posts -- ADDRESS [STORES] [SENDERS] [SECONDS]`
//!
//! Each store has its own senders; a sender posts, waits for the acknowledgement, and posts again.
//! What is `Unavailable` it posts again, with the same nonce, so that the database may be restarted
//! while this runs. All stores run in this process, so that they share its cores with each other (and with the
//! database, if it is on this machine). The database keeps what is written: name one to throw away.

use std::error::Error;
use std::time::{Duration, Instant};

use switchback_core::wire::Role;
use switchback_core::{Nonce, RoomId, UserId};
use switchback_storage::{Database, NewMessage, NewUser, OpenMode, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let address: Database =
        args.next().ok_or("name a database: sqlite:DIRECTORY or postgres://...")?.parse()?;
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse());
    let (most, senders, seconds) = (number(3)?, number(64)?, number(5)?);
    println!("{address}, {senders} senders for each store, {seconds} s");
    for count in 1..=most {
        run(&address, count, senders, Duration::from_secs(seconds)).await?;
    }
    Ok(())
}

async fn run(address: &Database, count: u64, senders: u64, lasting: Duration) -> Result<()> {
    let mut stores = Vec::new();
    for number in 0..count {
        let mode = if number == 0 { OpenMode::Server } else { OpenMode::Admin };
        stores.push(Store::open_database(address, mode).await?);
    }
    let author = author(&stores[0]).await?;
    let general = stores[0].rooms(author).await?.into_iter().find(|view| view.room.general);
    let general = general.ok_or("there is no room of all")?.room.id;
    let started = Instant::now();
    let mut sending = JoinSet::new();
    for store in &stores {
        for _ in 0..senders {
            sending.spawn(send(store.clone(), author, general, started + lasting));
        }
    }
    let mut all = Sent::default();
    for sent in sending.join_all().await {
        let sent = sent?;
        all.taken.extend(sent.taken);
        all.again += sent.again;
    }
    report(&stores, all, started.elapsed());
    for store in stores {
        store.close().await;
    }
    Ok(())
}

async fn author(store: &Store) -> Result<UserId> {
    let new = NewUser {
        handle: format!("u{}", &Uuid::now_v7().simple().to_string()[12..]).parse()?,
        name: "Sender".parse()?,
        role: Role::Member,
        password_hash: String::new(),
    };
    Ok(store.create_user(new).await?.id)
}

/// How long each acknowledgement took, and how often it had to be asked for again.
#[derive(Default)]
struct Sent {
    taken: Vec<Duration>,
    again: u64,
}

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

async fn send(store: Store, author: UserId, room: RoomId, until: Instant) -> Result<Sent> {
    let mut sent = Sent::default();
    while Instant::now() < until {
        let new = NewMessage {
            author,
            room,
            nonce: Nonce::from_uuid(Uuid::now_v7()),
            body: "The quick brown fox jumps over the lazy dog.".parse()?,
            html: "<p>The quick brown fox jumps over the lazy dog.</p>".to_owned(),
            reply_to: None,
            mentions: Vec::new(),
            mentions_room: false,
        };
        let started = Instant::now();
        while let Err(error) = store.post_message(new.clone()).await {
            if !matches!(error, switchback_storage::Error::Unavailable(_)) {
                return Err(error.into());
            }
            sent.again += 1;
            tokio::time::sleep(PAUSE).await;
        }
        sent.taken.push(started.elapsed());
    }
    Ok(sent)
}

fn report(stores: &[Store], sent: Sent, elapsed: Duration) {
    let Sent { mut taken, again } = sent;
    taken.sort_unstable();
    let at =
        |part: usize| taken.get(taken.len() * part / 100).or(taken.last()).map_or(0, Duration::as_millis);
    let per_second = |number: u64| u128::from(number) * 1_000 / elapsed.as_millis().max(1);
    let (posts, commits) =
        (taken.len() as u64, stores.iter().map(|store| store.stats().commits).sum::<u64>());
    println!(
        "{} store(s): {:6} posts/s, {:4} commits/s of {} posts; ack after {} ms median, {} ms p99, {} ms at most; {again} asked for again",
        stores.len(),
        per_second(posts),
        per_second(commits),
        posts / commits.max(1),
        at(50),
        at(99),
        at(100),
    );
}
