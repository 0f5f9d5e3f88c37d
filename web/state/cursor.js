// Positions in the log: `<epoch>.<seq>`. The server compares them; the client only needs to know
// whether two are of one history and which is further.

/** @import { Cursor, Seq } from "../types.js" */

/**
 * @param {Cursor | null} cursor
 * @returns {{ epoch: string, seq: Seq }} An absent or malformed cursor stands before everything.
 */
export function parseCursor(cursor) {
  const match = /^([a-z0-9]{1,16})\.([0-9]{1,16})$/.exec(cursor ?? "");
  return match ? { epoch: match[1] ?? "", seq: Number(match[2]) } : { epoch: "", seq: 0 };
}

/** @param {string} epoch @param {Seq} seq @returns {Cursor} */
export function formatCursor(epoch, seq) {
  return `${epoch}.${seq}`;
}

/**
 * Moves a cursor on within its history, never back.
 * @param {Cursor | null} from
 * @param {Seq} seq
 * @returns {Cursor | null}
 */
export function advance(from, seq) {
  const { epoch, seq: now } = parseCursor(from);
  return epoch !== "" && seq > now ? formatCursor(epoch, seq) : from;
}

/**
 * Whether `to` is of the same history and not behind `from`.
 * @param {Cursor | null} from
 * @param {Cursor | null} to
 */
export function reaches(from, to) {
  const [a, b] = [parseCursor(from), parseCursor(to)];
  return a.epoch === b.epoch && b.seq >= a.seq;
}
