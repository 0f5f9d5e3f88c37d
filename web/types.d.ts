// Every JSON shape that crosses the wire, as `core::wire` of the server defines it. Types only: this
// file is read by the type checker and never by a browser.

export type UserId = string;
export type RoomId = string;
export type MessageId = string;
export type SessionId = string;
export type TokenId = string;
export type InvitationId = string;
/** Makes a post idempotent: a UUIDv7 made by the client. */
export type Nonce = string;
/** Position in the log; the first event is 1. */
export type Seq = number;
/** Microseconds since 1970-01-01T00:00:00Z. */
export type Timestamp = number;
/** `<epoch>.<seq>` */
export type Cursor = string;

// --- The things a team has ---------------------------------------------------------------------

export type Role = "member" | "admin" | "owner";

export interface Workspace {
  name: string;
}

export interface User {
  id: UserId;
  handle: string;
  name: string;
  role: Role;
  active: boolean;
  created_at: Timestamp;
}

export type RoomKind = "public" | "private" | "direct";

/** A room, the same for everybody who may see it. */
export interface Room {
  id: RoomId;
  kind: RoomKind;
  /** `null` for a direct conversation. */
  name: string | null;
  topic: string;
  archived: boolean;
  /** The room of all, which cannot be left. */
  general: boolean;
  member_count: number;
  /** Everybody in it, for direct conversations only. */
  members?: UserId[];
  created_at: Timestamp;
}

/** A room together with how the asker stands to it. Without `joined`, the rest is 0. */
export interface RoomView extends Room {
  joined: boolean;
  /** The room's event counter: its next event has `n + 1`. */
  n: number;
  last_seq: Seq;
  last_at: Timestamp;
  read_seq: Seq;
  unread: number;
  mentions: number;
}

export interface Reaction {
  emoji: string;
  users: UserId[];
}

/** The beginning of the message that a reply answers. */
export interface Quote {
  id: MessageId;
  author: UserId;
  excerpt: string;
  deleted: boolean;
}

export interface Message {
  id: MessageId;
  room: RoomId;
  author: UserId;
  /** Messages of a room are shown in this order. */
  seq: Seq;
  at: Timestamp;
  edited_at: Timestamp | null;
  /** The Markdown source; empty once deleted. */
  body: string;
  /** The same as HTML that the server has sanitized. */
  html: string;
  nonce: Nonce;
  reply_to: Quote | null;
  reactions: Reaction[];
  mentions: UserId[];
  mentions_room: boolean;
  deleted: boolean;
}

export interface SessionInfo {
  id: SessionId;
  label: string;
  created_at: Timestamp;
  last_used_at: Timestamp;
  current: boolean;
}

export interface TokenInfo {
  id: TokenId;
  label: string;
  created_at: Timestamp;
  last_used_at: Timestamp | null;
}

export type PresenceState = "online" | "away" | "offline";

export interface PresenceChange {
  user: UserId;
  state: PresenceState;
}

// --- Events of the log -------------------------------------------------------------------------

interface EventHead {
  seq: Seq;
  /** Counts the events of `room` without gaps; `null`: not counted. */
  n: number | null;
  room: RoomId | null;
  at: Timestamp;
  actor: UserId | null;
}

type EventOf<Type extends string, Body> = EventHead & { type: Type } & Body;

export type MessageEvent = EventOf<
  "message.posted" | "message.edited" | "message.deleted",
  { message: Message; room: RoomId }
>;
export type ReactionEvent = EventOf<
  "reaction.added" | "reaction.removed",
  { message: MessageId; emoji: string; user: UserId; room: RoomId }
>;
export type RoomEvent = EventOf<
  "room.created" | "room.renamed" | "room.topic_changed" | "room.archived" | "room.unarchived",
  { room_info: Room; room: RoomId }
>;
export type MemberEvent = EventOf<
  "member.joined" | "member.left",
  { user: UserId; room_info: Room; room: RoomId }
>;
export type UserEvent = EventOf<"user.joined" | "user.updated", { user: User }>;
export type WorkspaceEvent = EventOf<"workspace.renamed", { workspace: Workspace }>;
export type ReadEvent = EventOf<
  "read.marked",
  { read_seq: Seq; unread: number; mentions: number; room: RoomId }
>;

export type LogEvent =
  | MessageEvent
  | ReactionEvent
  | RoomEvent
  | MemberEvent
  | UserEvent
  | WorkspaceEvent
  | ReadEvent;

// --- Other frames of the server ----------------------------------------------------------------

export type TransportKind = "websocket" | "sse" | "batch";

export interface HelloFrame {
  type: "hello";
  session: SessionId;
  user: UserId;
  epoch: string;
  cursor: Cursor;
  heartbeat_ms: number;
  transport: TransportKind;
  limits: { command_bytes: number; message_body_bytes: number };
  version: string;
}

export interface ReadyFrame {
  type: "ready";
  cursor: Cursor;
  /** Position among the ephemeral frames; a batch reader hands it back. */
  seen: number;
}

export interface HeartbeatFrame {
  type: "heartbeat";
  cursor: Cursor;
}

export interface TypingFrame {
  type: "typing";
  room: RoomId;
  user: UserId;
}

export interface PresenceFrame {
  type: "presence";
  /** `true`: everybody who is not listed is offline. */
  full: boolean;
  changes: PresenceChange[];
}

export interface ResetFrame {
  type: "reset";
  reason: "foreign_epoch" | "ahead" | "behind" | "malformed";
  cursor: Cursor;
}

export type ByeReason =
  | "going_away"
  | "signed_out"
  | "deactivated"
  | "no_progress"
  | "bad_command_stream"
  | "too_big"
  | "unsupported"
  | "too_many_connections";

export interface ByeFrame {
  type: "bye";
  reason: ByeReason;
  /** Wait this long before coming back; `null`: do not come back. */
  retry_ms: number | null;
}

export type CommandId = string | number;

export interface Ack {
  type: "ack";
  id: CommandId | null;
  seq: Seq | null;
  message?: Message;
}

export interface ErrorFrame {
  type: "error";
  id: CommandId | null;
  code: ErrorCode;
  detail: string;
  retry: boolean;
  field?: string;
  retry_after_ms?: number;
}

export type ServerFrame =
  | HelloFrame
  | ReadyFrame
  | HeartbeatFrame
  | TypingFrame
  | PresenceFrame
  | ResetFrame
  | ByeFrame
  | Ack
  | ErrorFrame;

export type Frame = ServerFrame | LogEvent;

// --- Errors ------------------------------------------------------------------------------------

export type ErrorCode =
  | "bad_json"
  | "bad_request"
  | "unknown_command"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "gone"
  | "too_long"
  | "rate_limited"
  | "unavailable"
  | "internal";

/** RFC 9457, `application/problem+json`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  retry: boolean;
  field?: string;
  retry_after_ms?: number;
  id?: CommandId;
}

// --- Commands ----------------------------------------------------------------------------------

export type Command =
  | { type: "message.post"; room: RoomId; nonce: Nonce; body: string; reply_to?: MessageId }
  | { type: "message.edit"; message: MessageId; body: string }
  | { type: "message.delete"; message: MessageId }
  | { type: "reaction.add" | "reaction.remove"; message: MessageId; emoji: string }
  | { type: "read.mark"; room: RoomId; seq: Seq }
  | { type: "typing"; room: RoomId }
  | { type: "presence"; state: PresenceState }
  | { type: "ping" };

export type Request = Command & { id: CommandId };

// --- Bodies of REST under /api/v1 --------------------------------------------------------------

export interface SessionResponse {
  user: User;
  session: SessionInfo | null;
}

export interface SessionList {
  sessions: SessionInfo[];
}

export interface Snapshot {
  cursor: Cursor;
  workspace: Workspace;
  me: User;
  users: User[];
  rooms: RoomView[];
  presence: PresenceChange[];
}

export interface RoomList {
  rooms: RoomView[];
}

export interface CreateRoomRequest {
  kind: "public" | "private";
  name: string;
  topic?: string;
}

export interface UpdateRoomRequest {
  name?: string;
  topic?: string;
  archived?: boolean;
}

export interface MemberList {
  members: UserId[];
}

export interface History {
  /** Oldest first. */
  messages: Message[];
  has_before: boolean;
  has_after: boolean;
}

export interface SearchResults {
  /** Newest first. */
  messages: Message[];
  /** There may be older ones: ask again with this. */
  before: Seq | null;
  indexed_to: Seq;
  /** `false`: the index is behind. */
  complete: boolean;
}

export interface UserList {
  users: User[];
}

export interface UpdateUserRequest {
  name?: string;
  role?: Role;
  active?: boolean;
}

export interface Invitation {
  id: InvitationId;
  created_by: UserId;
  created_at: Timestamp;
  expires_at: Timestamp | null;
  max_uses: number | null;
  uses: number;
  revoked: boolean;
  /** Only in the answer to its creation. */
  url?: string;
}

export interface InvitationList {
  invitations: Invitation[];
}

export interface CreateInvitationRequest {
  expires_in_s?: number;
  max_uses?: number;
}

export interface TokenList {
  tokens: TokenInfo[];
}

export interface CreateTokenResponse {
  info: TokenInfo;
  token: string;
}
