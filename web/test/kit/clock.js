// A clock that stands still until a test moves it, so that 35 seconds take no time and nothing
// depends on luck.

/** @typedef {{ at: number, order: number, run: () => void }} Entry */

export class Clock {
  /** An arbitrary moment: 2026-03-02T08:30:00Z. */
  #now = 1_772_440_200_000;
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  #next = 1;

  now = () => this.#now;

  /** @param {() => void} run @param {number} delayMs @returns {number} */
  setTimeout = (run, delayMs) => {
    const id = this.#next++;
    this.#entries.set(id, { at: this.#now + delayMs, order: id, run });
    return id;
  };

  /** @param {unknown} id */
  clearTimeout = (id) => {
    this.#entries.delete(/** @type {number} */ (id));
  };

  /** How many timers are set. */
  get pending() {
    return this.#entries.size;
  }

  /** @param {number} ms Moves on, running on the way what is due, each with all that follows from it. */
  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (let due = this.#due(end); due; due = this.#due(end)) {
      const [id, entry] = due;
      this.#entries.delete(id);
      this.#now = Math.max(this.#now, entry.at);
      entry.run();
      await settle();
    }
    this.#now = end;
  }

  /** @param {() => boolean} condition @param {number} [withinMs] Moves on until it holds. */
  async until(condition, withinMs = 120_000) {
    const end = this.#now + withinMs;
    await settle();
    while (!condition()) {
      const due = this.#due(end);
      if (!due) throw new Error(`not within ${withinMs} ms: ${condition}`);
      await this.advance(Math.max(0, due[1].at - this.#now));
    }
  }

  /** @param {number} end @returns {[number, Entry] | null} */
  #due(end) {
    const due = [...this.#entries].filter(([, entry]) => entry.at <= end);
    due.sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
    return due[0] ?? null;
  }
}

/** The longest chain of turns that needs no time: opening a database in memory. */
const TURNS = 12;

/** Lets everything run that needs no time: promises, streams, databases in memory. */
export async function settle() {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
