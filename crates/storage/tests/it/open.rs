//! Opening, closing, and who may do so beside whom.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::FutureExt as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use switchback_storage::{Error, HistoryRange, OpenError, OpenMode, Store};
use tempfile::TempDir;

use crate::kit::{Team, kinds};

#[tokio::test]
async fn a_new_database_holds_general_and_waits_for_its_owner() {
    let team = Team::new().await;
    assert!(team.store.needs_setup().await.unwrap());
    assert_eq!(team.store.head().await.unwrap(), 1);
    let page = team.all_events(0).await;
    assert_eq!(kinds(&page), ["room.created"]);
    assert_eq!(page.events[0].event.actor, None);
    assert_eq!(team.store.epoch().as_str().len(), 8);
    let mode = std::fs::metadata(team.path().join("switchback.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o002, 0, "the database is writable for everybody");
}

#[tokio::test]
async fn a_data_directory_it_makes_is_for_the_owner_alone_and_explains_itself() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("deep/data");
    let store = Store::open(&dir, OpenMode::Server).await.unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(std::fs::read_to_string(dir.join("README.txt")).unwrap().contains("switchback.db"));
    store.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening_and_so_is_the_epoch() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let message = team.say(ada, general, "remember me").await;
    let (epoch, head) = (team.store.epoch(), team.store.head().await.unwrap());
    let team = team.reopened().await;
    assert_eq!(team.store.message(ada, message.id).await.unwrap(), message);
    assert_eq!((team.store.epoch(), team.store.head().await.unwrap()), (epoch, head));
    assert!(!team.store.needs_setup().await.unwrap());
    assert_eq!(*team.store.doorbell().borrow(), head);
}

#[tokio::test]
async fn what_was_acknowledged_is_on_disk_before_anything_is_closed() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let message = team.say(ada, general, "not lost").await;
    // What a killed server leaves behind: the files as they are now.
    let crashed = TempDir::new().unwrap();
    for file in ["switchback.db", "switchback.db-wal"] {
        std::fs::copy(team.path().join(file), crashed.path().join(file)).unwrap();
    }
    let store = Store::open(crashed.path(), OpenMode::Server).await.unwrap();
    assert_eq!(store.message(ada, message.id).await.unwrap(), message);
}

#[tokio::test]
async fn closing_leaves_one_whole_file_and_answers_unavailable_from_then_on() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "last words").await;
    team.store.close().await;
    team.store.close().await;
    assert!(!team.path().join("switchback.db-wal").exists());
    assert!(matches!(team.try_say(ada, general, "too late").await, Err(Error::Unavailable(_))));
    assert!(matches!(team.store.head().await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn operations_that_wait_are_finished_before_it_closes() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let posts = (0..50).map(|number| {
        let store = team.store.clone();
        let message = crate::kit::message(ada, general, &format!("message {number}"));
        async move { store.post_message(message).await }
    });
    let mut posts = Box::pin(futures_util::future::join_all(posts));
    // Polled once, each has put its operation into the queue.
    assert!((&mut posts).now_or_never().is_none());
    team.store.close().await;
    assert!(posts.await.iter().all(Result::is_ok));
    let team = team.reopened().await;
    let history = team.store.history(ada, general, HistoryRange::Latest, 100).await.unwrap();
    assert_eq!(history.messages.len(), 50);
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_has_closed() {
    let team = Team::new().await;
    let refused = Store::open(team.path(), OpenMode::Server).await.unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { path } if path == team.path()), "{refused}");
    team.store.close().await;
    Store::open(team.path(), OpenMode::Server).await.unwrap().close().await;
}

#[tokio::test]
async fn an_admin_command_beside_a_server_writes_what_the_server_reads() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let admin = Store::open(team.path(), OpenMode::Admin).await.unwrap();
    assert_eq!(admin.epoch(), team.store.epoch());
    let before = team.store.head().await.unwrap();
    let bob = admin.create_user(crate::kit::new_user("bob", switchback_core::wire::Role::Member)).await;
    assert_eq!(kinds(&team.all_events(before).await), ["user.joined", "member.joined"]);
    // And the server goes on numbering after it.
    let message = team.say(ada, general, "welcome").await;
    assert_eq!(message.seq, before + 3);
    assert_eq!(admin.message(bob.unwrap().id, message.id).await.unwrap(), message);
    admin.close().await;
    team.say(ada, general, "still here").await;
}

#[tokio::test]
async fn an_admin_command_makes_the_database_that_a_server_then_opens() {
    let dir = TempDir::new().unwrap();
    let admin = Store::open(dir.path(), OpenMode::Admin).await.unwrap();
    let server = Store::open(dir.path(), OpenMode::Server).await.unwrap();
    assert_eq!(admin.epoch(), server.epoch());
    assert_eq!(server.head().await.unwrap(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_named() {
    let team = Team::new().await;
    team.store.close().await;
    let path = team.path().join("switchback.db");
    let mut conn = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (4711, 'from the future', TRUE, x'00', 0)";
    sqlx::query(sql).execute(&mut conn).await.unwrap();
    drop(conn);
    for mode in [OpenMode::Server, OpenMode::Admin] {
        let refused = Store::open(team.path(), mode).await.unwrap_err();
        assert!(matches!(refused, OpenError::NewerSchema { found: 4711, known: 2, .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_was() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("switchback.db");
    let text = "this is not a database, it is a letter\n".repeat(200);
    std::fs::write(&path, &text).unwrap();
    let refused = Store::open(dir.path(), OpenMode::Server).await.unwrap_err();
    assert!(matches!(refused, OpenError::Database(_)), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_data_directory_that_is_a_file_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "").unwrap();
    let refused = Store::open(&path, OpenMode::Server).await.unwrap_err();
    assert!(matches!(&refused, OpenError::Directory { path: named, .. } if *named == path), "{refused}");
}
