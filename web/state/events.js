// What each event of the log does to the state, and whether an event may be applied at all.
//
// Each event is applied once, in order of `seq`; `judge` decides that. The counters `n` of the rooms
// prove that nothing is missing: an event that does not continue its room's counter is a gap, and
// the caller loads a snapshot. A later event can be rendered from a newer state than its own moment
// (replay shows today's state); everything here comes to the same end, whichever was seen first.

import { parseCursor, advance } from "./cursor.js";
import { TIMELINE_HIDDEN_MESSAGES, TIMELINE_MESSAGES_HARD_MAX, TIMELINE_MESSAGES_MAX, UNREAD_COUNT_MAX } from "./limits.js";
import { mentionsMe } from "./messages.js";
import { dropPending } from "./pending.js";
import { omit } from "./records.js";
import { applyEvent, keepNewest } from "./timeline.js";

/** @import { LogEvent, MemberEvent, Message, MessageEvent, ReadEvent, Room, RoomEvent, RoomId, RoomView } from "../types.js" */
/** @import { State, Timeline } from "./shape.js" */

/**
 * @param {State} state
 * @param {LogEvent} event
 * @returns {"apply" | "duplicate" | "gap"}
 */
export function judge(state, event) {
  if (event.seq <= parseCursor(state.cursor).seq) return "duplicate";
  if (event.n === null || event.room === null) return "apply";
  // Where one comes in, or the room begins, the counting begins; where one goes, what was in
  // between is not shown any more.
  if (event.type === "room.created" || isMyMembership(state, event)) return "apply";
  const room = state.rooms[event.room];
  if (!room?.joined || event.n > room.n + 1) return "gap";
  return event.n === room.n + 1 ? "apply" : "duplicate";
}

/**
 * Applies an event that `judge` lets through.
 * @param {State} state
 * @param {LogEvent} event
 * @returns {State}
 */
export function reduceEvent(state, event) {
  const next = { ...state, cursor: advance(state.cursor, event.seq) };
  switch (event.type) {
    case "user.joined":
    case "user.updated": {
      const me = next.me?.id === event.user.id ? event.user : next.me;
      return { ...next, me, users: { ...next.users, [event.user.id]: event.user } };
    }
    case "workspace.renamed":
      return { ...next, workspace: event.workspace };
    case "read.marked":
      return readMarked(next, event);
    case "room.created":
      return began(next, event, event.room_info);
    case "member.joined":
    case "member.left":
      return isMyMembership(next, event) ? myMembership(next, event) : theirMembership(counted(next, event), event);
    case "room.renamed":
    case "room.topic_changed":
    case "room.archived":
    case "room.unarchived":
      return changeRoom(counted(next, event), event.room, event.room_info);
    case "message.posted":
      return inTimeline(posted(counted(next, event), event), event);
    case "message.deleted":
      return inTimeline(unposted(counted(next, event), event), event);
    case "message.edited":
    case "reaction.added":
    case "reaction.removed":
      return inTimeline(counted(next, event), event);
    default:
      // A later version's event: its position and its `n` count, the rest is for those who know it.
      return counted(next, event);
  }
}

/** @param {State} state @param {LogEvent} event @returns {event is MemberEvent} */
function isMyMembership(state, event) {
  return (event.type === "member.joined" || event.type === "member.left") && event.user === state.me?.id;
}

/** @param {State} state @param {LogEvent} event Counts the room's events. @returns {State} */
function counted(state, event) {
  if (event.n === null || event.room === null) return state;
  return changeRoom(state, event.room, { n: event.n });
}

/** @param {State} state @param {RoomId} id @param {Partial<RoomView>} change @returns {State} */
function changeRoom(state, id, change) {
  const room = state.rooms[id];
  return room ? { ...state, rooms: { ...state.rooms, [id]: { ...room, ...change } } } : state;
}

/**
 * A room begins for me: it was made with me in it, or I came in. The counting begins here.
 * @param {State} state
 * @param {RoomEvent | MemberEvent} event
 * @param {Room} info
 * @returns {State}
 */
function began(state, event, info) {
  const known = state.rooms[event.room];
  /** @type {RoomView} */
  const room = {
    ...info,
    joined: true,
    n: event.n ?? 0,
    last_seq: known?.last_seq ?? 0,
    last_at: Math.max(known?.last_at ?? 0, event.at),
    read_seq: Math.max(known?.read_seq ?? 0, event.seq),
    unread: 0,
    mentions: 0,
  };
  return { ...state, rooms: { ...state.rooms, [event.room]: room } };
}

/** @param {State} state @param {MemberEvent} event @returns {State} */
function myMembership(state, event) {
  const id = event.room;
  if (event.type === "member.joined") return withMember(joinedNow(state, event), event);
  const { room_info: info } = event;
  const rooms =
    info.kind === "public" && state.rooms[id] ? { ...state.rooms, [id]: preview(info) } : omit(state.rooms, id);
  const view = state.view.room === id ? { ...state.view, room: null, focus: null, reading: false } : state.view;
  return { ...forgetTimeline(state, id), rooms, view, members: omit(state.members, id), typing: omit(state.typing, id) };
}

/** @param {State} state @param {MemberEvent} event @returns {State} */
function joinedNow(state, event) {
  const next = began(state, event, event.room_info);
  const timeline = next.timelines[event.room];
  // What was read as a guest has not been kept up to date, unless the room has just been made.
  if (!timeline || state.rooms[event.room]?.joined) return next;
  return { ...next, timelines: { ...next.timelines, [event.room]: { ...timeline, stale: true } } };
}

/** @param {State} state @param {MemberEvent} event @returns {State} */
function theirMembership(state, event) {
  const next = changeRoom(state, event.room, event.room_info);
  return event.type === "member.joined" ? withMember(next, event) : withoutMember(next, event);
}

/** @param {State} state @param {MemberEvent} event @returns {State} */
function withMember(state, { room, user }) {
  const members = state.members[room];
  if (!members || members.includes(user)) return state;
  return { ...state, members: { ...state.members, [room]: [...members, user] } };
}

/** @param {State} state @param {MemberEvent} event @returns {State} */
function withoutMember(state, { room, user }) {
  const members = state.members[room];
  if (!members) return state;
  return { ...state, members: { ...state.members, [room]: members.filter((other) => other !== user) } };
}

/** @param {Room} info @returns {RoomView} A room seen from outside. */
function preview(info) {
  const counters = { n: 0, last_seq: 0, last_at: 0, read_seq: 0, unread: 0, mentions: 0 };
  return { ...info, joined: false, ...counters };
}

/** @param {State} state @param {RoomId} id @returns {State} */
export function forgetTimeline(state, id) {
  return { ...state, timelines: omit(state.timelines, id), recent: state.recent.filter((other) => other !== id) };
}

/** @param {State} state @param {ReadEvent} event @returns {State} */
function readMarked(state, event) {
  const room = state.rooms[event.room];
  // This device is further already; its own mark is on its way and will be told as well.
  if (!room || event.read_seq < room.read_seq) return state;
  const { read_seq, unread, mentions } = event;
  return changeRoom(state, event.room, { read_seq, unread, mentions });
}

/** @param {State} state @param {MessageEvent} event @returns {State} */
function posted(state, { room: id, message }) {
  const room = state.rooms[id];
  if (!room) return state;
  const mine = message.author === state.me?.id;
  const last_seq = Math.max(room.last_seq, message.seq);
  const last_at = Math.max(room.last_at, message.at);
  const next = stopTyping(changeRoom(state, id, { last_seq, last_at }), id, message.author);
  if (mine) return dropPending(withoutUnreadLine(next, id), message.nonce);
  if (message.seq <= room.read_seq) return next;
  // Read as it comes in: counted all the same, until the client marks it, which ends the counting.
  const line = state.view.room === id && !state.view.reading && state.view.unreadAfter === null;
  const view = line ? { ...next.view, unreadAfter: room.read_seq } : next.view;
  return { ...changeRoom(next, id, countOne(room, message, state.me?.id ?? "", 1)), view };
}

/** @param {State} state @param {RoomId} id Who answers has read what stands above. @returns {State} */
function withoutUnreadLine(state, id) {
  if (state.view.room !== id || state.view.unreadAfter === null) return state;
  return { ...state, view: { ...state.view, unreadAfter: null } };
}

/** @param {State} state @param {MessageEvent} event A deleted message is not unread any more. @returns {State} */
function unposted(state, { room: id, message }) {
  const room = state.rooms[id];
  if (!room || message.author === state.me?.id || message.seq <= room.read_seq) return state;
  return changeRoom(state, id, countOne(room, message, state.me?.id ?? "", -1));
}

/**
 * @param {RoomView} room
 * @param {Message} message
 * @param {string} me
 * @param {1 | -1} by
 */
function countOne(room, message, me, by) {
  const mentioned = mentionsMe(message, me, room.kind);
  return { unread: count(room.unread, by), mentions: mentioned ? count(room.mentions, by) : room.mentions };
}

/** @param {number} now @param {1 | -1} by "Many" stays many: how many more there are is not known. */
function count(now, by) {
  return now >= UNREAD_COUNT_MAX ? now : Math.max(0, now + by);
}

/** @param {State} state @param {RoomId} room @param {string} user @returns {State} */
function stopTyping(state, room, user) {
  const there = state.typing[room];
  return there?.[user] ? { ...state, typing: { ...state.typing, [room]: omit(there, user) } } : state;
}

/** @param {State} state @param {LogEvent & { room: RoomId }} event @returns {State} */
function inTimeline(state, event) {
  const timeline = state.timelines[event.room];
  if (!timeline) return state;
  const next = bounded(state, event.room, applyEvent(timeline, event));
  return next === timeline ? state : { ...state, timelines: { ...state.timelines, [event.room]: next } };
}

/** @param {State} state @param {RoomId} room @param {Timeline} timeline @returns {Timeline} */
function bounded(state, room, timeline) {
  if (timeline.hasAfter) return timeline;
  if (state.view.room !== room) return keepNewest(timeline, TIMELINE_HIDDEN_MESSAGES);
  return keepNewest(timeline, state.view.reading ? TIMELINE_MESSAGES_MAX : TIMELINE_MESSAGES_HARD_MAX);
}
