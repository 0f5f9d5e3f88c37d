//! Everything from one database into another, and what is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use switchback_core::wire::RoomKind;
use switchback_core::{MessageId, Seq, UserId};
use switchback_storage::transfer::{Backup, Progress, Report, TransferError, backup, migrate, restore};
use switchback_storage::{
    Database, Error, HistoryRange, NewInvitation, NewMessage, OpenError, OpenMode, RoomChange, SecretHash,
    Store, UserChange,
};
use tempfile::TempDir;

use crate::home::Home;
use crate::kit::{Team, body, message, reaction, secret};

fn nobody_looks(_: Progress) {}

/// Something in `PostgreSQL`, behind everybody's back.
async fn run(home: &Home, sql: &'static str) {
    let options: PgConnectOptions = home.address().parse().unwrap();
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

fn address(home: &Home) -> Database {
    home.address().parse().unwrap()
}

async fn moved(from: &Home, to: &Home) -> Report {
    migrate(&address(from), &address(to), &nobody_looks).await.unwrap()
}

async fn refused(from: &Home, to: &Home) -> TransferError {
    migrate(&address(from), &address(to), &nobody_looks).await.unwrap_err()
}

async fn backed_up(from: &Home, file: &Path) -> Backup {
    backup(&address(from), file, false, &nobody_looks).await.unwrap()
}

async fn opened(home: Home) -> Team {
    let store = Store::open_database(&address(&home), OpenMode::Server).await.unwrap();
    Team { store, home }
}

/// A message that was posted, so that posting it again can be tried elsewhere.
struct Known {
    ada: UserId,
    bob: UserId,
    posted: NewMessage,
    seq: Seq,
    id: MessageId,
    session: SecretHash,
    token: SecretHash,
    head: Seq,
}

/// A row of every kind, and of every value that a column can have.
async fn lived_in(team: &Team) -> Known {
    let (store, ada) = (&team.store, team.owner("ada").await);
    let bob = team.user("bob").await;
    let carl = team.user("carl").await;
    let general = team.general(ada).await;
    let closed = team.room(ada, RoomKind::Private, "Closed").await;
    store.add_member(ada, closed, bob).await.unwrap();
    store.open_direct(ada, vec![bob]).await.unwrap();
    let mut posted = message(ada, general, "tab\there, back\\slash, line\nend, \\N, \u{1f600} and '\"");
    (posted.mentions, posted.mentions_room) = (vec![bob, carl], true);
    let first = store.post_message(posted.clone()).await.unwrap();
    let mut reply = message(bob, general, "answer");
    reply.reply_to = Some(first.message.id);
    store.post_message(reply).await.unwrap();
    let edited = team.say(bob, general, "befor").await;
    store.edit_message(bob, edited.id, body("before"), "<p>before</p>".to_owned()).await.unwrap();
    let deleted = team.say(bob, closed, "never said").await;
    store.delete_message(bob, deleted.id, false).await.unwrap();
    for (who, emoji) in [(bob, "\u{1f44d}"), (ada, "\u{1f44d}"), (bob, "\u{2764}\u{fe0f}")] {
        store.react(reaction(who, first.message.id, emoji, true)).await.unwrap();
    }
    store.mark_read(bob, general, first.seq).await.unwrap();
    let change = RoomChange { archived: Some(true), ..RoomChange::default() };
    store.update_room(ada, closed, change).await.unwrap();
    let change = UserChange { active: Some(false), ..UserChange::default() };
    store.update_user(Some(ada), carl, change).await.unwrap();
    let (session, token) = (secret(), secret());
    store.create_session(bob, session, "Firefox".to_owned()).await.unwrap();
    store.create_token(bob, token, "a bot".to_owned()).await.unwrap();
    for (expires_at, max_uses) in [(None, None), (Some(i64::MAX), Some(3))] {
        let secret_hash = secret();
        store
            .create_invitation(NewInvitation { creator: ada, secret_hash, expires_at, max_uses })
            .await
            .unwrap();
    }
    let head = store.head().await.unwrap();
    Known { ada, bob, posted, seq: first.seq, id: first.message.id, session, token, head }
}

/// What was there is there, and what is done next continues it.
async fn continues(team: &Team, known: &Known) {
    let store = &team.store;
    assert_eq!(store.head().await.unwrap(), known.head);
    let again = store.post_message(known.posted.clone()).await.unwrap();
    assert_eq!(
        (again.seq, again.message.id, again.fresh),
        (known.seq, known.id, false),
        "a retry is a second message"
    );
    let mut other = known.posted.clone();
    other.body = body("something else under the same nonce");
    assert!(matches!(store.post_message(other).await, Err(Error::Conflict { field: "nonce", .. })));
    for secret in [known.session, known.token] {
        assert_eq!(store.identify(secret).await.unwrap().unwrap().user.id, known.bob);
    }
    let general = team.general(known.bob).await;
    let before = team.view(known.bob, general).await;
    assert_eq!((before.unread, before.mentions), (0, 0), "bob has read it, and the rest is his own");
    let next = team.say(known.ada, general, "goes on").await;
    assert_eq!(next.seq, known.head + 1);
    assert_eq!(team.view(known.bob, general).await.unread, 1);
    let events = team.all_events(known.head).await.events;
    let last = team.all_events(0).await.events;
    let counted = |events: &[switchback_storage::LoggedEvent]| {
        events
            .iter()
            .filter(|logged| logged.event.room == Some(general))
            .filter_map(|logged| logged.event.n)
            .collect::<Vec<_>>()
    };
    assert_eq!(counted(&last), (1..=counted(&last).len() as u64).collect::<Vec<_>>(), "n has a gap");
    assert_eq!(counted(&events).len(), 1);
    let history = store.history(known.ada, general, HistoryRange::Latest, 100).await.unwrap();
    assert_eq!(history.messages.last().unwrap().id, next.id);
}

/// Everything that clients can see of the log, for comparison.
async fn seen(team: &Team, known: &Known) -> (String, Vec<switchback_storage::LoggedEvent>, String) {
    let rooms = format!("{:?}", team.store.rooms(known.bob).await.unwrap());
    (team.store.epoch().to_string(), team.all_events(0).await.events, rooms)
}

fn hashes(report: &Report) -> Vec<(&'static str, u64, [u8; 32])> {
    let table = |table: &switchback_storage::transfer::TableReport| {
        assert_eq!(table.source, table.target, "{}", table.name);
        (table.name, table.target.rows, table.target.hash)
    };
    report.tables.iter().map(table).collect()
}

async fn there_and_back(other: Home) {
    let team = Team::in_directory().await;
    let known = lived_in(&team).await;
    let before = seen(&team, &known).await;
    let Team { store, home } = team;
    store.close().await;
    let there = moved(&home, &other).await;
    assert!(there.tables.iter().all(|table| table.source.rows > 0), "a kind of row is missing: {there:?}");
    assert_eq!((there.head.1, there.replaced), (known.head, 0));
    let back = Home::directory();
    assert_eq!(hashes(&moved(&other, &back).await), hashes(&there));
    for home in [other, back] {
        let team = opened(home).await;
        assert_eq!(seen(&team, &known).await, before);
        continues(&team, &known).await;
        team.store.close().await;
    }
    // The source is as it was.
    let team = opened(home).await;
    assert_eq!(seen(&team, &known).await, before);
}

#[tokio::test]
async fn from_directory_to_directory_and_on_everything_comes_along_and_goes_on() {
    there_and_back(Home::directory()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn from_directory_to_postgres_and_back_everything_comes_along_and_goes_on() {
    there_and_back(Home::postgres().await).await;
}

/// A home with a workspace and no server.
async fn left() -> (Home, Known) {
    let team = Team::new().await;
    let known = lived_in(&team).await;
    team.store.close().await;
    (team.home, known)
}

#[tokio::test]
async fn nothing_is_written_over_a_workspace() {
    let (from, _) = left().await;
    let to = Team::new().await;
    let epoch = to.store.epoch();
    to.store.close().await;
    let error = refused(&from, &to.home).await;
    assert!(matches!(error, TransferError::Occupied { .. }), "{error}");
    assert!(error.to_string().contains("already holds a workspace"), "{error}");
    assert_eq!(opened(to.home).await.store.epoch(), epoch);
}

#[tokio::test]
async fn source_and_target_must_be_two() {
    let (home, _) = left().await;
    let error = refused(&home, &home).await;
    assert!(matches!(error, TransferError::Same(_)), "{error}");
}

#[tokio::test]
async fn a_source_with_a_server_on_it_is_refused() {
    let team = Team::new().await;
    let error = refused(&team.home, &Home::directory()).await;
    let expected = match &team.home {
        Home::Directory(_) => matches!(error, TransferError::SourceServed { .. }),
        Home::Postgres(_) => matches!(error, TransferError::SourceConnected { .. }),
    };
    assert!(expected && error.to_string().contains("stop"), "{error}");
}

#[tokio::test]
async fn where_no_workspace_is_there_is_nothing_to_move_and_nothing_is_made() {
    let (from, to) = (Home::new().await, Home::directory());
    let error = refused(&from, &to).await;
    let expected =
        matches!(error, TransferError::Empty { .. } | TransferError::Open(OpenError::Missing { .. }));
    assert!(expected, "{error}");
    let Home::Directory(dir) = to else { panic!("not a directory") };
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_server_does_not_start_on_what_is_half_there_and_the_next_attempt_does() {
    let (from, known) = left().await;
    let to = Home::new().await;
    // What a killed transfer leaves; that it does is shown where the process is.
    match &to {
        Home::Directory(dir) => std::fs::write(dir.path().join("switchback.db.incoming"), "half").unwrap(),
        Home::Postgres(_) => run(&to, "CREATE TABLE unfinished_transfer (id BIGINT PRIMARY KEY)").await,
    }
    for mode in [OpenMode::Server, OpenMode::Admin] {
        let error = Store::open_database(&address(&to), mode).await.unwrap_err();
        assert!(matches!(error, OpenError::Unfinished { .. }), "{error}");
        assert!(error.to_string().contains("run it again"), "{error}");
    }
    moved(&from, &to).await;
    continues(&opened(to).await, &known).await;
}

#[tokio::test]
async fn a_text_with_nul_from_before_reads_differently_and_is_counted() {
    let team = Team::in_directory().await;
    let known = lived_in(&team).await;
    team.store.close().await;
    let sql = "UPDATE tokens SET label = 'a' || char(0) || 'b'; \
               UPDATE messages SET html = char(0) || html WHERE seq = (SELECT min(seq) FROM messages)";
    team.behind_its_back(sql.to_owned()).await;
    let to = Home::new().await;
    let report = moved(&team.home, &to).await;
    assert_eq!(report.replaced, 2);
    hashes(&report);
    let team = opened(to).await;
    assert_eq!(team.store.tokens(known.bob).await.unwrap()[0].label, "a\u{fffd}b");
    assert!(team.store.message(known.ada, known.id).await.unwrap().html.starts_with('\u{fffd}'));
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
