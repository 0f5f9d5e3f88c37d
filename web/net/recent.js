// The last events that came by: enough to bring up to date what was asked for before they came.

import { RECENT_EVENTS_MAX } from "./limits.js";

/** @import { LogEvent, Seq } from "../types.js" */

export class RecentEvents {
  /** @type {LogEvent[]} */
  #events = [];
  /** Everything after this is here. */
  #after = 0;

  /** @param {Seq} after Forgets all: what came before is not to be had here. */
  clear(after) {
    this.#events = [];
    this.#after = after;
  }

  /** @param {LogEvent} event Later than all before it. */
  push(event) {
    this.#events.push(event);
    // Cut rarely and by half, so that it costs nothing per event.
    if (this.#events.length < 2 * RECENT_EVENTS_MAX) return;
    const cut = this.#events.splice(0, this.#events.length - RECENT_EVENTS_MAX);
    this.#after = cut.at(-1)?.seq ?? this.#after;
  }

  /** @param {Seq} seq @returns {LogEvent[] | null} What came after `seq`; `null`: no longer known. */
  since(seq) {
    if (seq < this.#after) return null;
    return this.#events.filter((event) => event.seq > seq);
  }
}
