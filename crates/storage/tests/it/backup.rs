//! Backups beside a running server, and restoring them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use switchback_storage::OpenError;
use switchback_storage::transfer::{Backup, Progress, Stage, TransferError, backup, restore};
use tempfile::TempDir;

use crate::home::Home;
use crate::kit::Team;
use crate::transfer::{
    Known, address, continues, hashes, left, lived_in, meanwhile, nobody_looks, opened, seen,
};

async fn backed_up(from: &Home, file: &Path) -> Backup {
    backup(&address(from), file, false, &nobody_looks).await.unwrap()
}

async fn refused_restore(file: &Path) -> TransferError {
    let to = Home::directory();
    let error = restore(file, &address(&to), &nobody_looks).await.unwrap_err();
    let Home::Directory(dir) = to else { panic!("not a directory") };
    assert!(!dir.path().join("switchback.db").exists());
    assert!(!dir.path().join("switchback.db.incoming").exists());
    error
}

/// Changes a backup from outside.
async fn change(file: &Path, sql: &'static str) {
    let mut conn = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// A backup of a workspace with a row of every kind.
async fn a_backup() -> (TempDir, PathBuf, Known) {
    let (dir, team) = (TempDir::new().unwrap(), Team::new().await);
    let known = lived_in(&team).await;
    let file = dir.path().join("monday.db");
    let made = backed_up(&team.home, &file).await;
    assert_eq!((made.head, made.messages), (known.head, 4));
    assert_eq!(made.size_bytes, std::fs::metadata(&file).unwrap().len());
    (dir, file, known)
}

async fn restored(file: &Path, to: Home, known: &Known) {
    let report = restore(file, &address(&to), &nobody_looks).await.unwrap();
    hashes(&report);
    let team = opened(to).await;
    assert_eq!(team.store.epoch().to_string(), report.head.0);
    continues(&team, known).await;
}

#[tokio::test]
async fn a_backup_beside_a_running_server_is_restored_under_a_new_epoch() {
    let (dir, team) = (TempDir::new().unwrap(), Team::new().await);
    let known = lived_in(&team).await;
    let before = seen(&team, &known).await;
    let file = dir.path().join("monday.db");
    backed_up(&team.home, &file).await;
    // The server goes on, and the backup is of before.
    team.say(known.ada, team.general(known.ada).await, "after the backup").await;
    let to = Home::new().await;
    restore(&file, &address(&to), &nobody_looks).await.unwrap();
    let team = opened(to).await;
    let after = seen(&team, &known).await;
    assert_ne!(after.0, before.0, "the epoch must be a new one");
    assert_eq!((after.1, after.2), (before.1, before.2));
    continues(&team, &known).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn a_backup_of_either_database_is_restored_into_the_other() {
    let team = Team::in_directory().await;
    let known = lived_in(&team).await;
    let dir = TempDir::new().unwrap();
    let (first, second) = (dir.path().join("first.db"), dir.path().join("second.db"));
    backed_up(&team.home, &first).await;
    let postgres = Home::postgres().await;
    restore(&first, &address(&postgres), &nobody_looks).await.unwrap();
    backed_up(&postgres, &second).await;
    restored(&second, Home::directory(), &known).await;
}

#[tokio::test]
async fn a_backup_is_one_file_for_its_owner_alone_and_replaces_another_only_if_told_to() {
    let (dir, file, _) = a_backup().await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let team = Team::new().await;
    let before = std::fs::read(&file).unwrap();
    let error = backup(&address(&team.home), &file, false, &nobody_looks).await.unwrap_err();
    assert!(
        matches!(error, TransferError::Exists { .. }) && error.to_string().contains("--force"),
        "{error}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let made = backup(&address(&team.home), &file, true, &nobody_looks).await.unwrap();
    assert_eq!((made.head, made.messages), (1, 0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_backup_of_nothing_is_refused_and_leaves_nothing() {
    let (home, dir) = (Home::new().await, TempDir::new().unwrap());
    let file = dir.path().join("nothing.db");
    let error = backup(&address(&home), &file, false, &nobody_looks).await.unwrap_err();
    let expected =
        matches!(error, TransferError::Empty { .. } | TransferError::Open(OpenError::Missing { .. }));
    assert!(expected, "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    for content in ["", "this is a letter, and a long one at that\n"] {
        std::fs::write(&file, content.repeat(100)).unwrap();
        let error = refused_restore(&file).await;
        assert!(matches!(error, TransferError::NotABackup { .. }), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    options.connect().await.unwrap().close().await.unwrap();
    change(&file, "CREATE TABLE recipes (title TEXT)").await;
    for path in [&file, dir.path()] {
        let error = refused_restore(path).await;
        assert!(matches!(error, TransferError::NotABackup { .. }), "{error}");
    }
    let error = refused_restore(&dir.path().join("nowhere")).await;
    assert!(matches!(error, TransferError::File { .. }) && error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let (_dir, file, _) = a_backup().await;
    let whole = std::fs::read(&file).unwrap();
    let mut holed = whole.clone();
    let middle = holed.len() / 2;
    holed[middle..middle + 4_096].fill(0xa5);
    for damaged in [&whole[..whole.len() - 8_192], &holed] {
        std::fs::write(&file, damaged).unwrap();
        let error = refused_restore(&file).await;
        assert!(matches!(error, TransferError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_servers_own_file_is_not_taken_for_a_backup() {
    let team = Team::in_directory().await;
    let file = team.path().join("switchback.db");
    assert!(team.path().join("switchback.db-wal").exists());
    let error = refused_restore(&file).await;
    assert!(matches!(error, TransferError::LiveFile { .. }), "{error}");
    let error = backup(&address(&team.home), &file, true, &nobody_looks).await.unwrap_err();
    assert!(matches!(error, TransferError::LiveFile { .. }), "{error}");
}

#[tokio::test]
async fn a_backup_from_the_future_is_refused_and_an_older_one_brought_up_to_date_in_a_copy() {
    let (_dir, file, known) = a_backup().await;
    change(&file, "INSERT INTO _sqlx_migrations VALUES (4711, 'future', 0, TRUE, x'00', 0)").await;
    let error = refused_restore(&file).await;
    let newer = matches!(error, TransferError::Open(OpenError::NewerSchema { found: 4711, .. }));
    assert!(newer, "{error}");
    // The first schema kept private rooms' names from others.
    let older = "DELETE FROM _sqlx_migrations WHERE version > 1; \
                 UPDATE rooms SET name_key = 'closed' WHERE kind = 'private'";
    change(&file, older).await;
    let before = std::fs::read(&file).unwrap();
    restored(&file, Home::new().await, &known).await;
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn nothing_is_restored_over_a_workspace() {
    let (_dir, file, _) = a_backup().await;
    let (to, known) = left().await;
    let error = restore(&file, &address(&to), &nobody_looks).await.unwrap_err();
    assert!(matches!(error, TransferError::Occupied { .. }), "{error}");
    continues(&opened(to).await, &known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_holds_nobody_up_and_is_of_one_moment() {
    let (dir, team) = (TempDir::new().unwrap(), Team::new().await);
    let known = lived_in(&team).await;
    let general = team.general(known.ada).await;
    let posted = AtomicUsize::new(0);
    let looking = |progress: Progress| {
        if matches!(progress.stage, Stage::Copying | Stage::Writing) {
            meanwhile(team.say(known.ada, general, "meanwhile"));
            posted.fetch_add(1, Ordering::Relaxed);
        }
    };
    let file = dir.path().join("monday.db");
    let made = backup(&address(&team.home), &file, false, &looking).await.unwrap();
    let posted = posted.into_inner() as u64;
    assert!(posted > 0);
    assert_eq!(team.store.head().await.unwrap(), known.head + posted);
    if matches!(team.home, Home::Postgres(_)) {
        assert_eq!(made.head, known.head, "the moment is that of the first count");
    }
    let to = Home::directory();
    let report = restore(&file, &address(&to), &nobody_looks).await.unwrap();
    assert_eq!(report.head.1, made.head);
    let team = opened(to).await;
    assert_eq!(team.all_events(0).await.through, made.head);
}
