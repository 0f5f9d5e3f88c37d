// What was being written in each room survives a reload: in localStorage, one entry per room and
// account, written a moment after the last key.

import { DRAFT_CHARS, DRAFT_DELAY_MS } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { RoomId, UserId } from "../types.js" */
/** @import { Draft } from "../state/shape.js" */
/** @import { Store } from "../state/store.js" */
/** @import { Env } from "./shape.js" */

export class Drafts {
  #env;
  #store;
  #prefix;
  /** @type {Set<RoomId>} */
  #changed = new Set();
  #timer;

  /** @param {Env} env @param {Store} store @param {UserId} user */
  constructor(env, store, user) {
    this.#env = env;
    this.#store = store;
    this.#prefix = `switchback.draft.${user}.`;
    this.#timer = new Timer(env);
  }

  load() {
    for (const key of this.#keys()) {
      const draft = parseDraft(this.#env.storage?.getItem(key) ?? "");
      if (draft) this.#store.dispatch({ type: "draft", room: key.slice(this.#prefix.length), draft });
    }
  }

  /** @param {RoomId} room @param {Draft} draft */
  set(room, draft) {
    const empty = draft.body === "" && draft.reply_to === null;
    this.#store.dispatch({ type: "draft", room, draft: empty ? null : draft });
    this.#changed.add(room);
    this.#timer.set(DRAFT_DELAY_MS, () => this.flush());
  }

  /** Writes what has changed, now: the page may be about to go. */
  flush() {
    this.#timer.clear();
    for (const room of this.#changed) this.#write(room);
    this.#changed.clear();
  }

  /** Forgets all of this account. */
  clear() {
    this.#changed.clear();
    this.#timer.clear();
    for (const key of this.#keys()) this.#env.storage?.removeItem(key);
  }

  /** @param {RoomId} room */
  #write(room) {
    const draft = this.#store.state.drafts[room];
    const key = this.#prefix + room;
    try {
      if (!draft) this.#env.storage?.removeItem(key);
      else if (draft.body.length <= DRAFT_CHARS) this.#env.storage?.setItem(key, JSON.stringify(draft));
    } catch {
      // Storage is full or forbidden: the draft lives as long as the page.
    }
  }

  /** @returns {string[]} */
  #keys() {
    const { storage } = this.#env;
    const keys = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? "");
    return keys.filter((key) => key.startsWith(this.#prefix));
  }
}

/** @param {string} text @returns {Draft | null} */
function parseDraft(text) {
  try {
    const { body, reply_to } = JSON.parse(text);
    return typeof body === "string" ? { body, reply_to: typeof reply_to === "string" ? reply_to : null } : null;
  } catch {
    return null;
  }
}
