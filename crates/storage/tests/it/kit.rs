//! A team to test with: a store of its own, on whichever database, and short words for what tests do all the time.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use switchback_core::wire::{EventBody, Message, Role, RoomKind, RoomView};
use switchback_core::{Emoji, Handle, MessageBody, MessageId, Nonce, RoomId, Seq, Topic, UserId};
use switchback_storage::{
    Error, EventPage, NewMessage, NewReaction, NewRoom, NewUser, OpenError, OpenMode, Posted, SecretHash,
    Store,
};
use uuid::Uuid;

use crate::home::Home;

pub(crate) struct Team {
    pub(crate) store: Store,
    // After the store: a schema is dropped once nothing of ours is connected to it.
    pub(crate) home: Home,
}

impl Team {
    /// On the database that the environment names, or on `SQLite`.
    pub(crate) async fn new() -> Self {
        Self::at(Home::new().await).await
    }

    /// For what only a data directory has.
    pub(crate) async fn in_directory() -> Self {
        Self::at(Home::directory()).await
    }

    /// For what only `PostgreSQL` has.
    pub(crate) async fn on_postgres() -> Self {
        Self::at(Home::postgres().await).await
    }

    async fn at(home: Home) -> Self {
        Self { store: open(&home).await, home }
    }

    /// The data directory.
    pub(crate) fn path(&self) -> &Path {
        match &self.home {
            Home::Directory(dir) => dir.path(),
            Home::Postgres(_) => panic!("a test of data directories must ask for one"),
        }
    }

    /// Breaks the connections to `PostgreSQL`.
    pub(crate) async fn break_connections(&self) {
        match &self.home {
            Home::Directory(_) => panic!("a test of PostgreSQL must ask for it"),
            Home::Postgres(schema) => schema.break_connections().await,
        }
    }

    /// Another store on the same database.
    pub(crate) async fn second_store(&self, mode: OpenMode) -> Result<Store, OpenError> {
        Store::open_database(&self.home.address().parse().unwrap(), mode).await
    }

    /// Changes the database behind the store's back; answers with the number of rows.
    pub(crate) async fn behind_its_back(&self, sql: String) -> u64 {
        match &self.home {
            Home::Directory(dir) => {
                let options = SqliteConnectOptions::new().filename(dir.path().join("switchback.db"));
                let mut conn = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap().rows_affected()
            }
            Home::Postgres(_) => {
                let options: PgConnectOptions = self.home.address().parse().unwrap();
                let mut conn = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap().rows_affected()
            }
        }
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        Self::at(self.home).await
    }

    pub(crate) async fn user(&self, handle: &str) -> UserId {
        self.store.create_user(new_user(handle, Role::Member)).await.unwrap().id
    }

    pub(crate) async fn owner(&self, handle: &str) -> UserId {
        self.store.create_user(new_user(handle, Role::Owner)).await.unwrap().id
    }

    pub(crate) async fn general(&self, viewer: UserId) -> RoomId {
        let rooms = self.store.rooms(viewer).await.unwrap();
        rooms.iter().find(|view| view.room.general).unwrap().room.id
    }

    pub(crate) async fn room(&self, creator: UserId, kind: RoomKind, name: &str) -> RoomId {
        let (_, view) = self.store.create_room(new_room(creator, kind, name)).await.unwrap();
        view.room.id
    }

    pub(crate) async fn say(&self, author: UserId, room: RoomId, body: &str) -> Message {
        self.try_say(author, room, body).await.unwrap().message
    }

    pub(crate) async fn try_say(&self, author: UserId, room: RoomId, body: &str) -> Result<Posted, Error> {
        self.store.post_message(message(author, room, body)).await
    }

    pub(crate) async fn view(&self, viewer: UserId, room: RoomId) -> RoomView {
        self.store.room(viewer, room).await.unwrap()
    }

    /// Everything in the log after a position.
    pub(crate) async fn all_events(&self, mut after: Seq) -> EventPage {
        let mut events = Vec::new();
        loop {
            let page = self.store.events_after(after, 100).await.unwrap();
            if page.through == after {
                return EventPage { events, through: after };
            }
            after = page.through;
            events.extend(page.events);
        }
    }

    /// Everything that `viewer` may see after a position, in small pages.
    pub(crate) async fn events_for(&self, viewer: UserId, mut after: Seq) -> EventPage {
        let mut events = Vec::new();
        loop {
            let page = self.store.events_for(viewer, after, 3).await.unwrap();
            if page.through == after {
                return EventPage { events, through: after };
            }
            after = page.through;
            events.extend(page.events);
        }
    }
}

async fn open(home: &Home) -> Store {
    Store::open_database(&home.address().parse().unwrap(), OpenMode::Server).await.unwrap()
}

pub(crate) fn new_user(handle: &str, role: Role) -> NewUser {
    let name = handle.parse().unwrap();
    NewUser { handle: self::handle(handle), name, role, password_hash: format!("hash of {handle}") }
}

pub(crate) fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

pub(crate) fn new_room(creator: UserId, kind: RoomKind, name: &str) -> NewRoom {
    NewRoom { creator, kind, name: name.parse().unwrap(), topic: Topic::new("").unwrap() }
}

/// A message with a nonce of its own.
pub(crate) fn message(author: UserId, room: RoomId, body: &str) -> NewMessage {
    NewMessage {
        author,
        room,
        nonce: Nonce::from_uuid(Uuid::now_v7()),
        body: self::body(body),
        html: format!("<p>{body}</p>"),
        reply_to: None,
        mentions: Vec::new(),
        mentions_room: false,
    }
}

pub(crate) fn body(text: &str) -> MessageBody {
    text.parse().unwrap()
}

pub(crate) fn reaction(user: UserId, message: MessageId, emoji: &str, present: bool) -> NewReaction {
    NewReaction { user, message, emoji: Emoji::new(emoji).unwrap(), present }
}

/// A hash that no other call has given.
pub(crate) fn secret() -> SecretHash {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    hash
}

pub(crate) fn nobody() -> UserId {
    UserId::from_uuid(Uuid::now_v7())
}

/// What happened, in one word each.
pub(crate) fn kinds(page: &EventPage) -> Vec<&'static str> {
    page.events.iter().map(|logged| kind(&logged.event.body)).collect()
}

pub(crate) const fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::MessagePosted { .. } => "message.posted",
        EventBody::MessageEdited { .. } => "message.edited",
        EventBody::MessageDeleted { .. } => "message.deleted",
        EventBody::ReactionAdded { .. } => "reaction.added",
        EventBody::ReactionRemoved { .. } => "reaction.removed",
        EventBody::RoomCreated { .. } => "room.created",
        EventBody::RoomRenamed { .. } => "room.renamed",
        EventBody::RoomTopicChanged { .. } => "room.topic_changed",
        EventBody::RoomArchived { .. } => "room.archived",
        EventBody::RoomUnarchived { .. } => "room.unarchived",
        EventBody::MemberJoined { .. } => "member.joined",
        EventBody::MemberLeft { .. } => "member.left",
        EventBody::UserJoined { .. } => "user.joined",
        EventBody::UserUpdated { .. } => "user.updated",
        EventBody::WorkspaceRenamed { .. } => "workspace.renamed",
        EventBody::ReadMarked { .. } => "read.marked",
    }
}
