// From frames to the state: applies each event once and in order, proves that none is missing, and
// loads a snapshot where the server or the proof says so.
//
// While a snapshot is on its way, what comes in is held back and applied after it: the connection
// stays open, and nothing falls between the two.

import { parseCursor } from "../state/cursor.js";
import { judge } from "../state/events.js";
import { backoffMs } from "./backoff.js";
import { ApiError } from "./errors.js";
import { HELD_FRAMES_MAX, RELOAD_CALM_MS } from "./limits.js";
import { RecentEvents } from "./recent.js";
import { isEvent } from "./stream.js";
import { Timer } from "./timer.js";

/** @import { Frame, LogEvent, Seq, Snapshot } from "../types.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Env } from "./shape.js" */

/**
 * @typedef {object} FeedHandlers
 * @property {() => Promise<Snapshot>} snapshot
 * @property {() => void} loaded A snapshot is in the state.
 * @property {(event: LogEvent) => void} applied
 * @property {() => void} foreign The browser is signed in as somebody else by now.
 * @property {() => void} overflow More was held back than fits: reconnect at the state's cursor.
 * @property {(delayMs: number, error: ApiError) => void} waiting The next attempt for a snapshot.
 */

export class Feed {
  #env;
  #store;
  #handlers;
  #recent = new RecentEvents();
  /** @type {Frame[]} */
  #held = [];
  #overflown = false;
  #loading = false;
  #stopped = false;
  #attempt = 0;
  #loadedMs = -Infinity;
  #retry;
  /** Counts the snapshots: what was asked for before one is not to be trusted after it. */
  generation = 0;

  /** @param {Env} env @param {Store} store @param {FeedHandlers} handlers */
  constructor(env, store, handlers) {
    this.#env = env;
    this.#store = store;
    this.#handlers = handlers;
    this.#retry = new Timer(env);
  }

  get loading() {
    return this.#loading;
  }

  /** @param {Frame} frame */
  frame(frame) {
    if (frame.type === "reset") return this.reload();
    if (frame.type === "hello" && frame.user !== this.#store.state.me?.id) return this.#handlers.foreign();
    if (frame.type === "typing") {
      this.#store.dispatch({ type: "typing", frame, now: this.#env.now() });
    } else if (this.#loading) {
      this.#hold(frame);
    } else {
      this.#apply(frame);
    }
  }

  /** @param {Seq} seq @returns {LogEvent[] | null} Events applied after it; `null`: no longer known. */
  since(seq) {
    return this.#recent.since(seq);
  }

  /** Loads a snapshot, as often as it takes. */
  reload() {
    if (this.#loading || this.#stopped) return;
    this.#loading = true;
    if (this.#env.now() - this.#loadedMs > RELOAD_CALM_MS) this.#attempt = 0;
    // The first one after the start is free. One after the other would be a defect; it must not
    // become a storm of snapshots.
    if (this.#attempt > 1) this.#retry.set(backoffMs(this.#env, this.#attempt), () => void this.#load());
    else void this.#load();
    this.#attempt += 1;
  }

  /** Tries now what is waiting for its next attempt. */
  hurry() {
    if (this.#retry.pending) void this.#load();
  }

  stop() {
    this.#stopped = true;
    this.#retry.clear();
  }

  async #load() {
    this.#retry.clear();
    try {
      const snapshot = await this.#handlers.snapshot();
      if (!this.#stopped) this.#loaded(snapshot);
    } catch (error) {
      if (!this.#stopped) this.#failed(error);
    }
  }

  /** @param {Snapshot} snapshot */
  #loaded(snapshot) {
    const { me } = this.#store.state;
    if (me && me.id !== snapshot.me.id) return this.#handlers.foreign();
    this.generation += 1;
    this.#loading = false;
    this.#loadedMs = this.#env.now();
    this.#recent.clear(parseCursor(snapshot.cursor).seq);
    this.#store.dispatch({ type: "snapshot", snapshot });
    const [held, overflown] = [this.#held, this.#overflown];
    this.#held = [];
    this.#overflown = false;
    this.#handlers.loaded();
    if (overflown) return this.#handlers.overflow();
    for (const frame of held) this.frame(frame);
  }

  /** @param {unknown} error */
  #failed(error) {
    if (!(error instanceof ApiError)) throw error;
    // Signed out: whoever asked has been told.
    if (error.status === 401) return;
    const delayMs = Math.max(error.retryAfterMs ?? 0, backoffMs(this.#env, this.#attempt));
    this.#attempt += 1;
    this.#store.dispatch({ type: "snapshot.failed", detail: error.detail });
    this.#retry.set(delayMs, () => void this.#load());
    this.#handlers.waiting(delayMs, error);
  }

  /** @param {Frame} frame */
  #hold(frame) {
    if (this.#held.length >= HELD_FRAMES_MAX) {
      this.#overflown = true;
      this.#held = [];
    }
    if (!this.#overflown) this.#held.push(frame);
  }

  /** @param {Frame} frame */
  #apply(frame) {
    if (isEvent(frame)) this.#event(frame);
    else if (frame.type === "presence") this.#store.dispatch({ type: "presence", frame });
    else if (frame.type === "heartbeat" || frame.type === "ready") {
      this.#store.dispatch({ type: "cursor", cursor: frame.cursor });
    }
  }

  /** @param {LogEvent} event */
  #event(event) {
    const verdict = judge(this.#store.state, event);
    if (verdict === "duplicate") return;
    if (verdict === "gap") return this.#gap(event);
    this.#store.dispatch({ type: "event", event });
    this.#recent.push(event);
    this.#handlers.applied(event);
  }

  /** @param {LogEvent} event It does not continue its room's count: something is missing before it. */
  #gap(event) {
    const { type, seq, n, room } = event;
    const expected = room === null ? null : (this.#store.state.rooms[room]?.n ?? 0) + 1;
    this.#env.report("an event is missing; loading everything anew", { type, seq, n, room, expected });
    this.reload();
    this.#hold(event);
  }
}
