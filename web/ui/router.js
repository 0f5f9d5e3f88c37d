/*
 * Addresses and places: `/` is the list of rooms, `/room/{id}` a room, `/message/{id}` one message.
 *
 * Why: every place has an address that can be copied, reloaded and gone back to; the server answers
 * all of them with the same page. On a wide window `/` shows the room that was open last, because
 * the list stands beside it anyway.
 */

import { sidebar } from "../state/selectors.js";
import { plainError } from "./errors.js";

/** @import { RoomId } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App, Navigator } from "./shape.js" */

const LAST_ROOM_KEY = "switchback.room";

/** @typedef {{ kind: "home" } | { kind: "room", id: string } | { kind: "message", id: string }} Place */

/**
 * @param {string} path
 * @returns {Place}
 */
export function parsePath(path) {
  const match = /^\/(room|message)\/([0-9a-fA-F-]+)\/?$/.exec(path);
  if (match?.[1] === "room" && match[2]) return { kind: "room", id: match[2] };
  if (match?.[1] === "message" && match[2]) return { kind: "message", id: match[2] };
  return { kind: "home" };
}

/**
 * Where to sign in, so that one comes back to where one was.
 *
 * @param {string} path
 */
export function signInPath(path) {
  return parsePath(path).kind === "home" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(path)}`;
}

/**
 * @param {App} app
 * @returns {Navigator & { start(): void }}
 */
export function createRouter(app) {
  const state = () => app.client.store.state;

  /** Draws the place that the address names. */
  function follow() {
    const place = parsePath(location.pathname);
    if (place.kind === "home") showHome();
    else show(place);
  }

  function showHome() {
    const room = app.ui.narrow ? undefined : startRoom(state());
    if (room !== undefined) {
      history.replaceState(null, "", `/room/${room}`);
      show({ kind: "room", id: room });
      return;
    }
    app.set({ place: "side", editing: null, missing: null, menu: null, picker: null });
    app.actions.closeRoom();
  }

  /** @param {{ kind: "room" | "message", id: string }} place */
  async function show(place) {
    app.set({ place: "room", editing: null, missing: null, menu: null, picker: null });
    try {
      if (place.kind === "room") await app.actions.openRoom(place.id);
      else await app.actions.jumpToMessage(place.id);
      const { room } = state().view;
      if (room !== null) remember(room);
    } catch (error) {
      app.set({ missing: place.kind === "room" ? missingRoom(error) : missingMessage(error) });
      app.actions.closeRoom();
    }
  }

  /** @param {string} path */
  function push(path) {
    if (location.pathname !== path) history.pushState(null, "", path);
    follow();
  }

  return {
    start() {
      addEventListener("popstate", follow);
      document.addEventListener("click", (event) => followLink(event, push));
      follow();
    },
    room: (room) => push(`/room/${room}`),
    message: (message) => push(`/message/${message}`),
    home: () => push("/"),
    step(by, unreadOnly) {
      const next = neighbour(state(), by, unreadOnly);
      if (next !== undefined) push(`/room/${next}`);
    },
  };
}

/**
 * Links to places of this workspace stay in the page; with a modifier key they open a tab as usual.
 *
 * @param {MouseEvent} event
 * @param {(path: string) => void} push
 */
function followLink(event, push) {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin) return;
  if (parsePath(link.pathname).kind === "home" && link.pathname !== "/") return;
  event.preventDefault();
  push(link.pathname);
}

/**
 * The room open last, if one is still in it, or the first of the list.
 *
 * @param {State} state
 * @returns {RoomId | undefined}
 */
function startRoom(state) {
  const last = remembered();
  if (last !== null && state.rooms[last]?.joined) return last;
  const { rooms, directs } = sidebar(state);
  return (rooms.find((entry) => entry.room.general) ?? rooms[0] ?? directs[0])?.room.id;
}

/**
 * The next room of the side bar, around its ends.
 *
 * @param {State} state
 * @param {1 | -1} by
 * @param {boolean} unreadOnly
 * @returns {RoomId | undefined}
 */
export function neighbour(state, by, unreadOnly) {
  const { rooms, directs } = sidebar(state);
  const entries = [...rooms, ...directs];
  const at = entries.findIndex((entry) => entry.room.id === state.view.room);
  const start = at < 0 && by < 0 ? 0 : at;
  for (let step = 1; step <= entries.length; step += 1) {
    const entry = entries[(start + by * step + entries.length * 2) % entries.length];
    if (entry && entry.room.id !== state.view.room && (!unreadOnly || entry.unread > 0)) return entry.room.id;
  }
  return undefined;
}

/** @param {unknown} error */
function missingRoom(error) {
  if (isNotFound(error))
    return "This room does not exist, or you are not in it. Ask somebody in the room to add you.";
  return plainError(error).text;
}

/** @param {unknown} error */
function missingMessage(error) {
  if (isNotFound(error)) return "This message does not exist, or it is in a room that you are not in.";
  return plainError(error).text;
}

/** @param {unknown} error */
function isNotFound(error) {
  return error instanceof Error && "status" in error && error.status === 404;
}

/** @param {RoomId} room */
function remember(room) {
  try {
    localStorage.setItem(LAST_ROOM_KEY, room);
  } catch {
    // Without storage the next visit begins in the general room.
  }
}

function remembered() {
  try {
    return localStorage.getItem(LAST_ROOM_KEY);
  } catch {
    return null;
  }
}
