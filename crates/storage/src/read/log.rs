//! The log, read on from a position: for everybody at once, or for one person.
//!
//! Rows are thin. A page of them is rendered as today's state by a few queries, however long it is.

use std::collections::{HashMap, HashSet};

use switchback_core::wire::{Event, EventBody, Message, Room, RoomKind, Timestamp, User, Workspace};
use switchback_core::{Emoji, MessageId, RoomId, Seq, UserId};
use uuid::Uuid;

use crate::db::{Conn, Row, damaged, values};
use crate::kind::Kind;
use crate::read::unread::{mentions_sql, unread_sql};
use crate::read::{hydrate, people, rooms};
use crate::store::head;
use crate::{Audience, Error, EventPage, LoggedEvent, Store, limits};

impl Store {
    /// All events after a position, at most `limit` (and `limits::EVENT_PAGE_MAX`) of them.
    pub async fn events_after(&self, after: Seq, limit: usize) -> Result<EventPage, Error> {
        let limit = limit.clamp(1, limits::EVENT_PAGE_MAX);
        self.at_one_moment(move |conn| Box::pin(page(conn, after, limit))).await
    }

    /// The events after a position that this person may see now, at most `limit` of them. One call
    /// looks at no more than `limits::EVENT_SCAN_ROWS` rows: a page without events whose `through`
    /// has moved means there may be more, one whose `through` is `after` that there are none.
    ///
    /// The database itself leaves out what is certainly not theirs: of a large workspace's log that
    /// is nearly all, and a thousand readers who catch up at once must not carry it through here.
    pub async fn events_for(&self, viewer: UserId, after: Seq, limit: usize) -> Result<EventPage, Error> {
        let limit = limit.clamp(1, limits::EVENT_PAGE_MAX);
        self.at_one_moment(move |conn| Box::pin(page_for(conn, viewer, after, limit))).await
    }
}

async fn page(conn: &mut Conn, after: Seq, limit: usize) -> Result<EventPage, Error> {
    let raw = rows(conn, after, limit).await?;
    let through = raw.last().map_or(after, |raw| raw.seq);
    Ok(EventPage { events: render(conn, &raw).await?, through })
}

async fn page_for(conn: &mut Conn, viewer: UserId, after: Seq, limit: usize) -> Result<EventPage, Error> {
    people::active(conn, viewer).await?;
    let view = View::of(conn, viewer).await?;
    let until = after.saturating_add(limits::EVENT_SCAN_ROWS);
    let raw = rows_for(conn, viewer, after, until, limit + 1).await?;
    let scanned = match raw.last() {
        Some(last) if raw.len() > limit => last.seq,
        _ => head(conn).await?.min(until).max(after),
    };
    let mut seen: Vec<Raw> = raw.into_iter().filter(|raw| view.sees(raw)).collect();
    let through = if seen.len() > limit { seen[limit - 1].seq } else { scanned };
    seen.truncate(limit);
    let mut events = render(conn, &seen).await?;
    for logged in &mut events {
        view.veil(&mut logged.event);
    }
    Ok(EventPage { events, through })
}

/// A row of the log.
struct Raw {
    seq: Seq,
    at: Timestamp,
    kind: Kind,
    room: Option<RoomId>,
    actor: Option<UserId>,
    subject: Option<Uuid>,
    n: Option<u64>,
    detail: Option<String>,
}

async fn rows(conn: &mut Conn, after: Seq, limit: usize) -> Result<Vec<Raw>, Error> {
    let sql = "SELECT seq, at, kind, room_id, actor, subject, n, detail FROM events \
               WHERE seq > $1 ORDER BY seq LIMIT $2";
    conn.all(sql, values![after, limit]).await?.iter().map(Raw::from_row).collect()
}

/// Of a stretch of the log what may be somebody's, and a little more: what [`View`] sees is among it.
async fn rows_for(
    conn: &mut Conn,
    viewer: UserId,
    after: Seq,
    until: Seq,
    limit: usize,
) -> Result<Vec<Raw>, Error> {
    let sql = "SELECT seq, at, kind, room_id, actor, subject, n, detail FROM events \
               WHERE seq > $1 AND seq <= $2 AND (room_id IS NULL OR subject = $3 \
               OR room_id IN (SELECT room_id FROM memberships WHERE user_id = $3)) ORDER BY seq LIMIT $4";
    conn.all(sql, values![after, until, viewer, limit]).await?.iter().map(Raw::from_row).collect()
}

impl Raw {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.get("seq")?,
            at: row.get("at")?,
            kind: row.get("kind")?,
            room: row.get("room_id")?,
            actor: row.get("actor")?,
            subject: row.get("subject")?,
            n: row.get("n")?,
            detail: row.get("detail")?,
        })
    }

    fn audience(&self) -> Result<Audience, Error> {
        let subject = || self.subject.map(UserId::from_uuid);
        let audience = match (self.kind, self.room) {
            (Kind::ReadMarked, _) => subject().map(Audience::User),
            (Kind::MemberJoined | Kind::MemberLeft, Some(room)) => {
                subject().map(|user| Audience::RoomAnd(room, user))
            }
            (_, Some(room)) => Some(Audience::Room(room)),
            (_, None) => Some(Audience::Everyone),
        };
        audience.ok_or_else(|| self.damaged())
    }

    /// The row lacks what its kind must have.
    fn damaged(&self) -> Error {
        damaged("events", DamagedRow(self.seq, self.kind)).into()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("event {0} ({1:?}) is damaged")]
struct DamagedRow(Seq, Kind);

/// How one person stands to the log now.
struct View {
    viewer: UserId,
    joined: HashMap<RoomId, Seq>,
}

impl View {
    async fn of(conn: &mut Conn, viewer: UserId) -> Result<Self, Error> {
        let memberships = rooms::memberships(conn, viewer).await?;
        let joined = memberships.into_iter().map(|member| (member.room, member.joined_seq)).collect();
        Ok(Self { viewer, joined })
    }

    fn sees(&self, raw: &Raw) -> bool {
        let in_room = |room| self.joined.get(&room).is_some_and(|joined_seq| *joined_seq <= raw.seq);
        match raw.audience() {
            Ok(Audience::Room(room)) => in_room(room),
            Ok(Audience::RoomAnd(room, user)) => user == self.viewer || in_room(room),
            Ok(Audience::User(user)) => user == self.viewer,
            // A damaged row is not skipped in silence: rendering it reports it.
            Ok(Audience::Everyone) | Err(_) => true,
        }
    }

    /// Somebody's own coming and going is all they hear of a room that they are no longer in: what
    /// it is called today is none of their business, unless everybody can look it up.
    fn veil(&self, event: &mut Event) {
        let (EventBody::MemberJoined { room_info, .. } | EventBody::MemberLeft { room_info, .. }) =
            &mut event.body
        else {
            return;
        };
        if room_info.kind == RoomKind::Public || self.joined.contains_key(&room_info.id) {
            return;
        }
        room_info.name = None;
        room_info.topic = String::new();
        room_info.member_count = 0;
        room_info.members = None;
    }
}

/// What the rows of a page speak of, as it now stands.
#[derive(Default)]
struct Things {
    messages: HashMap<MessageId, Message>,
    rooms: HashMap<RoomId, Room>,
    users: HashMap<UserId, User>,
    marks: HashMap<Seq, Mark>,
    workspace: Option<Workspace>,
}

/// What is left to read after a `read.marked`.
#[derive(Clone, Copy)]
struct Mark {
    read_seq: Seq,
    unread: u32,
    mentions: u32,
}

async fn render(conn: &mut Conn, raw: &[Raw]) -> Result<Vec<LoggedEvent>, Error> {
    let things = Things::load(conn, raw).await?;
    raw.iter().map(|raw| things.render(raw)).collect()
}

impl Things {
    async fn load(conn: &mut Conn, raw: &[Raw]) -> Result<Self, Error> {
        let (mut messages, mut rooms, mut users) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut marks = Vec::new();
        let mut things = Self::default();
        for raw in raw {
            match raw.kind {
                Kind::MessagePosted | Kind::MessageEdited | Kind::MessageDeleted => {
                    messages.extend(raw.subject.map(MessageId::from_uuid));
                }
                Kind::ReactionAdded | Kind::ReactionRemoved => {}
                Kind::UserJoined | Kind::UserUpdated => users.extend(raw.subject.map(UserId::from_uuid)),
                Kind::ReadMarked => marks.push(raw.seq),
                Kind::WorkspaceRenamed if things.workspace.is_some() => {}
                Kind::WorkspaceRenamed => things.workspace = Some(people::workspace(conn).await?),
                _ => rooms.extend(raw.room),
            }
        }
        things.messages = hydrate::messages(conn, &Vec::from_iter(messages)).await?;
        things.rooms = hydrate::rooms(conn, &Vec::from_iter(rooms)).await?;
        things.users = hydrate::users(conn, &Vec::from_iter(users)).await?;
        things.marks = load_marks(conn, &marks).await?;
        Ok(things)
    }

    fn render(&self, raw: &Raw) -> Result<LoggedEvent, Error> {
        let body = self.body(raw).ok_or_else(|| raw.damaged())?;
        let Raw { seq, at, room, actor, n, .. } = *raw;
        let event = Event { body, seq, n, room, at, actor };
        Ok(LoggedEvent { event, audience: raw.audience()? })
    }

    fn body(&self, raw: &Raw) -> Option<EventBody> {
        let message = || self.messages.get(&MessageId::from_uuid(raw.subject?)).cloned();
        let room_info = || self.rooms.get(&raw.room?).cloned();
        let subject = || raw.subject.map(UserId::from_uuid);
        let user = || self.users.get(&subject()?).cloned();
        Some(match raw.kind {
            Kind::MessagePosted => EventBody::MessagePosted { message: message()? },
            Kind::MessageEdited => EventBody::MessageEdited { message: message()? },
            Kind::MessageDeleted => EventBody::MessageDeleted { message: message()? },
            Kind::ReactionAdded => {
                let (message, emoji, user) = reaction(raw)?;
                EventBody::ReactionAdded { message, emoji, user }
            }
            Kind::ReactionRemoved => {
                let (message, emoji, user) = reaction(raw)?;
                EventBody::ReactionRemoved { message, emoji, user }
            }
            Kind::RoomCreated => EventBody::RoomCreated { room_info: room_info()? },
            Kind::RoomRenamed => EventBody::RoomRenamed { room_info: room_info()? },
            Kind::RoomTopicChanged => EventBody::RoomTopicChanged { room_info: room_info()? },
            Kind::RoomArchived => EventBody::RoomArchived { room_info: room_info()? },
            Kind::RoomUnarchived => EventBody::RoomUnarchived { room_info: room_info()? },
            Kind::MemberJoined => EventBody::MemberJoined { user: subject()?, room_info: room_info()? },
            Kind::MemberLeft => EventBody::MemberLeft { user: subject()?, room_info: room_info()? },
            Kind::UserJoined => EventBody::UserJoined { user: user()? },
            Kind::UserUpdated => EventBody::UserUpdated { user: user()? },
            Kind::WorkspaceRenamed => EventBody::WorkspaceRenamed { workspace: self.workspace.clone()? },
            Kind::ReadMarked => {
                let Mark { read_seq, unread, mentions } = *self.marks.get(&raw.seq)?;
                EventBody::ReadMarked { read_seq, unread, mentions }
            }
        })
    }
}

/// Under which message, which emoji, by whom.
fn reaction(raw: &Raw) -> Option<(MessageId, Emoji, UserId)> {
    let emoji = Emoji::new(raw.detail.as_deref()?).ok()?;
    Some((MessageId::from_uuid(raw.subject?), emoji, raw.actor?))
}

/// The read marks among the events, each counted as of itself.
async fn load_marks(conn: &mut Conn, seqs: &[Seq]) -> Result<HashMap<Seq, Mark>, Error> {
    let sql = concat!(
        "SELECT e.seq, CAST(e.detail AS BIGINT) AS read_seq, r.kind = 'direct' AS direct, ",
        unread_sql!("e.subject", "e.room_id", "CAST(e.detail AS BIGINT)", "e.seq"),
        " AS unread, ",
        mentions_sql!("e.subject", "e.room_id", "CAST(e.detail AS BIGINT)", "e.seq"),
        " AS mentions FROM events e JOIN rooms r ON r.id = e.room_id WHERE e.seq IN ({keys})"
    );
    let mark = |row: Row| {
        let unread = row.get("unread")?;
        let mentions = if row.get("direct")? { unread } else { row.get("mentions")? };
        Ok((row.get("seq")?, Mark { read_seq: row.get("read_seq")?, unread, mentions }))
    };
    conn.all_in(sql, values![], seqs).await?.into_iter().map(mark).collect()
}
