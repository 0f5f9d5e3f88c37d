/*
 * What a script does beside the browser: REST with a bearer token, and commands by POST /chat.
 *
 * Tests use it to furnish a workspace and to ask the server what is really there, never for what a
 * person is said to do in the page.
 */
import { randomBytes } from "node:crypto";

/** A UUIDv7 (RFC 9562 5.7), as nonces are. */
export function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** One account's way to the server. */
export class Api {
  /** @param {string} url @param {string} token */
  constructor(url, token) {
    this.url = url;
    this.token = token;
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async rest(method, path, body) {
    return this.#request(method, `/api/v1${path}`, body);
  }

  /** Carries out a command and returns its ack. @param {string} type @param {object} fields */
  async command(type, fields) {
    return this.#request("POST", "/chat", { id: 1, type, ...fields });
  }

  /** @param {string} room @param {string} body @param {object} [more] */
  async post(room, body, more) {
    const { message } = await this.command("message.post", { room, nonce: uuid7(), body, ...more });
    return message;
  }

  /** The id of the room `general` that always exists. */
  async general() {
    const { rooms } = await this.rest("GET", "/snapshot");
    return rooms[0].id;
  }

  /** The newest messages of a room, oldest first. @param {string} room */
  async messages(room) {
    const { messages } = await this.rest("GET", `/rooms/${room}/messages?limit=100`);
    return messages;
  }

  /** @param {string} method @param {string} path @param {unknown} body */
  async #request(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}
