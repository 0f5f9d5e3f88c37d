// The last way in: short responses, one after the other, each with what is new. Commands go by POST.
//
// The first asks without waiting, so that its hello comes at once; the others wait at the server for
// news. Where a network cuts long waits, the wait is halved until it gets through.

import { BATCH_PAUSE_MS, BATCH_WAIT_MIN_S, BATCH_WAIT_S } from "./limits.js";
import { isEventStream, readFrames, refusal } from "./sse.js";

/** @import { Cursor, Frame, ReadyFrame } from "../types.js" */
/** @import { End, Env, OpenWay, WayHandlers } from "./shape.js" */

/** @type {OpenWay} */
export function openBatch(env, cursor, handlers) {
  const batches = new Batches(env, cursor, handlers);
  void batches.run();
  return { kind: "batch", send: () => false, close: () => batches.close() };
}

class Batches {
  #env;
  #handlers;
  #given = new AbortController();
  /** @type {Cursor | null} */
  #cursor;
  /** @type {number | null} */
  #seen = null;
  #waitS = BATCH_WAIT_S;

  /** @param {Env} env @param {Cursor | null} cursor @param {WayHandlers} handlers */
  constructor(env, cursor, handlers) {
    this.#env = env;
    this.#cursor = cursor;
    this.#handlers = handlers;
  }

  close() {
    this.#given.abort();
  }

  async run() {
    let end = await this.#batch(0);
    while (!this.#given.signal.aborted && end === null) {
      end = await this.#next();
    }
    if (!this.#given.signal.aborted) this.#handlers.end(end ?? {});
  }

  /** @returns {Promise<End | null>} `null`: it goes on. */
  async #next() {
    const startedMs = this.#env.now();
    const seen = this.#seen;
    const cursor = this.#cursor;
    const end = await this.#batch(this.#waitS);
    const tookMs = this.#env.now() - startedMs;
    if (end !== null) return this.#afterFailure(end, tookMs);
    const idle = this.#seen === seen && this.#cursor === cursor;
    if (idle && tookMs < BATCH_PAUSE_MS) await this.#pause();
    return null;
  }

  /**
   * A wait was cut off: was it too long for the network, or is the way gone?
   * @param {End} end
   * @param {number} tookMs
   * @returns {Promise<End | null>}
   */
  async #afterFailure(end, tookMs) {
    if (end.status === 401 || tookMs < BATCH_PAUSE_MS || this.#waitS <= BATCH_WAIT_MIN_S) return end;
    this.#waitS = Math.max(BATCH_WAIT_MIN_S, this.#waitS / 2);
    return this.#batch(0);
  }

  /**
   * One request to its end.
   * @param {number} waitS
   * @returns {Promise<End | null>} Why it failed.
   */
  async #batch(waitS) {
    /** @type {ReadyFrame | null} */
    let ready = null;
    try {
      const response = await this.#request(waitS);
      if (!isEventStream(response)) return await refusal(response);
      await readFrames(response, (frame) => {
        if (frame.type === "ready") ready = frame;
        this.#pass(frame);
      });
    } catch {
      return {};
    }
    return this.#continueAfter(ready);
  }

  /** @param {ReadyFrame | null} ready Without it the response was cut off. @returns {End | null} */
  #continueAfter(ready) {
    if (!ready) return {};
    this.#cursor = ready.cursor;
    this.#seen = ready.seen;
    return null;
  }

  /** @param {number} waitS */
  #request(waitS) {
    const url = new URL("/chat", this.#env.origin);
    url.searchParams.set("mode", "batch");
    url.searchParams.set("wait", String(Math.floor(waitS)));
    if (this.#cursor !== null) url.searchParams.set("after", this.#cursor);
    if (this.#seen !== null) url.searchParams.set("seen", String(this.#seen));
    const headers = { accept: "text/event-stream" };
    const { signal } = this.#given;
    return this.#env.fetch(url.href, { headers, signal, cache: "no-store", credentials: "same-origin" });
  }

  /** @param {Frame} frame */
  #pass(frame) {
    if (!this.#given.signal.aborted) this.#handlers.frame(frame);
  }

  /** @returns {Promise<void>} */
  #pause() {
    return new Promise((resolve) => this.#env.setTimeout(resolve, BATCH_PAUSE_MS));
  }
}
