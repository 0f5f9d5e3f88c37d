// Messages on their way out: kept until the server has acknowledged each one, sent in order within
// a room, and sent again with the same nonce for as long as there may be a point in it.
//
// Every tab knows all unsent messages of the account (they are shown as pending), but only one tab
// sends them: the one that holds the connection. What one tab does is told to the others. If two sent
// the same one, the nonce would make it one message all the same.

import { backoffMs } from "./backoff.js";
import { ApiError } from "./errors.js";
import { OUTBOX_MESSAGES_MAX } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { Ack, Command, Nonce, RoomId, UserId } from "../types.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Env, OutboxItem, OutboxStore } from "./shape.js" */

/**
 * What one tab tells the others.
 * @typedef {{ kind: "outbox.put", item: OutboxItem, sending: boolean }
 *   | { kind: "outbox.drop", nonce: Nonce }} OutboxNews
 */

export class Outbox {
  #env;
  #storage;
  #state;
  #user;
  #send;
  #tell;
  /** @type {Map<Nonce, OutboxItem>} */
  #items = new Map();
  /** @type {Map<RoomId, Timer>} Rooms that are being sent; the timer runs between two attempts. */
  #busy = new Map();
  #active = false;

  /**
   * @param {Env} env
   * @param {OutboxStore} storage
   * @param {Store} state
   * @param {UserId} user
   * @param {(command: Command) => Promise<Ack>} send
   * @param {(news: OutboxNews) => void} tell
   */
  constructor(env, storage, state, user, send, tell) {
    this.#env = env;
    this.#storage = storage;
    this.#state = state;
    this.#user = user;
    this.#send = send;
    this.#tell = tell;
  }

  /** Reads what an earlier page has left. */
  async load() {
    const items = await this.#storage.all().catch(() => []);
    const mine = items.filter((item) => item.user === this.#user && !this.#items.has(item.nonce));
    for (const item of mine.sort(inOrder)) this.#show(item, false);
    this.#sendAll();
  }

  /** @param {boolean} active Whether this tab is the one that sends. */
  setActive(active) {
    this.#active = active;
    if (active) this.#sendAll();
    else this.stop();
  }

  /** The way is open again: what waits for its next attempt need not wait any more. */
  hurry() {
    for (const [room, timer] of [...this.#busy]) {
      if (!timer.pending) continue;
      timer.clear();
      void this.#attempt(room, 0);
    }
    this.#sendAll();
  }

  stop() {
    this.#active = false;
    for (const timer of this.#busy.values()) timer.clear();
    this.#busy.clear();
  }

  /** @param {OutboxItem} item A new message. It is on its way once it is kept. */
  async add(item) {
    if (this.#items.size >= OUTBOX_MESSAGES_MAX) {
      const detail = `${OUTBOX_MESSAGES_MAX} messages are waiting to be sent; try again when some have gone.`;
      throw new ApiError({ code: "too_many", detail, retry: true });
    }
    this.#show(item, false);
    // Not kept is no reason not to send; it is lost only if the page is closed before it is sent.
    await this.#storage.put(item).catch(() => undefined);
    this.#tell({ kind: "outbox.put", item, sending: false });
    this.#sendRoom(item.room);
  }

  /** @param {Nonce} nonce Tries again what could not be sent. */
  async retry(nonce) {
    const item = this.#items.get(nonce);
    if (!item) return;
    await this.#change({ ...item, failed: null });
    this.hurry();
  }

  /** @param {Nonce} nonce Sent, seen as sent, or given up by the user. */
  drop(nonce) {
    if (!this.#items.delete(nonce)) return;
    this.#state.dispatch({ type: "pending.drop", nonce });
    this.#tell({ kind: "outbox.drop", nonce });
    return this.#storage.remove(nonce).catch(() => undefined);
  }

  /** Forgets all of this account. */
  async clear() {
    this.stop();
    await Promise.all([...this.#items.keys()].map((nonce) => this.drop(nonce)));
  }

  /** @param {OutboxNews} news Of another tab. */
  hear(news) {
    if (news.kind === "outbox.drop") {
      if (this.#items.delete(news.nonce)) this.#state.dispatch({ type: "pending.drop", nonce: news.nonce });
      return;
    }
    this.#show(news.item, news.sending);
    this.#sendRoom(news.item.room);
  }

  #sendAll() {
    const rooms = new Set([...this.#items.values()].map((item) => item.room));
    for (const room of rooms) this.#sendRoom(room);
  }

  /** @param {RoomId} room */
  #sendRoom(room) {
    if (!this.#active || this.#busy.has(room)) return;
    this.#busy.set(room, new Timer(this.#env));
    void this.#attempt(room, 0);
  }

  /** @param {RoomId} room @param {number} attempt Sends what there is, one after the other. */
  async #attempt(room, attempt) {
    const timer = this.#busy.get(room);
    let item = this.#next(room);
    for (; item; item = this.#next(room)) {
      const delayMs = await this.#sendOne(item, attempt);
      if (this.#busy.get(room) !== timer) return;
      if (delayMs !== null) {
        timer?.set(delayMs, () => void this.#attempt(room, attempt + 1));
        return;
      }
      attempt = 0;
    }
    this.#busy.delete(room);
  }

  /**
   * @param {OutboxItem} item
   * @param {number} attempt
   * @returns {Promise<number | null>} Milliseconds until it should be tried again; `null`: settled.
   */
  async #sendOne(item, attempt) {
    const { nonce, room, body, reply_to } = item;
    this.#tell({ kind: "outbox.put", item, sending: true });
    this.#status(nonce, "sending", null);
    try {
      const command = { type: /** @type {const} */ ("message.post"), room, nonce, body };
      this.#settled(nonce, await this.#send(reply_to === null ? command : { ...command, reply_to }));
      return null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.#refused(nonce, error, attempt);
    }
  }

  /** @param {Nonce} nonce @param {Ack} ack */
  #settled(nonce, { seq, message }) {
    if (message) this.#state.dispatch({ type: "ack", seq, message });
    void this.drop(nonce);
  }

  /** @param {Nonce} nonce @param {ApiError} error @param {number} attempt @returns {number | null} */
  #refused(nonce, error, attempt) {
    const item = this.#items.get(nonce);
    // Its event has come in the meantime: it was sent after all.
    if (!item) return null;
    if (!error.retry && error.code !== "unauthorized") {
      void this.#change({ ...item, failed: error.detail });
      return null;
    }
    this.#tell({ kind: "outbox.put", item, sending: false });
    this.#status(nonce, "waiting", null);
    return Math.max(error.retryAfterMs ?? 0, backoffMs(this.#env, attempt));
  }

  /** @param {RoomId} room @returns {OutboxItem | undefined} */
  #next(room) {
    const waiting = [...this.#items.values()].filter((item) => item.room === room && item.failed === null);
    return waiting.sort(inOrder)[0];
  }

  /** @param {OutboxItem} item */
  async #change(item) {
    this.#show(item, false);
    this.#tell({ kind: "outbox.put", item, sending: false });
    await this.#storage.put(item).catch(() => undefined);
  }

  /** @param {OutboxItem} item @param {boolean} sending */
  #show(item, sending) {
    const { nonce, room, body, reply_to, at, failed } = item;
    this.#items.set(nonce, item);
    const status = failed !== null ? "failed" : sending ? "sending" : "waiting";
    this.#state.dispatch({ type: "pending.put", pending: { nonce, room, body, reply_to, at, status, error: failed } });
  }

  /** @param {Nonce} nonce @param {"waiting" | "sending" | "failed"} status @param {string | null} error */
  #status(nonce, status, error) {
    this.#state.dispatch({ type: "pending.status", nonce, status, error });
  }
}

/** @param {OutboxItem} a @param {OutboxItem} b As they were written: the nonce is of the time. */
function inOrder(a, b) {
  return a.nonce < b.nonce ? -1 : 1;
}
