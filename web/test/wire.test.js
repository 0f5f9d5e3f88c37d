// The small parts between the wire and the state: event streams cut anywhere, nonces, commands and
// their answers, one stream out of several connections.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Commands } from "../net/commands.js";
import { ApiError, responseError } from "../net/errors.js";
import { SseParser } from "../net/sse.js";
import { Stream } from "../net/stream.js";
import { uuidMaker } from "../net/uuid.js";
import { parseCursor, reaches } from "../state/cursor.js";
import { Browser } from "./kit/browser.js";
import { settle } from "./kit/clock.js";
import { FakeServer } from "./kit/server.js";

/** @import { Request } from "../types.js" */

describe("event streams", () => {
  const text = 'data: {"type":"hello"}\nid: k1.1\n\n: comment\n\ndata:{"type":"typing",\r\ndata: "room":"ä😀"}\r\n\r\nevent: x\nid: k1.2\n\ndata: {"type":"ready"}\r\r';
  const wanted = [{ type: "hello" }, { type: "typing", room: "ä😀" }, { type: "ready" }];

  it("are read the same however they are cut", () => {
    for (let size = 1; size <= text.length; size += 1) {
      /** @type {object[]} */
      const frames = [];
      const parser = new SseParser((frame) => frames.push(frame));
      for (let at = 0; at < text.length; at += size) parser.push(text.slice(at, at + size));
      // A lone `\r` at the end waits for a `\n`.
      parser.push("\n");
      assert.deepEqual(frames, wanted, `pieces of ${size}`);
    }
  });

  it("may not grow without bound", () => {
    const parser = new SseParser(() => undefined);
    assert.throws(() => {
      for (let piece = 0; piece < 100; piece += 1) parser.push(`data: ${"x".repeat(100_000)}`);
    }, /too long/);
  });
});

describe("nonces", () => {
  it("are UUIDs of version 7 that grow, also within a millisecond and when the clock goes back", () => {
    let now = 1_772_440_200_000;
    const env = { ...new Browser(new FakeServer()).tab(), now: () => now };
    const uuid = uuidMaker(env);
    const made = Array.from({ length: 10_000 }, (_, at) => {
      if (at % 1_000 === 0) now += at === 5_000 ? -60_000 : 1;
      return uuid();
    });
    for (const one of made) assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(made, made.toSorted());
    assert.equal(new Set(made).size, made.length);
    assert.equal(Number.parseInt(made[0]?.replaceAll("-", "").slice(0, 12) ?? "", 16), 1_772_440_200_001);
  });
});

describe("cursors", () => {
  it("are compared within one history", () => {
    assert.deepEqual(parseCursor("k1.42"), { epoch: "k1", seq: 42 });
    assert.deepEqual([parseCursor(null), parseCursor("k1.x")], [{ epoch: "", seq: 0 }, { epoch: "", seq: 0 }]);
    assert.deepEqual([reaches("k1.4", "k1.4"), reaches("k1.5", "k1.4"), reaches("k1.1", "k2.9")], [true, false, false]);
  });
});

describe("one stream of several connections", () => {
  it("drops what comes twice and says what stood before each frame", () => {
    /** @type {string[]} */
    const passed = [];
    const stream = new Stream((frame, before) => passed.push(`${before} ${"seq" in frame ? frame.seq : frame.type}`));
    stream.restart("k1.5");
    const event = /** @param {number} seq @returns {any} */ (seq) => ({ type: "message.posted", seq, n: 1, room: "r", at: 0 });
    for (const seq of [4, 5, 6, 6, 7]) stream.push(event(seq));
    stream.push({ type: "heartbeat", cursor: "k1.9" });
    stream.push({ type: "heartbeat", cursor: "k1.8" });
    stream.push(event(8));
    stream.push({ type: "reset", reason: "behind", cursor: "k2.1" });
    stream.push(event(2));
    assert.deepEqual(passed, ["k1.5 6", "k1.6 7", "k1.7 heartbeat", "k1.9 heartbeat", "k1.9 reset", "k2.1 2"]);
    assert.equal(stream.cursor, "k2.2");
  });

  it("tells what came after a position, as far back as it remembers", () => {
    const stream = new Stream(() => undefined);
    stream.restart("k1.100");
    for (let seq = 101; seq <= 3_200; seq += 1) stream.push(/** @type {any} */ ({ type: "x", seq, n: null, room: null, at: 0 }));
    assert.deepEqual(stream.since("k1.3198")?.map((event) => event.seq), [3_199, 3_200]);
    assert.deepEqual(stream.since("k1.3200"), []);
    assert.deepEqual([stream.since("k1.101"), stream.since("k2.3198")], [null, null]);
  });
});

describe("commands", () => {
  /** @type {Browser} */
  let browser;
  /** @type {Request[]} */
  let framed;
  /** @type {Request[]} */
  let posted;
  let open = true;
  let unanswered = 0;
  /** @type {Commands} */
  let commands;

  beforeEach(() => {
    browser = new Browser(new FakeServer());
    [framed, posted, open] = [[], [], true];
    const frame = /** @param {string} text */ (text) => {
      if (open) framed.push(JSON.parse(text));
      return open;
    };
    const post = /** @param {Request} request */ async (request) => {
      posted.push(request);
      return { type: /** @type {const} */ ("ack"), id: request.id, seq: 7 };
    };
    unanswered = 0;
    commands = new Commands(browser.tab(), frame, post, () => void (unanswered += 1));
  });

  it("are answered by their id, in any order", async () => {
    const [one, two] = [commands.send({ type: "ping" }), commands.send({ type: "typing", room: "r" })];
    commands.take({ type: "ack", id: framed[1]?.id ?? null, seq: 2 });
    commands.take({ type: "error", id: framed[0]?.id ?? null, code: "rate_limited", detail: "Wait.", retry: true, retry_after_ms: 50 });
    assert.equal((await two).seq, 2);
    await assert.rejects(one, { code: "rate_limited", retry: true, retryAfterMs: 50 });
    assert.equal(browser.clock.pending, 0);
  });

  it("go by POST where there is no WebSocket", async () => {
    open = false;
    assert.equal((await commands.send({ type: "ping" })).seq, 7);
    assert.deepEqual([framed.length, posted.length], [0, 1]);
  });

  it("are sent once more by POST when the WebSocket is lost or does not answer", async () => {
    const lost = commands.send({ type: "ping" });
    commands.lost();
    assert.equal((await lost).seq, 7);
    const silent = commands.send({ type: "message.delete", message: "m" });
    await browser.clock.advance(10_000);
    assert.equal((await silent).seq, 7);
    assert.deepEqual(posted, framed);
    assert.equal(unanswered, 1);
    commands.take({ type: "ack", id: framed[1]?.id ?? null, seq: 2 });
    await settle();
  });

  it("leave other frames to others", () => {
    assert.equal(commands.take({ type: "heartbeat", cursor: "k1.1" }), false);
    assert.equal(commands.take({ type: "error", id: null, code: "bad_json", detail: "", retry: false }), true);
  });
});

describe("errors", () => {
  it("tell the server's own words from those of the network", async () => {
    const body = { type: "urn:switchback:error:conflict", title: "", status: 409, detail: "taken", code: "conflict", retry: false, field: "name" };
    const problem = await responseError(Response.json(body, { status: 409 }));
    assert.deepEqual([problem.code, problem.detail, problem.field, problem.retry, problem.status], ["conflict", "taken", "name", false, 409]);
    const proxy = await responseError(new Response("<h1>Bad gateway", { status: 502 }));
    assert.deepEqual([proxy.code, proxy.retry], ["network", true]);
    assert.equal((await responseError(new Response("", { status: 413 }))).retry, false);
    assert.equal((await responseError(new Response("", { status: 401 }))).code, "unauthorized");
    assert.ok(problem instanceof ApiError);
  });
});
