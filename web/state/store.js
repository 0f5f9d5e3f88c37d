// Holds the state and tells when it has changed.
//
// Changes are told once per microtask, however many frames came in together: a catch-up of a
// thousand events is one drawing, not a thousand.

import { initialState, reduce } from "./reduce.js";

/** @import { Action, State } from "./shape.js" */

export class Store {
  /** @type {State} */
  #state = initialState();
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #told = true;

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** @param {Action} action */
  dispatch(action) {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    if (!this.#told) return;
    this.#told = false;
    queueMicrotask(() => this.#tell());
  }

  /**
   * @param {() => void} listener Called after changes.
   * @returns {() => void} Ends it.
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell() {
    this.#told = true;
    for (const listener of [...this.#listeners]) listener();
  }
}
