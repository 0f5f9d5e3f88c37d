// When to try again: full jitter, so that a thousand clients of a restarted server come back spread
// out (M. Brooker, "Exponential Backoff and Jitter").

import { RECONNECT_BASE_MS, RECONNECT_MAX_MS } from "./limits.js";

/** @import { Env } from "./shape.js" */

/**
 * @param {Env} env
 * @param {number} attempt 0 for the first one.
 * @returns {number} Milliseconds to wait, between 0 and the attempt's step.
 */
export function backoffMs(env, attempt) {
  return env.random() * Math.min(RECONNECT_MAX_MS, RECONNECT_BASE_MS * 2 ** Math.min(attempt, 16));
}
