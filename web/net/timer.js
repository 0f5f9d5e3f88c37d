// One delayed thing at a time: setting it again forgets the earlier one.

/** @import { Env, TimerId } from "./shape.js" */

export class Timer {
  #env;
  /** @type {TimerId | null} */
  #timer = null;

  /** @param {Env} env */
  constructor(env) {
    this.#env = env;
  }

  get pending() {
    return this.#timer !== null;
  }

  /** @param {number} delayMs @param {() => void} run */
  set(delayMs, run) {
    this.clear();
    this.#timer = this.#env.setTimeout(() => {
      this.#timer = null;
      run();
    }, delayMs);
  }

  clear() {
    if (this.#timer !== null) this.#env.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
