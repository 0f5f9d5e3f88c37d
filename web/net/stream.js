// One ordered stream of frames out of whatever connections there were: what comes a second time is
// dropped by its `seq`, and the cursor says how far it has come.
//
// Each way in is complete from the cursor it was opened at, so whatever is beyond the cursor is new,
// whichever of two open ways brings it first.

import { advance, parseCursor, reaches } from "../state/cursor.js";
import { RecentEvents } from "./recent.js";

/** @import { Cursor, Frame, LogEvent, ServerFrame } from "../types.js" */

/** @param {Frame} frame @returns {frame is LogEvent} Also one of a type that this version does not know. */
export function isEvent(frame) {
  return "seq" in frame && frame.type !== "ack" && "at" in frame;
}

export class Stream {
  /** @type {Cursor | null} */
  #cursor = null;
  #recent = new RecentEvents();
  #pass;

  /** @param {(frame: Frame, before: Cursor | null) => void} pass `before`: the cursor without it. */
  constructor(pass) {
    this.#pass = pass;
  }

  get cursor() {
    return this.#cursor;
  }

  /** @param {Cursor | null} cursor Begins anew from here. */
  restart(cursor) {
    this.#cursor = cursor;
    this.#recent.clear(parseCursor(cursor).seq);
  }

  /** @param {Frame} frame */
  push(frame) {
    const before = this.#cursor;
    if (isEvent(frame)) {
      if (frame.seq <= parseCursor(before).seq) return;
      this.#cursor = advance(before, frame.seq);
      this.#recent.push(frame);
    } else {
      this.#move(frame);
    }
    this.#pass(frame, before);
  }

  /** @param {Cursor} cursor @returns {LogEvent[] | null} What came after it; `null`: not known any more. */
  since(cursor) {
    const { epoch, seq } = parseCursor(cursor);
    return epoch === parseCursor(this.#cursor).epoch ? this.#recent.since(seq) : null;
  }

  /** @param {ServerFrame} frame */
  #move(frame) {
    if (frame.type === "reset") this.restart(frame.cursor);
    if (frame.type !== "heartbeat" && frame.type !== "ready") return;
    if (reaches(this.#cursor, frame.cursor)) this.#cursor = frame.cursor;
  }
}
