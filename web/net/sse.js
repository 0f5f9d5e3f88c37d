// Reading `text/event-stream` (WHATWG HTML 9.2) piece by piece, as far as this product uses it: the
// `data:` of each block is one JSON frame. `id:` repeats the frame's cursor and is not needed.
//
// `fetch` and not `EventSource`: it tells the status (a 401 means signed out), it can be given up
// at any moment, and it does not reconnect behind our back.

import { responseError } from "./errors.js";
import { SSE_BLOCK_CHARS } from "./limits.js";

/** @import { Frame } from "../types.js" */
/** @import { End } from "./shape.js" */

export class SseParser {
  #rest = "";
  /** @type {string[]} */
  #data = [];
  #size = 0;
  #frame;

  /** @param {(frame: Frame) => void} frame */
  constructor(frame) {
    this.#frame = frame;
  }

  /** @param {string} text The next piece, cut anywhere. */
  push(text) {
    const whole = this.#rest + text;
    // A `\r` at the end may be half of a `\r\n`.
    const end = whole.endsWith("\r") ? whole.length - 1 : whole.length;
    const lines = whole.slice(0, end).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? "") + whole.slice(end);
    for (const line of lines) this.#line(line);
    if (this.#rest.length + this.#size > SSE_BLOCK_CHARS) throw new Error("a block of the event stream is too long");
  }

  /** @param {string} line */
  #line(line) {
    if (line.startsWith("data:")) {
      const data = line.slice(line.startsWith("data: ") ? 6 : 5);
      this.#data.push(data);
      this.#size += data.length;
      return;
    }
    if (line !== "" || this.#data.length === 0) return;
    const json = this.#data.join("\n");
    this.#data = [];
    this.#size = 0;
    this.#frame(JSON.parse(json));
  }
}

/** @param {Response} response Whether it is what was asked for, and not somebody else's page. */
export function isEventStream(response) {
  const type = response.headers.get("content-type") ?? "";
  return response.status === 200 && type.split(";")[0]?.trim().toLowerCase() === "text/event-stream";
}

/** @param {Response} response What came in place of a stream. @returns {Promise<End>} */
export async function refusal(response) {
  const { status, retryAfterMs } = await responseError(response);
  return { status, retryAfterMs: retryAfterMs ?? 0 };
}

/**
 * Reads a response to its end.
 * @param {Response} response
 * @param {(frame: Frame) => void} frame
 */
export async function readFrames(response, frame) {
  const reader = response.body?.getReader();
  if (!reader) return;
  const parser = new SseParser(frame);
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.push(decoder.decode(value, { stream: true }));
  }
}
