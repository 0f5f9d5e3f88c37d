/*
 * The faults are real: what each proxy does to an upgrade and to a stream, seen from outside by raw
 * requests. The other tests rest on this one.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { handshakeLines, rawRequest, streamLines } from "./kit/net.js";
import { Proxy } from "./kit/proxy.js";
import { Server } from "./kit/server.js";

/** Long enough for a first frame, and far below a heartbeat. */
const LOOK_MS = 2_000;

/** @type {Server} */
let server;
let token = "";

before(async () => {
  server = await Server.start();
  server.createUser({ handle: "ada", name: "Ada", password: "correct horse battery", role: "owner" });
  token = server.createToken("ada");
});
after(() => server?.remove());

/** @param {import("./kit/proxy.js").Fault} fault @param {(proxy: Proxy) => Promise<void>} look */
async function through(fault, look) {
  const proxy = await Proxy.start(fault, server.port);
  try {
    await look(proxy);
  } finally {
    await proxy.remove();
  }
}

/** @param {number} port */
const upgrade = (port) => rawRequest(port, handshakeLines(port, token), LOOK_MS);
/** @param {number} port @param {string} [query] @param {number} [waitMs] */
const stream = (port, query, waitMs = LOOK_MS) => rawRequest(port, streamLines(port, token, query), waitMs);

test("without a proxy an upgrade is answered by 101 and a stream streams", async () => {
  const upgraded = await upgrade(server.port);
  assert.match(upgraded.text, /^HTTP\/1\.1 101 /);
  assert.match(upgraded.text, /"type":"hello"/);
  const streamed = await stream(server.port);
  assert.match(streamed.text, /^HTTP\/1\.1 200 /);
  assert.match(streamed.text, /"type":"ready"/);
});

test("a proxy set up as advised lets both pass", () =>
  through("passes", async ({ port }) => {
    assert.match((await upgrade(port)).text, /^HTTP\/1\.1 101 [^]*"type":"hello"/);
    assert.match((await stream(port)).text, /^HTTP\/1\.1 200 [^]*"type":"ready"/);
  }));

test("a plain proxy_pass eats the upgrade and lets a stream pass", () =>
  through("eats", async ({ port }) => {
    assert.doesNotMatch((await upgrade(port)).text, /^HTTP\/1\.1 101 /);
    assert.match((await stream(port)).text, /^HTTP\/1\.1 200 [^]*"type":"ready"/);
  }));

test("a denying proxy answers the upgrade with 403 and lets a stream pass", () =>
  through("denies", async ({ port }) => {
    assert.match((await upgrade(port)).text, /^HTTP\/1\.1 403 /);
    assert.match((await stream(port)).text, /^HTTP\/1\.1 200 [^]*"type":"ready"/);
  }));

test("a hanging proxy says nothing to an upgrade and lets a stream pass", () =>
  through("hangs", async ({ port }) => {
    assert.equal((await upgrade(port)).text, "");
    assert.match((await stream(port)).text, /^HTTP\/1\.1 200 [^]*"type":"ready"/);
  }));

test("a buffering proxy holds a stream back whole, and a batch passes", () =>
  through("buffers", async ({ port }) => {
    assert.doesNotMatch((await upgrade(port)).text, /101|"type":"hello"/);
    assert.doesNotMatch((await stream(port, "", 3 * LOOK_MS)).text, /"type":/);
    const batch = await stream(port, "?mode=batch&wait=0");
    assert.match(batch.text, /^HTTP\/1\.1 200 [^]*"type":"ready"/);
    assert.match(batch.text, /^content-length: \d+/im);
  }));
