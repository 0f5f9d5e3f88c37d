/*
 * The faults are real: what each proxy does to an upgrade and to a stream, seen from outside by raw
 * requests. The other tests rest on this one.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { handshakeLines, rawRequest, streamLines } from "./kit/net.js";
import { Proxy } from "./kit/proxy.js";
import { Server } from "./kit/server.js";

/** Nothing within this is held back: a first frame takes milliseconds. */
const LOOK_MS = 3_000;

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

/** An answer that lets the upgrade pass, down to a first frame. */
const UPGRADED = /^HTTP\/1\.1 101 [^]*"type":"hello"/;
/** An answer that streams, down to the end of the catching up. */
const STREAMED = /^HTTP\/1\.1 200 [^]*"type":"ready"/;

/** @param {number} port @param {RegExp} [enough] */
const upgrade = (port, enough) => rawRequest(port, handshakeLines(port, token), LOOK_MS, enough);
/** @param {number} port @param {RegExp} [enough] */
const stream = (port, enough) => rawRequest(port, streamLines(port, token), LOOK_MS, enough);
/** @param {number} port */
const batch = (port) => rawRequest(port, streamLines(port, token, "?mode=batch&wait=0"), LOOK_MS, STREAMED);

test("without a proxy an upgrade is answered by 101 and a stream streams", async () => {
  assert.match(await upgrade(server.port, UPGRADED), UPGRADED);
  assert.match(await stream(server.port, STREAMED), STREAMED);
});

test("a proxy set up as advised lets both pass", () =>
  through("passes", async ({ port }) => {
    assert.match(await upgrade(port, UPGRADED), UPGRADED);
    assert.match(await stream(port, STREAMED), STREAMED);
  }));

test("a plain proxy_pass eats the upgrade and lets a stream pass", () =>
  through("eats", async ({ port }) => {
    assert.doesNotMatch(await upgrade(port), /^HTTP\/1\.1 101 /);
    assert.match(await stream(port, STREAMED), STREAMED);
  }));

test("a denying proxy answers the upgrade with 403 and lets a stream pass", () =>
  through("denies", async ({ port }) => {
    assert.match(await upgrade(port), /^HTTP\/1\.1 403 /);
    assert.match(await stream(port, STREAMED), STREAMED);
  }));

test("a hanging proxy says nothing to an upgrade and lets a stream pass", () =>
  through("hangs", async ({ port }) => {
    assert.equal(await upgrade(port), "");
    assert.match(await stream(port, STREAMED), STREAMED);
  }));

test("a buffering proxy holds a stream back whole, and a batch passes", () =>
  through("buffers", async ({ port }) => {
    assert.doesNotMatch(await upgrade(port), /101|"type":"hello"/);
    assert.doesNotMatch(await stream(port), /"type":/);
    const answer = await batch(port);
    assert.match(answer, STREAMED);
    assert.match(answer, /^content-length: \d+/im);
  }));
