/*
 * Waiting for something to be so. Never for a time and the hope that it then is.
 */
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 20;

/**
 * Waits until a condition holds.
 * @param {string} what says in a failure what was waited for
 * @param {number} limitMs @param {() => Promise<boolean> | boolean} condition
 */
export async function until(what, limitMs, condition) {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
