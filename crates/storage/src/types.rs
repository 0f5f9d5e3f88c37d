//! What goes into the store and what comes out, where `switchback_core::wire` has no word for it.

use switchback_core::wire::{
    Event, History, Message, Role, Room, RoomKind, RoomView, Timestamp, User, Workspace,
};
use switchback_core::{
    DisplayName, Emoji, Handle, MessageBody, MessageId, Nonce, RoomId, RoomName, Seq, SessionId, TokenId,
    Topic, UserId, WorkspaceName,
};

/// The hash under which a secret (session, token, invitation, set-up) is kept: SHA-256 of its text.
pub type SecretHash = [u8; 32];

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every active account.
    Everyone,
    /// Members of the room who joined at or before the event.
    Room(RoomId),
    /// Members of the room as above, and this person besides: their own `member.left`,
    /// which they would otherwise no longer see, and their own `member.joined`.
    RoomAnd(RoomId, UserId),
    /// One person alone.
    User(UserId),
}

/// An event of the log with those who may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// As it goes over the wire, rendered as of now.
    pub event: Event,
    /// Who may see it.
    pub audience: Audience,
}

/// A run of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// In order of `seq`.
    pub events: Vec<LoggedEvent>,
    /// The reader's next position: everything up to here was looked at, even what it may not see.
    pub through: Seq,
}

/// Somebody's membership of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub room: RoomId,
    /// `seq` of the `member.joined` event: earlier events are not delivered live (history is
    /// readable by page).
    pub joined_seq: Seq,
}

/// A new message, rendered and with its mentions resolved.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Who.
    pub author: UserId,
    /// Where.
    pub room: RoomId,
    /// Unique per author for ever.
    pub nonce: Nonce,
    /// The source.
    pub body: MessageBody,
    /// The same as sanitized HTML.
    pub html: String,
    /// What it answers.
    pub reply_to: Option<MessageId>,
    /// Whom it mentions, the author left out; non-members are dropped when it is written.
    pub mentions: Vec<UserId>,
    /// It mentions everybody in the room.
    pub mentions_room: bool,
}

/// A message was written, now or by an earlier attempt with the same nonce.
#[derive(Debug, Clone)]
pub struct Posted {
    /// `seq` of its `message.posted` event.
    pub seq: Seq,
    /// As it now stands.
    pub message: Message,
    /// `false`: an earlier attempt had written it.
    pub fresh: bool,
}

/// A message was changed or already was so.
#[derive(Debug, Clone)]
pub struct Changed {
    /// `seq` of the event; `None`: nothing had to be changed.
    pub seq: Option<Seq>,
    /// As it now stands.
    pub message: Message,
}

/// A new reaction or one taken back.
#[derive(Debug, Clone)]
pub struct NewReaction {
    /// Who.
    pub user: UserId,
    /// Under which message.
    pub message: MessageId,
    /// Which.
    pub emoji: Emoji,
    /// `false`: take it back.
    pub present: bool,
}

/// A new account. With it come its memberships of `general`, and the events `user.joined` and
/// `member.joined`.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique.
    pub handle: Handle,
    /// As shown.
    pub name: DisplayName,
    /// What they may do.
    pub role: Role,
    /// PHC string.
    pub password_hash: String,
}

/// What may be changed about an account; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Another name.
    pub name: Option<DisplayName>,
    /// Another role. The last active owner cannot step down (`Error::Forbidden`).
    pub role: Option<Role>,
    /// `false`: deactivate; ends all sessions and tokens. The last active owner cannot be.
    pub active: Option<bool>,
}

/// A new room.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// Its first member.
    pub creator: UserId,
    /// Public or private (direct ones are opened, not created).
    pub kind: RoomKind,
    /// Unique without regard to ASCII case.
    pub name: RoomName,
    /// One line.
    pub topic: Topic,
}

/// What may be changed about a room; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct RoomChange {
    /// Another name.
    pub name: Option<RoomName>,
    /// Another topic.
    pub topic: Option<Topic>,
    /// Close or open. `general` cannot be closed.
    pub archived: Option<bool>,
}

/// A new invitation.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Who made it.
    pub creator: UserId,
    /// Hash of the link's secret.
    pub secret_hash: SecretHash,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
}

/// What makes the workspace somebody's: the owner and its name.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Must match the stored hash; it is used up by this.
    pub secret_hash: SecretHash,
    /// The workspace's name.
    pub workspace: WorkspaceName,
    /// The owner; `role` is taken as `Owner` whatever it says.
    pub owner: NewUser,
}

/// By what a request was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser's cookie.
    Session(SessionId),
    /// A bearer token.
    Token(TokenId),
}

/// Somebody recognized. Only active accounts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub user: User,
    /// By what.
    pub credential: Credential,
}

/// Somebody recognized, and how a room stands to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Who, and by what.
    pub identity: Identity,
    /// How many events the room has had; `None`: there is no such room, or they may not see it.
    pub room_n: Option<u64>,
}

/// Somebody who comes in for a live connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Who.
    pub identity: Identity,
    /// The head of the log at that moment.
    pub as_of: Seq,
    /// Their rooms, in no order.
    pub memberships: Vec<Membership>,
}

/// An account with its password hash, for signing in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Who.
    pub user: User,
    /// PHC string.
    pub password_hash: String,
}

/// Which part of a room's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest.
    Latest,
    /// Those just before this `seq`, without it.
    Before(Seq),
    /// Those just after this `seq`, without it.
    After(Seq),
    /// Those around this `seq`, with it if it is a message.
    Around(Seq),
}

/// A page of a room's history, and of which moment it is: as long as the room has had no further event,
/// its messages are as they are here.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// The page.
    pub history: History,
    /// How far the room had come then.
    pub reached: Reached,
}

/// How far a room has come: whatever happens in it moves `n`, a post both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Events that it has had.
    pub n: u64,
    /// The position of its newest message; 0 if it has none.
    pub last_seq: Seq,
}

/// A room with who is in it, for those who must know before they write.
#[derive(Debug, Clone)]
pub struct RoomMembers {
    /// The room.
    pub room: Room,
    /// By the time they joined.
    pub members: Vec<UserId>,
}

/// How the writer is doing, for `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed.
    pub commits: u64,
    /// Operations in them.
    pub operations: u64,
    /// Time spent in transactions, in microseconds.
    pub busy_us: u64,
    /// Operations waiting now.
    pub queued: u64,
    /// Size of the largest group so far.
    pub largest_group: u64,
}

/// Everything a client needs to draw, as of one moment.
#[derive(Debug, Clone)]
pub struct SnapshotData {
    /// The log's head at that moment: events go on after it.
    pub seq: Seq,
    /// The workspace.
    pub workspace: Workspace,
    /// Who asks.
    pub me: User,
    /// Everybody, deactivated people too, by handle.
    pub users: Vec<User>,
    /// The asker's rooms: `general` first, then by name, direct ones last.
    pub rooms: Vec<RoomView>,
}
