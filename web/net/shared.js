// One connection per browser: the tab that holds a lock has it, and tells every frame to the others.
//
// The lock (Web Locks) goes to the next tab by itself when its holder is closed. A holder that the
// browser has put to sleep keeps the lock but does not answer: a tab that somebody looks at takes
// it away then. Each frame is told together with the cursor before it, so that a tab that missed
// something notices, and asks for it. Without locks or channels (plain http, old browsers) every tab
// has a connection of its own: more traffic, nothing else.

import { parseCursor, reaches } from "../state/cursor.js";
import { LEADER_ANSWER_MS, WATCHDOG_MS } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { Cursor, Frame } from "../types.js" */
/** @import { Status } from "../state/shape.js" */
/** @import { Env } from "./shape.js" */

/**
 * @template News
 * @typedef {{ from: string } & (
 *   | { kind: "frame", frame: Frame, before: Cursor | null }
 *   | { kind: "status", status: Partial<Status> }
 *   | { kind: "ask", cursor: Cursor | null }
 *   | { kind: "answer", to: string, status: Partial<Status>, frames: Frame[] | null }
 *   | { kind: "news", news: News })} Told
 */

/**
 * @template News
 * @typedef {object} SharedHandlers
 * @property {() => void} lead This tab has the connection from now on.
 * @property {() => void} follow Not any more.
 * @property {() => void} wake Somebody looks: is the connection still good?
 * @property {() => Cursor | null} cursor How far this tab has come.
 * @property {(frame: Frame) => void} frame From the connection of another tab.
 * @property {(status: Partial<Status>) => void} status Of it.
 * @property {() => void} missed What this tab has missed cannot be told any more.
 * @property {(cursor: Cursor | null) => Frame[] | null} since What another tab needs to catch up.
 * @property {() => Partial<Status>} current
 * @property {(news: News, from: string) => void} news
 */

/** @template News */
export class Shared {
  #env;
  #name;
  /** @type {SharedHandlers<News>} */
  #handlers;
  #id;
  /** @type {BroadcastChannel | null} */
  #channel = null;
  #leading = false;
  #stopped = new AbortController();
  /** @type {() => void} */
  #release = () => undefined;
  #silence;
  #answer;

  /**
   * @param {Env} env
   * @param {string} name What is shared: one name per account.
   * @param {string} id This tab.
   * @param {SharedHandlers<News>} handlers
   */
  constructor(env, name, id, handlers) {
    this.#env = env;
    this.#name = name;
    this.#id = id;
    this.#handlers = handlers;
    this.#silence = new Timer(env);
    this.#answer = new Timer(env);
  }

  get leading() {
    return this.#leading;
  }

  start() {
    const { locks, openChannel } = this.#env;
    if (!locks || !openChannel) {
      this.#leading = true;
      this.#handlers.lead();
      return;
    }
    this.#channel = openChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    void this.#queue(locks);
    this.#ask();
  }

  stop() {
    this.#stopped.abort();
    this.#silence.clear();
    this.#answer.clear();
    this.#release();
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {Frame} frame @param {Cursor | null} before */
  frame(frame, before) {
    this.#tell({ kind: "frame", frame, before });
  }

  /** @param {Partial<Status>} status */
  status(status) {
    this.#tell({ kind: "status", status });
  }

  /** @param {News} news */
  news(news) {
    this.#tell({ kind: "news", news });
  }

  /** Somebody looks at this tab: make sure that its connection is alive, whoever holds it. */
  wake() {
    if (this.#leading) this.#handlers.wake();
    else this.#ask();
  }

  /** @param {LockManager} locks Waits for its turn, again and again. */
  async #queue(locks) {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await locks.request(this.#name, { signal }, () => this.#hold()).catch(() => undefined);
      this.#resign();
    }
  }

  /** @param {LockManager} locks Takes the lock from a tab that does not answer. */
  async #steal(locks) {
    if (this.#leading || this.#stopped.signal.aborted) return;
    await locks.request(this.#name, { steal: true }, () => this.#hold()).catch(() => undefined);
    this.#resign();
  }

  /** @returns {Promise<void>} Holds the lock until this tab is stopped, or loses it to another one. */
  #hold() {
    if (this.#stopped.signal.aborted) return Promise.resolve();
    this.#leading = true;
    this.#silence.clear();
    this.#answer.clear();
    this.#handlers.lead();
    return new Promise((resolve) => (this.#release = resolve));
  }

  #resign() {
    if (!this.#leading) return;
    this.#leading = false;
    if (this.#stopped.signal.aborted) return;
    this.#handlers.follow();
    this.#ask();
  }

  /** @param {Told<News>} told */
  #hear(told) {
    if (told.kind === "news") return this.#handlers.news(told.news, told.from);
    if (this.#leading) {
      if (told.kind === "ask") this.#reply(told.from, told.cursor);
      return;
    }
    switch (told.kind) {
      case "frame":
        this.#heard();
        return this.#take(told.frame, told.before);
      case "status":
        this.#heard();
        return this.#handlers.status(told.status);
      case "answer":
        if (told.to !== this.#id) return;
        this.#heard();
        this.#answer.clear();
        this.#handlers.status(told.status);
        if (!told.frames) return this.#handlers.missed();
        for (const frame of told.frames) this.#handlers.frame(frame);
    }
  }

  /** @param {string} to @param {Cursor | null} cursor */
  #reply(to, cursor) {
    this.#handlers.wake();
    const frames = this.#handlers.since(cursor);
    this.#tell({ kind: "answer", to, status: this.#handlers.current(), frames });
  }

  /** @param {Frame} frame @param {Cursor | null} before Takes it, if nothing is missing before it. */
  #take(frame, before) {
    const mine = this.#handlers.cursor();
    const whole = before === null || parseCursor(mine).epoch === "" || reaches(before, mine);
    if (whole || frame.type === "reset" || frame.type === "typing" || frame.type === "presence") {
      this.#handlers.frame(frame);
    } else if (!this.#answer.pending) {
      this.#ask();
    }
  }

  #ask() {
    if (!this.#channel) return;
    this.#tell({ kind: "ask", cursor: this.#handlers.cursor() });
    this.#answer.set(LEADER_ANSWER_MS, () => {
      const { locks } = this.#env;
      if (locks && this.#env.visible()) void this.#steal(locks);
    });
  }

  #heard() {
    this.#silence.set(WATCHDOG_MS, () => this.#ask());
  }

  /** @param {Told<News> extends infer Any ? Any extends unknown ? Omit<Any, "from"> : never : never} what */
  #tell(what) {
    this.#channel?.postMessage({ from: this.#id, ...what });
  }
}
