//! What only `PostgreSQL` has: several servers on one database, and connections that break.
//!
//! Ignored where there is none; see `main.rs`.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::JoinAll;
use sqlx::postgres::PgConnectOptions;
use switchback_core::wire::{EventBody, RoomKind};
use switchback_core::{Nonce, RoomId, Seq};
use switchback_storage::{Database, Error, NewMessage, OpenError, OpenMode, Store};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::home::Home;
use crate::kit::{Team, message};

/// What went through, and by which node.
async fn post_until_done(stores: &[Store], new: NewMessage) -> Seq {
    let mut attempt = 0;
    loop {
        match stores[attempt % stores.len()].post_message(new.clone()).await {
            Ok(posted) => return posted.seq,
            Err(Error::Unavailable(_)) => attempt += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Dense positions, gapless numbers in each room, each nonce once: the log as it must be.
async fn check_log(team: &Team) -> HashMap<Nonce, Seq> {
    let page = team.all_events(0).await;
    assert!(page.events.iter().map(|logged| logged.event.seq).eq(1..=page.through));
    assert!(page.events.is_sorted_by_key(|logged| logged.event.at));
    let mut counted: HashMap<RoomId, u64> = HashMap::new();
    let mut nonces = HashMap::new();
    for logged in page.events {
        if let (Some(room), Some(n)) = (logged.event.room, logged.event.n) {
            let last = counted.entry(room).or_default();
            assert_eq!(n, *last + 1, "a gap in {room}");
            *last = n;
        }
        if let EventBody::MessagePosted { message } = logged.event.body {
            assert_eq!(nonces.insert(message.nonce, message.seq), None, "twice: {message:?}");
        }
    }
    nonces
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn nodes_that_write_at_once_number_one_log_and_take_each_nonce_once() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let rooms = [team.general(ada).await, team.room(ada, RoomKind::Public, "other").await];
    let second = team.second_store(OpenMode::Server).await.unwrap();
    assert_eq!(second.epoch(), team.store.epoch());
    let mut posts = JoinSet::new();
    for number in 0..400 {
        let new = message(ada, rooms[number % 2], &format!("{number}"));
        // Each on both nodes: one of them is told that it came second.
        for store in [team.store.clone(), second.clone()] {
            let new = new.clone();
            posts.spawn(async move {
                let posted = store.post_message(new).await.unwrap();
                (posted.message.nonce, posted.seq, posted.fresh)
            });
        }
    }
    let answers = posts.join_all().await;
    assert_eq!(answers.iter().filter(|(_, _, fresh)| *fresh).count(), 400);
    let logged = check_log(&team).await;
    assert_eq!(logged.len(), 400);
    assert!(answers.iter().all(|(nonce, seq, _)| logged[nonce] == *seq));
    for store in [&team.store, &second] {
        assert!(store.stats().largest_group > 1, "nothing was ever committed together");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn what_one_node_writes_the_other_reads_at_once() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let second = team.second_store(OpenMode::Server).await.unwrap();
    for number in 0..20 {
        let message = team.say(ada, general, &format!("{number}")).await;
        let page = second.events_after(message.seq - 1, 10).await.unwrap();
        assert_eq!(page.through, message.seq);
        assert_eq!(page.events[0].event.body, EventBody::MessagePosted { message });
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn servers_that_open_a_new_database_at_once_make_one() {
    let home = Home::postgres().await;
    let address: Database = home.address().parse().unwrap();
    let open = || Store::open_database(&address, OpenMode::Server);
    let (a, b, c) = tokio::join!(open(), open(), open());
    let stores = [a.unwrap(), b.unwrap(), c.unwrap()];
    for store in &stores {
        assert_eq!((store.epoch(), store.head().await.unwrap()), (stores[0].epoch(), 1));
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn after_a_restart_of_postgres_the_first_post_goes_through() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for number in 0..5 {
        team.break_connections().await;
        team.say(ada, general, &format!("{number}")).await;
    }
    // A reader that broke is replaced when it has been idle, or has failed once.
    while let Err(error) = team.store.head().await {
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
    assert_eq!(check_log(&team).await.len(), 5);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_log_that_was_exchanged_behind_a_server_is_not_taken_for_the_old_one() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let ours = team.store.epoch();
    let restore = async |epoch: &str| {
        team.behind_its_back(format!("UPDATE log_head SET epoch = '{epoch}'")).await;
        team.break_connections().await;
    };
    restore("restored").await;
    let written = team.store.post_message(message(ada, general, "into which log?")).await;
    assert!(matches!(&written, Err(Error::Unavailable(_))), "{written:?}");
    // The first may still be the one that broke; what comes in its place must not answer either.
    for _ in 0..2 {
        let read = team.store.head().await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    }
    let fresh = team.second_store(OpenMode::Server).await.unwrap();
    assert_eq!(fresh.epoch().to_string(), "restored");
    restore(&ours.to_string()).await;
    team.say(ada, general, "into the old one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn posts_repeated_while_connections_break_are_written_once() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let stores = [team.store.clone(), team.second_store(OpenMode::Server).await.unwrap()];
    let mut senders = JoinSet::new();
    for sender in 0..16 {
        let mut stores = stores.to_vec();
        stores.rotate_left(sender % 2);
        senders.spawn(async move {
            let mut sent = Vec::new();
            for number in 0..40 {
                let new = message(ada, general, &format!("{sender}/{number}"));
                sent.push((new.nonce, post_until_done(&stores, new).await));
            }
            sent
        });
    }
    let mut sent = Vec::new();
    let mut broken = 0;
    while !senders.is_empty() {
        let done = tokio::time::timeout(Duration::from_millis(60), senders.join_next()).await;
        if let Ok(done) = done {
            sent.extend(done.unwrap().unwrap());
        } else {
            team.break_connections().await;
            broken += 1;
        }
    }
    assert!(broken > 0, "nothing was broken");
    let reading = async { while team.store.head().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap();
    let logged = check_log(&team).await;
    assert_eq!(logged.len(), 16 * 40);
    assert!(sent.iter().all(|(nonce, seq)| logged[nonce] == *seq));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_post_that_cannot_be_written_takes_no_other_with_it() {
    let team = Team::on_postgres().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.behind_its_back("ALTER TABLE messages ADD CHECK (body <> 'poison')".to_owned()).await;
    let bodies = (0..40).map(|number| if number == 20 { "poison".to_owned() } else { number.to_string() });
    let posts = bodies.map(|body| team.store.post_message(message(ada, general, &body)));
    let answers: Vec<_> = posts.collect::<JoinAll<_>>().await;
    assert!(matches!(answers[20], Err(Error::Database(_))), "{:?}", answers[20]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 39);
    assert_eq!(check_log(&team).await.len(), 39);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let address: Database = "postgres://ada:s3cret@127.0.0.1:1/chat".parse().unwrap();
    let refused = Store::open_database(&address, OpenMode::Server).await.unwrap_err();
    assert!(matches!(refused, OpenError::Connect { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("127.0.0.1:1/chat") && !text.contains("s3cret"), "{text}");
}

/// Passes connections on to the test's own server, from a moment on.
fn listen_later(home: &Home, after: Duration) -> u16 {
    let options: PgConnectOptions = home.address().parse().unwrap();
    let server = (options.get_host().to_owned(), options.get_port());
    let socket = TcpSocket::new_v4().unwrap();
    // Bound, so that nobody else takes the port; not listening, so that nobody is let in.
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let listener = socket.listen(16).unwrap();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(server.clone()).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    port
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_server_waits_at_its_start_for_a_database_that_comes_later() {
    let home = Home::postgres().await;
    let port = listen_later(&home, Duration::from_secs(2));
    let rest = home.address().split_once("://localhost").unwrap().1.to_owned();
    let address: Database = format!("postgres://127.0.0.1:{port}{rest}").parse().unwrap();
    let refused = Store::open_database(&address, OpenMode::Server).await;
    assert!(matches!(refused, Err(OpenError::Connect { .. })), "somebody listens already");
    let store = Store::open_patiently(&address).await.unwrap();
    assert_eq!(store.head().await.unwrap(), 1);
    store.close().await;
}
