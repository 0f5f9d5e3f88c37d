// A small server for tests: one log, two people, and `/chat` in its three ways, each of which can be
// made to fail as networks do. It keeps to the protocol where the client depends on it.

import { World } from "./workspace.js";

/** @import { Request as Command } from "../../types.js" */
/** @import { Clock } from "./clock.js" */

/** How a way in behaves. `hang`: accepted, and nothing ever comes. @typedef {"ok" | "refuse" | "hang"} Mode */

const LATENCY_MS = 5;
const HEARTBEAT_MS = 20_000;

/** One open connection: where frames go. @typedef {{ kind: string, write(frame: object): void, end(): void }} Listener */

export class FakeServer {
  world = new World();
  /** @type {Clock} */
  clock = /** @type {any} */ (null);
  /** @type {{ websocket: Mode, sse: Mode, batch: Mode }} */
  modes = { websocket: "ok", sse: "ok", batch: "ok" };
  /** How long each way takes to say hello. */
  delayMs = { websocket: LATENCY_MS, sse: LATENCY_MS, batch: LATENCY_MS };
  /** Status of every answer, if it is not 200. @type {number | null} */
  status = null;
  /** How long a refusal asks to wait. @type {number | undefined} */
  retryAfterMs = undefined;
  /** Commands that arrive, in order. @type {Command[]} */
  commands = [];
  /** What the next command gets in place of an answer. @type {("lose ack" | { status: number, code: string, retry: boolean })[]} */
  mishaps = [];
  /** @type {Set<Listener>} */
  listeners = new Set();
  /** Every way in that was opened: `websocket after k1.5`. @type {string[]} */
  opened = [];
  /** REST calls, in order. @type {string[]} */
  calls = [];
  /** Answers to REST wait for this. @type {Promise<void> | null} */
  gate = null;

  constructor() {
    this.world.onEvent = (event) => this.send(event);
  }

  /** @param {object} frame To everybody. */
  send(frame) {
    for (const listener of [...this.listeners]) listener.write(frame);
  }

  /** All connections end without a word. */
  cutAll() {
    for (const listener of [...this.listeners]) listener.end();
  }

  /** @param {string} href @param {boolean} online */
  openSocket(href, online) {
    const url = new URL(href);
    this.opened.push(`websocket after ${url.searchParams.get("after")}`);
    const socket = new FakeSocket(this);
    const { websocket } = this.modes;
    if (!online || websocket === "refuse") this.clock.setTimeout(() => socket.end(1006), this.delayMs.websocket);
    else if (websocket === "ok") {
      this.clock.setTimeout(() => socket.accept(url.searchParams.get("after")), this.delayMs.websocket);
    }
    return socket;
  }

  /** @param {string} href @param {RequestInit} init @param {boolean} online @returns {Promise<Response>} */
  async fetch(href, init, online) {
    const url = new URL(href);
    const { signal } = init;
    await this.#wait(LATENCY_MS, signal);
    if (!online) throw new TypeError("network");
    if (url.pathname === "/chat" && init.method !== "POST") return this.#chat(url, signal ?? null);
    if (this.status !== null) return problem(this.status, "unavailable", true);
    if (url.pathname === "/chat") return this.#command(JSON.parse(String(init.body)));
    this.calls.push(`${init.method ?? "GET"} ${url.pathname.replace("/api/v1", "")}${url.search}`);
    const answer = this.world.rest(init.method ?? "GET", url, init.body ? JSON.parse(String(init.body)) : null);
    await this.gate;
    return answer;
  }

  /** @param {Command} command @returns {Response} */
  #command(command) {
    const answer = this.run(command);
    if (answer === null) throw new TypeError("network");
    if (answer.type === "ack") return Response.json(answer);
    return problem(answer.status, answer.code, answer.retry);
  }

  /** @param {Command} command @returns {any} The ack, an error, or `null`: it is lost on the way back. */
  run(command) {
    this.commands.push(command);
    const mishap = this.mishaps.shift();
    if (mishap && mishap !== "lose ack") return { type: "error", id: command.id, detail: mishap.code, ...mishap };
    const ack = this.world.run(command);
    return mishap === "lose ack" ? null : ack;
  }

  /** @param {URL} url @param {AbortSignal | null} signal @returns {Promise<Response>} */
  async #chat(url, signal) {
    const kind = url.searchParams.get("mode") === "batch" ? "batch" : "sse";
    this.opened.push(`${kind} after ${url.searchParams.get("after")}`);
    if (this.status !== null) return problem(this.status, "unavailable", true, this.retryAfterMs);
    if (this.modes[kind] === "refuse") return new Response("<p>426", { status: 426, headers: { "content-type": "text/html" } });
    if (this.modes[kind] === "hang") return new Promise((_, reject) => onAbort(signal, () => reject(signal?.reason)));
    await this.#wait(this.delayMs[kind] - LATENCY_MS, signal);
    return kind === "sse" ? this.#stream(url, signal) : this.#batch(url, signal);
  }

  /** @param {URL} url @param {AbortSignal | null} signal */
  #stream(url, signal) {
    /** @type {ReadableStreamDefaultController<Uint8Array>} */
    let controller;
    const body = new ReadableStream({ start: (given) => void (controller = given) });
    /** @type {Listener} */
    const listener = {
      kind: "sse",
      write: (frame) => controller.enqueue(block(frame)),
      end: () => {
        if (this.listeners.delete(listener)) controller.error(new TypeError("network"));
      },
    };
    onAbort(signal, () => {
      if (this.listeners.delete(listener)) controller.error(signal?.reason);
    });
    this.#welcome(listener, url.searchParams.get("after"));
    return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  }

  /** @param {URL} url @param {AbortSignal | null} signal @returns {Promise<Response>} */
  async #batch(url, signal) {
    const after = url.searchParams.get("after");
    const waitMs = Number(url.searchParams.get("wait")) * 1_000;
    const end = this.clock.now() + waitMs;
    // An honest server is woken; for a test, looking again is the same.
    while (this.world.after(after).length === 0 && this.clock.now() < end) await this.#wait(100, signal);
    /** @type {object[]} */
    const frames = [];
    this.#greet("batch", after, (frame) => frames.push(frame));
    const { cursor } = this.world;
    frames.push({ type: "ready", cursor, seen: 1 });
    const body = Buffer.concat(frames.map(block));
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  /** @param {Listener} listener */
  #beat(listener) {
    this.clock.setTimeout(() => {
      if (!this.listeners.has(listener)) return;
      listener.write({ type: "heartbeat", cursor: this.world.cursor });
      this.#beat(listener);
    }, HEARTBEAT_MS);
  }

  /** @param {Listener} listener @param {string | null} after */
  #welcome(listener, after) {
    this.listeners.add(listener);
    this.#beat(listener);
    this.#greet(listener.kind, after, (frame) => listener.write(frame));
    listener.write({ type: "ready", cursor: this.world.cursor, seen: 1 });
    listener.write({ type: "presence", full: true, changes: [{ user: "ada", state: "online" }] });
  }

  /** @param {string} transport @param {string | null} after @param {(frame: object) => void} write */
  #greet(transport, after, write) {
    const { cursor, epoch } = this.world;
    const limits = { command_bytes: 65_536, message_body_bytes: 16_000 };
    const hello = { type: "hello", session: "s", user: "ada", epoch, heartbeat_ms: 20_000, transport, limits, version: "test" };
    if (after !== null && !after.startsWith(`${epoch}.`)) {
      write({ ...hello, cursor });
      return write({ type: "reset", reason: "foreign_epoch", cursor });
    }
    write({ ...hello, cursor: after ?? cursor });
    for (const event of this.world.after(after)) write(event);
  }

  /** @param {FakeSocket} socket @param {string | null} after */
  join(socket, after) {
    this.#welcome(socket, after);
  }

  /** @param {number} ms @param {AbortSignal | null | undefined} signal @returns {Promise<void>} */
  #wait(ms, signal) {
    return new Promise((resolve, reject) => {
      const given = () => reject(signal?.reason);
      onAbort(signal ?? null, given);
      this.clock.setTimeout(() => {
        signal?.removeEventListener("abort", given);
        resolve();
      }, ms);
    });
  }
}

class FakeSocket extends EventTarget {
  kind = "websocket";
  readyState = 0;
  #server;

  /** @param {FakeServer} server */
  constructor(server) {
    super();
    this.#server = server;
  }

  /** @param {string | null} after */
  accept(after) {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.#server.join(this, after);
  }

  /** @param {object} frame */
  write(frame) {
    if (this.readyState === 1) this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  /** @param {string} text */
  send(text) {
    const { clock } = this.#server;
    clock.setTimeout(() => {
      if (this.readyState !== 1) return;
      const answer = this.#server.run(JSON.parse(text));
      if (answer) this.write(answer);
    }, LATENCY_MS);
  }

  close() {
    this.#server.listeners.delete(this);
    this.readyState = 3;
  }

  /** @param {number} [code] */
  end(code = 1006) {
    if (this.readyState === 3) return;
    this.close();
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

/** @param {object} frame */
function block(frame) {
  const { seq, cursor } = /** @type {{ seq?: number, cursor?: string }} */ (frame);
  const id = cursor ?? (seq === undefined ? null : `k1.${seq}`);
  return Buffer.from(`data: ${JSON.stringify(frame)}\n${id === null ? "" : `id: ${id}\n`}\n`);
}

/** @param {number} status @param {string} code @param {boolean} retry @param {number} [retry_after_ms] */
function problem(status, code, retry, retry_after_ms) {
  const type = `urn:switchback:error:${code}`;
  return Response.json({ type, title: code, detail: code, status, code, retry, retry_after_ms }, { status });
}

/** @param {AbortSignal | null} signal @param {() => void} then */
function onAbort(signal, then) {
  if (signal?.aborted) then();
  else signal?.addEventListener("abort", then, { once: true });
}
