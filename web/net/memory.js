// Remembers for a while which way in got through, so that a page behind a proxy that eats upgrades
// does not wait for a WebSocket each time it is opened.

import { TRANSPORT_MEMORY_MS } from "./limits.js";
import { KINDS } from "./race.js";

/** @import { TransportKind } from "../types.js" */
/** @import { Env } from "./shape.js" */

const KEY = "switchback.transport";

/** @param {Env} env @param {TransportKind} kind */
export function rememberWinner(env, kind) {
  try {
    env.storage?.setItem(KEY, JSON.stringify({ kind, at: env.now() }));
  } catch {
    // Full or forbidden: then nothing is remembered.
  }
}

/** @param {Env} env @returns {readonly TransportKind[]} What to try, in this order. */
export function kindsToTry(env) {
  const first = KINDS.indexOf(recall(env) ?? "websocket");
  return KINDS.slice(Math.max(0, first));
}

/** @param {Env} env @returns {TransportKind | null} */
function recall(env) {
  try {
    const { kind, at } = JSON.parse(env.storage?.getItem(KEY) ?? "{}");
    return env.now() - at < TRANSPORT_MEMORY_MS && at <= env.now() ? kind : null;
  } catch {
    return null;
  }
}
