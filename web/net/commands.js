// A command and its answer, whichever way they go: as frames on the WebSocket, or as a POST.
//
// A command that gets no answer on the WebSocket is sent once more by POST. That is harmless: posts
// carry a nonce, and all the others say how things shall be, not how they shall change.

import { frameError } from "./errors.js";
import { COMMAND_TIMEOUT_MS, COMMANDS_IN_FLIGHT_MAX } from "./limits.js";
import { Timer } from "./timer.js";

/** @import { Ack, Command, ErrorFrame, Frame, Request } from "../types.js" */
/** @import { Env } from "./shape.js" */

/** @typedef {{ request: Request, timer: Timer, resolve: (ack: Ack | Promise<Ack>) => void, reject: (error: Error) => void }} Waiting */

export class Commands {
  #env;
  #frame;
  #post;
  #unanswered;
  #nextId = 1;
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();

  /**
   * @param {Env} env
   * @param {(text: string) => boolean} frame Sends on the WebSocket; `false`: there is none.
   * @param {(request: Request) => Promise<Ack>} post
   * @param {() => void} unanswered Told when a frame got no answer in time.
   */
  constructor(env, frame, post, unanswered) {
    this.#env = env;
    this.#frame = frame;
    this.#post = post;
    this.#unanswered = unanswered;
  }

  /** @param {Command} command @returns {Promise<Ack>} Rejects with an `ApiError`. */
  send(command) {
    const id = `c${this.#nextId++}`;
    const request = { id, ...command };
    if (this.#waiting.size >= COMMANDS_IN_FLIGHT_MAX || !this.#frame(JSON.stringify(request))) {
      return this.#post(request);
    }
    return new Promise((resolve, reject) => {
      const timer = new Timer(this.#env);
      timer.set(COMMAND_TIMEOUT_MS, () => {
        this.#byPost(id);
        this.#unanswered();
      });
      this.#waiting.set(id, { request, timer, resolve, reject });
    });
  }

  /** @param {Frame} frame @returns {boolean} It was an answer, and nobody else's business. */
  take(frame) {
    if (frame.type !== "ack" && frame.type !== "error") return false;
    this.#answer(frame);
    return true;
  }

  /** The WebSocket is gone, with whatever was on it. */
  lost() {
    for (const id of [...this.#waiting.keys()]) this.#byPost(id);
  }

  /** @param {Ack | ErrorFrame} frame */
  #answer(frame) {
    const waiting = this.#takeOut(String(frame.id));
    if (!waiting) return;
    if (frame.type === "ack") waiting.resolve(frame);
    else waiting.reject(frameError(frame));
  }

  /** @param {string} id */
  #byPost(id) {
    const waiting = this.#takeOut(id);
    waiting?.resolve(this.#post(waiting.request));
  }

  /** @param {string} id @returns {Waiting | undefined} */
  #takeOut(id) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.timer.clear();
    return waiting;
  }
}
