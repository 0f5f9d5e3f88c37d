//! Opening, closing, and who may do so beside whom.

use futures_util::FutureExt as _;
use switchback_storage::{Database, Error, HistoryRange, OpenError, OpenMode, Store};

use crate::home::Home;
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
async fn after_closing_everything_is_unavailable() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "last words").await;
    team.store.close().await;
    team.store.close().await;
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
    let history = team.store.history(ada, general, HistoryRange::Latest, 100).await.unwrap().history;
    assert_eq!(history.messages.len(), 50);
}

#[tokio::test]
async fn an_admin_command_beside_a_server_writes_what_the_server_reads() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let admin = team.second_store(OpenMode::Admin).await.unwrap();
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
    let home = Home::new().await;
    let address: Database = home.address().parse().unwrap();
    let admin = Store::open_database(&address, OpenMode::Admin).await.unwrap();
    let server = Store::open_database(&address, OpenMode::Server).await.unwrap();
    assert_eq!(admin.epoch(), server.epoch());
    assert_eq!(server.head().await.unwrap(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_named() {
    let team = Team::new().await;
    team.store.close().await;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (4711, 'from the future', TRUE, '\\x00', 0)";
    team.behind_its_back(sql.to_owned()).await;
    for mode in [OpenMode::Server, OpenMode::Admin] {
        let refused = team.second_store(mode).await.unwrap_err();
        assert!(matches!(refused, OpenError::NewerSchema { found: 4711, .. }), "{refused}");
    }
}
