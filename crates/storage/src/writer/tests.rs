//! The writer under faults that only it can be given: a full disk, a full queue, a defect.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use switchback_core::wire::Role;
use switchback_core::{Nonce, RoomId, UserId};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::db::values;
use crate::home::Home;
use crate::{Error, Follower, HistoryRange, NewMessage, NewUser, OpenMode, Posted, Store, limits};

async fn open(home: &Home) -> Store {
    Store::open_database(&home.address().parse().unwrap(), OpenMode::Server).await.unwrap()
}

async fn store(home: &Home) -> (Store, UserId, RoomId) {
    let store = open(home).await;
    let ada = NewUser {
        handle: "ada".parse().unwrap(),
        name: "Ada".parse().unwrap(),
        role: Role::Owner,
        password_hash: String::new(),
    };
    let ada = store.create_user(ada).await.unwrap().id;
    let general = store.rooms(ada).await.unwrap()[0].room.id;
    (store, ada, general)
}

fn message(author: UserId, room: RoomId, size_bytes: usize) -> NewMessage {
    NewMessage {
        author,
        room,
        nonce: Nonce::from_uuid(Uuid::now_v7()),
        body: "x".repeat(size_bytes).parse().unwrap(),
        html: String::new(),
        reply_to: None,
        mentions: Vec::new(),
        mentions_room: false,
    }
}

/// Lets the database grow no more, or as much as it likes: `SQLite` then answers as on a full disk.
async fn set_full(store: &Store, full: bool) {
    // Below what there is, the limit becomes what there is.
    let sql = if full { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 1000000" };
    store.writer().set_express(sql);
    store
        .write(move |tx| Box::pin(async move { tx.conn.one(sql, values![]).await.map(drop) }))
        .await
        .unwrap();
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_reading_goes_on_and_space_heals_it() {
    let home = Home::directory();
    let (store, ada, general) = store(&home).await;
    let before = store.post_message(message(ada, general, 10)).await.unwrap();
    set_full(&store, true).await;
    let posts: Vec<_> = (0..40).map(|_| message(ada, general, 15_000)).collect();
    let answers = join_all(posts.iter().cloned().map(|post| store.post_message(post))).await;
    for answer in &answers {
        let Err(Error::Unavailable(reason)) = answer else { panic!("acknowledged: {answer:?}") };
        assert!(reason.contains("full"), "another fault than the one wanted: {reason}");
    }
    let history = store.history(ada, general, HistoryRange::Latest, 100).await.unwrap().history;
    assert_eq!(history.messages, [before.message]);
    assert_eq!(store.head().await.unwrap(), before.seq);
    set_full(&store, false).await;
    let mut expected = before.seq;
    for post in posts {
        let posted = store.post_message(post).await.unwrap();
        expected += 1;
        assert_eq!((posted.fresh, posted.seq), (true, expected));
    }
    store.close().await;
}

#[tokio::test]
async fn posts_are_written_by_their_thread_and_where_it_cannot_the_ordinary_way() {
    let home = Home::directory();
    let (store, ada, general) = store(&home).await;
    // A trigger of that connection alone: what it writes leaves this mark.
    store.writer().set_express(
        "CREATE TEMP TRIGGER mark AFTER INSERT ON main.messages \
         BEGIN UPDATE workspace SET name = 'by the thread' WHERE id = 1; END",
    );
    let first = store.post_message(message(ada, general, 10)).await.unwrap();
    assert_eq!(store.workspace().await.unwrap().name, "by the thread");
    store.writer().set_express("PRAGMA query_only = ON");
    let second = store.post_message(message(ada, general, 10)).await.unwrap();
    let third = store.post_message(message(ada, general, 10)).await.unwrap();
    assert_eq!((second.seq, third.seq), (first.seq + 1, first.seq + 2));
    assert!(first.fresh && second.fresh && third.fresh);
}

/// What comes comes within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets everything happen that can, and says whether this has.
async fn has_come<T>(answer: &mut JoinHandle<T>) -> bool {
    // The thread that posts is not the runtime's: it is waited for by what it does.
    timeout(Duration::from_millis(300), answer).await.is_ok()
}

#[tokio::test]
async fn an_answer_is_given_by_who_follows_the_log_at_rest() {
    let home = Home::directory();
    let (store, ada, general) = store(&home).await;
    let follower = store.follow();
    let mut doorbell = store.doorbell();
    let post = || {
        let (store, message) = (store.clone(), message(ada, general, 1));
        tokio::spawn(async move { store.post_message(message).await.unwrap().seq })
    };
    // Somebody who does something else is not waited for.
    let before = post().await.unwrap();
    assert!(follower.take().1.is_empty());
    doorbell.mark_unchanged();
    follower.rest();
    let mut held = post();
    doorbell.changed().await.unwrap();
    assert_eq!(*doorbell.borrow(), before + 1, "it is on disk");
    assert!(!has_come(&mut held).await, "before its event is visible");
    // The next one is not held back too.
    assert_eq!(post().await.unwrap(), before + 2);
    let (events, answers) = follower.take();
    assert_eq!(events.iter().map(|logged| logged.event.seq).collect::<Vec<_>>(), [before + 1, before + 2]);
    assert!(!answers.is_empty() && !held.is_finished());
    drop(answers);
    assert_eq!(held.await.unwrap(), before + 1);
}

/// A post that is on disk and not answered, because the follower has not taken it.
async fn held(follower: &Follower, store: &Store, post: NewMessage) -> JoinHandle<Posted> {
    follower.rest();
    let mut doorbell = store.doorbell();
    doorbell.mark_unchanged();
    let store = store.clone();
    let mut answer = tokio::spawn(async move { store.post_message(post).await.unwrap() });
    doorbell.changed().await.unwrap();
    assert!(!has_come(&mut answer).await);
    answer
}

#[tokio::test]
async fn nobody_waits_for_a_follower_who_turns_to_something_else_or_is_gone() {
    let home = Home::directory();
    let (store, ada, general) = store(&home).await;
    let follower = store.follow();
    let answer = held(&follower, &store, message(ada, general, 1)).await;
    follower.busy();
    timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(follower.take().0.len(), 1, "its event is still to be taken");
    let answer = held(&follower, &store, message(ada, general, 1)).await;
    drop(follower);
    timeout(PATIENCE, answer).await.unwrap().unwrap();
    let follower = store.follow();
    follower.rest();
    drop(follower);
    timeout(PATIENCE, store.post_message(message(ada, general, 1))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_defect_in_one_operation_takes_nothing_from_the_others() {
    let home = Home::new().await;
    let (store, ada, general) = store(&home).await;
    let head = store.head().await.unwrap();
    let defect = store.write::<(), _>(|tx| {
        Box::pin(async move {
            let sql = "UPDATE workspace SET name = 'half done' WHERE id = 1";
            tx.conn.run(sql, values![]).await?;
            panic!("on purpose")
        })
    });
    let (failed, posted) = tokio::join!(defect, store.post_message(message(ada, general, 10)));
    assert!(matches!(failed, Err(Error::Database(_))), "{failed:?}");
    assert_eq!(posted.unwrap().seq, head + 1);
    assert_eq!(store.workspace().await.unwrap().name, "Switchback");
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_waits_is_still_done() {
    let home = Home::new().await;
    let (store, ada, general) = store(&home).await;
    let before = store.head().await.unwrap();
    let (release, released) = oneshot::channel::<()>();
    let (entered, inside) = oneshot::channel::<()>();
    let holding = tokio::spawn({
        let store = store.clone();
        async move {
            let hold = store.write(move |_| {
                Box::pin(async move {
                    entered.send(()).unwrap();
                    drop(released.await);
                    Ok(())
                })
            });
            hold.await
        }
    });
    inside.await.unwrap();
    for _ in 0..limits::WRITER_QUEUE {
        let write = store.write(|_| Box::pin(async { Ok(()) })).now_or_never();
        assert!(write.is_none(), "refused too early: {write:?}");
    }
    assert_eq!(store.stats().queued, u64::try_from(limits::WRITER_QUEUE).unwrap());
    let refused = store.post_message(message(ada, general, 10)).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    store.close().await;
    assert_eq!(store.stats().queued, 0);
    let group_max = match &home {
        Home::Directory(_) => limits::GROUP_MAX,
        Home::Postgres(_) => limits::POSTGRES_GROUP_MAX,
    };
    assert_eq!(store.stats().largest_group, u64::try_from(group_max).unwrap());
    let store = open(&home).await;
    assert_eq!(store.head().await.unwrap(), before);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_node_that_falls_silent_under_the_lock_stops_the_others_for_a_moment_only() {
    let home = Home::postgres().await;
    let (silent, ada, general) = store(&home).await;
    let other = open(&home).await;
    let (entered, inside) = oneshot::channel::<()>();
    let (release, released) = oneshot::channel::<()>();
    let hold = silent.write(move |tx| {
        Box::pin(async move {
            entered.send(()).unwrap();
            drop(released.await);
            tx.conn.run("UPDATE workspace SET name = 'too late' WHERE id = 1", values![]).await.map(drop)
        })
    });
    let posting = async {
        inside.await.unwrap();
        let started = std::time::Instant::now();
        let posted = other.post_message(message(ada, general, 10)).await.unwrap();
        let waited = started.elapsed();
        release.send(()).unwrap();
        (posted, waited)
    };
    let (late, (posted, waited)) = tokio::join!(hold, posting);
    assert!(waited < limits::POSTGRES_SILENCE * 2, "{waited:?}");
    assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
    assert_eq!(silent.workspace().await.unwrap().name, "Switchback");
    assert_eq!(silent.post_message(message(ada, general, 10)).await.unwrap().seq, posted.seq + 1);
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_taken_away() {
    let home = Home::directory();
    let Home::Directory(dir) = &home else { panic!("not a directory") };
    let (store, ada, general) = store(&home).await;
    let (file, aside) = (dir.path().join("switchback.db"), dir.path().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    let refused = store.post_message(message(ada, general, 10)).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("put it back")), "{refused:?}");
    assert!(!file.exists(), "an empty database would hide the loss");
    // Another file in its place is none of ours.
    std::fs::write(&file, "").unwrap();
    store.post_message(message(ada, general, 10)).await.unwrap_err();
    std::fs::rename(&aside, &file).unwrap();
    store.post_message(message(ada, general, 10)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_reader_that_was_given_up_as_its_transaction_began_is_not_read_on() {
    let home = Home::postgres().await;
    let (store, ada, general) = store(&home).await;
    let mut given_up = Vec::new();
    for _ in 0..limits::READERS {
        let mut conn = store.reader().await.unwrap();
        // As it stands when nobody waits for the answer to BEGIN any more; the first look fixes what is seen.
        conn.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", values![]).await.unwrap();
        conn.one("SELECT seq FROM log_head WHERE id = 1", values![]).await.unwrap();
        given_up.push(conn);
    }
    let posted = store.post_message(message(ada, general, 10)).await.unwrap();
    drop(given_up);
    for _ in 0..=limits::READERS {
        assert_eq!(store.head().await.unwrap(), posted.seq);
    }
}
