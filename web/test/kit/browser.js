// A browser for tests: storage, locks, channels and page events that tests can see into. Several
// tabs share one.

import { Clock } from "./clock.js";

/** @import { Env, PageEvent } from "../../net/shape.js" */
/** @import { FakeServer } from "./server.js" */

/** @typedef {Env & { tab: Tab, reports: unknown[][] }} TestEnv */

export class Browser {
  clock = new Clock();
  /** @type {Map<string, string>} */
  stored = new Map();
  locks = new FakeLocks();
  /** @type {Set<FakeChannel>} */
  channels = new Set();
  online = true;
  /** @type {IDBFactory | null} */
  indexedDB = null;
  /** What `random()` gives. */
  random = 0.5;
  #server;
  #bytes = 0;

  /** @param {FakeServer} server */
  constructor(server) {
    this.#server = server;
    server.clock = this.clock;
  }

  /** @param {{ shared?: boolean }} [options] @returns {TestEnv} */
  tab({ shared = false } = {}) {
    const tab = new Tab();
    const { clock } = this;
    /** @type {unknown[][]} */
    const reports = [];
    /** @type {(name: string) => BroadcastChannel} */
    const openChannel = (name) => /** @type {any} */ (new FakeChannel(this, tab, name));
    return {
      tab,
      reports,
      origin: "https://chat.example",
      now: clock.now,
      random: () => this.random,
      randomBytes: (count) => new Uint8Array(count).map(() => (this.#bytes = (this.#bytes * 31 + 7) % 256)),
      setTimeout: (run, delayMs) => clock.setTimeout(() => tab.asleep || run(), delayMs),
      clearTimeout: clock.clearTimeout,
      fetch: (url, init) => this.#server.fetch(url, init, this.online),
      openSocket: (url) => /** @type {any} */ (this.#server.openSocket(url, this.online)),
      storage: memoryStorage(this.stored),
      indexedDB: this.indexedDB,
      locks: shared ? /** @type {any} */ (this.locks) : null,
      openChannel: shared ? openChannel : null,
      online: () => this.online,
      visible: () => tab.visible,
      listen: (listener) => {
        tab.listeners.add(listener);
        return () => tab.listeners.delete(listener);
      },
      report: (...details) => reports.push(details),
    };
  }

  /** @param {boolean} online @param {TestEnv[]} tabs */
  setOnline(online, tabs) {
    this.online = online;
    if (!online) this.#server.cutAll();
    for (const { tab } of tabs) tab.emit(online ? "online" : "offline");
  }
}

/** What a test does to one tab. */
class Tab {
  visible = true;
  /** The browser runs nothing of it, but has not closed it. */
  asleep = false;
  /** @type {Set<(event: PageEvent) => void>} */
  listeners = new Set();

  /** @param {PageEvent} event */
  emit(event) {
    for (const listener of [...this.listeners]) listener(event);
  }
}

/** @param {Map<string, string>} stored @returns {NonNullable<Env["storage"]>} */
function memoryStorage(stored) {
  return {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
    key: (at) => [...stored.keys()][at] ?? null,
    get length() {
      return stored.size;
    },
  };
}

class FakeChannel {
  /** @type {((message: { data: any }) => void) | null} */
  onmessage = null;
  #browser;
  #tab;
  #name;

  /** @param {Browser} browser @param {Tab} tab @param {string} name */
  constructor(browser, tab, name) {
    this.#browser = browser;
    this.#tab = tab;
    this.#name = name;
    browser.channels.add(this);
  }

  /** @param {unknown} data */
  postMessage(data) {
    if (!this.#browser.channels.has(this)) throw new Error("the channel is closed");
    const copy = structuredClone(data);
    for (const other of this.#browser.channels) {
      if (other === this || other.#name !== this.#name || other.#tab.asleep) continue;
      queueMicrotask(() => this.#browser.channels.has(other) && other.onmessage?.({ data: copy }));
    }
  }

  close() {
    this.#browser.channels.delete(this);
  }
}

/** Web Locks, as far as the client uses them: exclusive, in turn, to be stolen. */
class FakeLocks {
  /** @type {{ lose: () => void } | null} */
  #held = null;
  /** @type {(() => void)[]} */
  #queue = [];

  /** @param {string} _name @param {{ signal?: AbortSignal, steal?: boolean }} options @param {() => Promise<void>} hold */
  async request(_name, { signal, steal = false }, hold) {
    if (steal) {
      this.#held?.lose();
      this.#held = null;
    } else if (this.#held) {
      await new Promise((resolve, reject) => {
        this.#queue.push(() => resolve(undefined));
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    }
    signal?.throwIfAborted();
    await this.#grant(hold);
  }

  /** @param {() => Promise<void>} hold @returns {Promise<void>} */
  #grant(hold) {
    return new Promise((resolve, reject) => {
      const lock = { lose: () => reject(new DOMException("stolen", "AbortError")) };
      this.#held = lock;
      void hold().then(() => {
        if (this.#held === lock) {
          this.#held = null;
          this.#queue.shift()?.();
        }
        resolve();
      });
    });
  }
}
