// Tells the server how far this account has read, in few commands: the newest mark of each room,
// a moment after it was set, and again until it has arrived.

import { backoffMs } from "./backoff.js";
import { ApiError } from "./errors.js";
import { READ_DELAY_MS } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { Ack, Command, RoomId, Seq } from "../types.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Env } from "./shape.js" */

export class ReadMarks {
  #env;
  #store;
  #send;
  /** @type {Map<RoomId, Seq>} Not known to have arrived. */
  #wanted = new Map();
  #timer;
  #attempt = 0;

  /** @param {Env} env @param {Store} store @param {(command: Command) => Promise<Ack>} send */
  constructor(env, store, send) {
    this.#env = env;
    this.#store = store;
    this.#send = send;
    this.#timer = new Timer(env);
  }

  /** The state has changed: what comes in while somebody looks is read. */
  look() {
    const { view, rooms } = this.#store.state;
    const room = view.room === null ? undefined : rooms[view.room];
    if (view.reading && room?.joined && room.unread > 0) this.mark(room.id, room.last_seq);
  }

  /** @param {RoomId} room @param {Seq} seq */
  mark(room, seq) {
    this.#store.dispatch({ type: "read", room, seq });
    if (seq <= (this.#wanted.get(room) ?? 0)) return;
    this.#wanted.set(room, seq);
    if (!this.#timer.pending) this.#timer.set(READ_DELAY_MS, () => void this.#flush());
  }

  /** A snapshot does not know what has not arrived yet. */
  again() {
    for (const [room, seq] of this.#wanted) this.#store.dispatch({ type: "read", room, seq });
  }

  stop() {
    this.#timer.clear();
  }

  async #flush() {
    const wanted = [...this.#wanted];
    const kept = await Promise.all(wanted.map(([room, seq]) => this.#one(room, seq)));
    this.#attempt = kept.includes(true) ? this.#attempt + 1 : 0;
    if (this.#wanted.size === 0 || this.#timer.pending) return;
    this.#timer.set(READ_DELAY_MS + backoffMs(this.#env, this.#attempt), () => void this.#flush());
  }

  /** @param {RoomId} room @param {Seq} seq @returns {Promise<boolean>} It must be sent again. */
  async #one(room, seq) {
    try {
      await this.#send({ type: "read.mark", room, seq });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.retry) return true;
    }
    // Somebody may have read further meanwhile.
    if (this.#wanted.get(room) === seq) this.#wanted.delete(room);
    return false;
  }
}
