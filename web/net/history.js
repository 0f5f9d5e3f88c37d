// Loads pages of rooms' history into the timelines.
//
// A page is a picture of one moment, and events go on while it is on its way. What happened in the
// room since the question is applied to it again, so it does not matter which came first; and where
// everything was loaded anew meanwhile, the page is asked for again.

import { parseCursor } from "../state/cursor.js";
import { ApiError } from "./errors.js";
import { HISTORY_ATTEMPTS_MAX } from "./limits.js";

/** @import { History as Page, LogEvent, RoomId, Seq } from "../types.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Api } from "./api.js" */
/** @import { Feed } from "./feed.js" */

/** @typedef {{ before?: Seq, after?: Seq, around?: Seq }} Where */

export class HistoryLoader {
  #store;
  #api;
  #feed;
  /** @type {Map<RoomId, object>} The newest request of each room; what an older one brings is dropped. */
  #current = new Map();

  /** @param {Store} store @param {Api} api @param {Feed} feed */
  constructor(store, api, feed) {
    this.#store = store;
    this.#api = api;
    this.#feed = feed;
  }

  /** The state has changed: what is in sight must be loaded. */
  look() {
    const { view, timelines, rooms, phase } = this.#store.state;
    if (phase !== "ready" || view.room === null || !rooms[view.room]) return;
    const timeline = timelines[view.room];
    if (timeline && (!timeline.stale || timeline.loading !== null || timeline.error !== null)) return;
    if (!timeline || timeline.stale) void this.latest(view.room);
  }

  /** The connection is back: what could not be loaded may be loaded now. */
  again() {
    const { view, timelines } = this.#store.state;
    const timeline = view.room === null ? undefined : timelines[view.room];
    if (view.room === null || !timeline?.error || timeline.loading !== null) return;
    if (timeline.messages.length === 0 || timeline.stale) void this.latest(view.room);
  }

  /** @param {RoomId} room @returns {Promise<void>} Shows its newest messages. */
  latest(room) {
    return this.#load(room, "initial", "replace", {});
  }

  /** @param {RoomId} room @param {Seq} seq @returns {Promise<void>} Shows the messages around one. */
  around(room, seq) {
    return this.#load(room, "initial", "replace", { around: seq });
  }

  /** @param {RoomId} room @returns {Promise<void>} */
  async older(room) {
    const timeline = this.#store.state.timelines[room];
    const first = timeline?.messages[0]?.seq;
    if (!timeline?.hasBefore || timeline.loading !== null || timeline.stale || first === undefined) return;
    await this.#load(room, "before", "before", { before: first });
  }

  /** @param {RoomId} room @returns {Promise<void>} */
  async newer(room) {
    const timeline = this.#store.state.timelines[room];
    const last = timeline?.messages.at(-1)?.seq;
    if (!timeline?.hasAfter || timeline.loading !== null || timeline.stale || last === undefined) return;
    await this.#load(room, "after", "after", { after: last });
  }

  /**
   * @param {RoomId} room
   * @param {"initial" | "before" | "after"} what
   * @param {"replace" | "before" | "after"} place
   * @param {Where} where
   */
  async #load(room, what, place, where) {
    const request = {};
    this.#current.set(room, request);
    this.#store.dispatch({ type: "history.loading", room, what });
    try {
      const { page, since } = await this.#consistent(room, where);
      if (this.#current.get(room) !== request) return;
      const { messages, has_before: hasBefore, has_after: hasAfter } = page;
      const anchor = where.before ?? where.after ?? null;
      const loaded = { messages, hasBefore, hasAfter };
      this.#store.dispatch({ type: "history.loaded", room, place, anchor, page: loaded, since });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#current.get(room) !== request) return;
      this.#store.dispatch({ type: "history.failed", room, detail: error.detail });
    } finally {
      if (this.#current.get(room) === request) this.#current.delete(room);
    }
  }

  /**
   * A page together with what has happened since it was asked for.
   * @param {RoomId} room
   * @param {Where} where
   * @returns {Promise<{ page: Page, since: LogEvent[] }>}
   */
  async #consistent(room, where) {
    for (let attempt = 0; attempt < HISTORY_ATTEMPTS_MAX; attempt += 1) {
      const { generation } = this.#feed;
      const { state } = this.#store;
      const joined = state.rooms[room]?.joined;
      const page = await this.#api.history(room, where);
      const since = this.#feed.since(parseCursor(state.cursor).seq);
      const same = generation === this.#feed.generation && joined === this.#store.state.rooms[room]?.joined;
      if (since && same) return { page, since: since.filter((event) => event.room === room) };
    }
    throw new ApiError({ code: "unavailable", detail: "Too much is changing right now; try again.", retry: true });
  }
}
