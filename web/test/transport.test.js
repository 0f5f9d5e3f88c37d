// How the client gets in, notices that it is out, and changes from one way to a better one.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Transport } from "../net/transport.js";
import { Stream, isEvent } from "../net/stream.js";
import { Browser } from "./kit/browser.js";
import { FakeServer } from "./kit/server.js";

/** @import { TestEnv } from "./kit/browser.js" */
/** @import { Status } from "../state/shape.js" */

/** @type {FakeServer} */
let server;
/** @type {Browser} */
let browser;
/** @type {TestEnv} */
let env;
/** @type {Transport} */
let transport;
/** @type {Stream} */
let stream;
/** @type {Partial<Status>} */
let status;
/** How long each wait before an attempt was meant to be. @type {number[]} */
let waits;
/** @type {number[]} */
let seqs;

beforeEach(() => {
  server = new FakeServer();
  browser = new Browser(server);
  env = browser.tab();
  seqs = [];
  waits = [];
  status = {};
  stream = new Stream((frame) => {
    if (isEvent(frame)) seqs.push(frame.seq);
  });
  stream.restart(server.world.cursor);
  transport = new Transport(env, {
    cursor: () => stream.cursor,
    frame: (frame) => stream.push(frame),
    status: (change) => {
      status = { ...status, ...change };
      if (typeof change.retryAt === "number") waits.push(Math.round(change.retryAt - browser.clock.now()));
    },
    lost: () => undefined,
  });
});

const live = () => status.phase === "live";
const kinds = () => server.opened.map((line) => line.split(" ")[0]);

/** @param {number} count From the first event on. */
const firstSeqs = (count) => Array.from({ length: count }, (_, at) => at + 1);

describe("getting in", () => {
  it("takes the WebSocket where it says hello", async () => {
    transport.start();
    await browser.clock.advance(1_000);
    assert.deepEqual([status.phase, status.transport, status.blocked], ["live", "websocket", []]);
    await browser.clock.advance(60_000);
    assert.deepEqual(kinds().slice(0, 1), ["websocket"]);
    assert.ok(!kinds().includes("sse"));
  });

  it("turns to the event stream at once where the WebSocket is refused", async () => {
    server.modes.websocket = "refuse";
    transport.start();
    await browser.clock.advance(100);
    assert.deepEqual([status.phase, status.transport, status.blocked], ["live", "sse", ["websocket"]]);
  });

  it("starts the event stream beside a WebSocket that is silent for 1.5 s", async () => {
    server.modes.websocket = "hang";
    transport.start();
    await browser.clock.advance(1_499);
    assert.deepEqual(kinds(), ["websocket"]);
    await browser.clock.advance(100);
    assert.deepEqual([status.phase, status.transport], ["live", "sse"]);
    assert.deepEqual([...server.listeners].map((listener) => listener.kind), ["sse"]);
  });

  it("turns to batches where the event stream is held back for 4 s", async () => {
    server.modes.websocket = "refuse";
    server.modes.sse = "hang";
    transport.start();
    await browser.clock.advance(4_000);
    assert.equal(live(), false);
    await browser.clock.advance(200);
    assert.deepEqual([status.phase, status.transport, status.blocked], ["live", "batch", ["websocket", "sse"]]);
  });

  it("is there within 8 s where WebSocket and event stream both hang", async () => {
    server.modes.websocket = "hang";
    server.modes.sse = "hang";
    transport.start();
    await browser.clock.advance(8_000);
    assert.deepEqual([status.phase, status.transport], ["live", "batch"]);
  });

  it("takes a WebSocket whose hello is late but still the first", async () => {
    server.delayMs.websocket = 2_000;
    server.modes.sse = "hang";
    transport.start();
    await browser.clock.advance(2_100);
    assert.deepEqual([status.phase, status.transport], ["live", "websocket"]);
    await browser.clock.advance(10_000);
    assert.deepEqual(kinds(), ["websocket", "sse"]);
  });

  it("lets go of a WebSocket whose hello comes after the event stream's", async () => {
    server.delayMs.websocket = 3_000;
    transport.start();
    await browser.clock.advance(5_000);
    assert.equal(status.transport, "sse");
    assert.deepEqual([...server.listeners].map((listener) => listener.kind), ["sse"]);
  });

  it("gives the event stream its time when the silent WebSocket fails meanwhile", async () => {
    server.modes.websocket = "refuse";
    server.delayMs.websocket = 2_000;
    server.delayMs.sse = 3_000;
    transport.start();
    await browser.clock.advance(5_000);
    assert.equal(status.transport, "sse");
    assert.ok(!kinds().includes("batch"));
  });

  it("does not take a page of a proxy for a stream", async () => {
    server.modes.websocket = "refuse";
    server.modes.sse = "refuse";
    transport.start();
    await browser.clock.advance(200);
    assert.equal(status.transport, "batch");
  });

  it("stops where nobody is signed in", async () => {
    server.modes.websocket = "refuse";
    server.status = 401;
    transport.start();
    await browser.clock.advance(120_000);
    assert.deepEqual([status.phase, status.reason], ["signed-out", "signed_out"]);
    assert.deepEqual(kinds(), ["websocket", "sse"]);
  });
});

describe("what is remembered", () => {
  it("begins with the last winner for 30 minutes", async () => {
    server.modes.websocket = "hang";
    transport.start();
    await browser.clock.advance(2_000);
    transport.stop();
    server.opened = [];
    await browser.clock.advance(29 * 60_000);
    transport.start();
    await browser.clock.advance(100);
    assert.deepEqual([kinds(), status.transport, status.blocked], [["sse"], "sse", ["websocket"]]);
    transport.stop();
    server.opened = [];
    await browser.clock.advance(31 * 60_000);
    transport.start();
    await browser.clock.advance(2_000);
    assert.deepEqual(kinds(), ["websocket", "sse"]);
  });

  it("tries everything again where the remembered way fails", async () => {
    browser.stored.set("switchback.transport", JSON.stringify({ kind: "batch", at: browser.clock.now() }));
    server.modes.batch = "refuse";
    transport.start();
    await browser.clock.advance(2_000);
    assert.deepEqual([kinds(), status.transport], [["batch", "websocket"], "websocket"]);
  });
});

describe("changing to a better way", () => {
  it("probes every few minutes and changes without loss or doubles", async () => {
    server.modes.websocket = "refuse";
    transport.start();
    await browser.clock.until(live);
    server.modes.websocket = "ok";
    server.delayMs.websocket = 900;
    for (let at = 0; at < 400; at += 1) {
      server.world.post(`message ${at}`);
      await browser.clock.advance(500);
    }
    assert.equal(status.transport, "websocket");
    assert.deepEqual(seqs, firstSeqs(400));
    assert.deepEqual([...server.listeners].map((listener) => listener.kind), ["websocket"]);
  });

  it("looks soon for a better way where a batch got in first after the server was away", async () => {
    server.modes = { websocket: "refuse", sse: "refuse", batch: "refuse" };
    transport.start();
    await browser.clock.advance(3_000);
    server.modes.batch = "ok";
    await browser.clock.until(live);
    assert.equal(status.transport, "batch");
    server.modes.sse = "ok";
    await browser.clock.advance(6_000);
    assert.equal(status.transport, "sse");
    server.opened = [];
    await browser.clock.advance(2 * 60_000);
    assert.deepEqual(kinds(), []);
  });

  it("does so too after a planned stop", async () => {
    transport.start();
    await browser.clock.until(live);
    server.modes = { websocket: "refuse", sse: "refuse", batch: "ok" };
    server.send({ type: "bye", reason: "going_away", retry_ms: 100 });
    await browser.clock.advance(1_000);
    assert.equal(status.transport, "batch");
    server.modes = { websocket: "ok", sse: "ok", batch: "ok" };
    await browser.clock.advance(5_000);
    assert.equal(status.transport, "websocket");
  });

  it("probes when the network changes", async () => {
    server.modes.websocket = "refuse";
    server.modes.sse = "hang";
    transport.start();
    await browser.clock.until(live);
    assert.equal(status.transport, "batch");
    server.world.post("by batch");
    server.modes.sse = "ok";
    transport.networkChanged();
    await browser.clock.advance(500);
    assert.equal(status.transport, "sse");
    server.modes.websocket = "ok";
    transport.networkChanged();
    await browser.clock.advance(500);
    assert.equal(status.transport, "websocket");
    server.world.post("by WebSocket");
    await browser.clock.advance(500);
    assert.deepEqual(seqs, [1, 2]);
  });

  it("probes also while the way in use keeps breaking", async () => {
    server.modes.websocket = "refuse";
    transport.start();
    await browser.clock.until(live);
    server.modes.websocket = "ok";
    for (let minute = 0; minute < 4; minute += 1) {
      await browser.clock.advance(60_000);
      if (status.transport === "sse") server.cutAll();
    }
    assert.equal(status.transport, "websocket");
  });

  it("stays where it is when the probe fails, and loses nothing by it", async () => {
    server.modes.websocket = "refuse";
    transport.start();
    await browser.clock.until(live);
    server.opened = [];
    await browser.clock.advance(3 * 60_000 + 2_000);
    assert.deepEqual([kinds(), status.transport], [["websocket"], "sse"]);
    server.world.post("still here");
    await browser.clock.advance(100);
    assert.deepEqual(seqs, [1]);
  });
});

describe("noticing and coming back", () => {
  it("reconnects at the cursor after 35 s without a frame", async () => {
    transport.start();
    await browser.clock.until(live);
    server.world.post("one");
    await browser.clock.advance(10);
    server.listeners.clear();
    server.world.post("missed");
    server.opened = [];
    await browser.clock.advance(34_000);
    assert.deepEqual(server.opened, []);
    await browser.clock.advance(1_500);
    assert.deepEqual(server.opened, ["websocket after k1.1"]);
    assert.deepEqual(seqs, [1, 2]);
  });

  it("is content with heartbeats, and moves its cursor by them", async () => {
    transport.start();
    await browser.clock.until(live);
    server.world.seq = 5;
    await browser.clock.advance(5 * 60_000);
    assert.deepEqual([kinds(), stream.cursor], [["websocket"], "k1.5"]);
  });

  it("asks when the page comes back, and reconnects if nothing answers", async () => {
    transport.start();
    await browser.clock.until(live);
    await browser.clock.advance(5_000);
    transport.check();
    await browser.clock.advance(10_000);
    assert.deepEqual(kinds(), ["websocket"]);
    server.listeners.clear();
    server.run = () => null;
    transport.check();
    await browser.clock.advance(4_100);
    assert.deepEqual(kinds(), ["websocket", "websocket"]);
  });

  it("does not wait for the next attempt when the page comes back", async () => {
    server.modes = { websocket: "refuse", sse: "refuse", batch: "refuse" };
    transport.start();
    await browser.clock.advance(60_000);
    assert.equal(status.phase, "reconnecting");
    server.modes = { websocket: "ok", sse: "ok", batch: "ok" };
    transport.check();
    await browser.clock.advance(20);
    assert.equal(status.phase, "live");
  });

  it("waits with full jitter: between nothing and a step that doubles up to 30 s", async () => {
    server.modes = { websocket: "refuse", sse: "refuse", batch: "refuse" };
    browser.random = 1 - Number.EPSILON;
    transport.start();
    await browser.clock.advance(5 * 60_000);
    assert.deepEqual(waits.slice(0, 8), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    transport.stop();
    browser.random = 0;
    waits = [];
    transport.start();
    await browser.clock.advance(100);
    assert.ok(waits.length > 0 && waits.every((wait) => wait === 0));
  });

  it("starts the steps anew only after a connection that has lasted", async () => {
    transport.start();
    await browser.clock.until(live);
    for (let flap = 0; flap < 5; flap += 1) {
      server.cutAll();
      await browser.clock.until(() => server.listeners.size === 1);
    }
    assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000]);
    await browser.clock.advance(11_000);
    server.cutAll();
    await browser.clock.advance(10);
    assert.equal(waits.at(-1), 250);
  });

  it("obeys the time that a bye names", async () => {
    transport.start();
    await browser.clock.until(live);
    const { clock } = browser;
    server.send({ type: "bye", reason: "going_away", retry_ms: 7_300 });
    assert.deepEqual([status.phase, status.retryAt], ["reconnecting", clock.now() + 7_300]);
    server.opened = [];
    await clock.advance(7_299);
    assert.deepEqual(server.opened, []);
    await clock.advance(50);
    assert.equal(status.phase, "live");
  });

  it("waits as long as a refusal asks", async () => {
    server.modes.websocket = "refuse";
    server.status = 429;
    server.retryAfterMs = 20_000;
    transport.start();
    await browser.clock.advance(100);
    assert.deepEqual([status.phase, waits], ["reconnecting", [20_000]]);
  });

  it("stays away after a bye without a time", async () => {
    transport.start();
    await browser.clock.until(live);
    server.send({ type: "bye", reason: "deactivated", retry_ms: null });
    server.cutAll();
    server.opened = [];
    await browser.clock.advance(10 * 60_000);
    transport.check();
    assert.deepEqual([status.phase, status.reason, server.opened], ["signed-out", "deactivated", []]);
  });

  it("stays away after the close codes 1008 and 4000, and comes back after any other", async () => {
    for (const [code, phase] of /** @type {const} */ ([[1008, "signed-out"], [4000, "signed-out"], [4001, "reconnecting"], [1006, "reconnecting"]])) {
      transport.reconnect();
      transport.start();
      await browser.clock.advance(100);
      for (const listener of [...server.listeners]) /** @type {any} */ (listener).end(code);
      assert.equal(status.phase, phase, `code ${code}`);
    }
  });

  it("says that it is offline where the browser says so, and comes back by itself", async () => {
    transport.start();
    await browser.clock.until(live);
    browser.setOnline(false, []);
    transport.networkGone();
    await browser.clock.advance(5_000);
    assert.equal(status.phase, "offline");
    browser.setOnline(true, []);
    transport.networkChanged();
    await browser.clock.advance(100);
    assert.equal(status.phase, "live");
  });

  it("leaves nothing behind when it is stopped", async () => {
    server.modes.websocket = "refuse";
    transport.start();
    await browser.clock.until(live);
    transport.stop();
    await browser.clock.advance(25_000);
    assert.deepEqual([server.listeners.size, browser.clock.pending], [0, 0]);
  });
});

describe("batches", () => {
  it("bring everything once and in order", async () => {
    server.modes.websocket = "refuse";
    server.modes.sse = "refuse";
    transport.start();
    for (let at = 0; at < 50; at += 1) {
      server.world.post(`message ${at}`);
      await browser.clock.advance(300);
    }
    assert.equal(status.transport, "batch");
    assert.deepEqual(seqs, firstSeqs(50));
  });

  it("wait at the server for news, and do not ask in a loop", async () => {
    server.modes.websocket = "refuse";
    server.modes.sse = "refuse";
    transport.start();
    await browser.clock.advance(60_000);
    assert.ok(server.opened.filter((line) => line.startsWith("batch")).length <= 5, `${server.opened}`);
    assert.equal(status.phase, "live");
  });
});

describe("a WebSocket that is of no use", () => {
  beforeEach(async () => {
    transport.start();
    await browser.clock.advance(1_000);
    assert.equal(status.transport, "websocket");
  });

  /** Frames come, far enough apart to be told from what a server says that has just woken up. */
  async function hear() {
    for (let n = 0; n < 2; n += 1) {
      server.send({ type: "heartbeat", cursor: server.world.cursor });
      await browser.clock.advance(3_000);
    }
  }

  it("is left where frames come and answers do not, and is not asked again soon", async () => {
    transport.unanswered();
    await hear();
    assert.deepEqual([status.phase, status.transport], ["live", "sse"]);
    server.cutAll();
    await browser.clock.advance(10 * 60_000);
    assert.equal(kinds().filter((kind) => kind === "websocket").length, 1);
    await browser.clock.advance(25 * 60_000);
    assert.equal(status.transport, "websocket");
  });

  it("is kept where an answer comes after all", async () => {
    transport.unanswered();
    server.send({ type: "ack", id: "c1", seq: 1 });
    await hear();
    assert.equal(status.transport, "websocket");
  });

  it("is kept where nothing comes at all: it is the server that is silent", async () => {
    transport.unanswered();
    await browser.clock.advance(15_000);
    assert.equal(status.transport, "websocket");
  });

  it("is left where nothing came since it opened, twice in a row", async () => {
    server.listeners.clear();
    await browser.clock.advance(36_000);
    assert.equal(status.transport, "websocket");
    server.listeners.clear();
    await browser.clock.advance(36_000);
    assert.deepEqual([status.phase, status.transport], ["live", "sse"]);
    assert.deepEqual(kinds(), ["websocket", "websocket", "sse"]);
  });

  it("is asked again where the network is another one", async () => {
    transport.unanswered();
    await hear();
    transport.networkChanged();
    await browser.clock.advance(1_000);
    assert.equal(status.transport, "websocket");
  });
});
