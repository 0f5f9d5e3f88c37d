// UUIDs of version 7 (RFC 9562 5.7): the nonces of messages. They sort by the time they were made,
// also within one millisecond, so that an outbox read again from storage is still in order.

/** @import { Env } from "./shape.js" */

const COUNTER_MAX = 0xfff;

/**
 * @param {Env} env
 * @returns {() => string} Each call gives a greater one.
 */
export function uuidMaker(env) {
  let lastMs = 0;
  let counter = 0;
  return () => {
    const now = env.now();
    if (now > lastMs) {
      lastMs = now;
      counter = 0;
    } else if (counter < COUNTER_MAX) {
      counter += 1;
    } else {
      // The clock stands still or went back: borrow the next millisecond.
      lastMs += 1;
      counter = 0;
    }
    return format(lastMs, counter, env.randomBytes(8));
  };
}

/** @param {number} ms @param {number} counter @param {Uint8Array} random */
function format(ms, counter, random) {
  const time = hex(ms, 12);
  const tail = Array.from(random, (byte, at) => hex(at === 0 ? (byte & 0x3f) | 0x80 : byte, 2)).join("");
  const parts = [time.slice(0, 8), time.slice(8), `7${hex(counter, 3)}`, tail.slice(0, 4), tail.slice(4)];
  return parts.join("-");
}

/** @param {number} value @param {number} digits */
function hex(value, digits) {
  return value.toString(16).padStart(digits, "0");
}
