// My messages that are not acknowledged yet: shown at the end of their room, known again by nonce.

import { omit } from "./records.js";

/** @import { Nonce, RoomId } from "../types.js" */
/** @import { Pending, State } from "./shape.js" */

/** @param {State} state @param {Pending} pending @returns {State} */
export function putPending(state, pending) {
  const { room, nonce } = pending;
  const there = state.pending[room] ?? [];
  const place = there.findIndex((other) => other.nonce === nonce);
  return withRoom(state, room, place < 0 ? [...there, pending] : there.with(place, pending));
}

/**
 * @param {State} state
 * @param {Nonce} nonce
 * @param {Pick<Pending, "status" | "error">} change
 * @returns {State}
 */
export function changePending(state, nonce, change) {
  const pending = findPending(state, nonce);
  return pending ? putPending(state, { ...pending, ...change }) : state;
}

/** @param {State} state @param {Nonce} nonce @returns {State} */
export function dropPending(state, nonce) {
  const pending = findPending(state, nonce);
  if (!pending) return state;
  const rest = (state.pending[pending.room] ?? []).filter((other) => other.nonce !== nonce);
  return withRoom(state, pending.room, rest);
}

/** @param {State} state @param {Nonce} nonce @returns {Pending | undefined} */
export function findPending(state, nonce) {
  for (const there of Object.values(state.pending)) {
    const found = there.find((pending) => pending.nonce === nonce);
    if (found) return found;
  }
  return undefined;
}

/** @param {State} state @param {RoomId} room @param {Pending[]} pending @returns {State} */
function withRoom(state, room, pending) {
  const all = pending.length > 0 ? { ...state.pending, [room]: pending } : omit(state.pending, room);
  const waiting = Object.values(all)
    .flat()
    .filter((one) => one.status !== "failed").length;
  const status = waiting === state.status.waiting ? state.status : { ...state.status, waiting };
  return { ...state, pending: all, status };
}
