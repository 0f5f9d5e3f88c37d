/*
 * A date and a time where there is little room: "27 Nov 2026, 23:13".
 */

/** @import { Timestamp } from "../types.js" */

const MICROS_PER_MILLI = 1_000;

/** @param {Timestamp} at */
export function shortTime(at) {
  return new Date(at / MICROS_PER_MILLI).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}
