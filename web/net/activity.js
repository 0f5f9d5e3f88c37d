// Whether somebody is at it: online while a tab is looked at and used, away otherwise.
//
// The server knows one connection per browser, so the tabs tell each other, and the one that has the
// connection tells the server. A tab that died says nothing more, and stops counting after a while.

import { ACTIVITY_EVERY_MS, ACTIVITY_SHOWN_MS, IDLE_MS } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { Env, PageEvent } from "./shape.js" */

/** @typedef {{ kind: "activity", active: boolean }} ActivityNews */

export class Activity {
  #env;
  #tell;
  #changed;
  #lastInputMs;
  #active = false;
  /** @type {Map<string, number>} When each other tab was last active. */
  #others = new Map();
  /** @type {"online" | "away" | null} */
  #told = null;
  #timer;

  /**
   * @param {Env} env
   * @param {(news: ActivityNews) => void} tell
   * @param {(state: "online" | "away") => void} changed
   */
  constructor(env, tell, changed) {
    this.#env = env;
    this.#tell = tell;
    this.#changed = changed;
    this.#lastInputMs = env.now();
    this.#timer = new Timer(env);
  }

  start() {
    this.#look();
  }

  stop() {
    this.#timer.clear();
  }

  /** @param {PageEvent} event */
  page(event) {
    if (event === "activity" || event === "visible") this.#lastInputMs = this.#env.now();
    // Pointers move a hundred times a second; only a change is worth a look.
    if (event === "activity" && this.#active) return;
    this.#look();
    if (event === "pagehide" && this.#active) this.#tell({ kind: "activity", active: false });
  }

  /** @param {ActivityNews} news @param {string} tab */
  hear({ active }, tab) {
    if (active) this.#others.set(tab, this.#env.now());
    else this.#others.delete(tab);
    this.#conclude();
  }

  /** A new connection knows nothing: tell it. */
  again() {
    this.#told = null;
    this.#conclude();
  }

  #look() {
    const now = this.#env.now();
    const active = this.#env.visible() && now - this.#lastInputMs < IDLE_MS;
    if (active || active !== this.#active) this.#tell({ kind: "activity", active });
    this.#active = active;
    this.#conclude();
    this.#timer.set(ACTIVITY_EVERY_MS, () => this.#look());
  }

  #conclude() {
    const now = this.#env.now();
    const others = [...this.#others.values()].some((at) => now - at < ACTIVITY_SHOWN_MS);
    const state = this.#active || others ? "online" : "away";
    if (state === this.#told) return;
    this.#told = state;
    this.#changed(state);
  }
}
