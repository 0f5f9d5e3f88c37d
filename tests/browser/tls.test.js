/*
 * HTTPS by the server itself: two people talk, one over a WebSocket, one over an event stream, both
 * on streams of HTTP/2, and a new certificate disturbs nobody.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { Chat } from "./kit/chat.js";
import { PASSWORD, Team } from "./kit/team.js";

const SOON_MS = 1_000;
/** 1.5 s of these are spent waiting for a WebSocket that says nothing. */
const FALLBACK_MS = 4_500;

/** @type {Team} */
let team;
/** @type {Chat} */
let ada;
/** @type {Chat} */
let bob;
/** The answer to Ada's handshake, as the browser's own tools see it. @type {Promise<{status: number}>} */
let handshake;

before(async () => {
  team = await Team.start({}, { tls: true });
  const window = await team.window();
  handshake = answerToHandshake(window);
  ada = new Chat(window);
  await ada.signIn("ada", PASSWORD);
  const silent = await team.window();
  // Sockets that open and stay silent, as behind some proxies.
  await silent.context.routeWebSocket(/\/chat/, () => {});
  bob = new Chat(silent);
  await bob.signIn("bob", PASSWORD);
});
after(() => team?.remove());

test("a browser opens its WebSocket on a stream of HTTP/2", async () => {
  await ada.live("websocket");
  // Over HTTP/1.1 it would be 101 (RFC 8441 5).
  assert.equal((await handshake).status, 200);
  assert.equal(await protocolOf(ada, "navigation"), "h2");
});

test("where sockets are silent, the event stream comes over HTTP/2 too", async () => {
  await bob.live("sse", FALLBACK_MS);
  assert.match(await bob.status(), /event stream/);
  assert.equal(await protocolOf(bob, "resource"), "h2");
});

test("the cookie is for HTTPS and this host alone", async () => {
  const cookies = await ada.window.context.cookies();
  const { name, secure, httpOnly } = cookies.find(({ name }) => name.endsWith("_session")) ?? {};
  assert.deepEqual({ name, secure, httpOnly }, { name: "__Host-switchback_session", secure: true, httpOnly: true });
});

test("they hear each other", async () => {
  await talk("with the first certificate");
});

test("a new certificate is for new connections, and those that are open go on", async () => {
  const before = await fingerprint();
  await team.server.renewCertificate();
  assert.notEqual(await fingerprint(), before);
  await talk("with the second certificate");
  await bob.page.reload();
  await bob.live("sse", FALLBACK_MS);
  await talk("after a reload");
});

test("neither page complained", () => {
  ada.window.assertQuiet();
  bob.window.assertQuiet();
});

/** @param {string} when */
async function talk(when) {
  await ada.send(`Ada ${when}`);
  await bob.shows(`Ada ${when}`, SOON_MS);
  await bob.send(`Bob ${when}`);
  await ada.shows(`Bob ${when}`, SOON_MS);
  await ada.settled();
  await bob.settled();
}

/** @param {import("./kit/browser.js").Window} window @returns {Promise<{status: number}>} */
async function answerToHandshake({ context, page }) {
  const tools = await context.newCDPSession(page);
  await tools.send("Network.enable");
  return new Promise((resolve) => {
    tools.once("Network.webSocketHandshakeResponseReceived", ({ response }) => resolve(response));
  });
}

/** What the last such entry came over. @param {Chat} chat @param {string} kind */
function protocolOf(chat, kind) {
  return chat.page.evaluate((kind) => performance.getEntriesByType(kind).at(-1)?.nextHopProtocol, kind);
}

/** Of the certificate that a new connection gets. @returns {Promise<string>} */
function fingerprint() {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: team.server.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
    socket.once("error", reject);
  });
}
