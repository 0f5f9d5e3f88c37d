// From one state to the next: the only function that makes states.
//
// Pure: no clock, no network, no page. What happens outside comes in as an action, with the time
// where it matters.

import { advance, parseCursor, reaches } from "./cursor.js";
import { forgetTimeline, judge, reduceEvent } from "./events.js";
import { TYPING_SHOWN_MS } from "./limits.js";
import { changePending, dropPending, putPending } from "./pending.js";
import { byId, omit } from "./records.js";
import { reduceHistory, reduceView } from "./view.js";
import { put } from "./timeline.js";

/** @import { Message, PresenceFrame, RoomView, Snapshot, TypingFrame, UserId } from "../types.js" */
/** @import { Action, State } from "./shape.js" */

/** @returns {State} Before anything is known. */
export function initialState() {
  return {
    phase: "loading",
    failure: null,
    status: { phase: "connecting", transport: null, blocked: [], retryAt: null, waiting: 0, reason: null },
    cursor: null,
    workspace: null,
    me: null,
    users: {},
    rooms: {},
    presence: {},
    typing: {},
    timelines: {},
    recent: [],
    pending: {},
    members: {},
    drafts: {},
    view: { room: null, unreadAfter: null, focus: null, reading: false },
  };
}

/**
 * @param {State} state
 * @param {Action} action
 * @returns {State} The same object if nothing has changed.
 */
export function reduce(state, action) {
  switch (action.type) {
    case "snapshot":
      return snapshot(state, action.snapshot);
    case "snapshot.failed":
      return { ...state, phase: state.phase === "ready" ? "ready" : "failed", failure: action.detail };
    case "event":
      return judge(state, action.event) === "apply" ? reduceEvent(state, action.event) : state;
    case "cursor":
      return moved(state, action.cursor);
    case "typing":
      return typing(state, action.frame, action.now);
    case "typing.expired":
      return typingExpired(state, action.now);
    case "presence":
      return presence(state, action.frame);
    case "status":
      return { ...state, status: { ...state.status, ...action.status } };
    case "history.loading":
    case "history.failed":
    case "history.loaded":
      return reduceHistory(state, action);
    case "view.room":
    case "view.focus":
    case "view.reading":
    case "read":
      return reduceView(state, action);
    default:
      return reduceThing(state, action);
  }
}

/**
 * Answers of the server to what was asked for, and what the user has not sent yet.
 * @param {State} state
 * @param {Extract<Action, { type: "ack" | "room" | "room.gone" | "user" | "workspace" | "members"
 *   | "pending.put" | "pending.status" | "pending.drop" | "draft" }>} action
 * @returns {State}
 */
function reduceThing(state, action) {
  switch (action.type) {
    case "ack":
      return acked(state, action.seq, action.message);
    case "room":
      return room(state, action.room);
    case "room.gone":
      return { ...forgetTimeline(state, action.room), rooms: omit(state.rooms, action.room) };
    case "user": {
      const me = state.me?.id === action.user.id ? action.user : state.me;
      return { ...state, me, users: { ...state.users, [action.user.id]: action.user } };
    }
    case "workspace":
      return { ...state, workspace: action.workspace };
    case "members":
      return { ...state, members: { ...state.members, [action.room]: action.members } };
    case "pending.put":
      return putPending(state, action.pending);
    case "pending.status":
      return changePending(state, action.nonce, action);
    case "pending.drop":
      return dropPending(state, action.nonce);
    case "draft": {
      const { room: id, draft } = action;
      return { ...state, drafts: draft ? { ...state.drafts, [id]: draft } : omit(state.drafts, id) };
    }
  }
}

/**
 * Everything anew. What was loaded of the room in sight stays visible until it is loaded again: what
 * happened in between is not known to it. The other rooms load again when they are opened.
 * @param {State} state
 * @param {Snapshot} snapshot
 * @returns {State}
 */
function snapshot(state, { cursor, workspace, me, users, rooms, presence: changes }) {
  const shown = state.view.room;
  const known = byId(rooms);
  const guest = shown !== null ? state.rooms[shown] : undefined;
  if (guest && !guest.joined && !known[guest.id]) known[guest.id] = guest;
  const gone = state.phase === "ready" && shown !== null && !known[shown];
  const view = gone ? { ...state.view, room: null, focus: null, reading: false } : state.view;
  const kept = view.room !== null ? state.timelines[view.room] : undefined;
  return {
    ...state,
    phase: "ready",
    failure: null,
    cursor,
    workspace,
    me,
    users: byId(users),
    rooms: known,
    presence: presenceOf({}, changes),
    typing: {},
    timelines: view.room !== null && kept ? { [view.room]: { ...kept, loading: null, stale: true } } : {},
    recent: view.room !== null && kept ? [view.room] : [],
    members: {},
    view,
  };
}

/** @param {State} state @param {string} cursor @returns {State} */
function moved(state, cursor) {
  if (!reaches(state.cursor, cursor)) return state;
  const next = advance(state.cursor, parseCursor(cursor).seq);
  return next === state.cursor ? state : { ...state, cursor: next };
}

/** @param {State} state @param {TypingFrame} frame @param {number} now @returns {State} */
function typing(state, { room: id, user }, now) {
  if (user === state.me?.id) return state;
  const there = { ...state.typing[id], [user]: now + TYPING_SHOWN_MS };
  return { ...state, typing: { ...state.typing, [id]: there } };
}

/** @param {State} state @param {number} now @returns {State} */
function typingExpired(state, now) {
  /** @type {State["typing"]} */
  const rest = {};
  for (const [id, there] of Object.entries(state.typing)) {
    const current = Object.entries(there).filter(([, until]) => until > now);
    if (current.length > 0) rest[id] = Object.fromEntries(current);
  }
  return { ...state, typing: rest };
}

/** @param {State} state @param {PresenceFrame} frame @returns {State} */
function presence(state, { full, changes }) {
  return { ...state, presence: presenceOf(full ? {} : state.presence, changes) };
}

/**
 * @param {State["presence"]} from
 * @param {PresenceFrame["changes"]} changes
 * @returns {State["presence"]}
 */
function presenceOf(from, changes) {
  /** @type {Record<UserId, "online" | "away">} */
  const next = { ...from };
  for (const { user, state } of changes) {
    if (state === "offline") delete next[user];
    else next[user] = state;
  }
  return next;
}

/**
 * A command on a message was carried out. Its event says the same; where it has come already, it is
 * the newer of the two.
 * @param {State} state
 * @param {number | null} seq
 * @param {Message} message
 * @returns {State}
 */
function acked(state, seq, message) {
  const next = message.author === state.me?.id ? dropPending(state, message.nonce) : state;
  const timeline = next.timelines[message.room];
  if (!timeline || seq === null || seq <= parseCursor(state.cursor).seq) return next;
  const changed = put(timeline, message);
  return changed === timeline ? next : { ...next, timelines: { ...next.timelines, [message.room]: changed } };
}

/**
 * A room as the server has just told it. The counters of a room one is in are kept by its events, and
 * the room's own number tells whether this answer is older than what is known.
 * @param {State} state
 * @param {RoomView} got
 * @returns {State}
 */
function room(state, got) {
  const have = state.rooms[got.id];
  if (!have?.joined) return { ...state, rooms: { ...state.rooms, [got.id]: got } };
  if (!got.joined || got.n < have.n) return state;
  const { n, read_seq, unread, mentions } = have;
  const last_seq = Math.max(have.last_seq, got.last_seq);
  const last_at = Math.max(have.last_at, got.last_at);
  const merged = { ...got, n, read_seq, unread, mentions, last_seq, last_at };
  return { ...state, rooms: { ...state.rooms, [got.id]: merged } };
}
