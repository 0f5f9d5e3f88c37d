/*
 * Others who post at a steady rate, as requests of HTTP: what comes in while somebody reads or types.
 */
import http from "node:http";
import { uuid7 } from "../kit/api.js";

const MS_PER_S = 1_000;
const TEXTS = [
  "The 7:14 is on time again.",
  "Could somebody look at the points at the **upper station**? They were slow this morning, and the plough comes through at nine.",
  "> slow this morning\n\nOil. It was the oil.",
  "`boards.toml` is the one that counts, see https://example.org/boards",
];

/** Posts as several people do in one room. */
export class Voices {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  #asked = 0;
  /** @type {Promise<void>[]} */
  #answers = [];

  /** @param {{ url: string, room: string, tokens: string[] }} where */
  constructor({ url, room, tokens }) {
    this.url = url;
    this.room = room;
    this.tokens = tokens;
  }

  /**
   * Posts until told to stop; whoever falls behind catches up.
   * @param {number} perS
   * @returns {() => Promise<number>} ends it, and tells how many were acknowledged
   */
  begin(perS) {
    const begun = performance.now();
    const every = setInterval(() => {
      const due = ((performance.now() - begun) / MS_PER_S) * perS;
      while (this.#answers.length < due) this.#answers.push(this.#post());
    }, MS_PER_S / perS);
    return async () => {
      clearInterval(every);
      await Promise.all(this.#answers);
      const posted = this.#answers.length;
      this.#answers = [];
      return posted;
    };
  }

  /** @returns {Promise<void>} */
  #post() {
    const number = this.#asked++;
    const token = this.tokens[number % this.tokens.length];
    const body = TEXTS[number % TEXTS.length];
    const command = { id: "1", type: "message.post", room: this.room, nonce: uuid7(), body };
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const request = http.request(`${this.url}/chat`, { method: "POST", agent: this.#agent, headers }, (answer) => {
        answer.resume();
        answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`a post was answered ${answer.statusCode}`))));
      });
      request.on("error", reject);
      request.end(JSON.stringify(command));
    });
  }

  end() {
    this.#agent.destroy();
  }
}
