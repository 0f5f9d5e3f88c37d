// What the client knows, and what can change it. Types only.
//
// The state is immutable: a change makes new objects on the way to what changed, so that `===` tells
// whether a part is still the same.

import type {
  Cursor,
  LogEvent,
  Message,
  MessageId,
  Nonce,
  PresenceFrame,
  RoomId,
  RoomView,
  Seq,
  Snapshot,
  TransportKind,
  TypingFrame,
  User,
  UserId,
  Workspace,
} from "../types.js";

export interface State {
  /** The first snapshot: on its way, here, or refused (`failure` says why; it is tried again). */
  phase: "loading" | "ready" | "failed";
  failure: string | null;
  status: Status;
  cursor: Cursor | null;
  workspace: Workspace | null;
  me: User | null;
  users: Record<UserId, User>;
  /** Those one is in, and public ones that were looked at (`joined: false`). */
  rooms: Record<RoomId, RoomView>;
  /** Who is not listed is offline. */
  presence: Record<UserId, "online" | "away">;
  /** Until when (milliseconds since 1970) somebody counts as typing. */
  typing: Record<RoomId, Record<UserId, number>>;
  timelines: Record<RoomId, Timeline>;
  /** Rooms whose timeline is loaded, the one shown most recently last. */
  recent: RoomId[];
  pending: Record<RoomId, Pending[]>;
  members: Record<RoomId, UserId[]>;
  drafts: Record<RoomId, Draft>;
  view: View;
}

export interface Status {
  phase: "connecting" | "live" | "reconnecting" | "offline" | "signed-out";
  /** In use, or last in use. */
  transport: TransportKind | null;
  /** Better ways in that do not get through from here. */
  blocked: TransportKind[];
  /** When the next attempt begins, in milliseconds since 1970. */
  retryAt: number | null;
  /** Messages not yet acknowledged, failed ones left out. */
  waiting: number;
  /** Why the client has stopped. */
  reason: string | null;
}

export interface View {
  room: RoomId | null;
  /** The unread line stands before the first message of others after this; `null`: no line. */
  unreadAfter: Seq | null;
  /** A message that was asked for by a link or a jump. */
  focus: MessageId | null;
  /** The room is in sight up to its end, so what comes in is read. */
  reading: boolean;
}

/** A run of a room's messages without holes, by `seq`. */
export interface Timeline {
  messages: Message[];
  hasBefore: boolean;
  hasAfter: boolean;
  loading: "initial" | "before" | "after" | null;
  error: string | null;
  /** Events were missed: shown until it has been loaded again. */
  stale: boolean;
}

export interface Pending {
  nonce: Nonce;
  room: RoomId;
  body: string;
  reply_to: MessageId | null;
  /** Milliseconds since 1970. */
  at: number;
  status: "waiting" | "sending" | "failed";
  error: string | null;
}

export interface Draft {
  body: string;
  reply_to: MessageId | null;
}

export interface HistoryPage {
  messages: Message[];
  hasBefore: boolean;
  hasAfter: boolean;
}

export type Action =
  | { type: "snapshot"; snapshot: Snapshot }
  | { type: "snapshot.failed"; detail: string }
  | { type: "event"; event: LogEvent }
  | { type: "cursor"; cursor: Cursor }
  | { type: "typing"; frame: TypingFrame; now: number }
  | { type: "typing.expired"; now: number }
  | { type: "presence"; frame: PresenceFrame }
  | { type: "status"; status: Partial<Status> }
  | { type: "history.loading"; room: RoomId; what: "initial" | "before" | "after" }
  | { type: "history.failed"; room: RoomId; detail: string }
  | {
      type: "history.loaded";
      room: RoomId;
      /** `replace`: the window is this page alone. */
      place: "replace" | "before" | "after";
      /** The `seq` the page was asked from: if the window has another edge by now, the page is dropped. */
      anchor: Seq | null;
      page: HistoryPage;
      /** What happened in the room while the page was on its way. */
      since: LogEvent[];
    }
  | { type: "ack"; seq: Seq | null; message: Message }
  | { type: "room"; room: RoomView }
  | { type: "room.gone"; room: RoomId }
  | { type: "user"; user: User }
  | { type: "workspace"; workspace: Workspace }
  | { type: "members"; room: RoomId; members: UserId[] }
  | { type: "pending.put"; pending: Pending }
  | { type: "pending.status"; nonce: Nonce; status: Pending["status"]; error: string | null }
  | { type: "pending.drop"; nonce: Nonce }
  | { type: "draft"; room: RoomId; draft: Draft | null }
  | { type: "view.room"; room: RoomId | null }
  | { type: "view.focus"; message: MessageId | null }
  | { type: "view.reading"; reading: boolean }
  | { type: "read"; room: RoomId; seq: Seq };
