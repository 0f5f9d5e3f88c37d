//! What only a data directory with an `SQLite` database has: files, and a lock.

use std::os::unix::fs::PermissionsExt as _;

use switchback_storage::{OpenError, OpenMode, Store};
use tempfile::TempDir;

use crate::kit::{Team, message};

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
async fn what_was_acknowledged_is_on_disk_before_anything_is_closed() {
    let team = Team::in_directory().await;
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
async fn a_second_server_is_refused_until_the_first_has_closed() {
    let team = Team::in_directory().await;
    let refused = Store::open(team.path(), OpenMode::Server).await.unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { path } if path == team.path()), "{refused}");
    team.store.close().await;
    Store::open(team.path(), OpenMode::Server).await.unwrap().close().await;
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

#[tokio::test]
async fn the_file_is_not_writable_for_everybody_and_closing_leaves_it_alone_and_whole() {
    let team = Team::in_directory().await;
    let file = team.path().join("switchback.db");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o002, 0);
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "last words").await;
    team.store.close().await;
    assert!(!team.path().join("switchback.db-wal").exists());
    let words = std::fs::read(file).unwrap();
    assert!(words.windows(10).any(|bytes| bytes == b"last words"));
}

#[tokio::test]
async fn a_deleted_text_is_not_in_the_file_either() {
    let team = Team::in_directory().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let posted = team.store.post_message(message(ada, general, "xyzzy-plugh secret")).await.unwrap();
    team.store.delete_message(ada, posted.message.id, false).await.unwrap();
    team.store.close().await;
    let file = std::fs::read(team.path().join("switchback.db")).unwrap();
    assert!(!file.windows(11).any(|bytes| bytes == b"xyzzy-plugh"));
}
