// Which way in gets through: each is given its time, then the next one starts beside it, and the
// first to say hello wins. Only a hello counts: a socket may open onto a proxy that passes nothing,
// and a response may begin that is held back to its end.

import { openBatch } from "./batch.js";
import { openEventStream } from "./event-stream.js";
import { HELLO_BATCH_MS, HELLO_SSE_MS, HELLO_WEBSOCKET_MS } from "./limits.js";
import { Timer } from "./timer.js";
import { openWebSocket } from "./websocket.js";

/** @import { Cursor, Frame, TransportKind } from "../types.js" */
/** @import { End, Env, OpenWay, Way } from "./shape.js" */

/** From the best to the one that always works. @type {readonly TransportKind[]} */
export const KINDS = ["websocket", "sse", "batch"];

/** @type {Record<TransportKind, { open: OpenWay, helloMs: number }>} */
const WAYS = {
  websocket: { open: openWebSocket, helloMs: HELLO_WEBSOCKET_MS },
  sse: { open: openEventStream, helloMs: HELLO_SSE_MS },
  batch: { open: openBatch, helloMs: HELLO_BATCH_MS },
};

/** Close code: signed out, deactivated, not allowed any more. */
const POLICY_VIOLATION = 1008;

/**
 * @typedef {object} RaceHandlers
 * @property {(way: Way) => void} won Told before the hello is passed on.
 * @property {(how: { refused: boolean, retryAfterMs: number }) => void} lost `refused`: nobody is signed in.
 * @property {(way: Way, frame: Frame) => void} frame Of the winner; or a `bye` in place of a hello.
 * @property {(way: Way, end: End) => void} end Of the winner.
 */

export class Race {
  #env;
  #cursor;
  #handlers;
  /** @type {TransportKind[]} */
  #toCome;
  /** @type {Set<Way>} */
  #open = new Set();
  /** @type {Way | null} The one that was started last. */
  #latest = null;
  /** @type {Way | null} */
  #winner = null;
  #over = false;
  #retryAfterMs = 0;
  #timer;

  /**
   * @param {Env} env
   * @param {readonly TransportKind[]} kinds In this order.
   * @param {Cursor | null} cursor
   * @param {RaceHandlers} handlers
   */
  constructor(env, kinds, cursor, handlers) {
    this.#env = env;
    this.#toCome = [...kinds];
    this.#cursor = cursor;
    this.#handlers = handlers;
    this.#timer = new Timer(env);
    this.#startNext();
  }

  /** Gives up whatever has not won. */
  cancel() {
    this.#over = true;
    this.#timer.clear();
    for (const way of this.#open) if (way !== this.#winner) way.close();
    this.#open.clear();
  }

  #startNext() {
    const kind = this.#toCome.shift();
    if (!kind) return this.#lose(false);
    const { open, helloMs } = WAYS[kind];
    this.#timer.set(helloMs, () => this.#startNext());
    /** @type {Way} */
    const way = open(this.#env, this.#cursor, {
      frame: (frame) => this.#frame(way, frame),
      end: (end) => this.#end(way, end),
    });
    this.#latest = way;
    this.#open.add(way);
  }

  /** @param {Way} way @param {Frame} frame */
  #frame(way, frame) {
    if (way === this.#winner) return this.#handlers.frame(way, frame);
    if (this.#over) return;
    if (frame.type === "hello") this.#win(way);
    // Nothing else comes before a hello, except that there will be none.
    if (frame.type === "hello" || frame.type === "bye") this.#handlers.frame(way, frame);
  }

  /** @param {Way} way */
  #win(way) {
    this.#winner = way;
    this.cancel();
    this.#handlers.won(way);
  }

  /** @param {Way} way @param {End} end */
  #end(way, end) {
    if (way === this.#winner) return this.#handlers.end(way, end);
    if (this.#over) return;
    this.#open.delete(way);
    this.#retryAfterMs = Math.max(this.#retryAfterMs, end.retryAfterMs ?? 0);
    if (end.status === 401 || end.code === POLICY_VIOLATION) return this.#lose(true);
    // An earlier one's end changes nothing: the latest has its own time still.
    if (way === this.#latest && this.#toCome.length > 0) this.#startNext();
    else if (this.#open.size === 0 && this.#toCome.length === 0) this.#lose(false);
  }

  /** @param {boolean} refused */
  #lose(refused) {
    this.cancel();
    this.#handlers.lost({ refused, retryAfterMs: this.#retryAfterMs });
  }
}
