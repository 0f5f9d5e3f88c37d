//! Everything from one database into another, and what is refused. What tests of backups need too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use switchback_core::wire::RoomKind;
use switchback_core::{MessageId, Seq, UserId};
use switchback_storage::transfer::{Progress, Report, Stage, TransferError, migrate};
use switchback_storage::{
    Database, Error, HistoryRange, NewInvitation, NewMessage, OpenError, OpenMode, RoomChange, SecretHash,
    Store, UserChange,
};

use crate::home::Home;
use crate::kit::{Team, body, message, reaction, secret};

pub(crate) fn nobody_looks(_: Progress) {}

/// Something in `PostgreSQL`, behind everybody's back.
async fn run(home: &Home, sql: &'static str) {
    let options: PgConnectOptions = home.address().parse().unwrap();
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

pub(crate) fn address(home: &Home) -> Database {
    home.address().parse().unwrap()
}

async fn moved(from: &Home, to: &Home) -> Report {
    migrate(&address(from), &address(to), &nobody_looks).await.unwrap()
}

async fn refused(from: &Home, to: &Home) -> TransferError {
    migrate(&address(from), &address(to), &nobody_looks).await.unwrap_err()
}

pub(crate) async fn opened(home: Home) -> Team {
    let store = Store::open_database(&address(&home), OpenMode::Server).await.unwrap();
    Team { store, home }
}

/// A message that was posted, so that posting it again can be tried elsewhere.
pub(crate) struct Known {
    pub(crate) ada: UserId,
    pub(crate) bob: UserId,
    pub(crate) posted: NewMessage,
    pub(crate) seq: Seq,
    pub(crate) id: MessageId,
    pub(crate) session: SecretHash,
    pub(crate) token: SecretHash,
    pub(crate) head: Seq,
}

/// A row of every kind, and of every value that a column can have.
pub(crate) async fn lived_in(team: &Team) -> Known {
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
pub(crate) async fn continues(team: &Team, known: &Known) {
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
    let history = store.history(known.ada, general, HistoryRange::Latest, 100).await.unwrap().history;
    assert_eq!(history.messages.last().unwrap().id, next.id);
}

/// Everything that clients can see of the log, for comparison.
pub(crate) async fn seen(
    team: &Team,
    known: &Known,
) -> (String, Vec<switchback_storage::LoggedEvent>, String) {
    let rooms = format!("{:?}", team.store.rooms(known.bob).await.unwrap());
    (team.store.epoch().to_string(), team.all_events(0).await.events, rooms)
}

pub(crate) fn hashes(report: &Report) -> Vec<(&'static str, u64, [u8; 32])> {
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
pub(crate) async fn left() -> (Home, Known) {
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

/// Tries to begin a write as a server or an admin command would.
async fn try_to_write(home: &Home) -> Result<(), sqlx::Error> {
    match home {
        Home::Directory(dir) => {
            let options = SqliteConnectOptions::new().filename(dir.path().join("switchback.db"));
            let mut conn = options.busy_timeout(Duration::ZERO).connect().await.unwrap();
            sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut conn).await.map(drop)
        }
        Home::Postgres(_) => {
            let options: PgConnectOptions = home.address().parse().unwrap();
            let mut conn = options.connect().await.unwrap();
            let begin = "SET lock_timeout = 100; BEGIN; SELECT seq FROM log_head FOR UPDATE; ROLLBACK";
            sqlx::raw_sql(begin).execute(&mut conn).await.map(drop)
        }
    }
}

/// Runs something each time that progress is told of, and waits for it.
pub(crate) fn meanwhile<T>(something: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(something))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_to_a_source_while_it_is_read() {
    let (from, known) = left().await;
    let to = Home::directory();
    let tried = AtomicUsize::new(0);
    let looking = |progress: Progress| {
        if progress.stage == Stage::Copying && progress.table == "messages" {
            meanwhile(try_to_write(&from)).unwrap_err();
            tried.fetch_add(1, Ordering::Relaxed);
        }
    };
    migrate(&address(&from), &address(&to), &looking).await.unwrap();
    assert!(tried.into_inner() > 0);
    try_to_write(&from).await.unwrap();
    continues(&opened(to).await, &known).await;
}
