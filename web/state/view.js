// What is in sight: which room, which part of its history, what of it has been read; and how pages
// of history come into the timelines.

import { forgetTimeline } from "./events.js";
import { TIMELINE_HIDDEN_MESSAGES, TIMELINES_MAX } from "./limits.js";
import { dropPending } from "./pending.js";
import { append, applyEvent, fromPage, keepNewest, prepend, unloaded } from "./timeline.js";

/** @import { RoomId, Seq } from "../types.js" */
/** @import { Action, State, Timeline } from "./shape.js" */

/**
 * @param {State} state
 * @param {Extract<Action, { type: "history.loading" | "history.failed" | "history.loaded" }>} action
 * @returns {State}
 */
export function reduceHistory(state, action) {
  const timeline = state.timelines[action.room] ?? unloaded();
  switch (action.type) {
    case "history.loading":
      return withTimeline(state, action.room, { ...timeline, loading: action.what, error: null });
    case "history.failed":
      return withTimeline(state, action.room, { ...timeline, loading: null, error: action.detail });
    case "history.loaded":
      return loaded(state, timeline, action);
  }
}

/**
 * @param {State} state
 * @param {Timeline} timeline
 * @param {Extract<Action, { type: "history.loaded" }>} action
 * @returns {State}
 */
function loaded(state, timeline, { room, place, anchor, page, since }) {
  const edge = place === "after" ? timeline.messages.at(-1)?.seq : timeline.messages[0]?.seq;
  // The window has moved elsewhere while the page was on its way.
  if (place !== "replace" && (timeline.stale || edge !== anchor)) {
    return withTimeline(state, room, { ...timeline, loading: null });
  }
  const merged =
    place === "replace" ? fromPage(page) : place === "before" ? prepend(timeline, page) : append(timeline, page);
  // The page may be older than events that came before it did, but that found nothing to change.
  const current = since.reduce(applyEvent, merged);
  const mine = page.messages.filter((message) => message.author === state.me?.id);
  const settled = mine.reduce((next, message) => dropPending(next, message.nonce), state);
  return withTimeline(settled, room, current);
}

/** @param {State} state @param {RoomId} room @param {Timeline} timeline @returns {State} */
function withTimeline(state, room, timeline) {
  const next = { ...state, timelines: { ...state.timelines, [room]: timeline } };
  return state.recent.includes(room) ? next : { ...next, recent: [...state.recent, room] };
}

/**
 * @param {State} state
 * @param {Extract<Action, { type: "view.room" | "view.focus" | "view.reading" | "read" }>} action
 * @returns {State}
 */
export function reduceView(state, action) {
  switch (action.type) {
    case "view.room":
      return show(state, action.room);
    case "view.focus":
      if (state.view.focus === action.message) return state;
      return { ...state, view: { ...state.view, focus: action.message } };
    case "view.reading":
      if (state.view.reading === action.reading) return state;
      return { ...state, view: { ...state.view, reading: action.reading } };
    case "read":
      return read(state, action.room, action.seq);
  }
}

/** @param {State} state @param {RoomId | null} id @returns {State} */
function show(state, id) {
  if (state.view.room === id) return state;
  const room = id === null ? undefined : state.rooms[id];
  const unreadAfter = room?.joined && room.unread > 0 ? room.read_seq : null;
  const view = { room: id, unreadAfter, focus: null, reading: false };
  return bounded(hide({ ...state, view }, state.view.room), id);
}

/** @param {State} state @param {RoomId | null} id The room that goes out of sight keeps little. @returns {State} */
function hide(state, id) {
  const timeline = id === null ? undefined : state.timelines[id];
  if (id === null || !timeline) return state;
  // A window in the past, or a room that no events come from, would be old when it is seen again.
  if (timeline.hasAfter || timeline.stale || !state.rooms[id]?.joined) return forgetTimeline(state, id);
  const kept = keepNewest(timeline, TIMELINE_HIDDEN_MESSAGES);
  return { ...state, timelines: { ...state.timelines, [id]: kept } };
}

/** @param {State} state @param {RoomId | null} shown Forgets what was not seen for longest. @returns {State} */
function bounded(state, shown) {
  const others = state.recent.filter((id) => id !== shown);
  const recent = shown !== null && state.timelines[shown] ? [...others, shown] : others;
  const over = recent.slice(0, Math.max(0, recent.length - TIMELINES_MAX));
  return over.reduce(forgetTimeline, { ...state, recent });
}

/** @param {State} state @param {RoomId} id @param {Seq} seq @returns {State} */
function read(state, id, seq) {
  const room = state.rooms[id];
  if (!room?.joined || seq <= room.read_seq) return state;
  // Everything read: nothing to count. A part: the server counts, and tells by its event.
  const counts = seq >= room.last_seq ? { unread: 0, mentions: 0 } : {};
  return { ...state, rooms: { ...state.rooms, [id]: { ...room, read_seq: seq, ...counts } } };
}
