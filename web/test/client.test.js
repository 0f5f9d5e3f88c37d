// The whole client against a small server, over networks that fail: nothing is lost, nothing comes
// twice, and the state tells how it is.

import { IDBFactory } from "fake-indexeddb";
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { Client } from "../net/connection.js";
import { statusLine } from "../state/status.js";
import { Browser } from "./kit/browser.js";
import { FakeServer } from "./kit/server.js";
import { roomInfo } from "./kit/workspace.js";

/** @import { TestEnv } from "./kit/browser.js" */

/** @type {FakeServer} */
let server;
/** @type {Browser} */
let browser;
/** @type {TestEnv} */
let env;
/** @type {Client} */
let client;
/** @type {Client[]} */
let clients;

beforeEach(() => {
  server = new FakeServer();
  browser = new Browser(server);
  browser.indexedDB = new IDBFactory();
  env = browser.tab();
  clients = [];
  client = open(env);
});

afterEach(() => {
  for (const one of clients) one.stop();
});

/** @param {TestEnv} where */
function open(where) {
  const opened = new Client(where);
  clients.push(opened);
  opened.start();
  return opened;
}

const live = () => client.store.state.status.phase === "live";

/** What stands in the timeline of `general`, by the client. */
function shown(where = client) {
  const { state } = where.store;
  const sent = (state.timelines.general?.messages ?? []).map(({ body }) => body);
  return [...sent, ...(state.pending.general ?? []).map(({ body, status }) => `${status}: ${body}`)];
}

/**
 * What is asked of the server needs its time.
 * @template Value
 * @param {Promise<Value>} asked
 * @param {number} [ms]
 */
async function done(asked, ms = 100) {
  const [value] = await Promise.all([asked, browser.clock.advance(ms)]);
  return value;
}

const said = () => server.world.messages.map(({ body }) => body);

async function inGeneral() {
  await browser.clock.until(live);
  await client.actions.openRoom("general");
  await browser.clock.until(() => client.store.state.timelines.general?.loading === null);
}

describe("a conversation", () => {
  it("begins with the snapshot, goes on from its cursor, and shows what comes", async () => {
    server.world.post("before");
    await inGeneral();
    assert.deepEqual(server.opened, ["websocket after k1.1"]);
    server.world.post("after");
    await browser.clock.advance(50);
    assert.deepEqual(shown(), ["before", "after"]);
    assert.equal(statusLine(client.store.state, 0).text, "Live by WebSocket");
  });

  for (const [name, modes] of /** @type {const} */ ([
    ["WebSocket", {}],
    ["event stream", { websocket: "refuse" }],
    ["batches", { websocket: "refuse", sse: "refuse" }],
  ])) {
    it(`sends by ${name} and shows it at once, then in its place`, async () => {
      Object.assign(server.modes, modes);
      await inGeneral();
      const posting = client.actions.post("general", "hello");
      await browser.clock.advance(0);
      assert.deepEqual(shown(), ["sending: hello"]);
      await posting;
      await browser.clock.advance(1_000);
      assert.deepEqual([shown(), said()], [["hello"], ["hello"]]);
    });
  }

  it("says what the network blocks", async () => {
    server.modes.websocket = "refuse";
    await inGeneral();
    assert.equal(statusLine(client.store.state, 0).text, "Live by event stream: your network blocks WebSocket");
  });

  it("sends a message once, though its ack is lost", async () => {
    await inGeneral();
    server.mishaps = ["lose ack", "lose ack", "lose ack"];
    await client.actions.post("general", "once");
    await client.actions.post("general", "twice");
    await browser.clock.advance(60_000);
    assert.deepEqual([said(), shown()], [["once", "twice"], ["once", "twice"]]);
  });

  it("comes back after 10 s without a network with 3 written and 5 received, each once and in order", async () => {
    await inGeneral();
    await client.actions.post("general", "before");
    await browser.clock.advance(1_000);
    browser.setOnline(false, [env]);
    for (const body of ["w1", "w2", "w3"]) {
      await client.actions.post("general", body);
      await browser.clock.advance(1_000);
    }
    assert.equal(statusLine(client.store.state, browser.clock.now()).text, "You are offline, 3 messages waiting");
    for (const body of ["r1", "r2", "r3", "r4", "r5"]) server.world.post(body);
    await browser.clock.advance(7_000);
    browser.setOnline(true, [env]);
    await browser.clock.advance(2_000);
    const all = ["before", "r1", "r2", "r3", "r4", "r5", "w1", "w2", "w3"];
    assert.deepEqual([shown(), said()], [all, all]);
    assert.deepEqual(env.reports, []);
  });

  it("does not lose what was written when the page is reloaded without a network", async () => {
    await inGeneral();
    browser.setOnline(false, [env]);
    await client.actions.post("general", "kept");
    await browser.clock.advance(100);
    client.stop();
    browser.setOnline(true, []);
    client = open(browser.tab());
    await inGeneral();
    await browser.clock.advance(2_000);
    assert.deepEqual([said(), shown()], [["kept"], ["kept"]]);
  });

  it("changes the way in mid-flight while both write", async () => {
    server.modes.websocket = "refuse";
    await inGeneral();
    server.modes.websocket = "ok";
    for (let at = 0; at < 60; at += 1) {
      server.world.post(`bob ${at}`);
      if (at % 6 === 0) await client.actions.post("general", `ada ${at}`);
      if (at === 10) env.tab.emit("network");
      if (at === 30) server.modes.websocket = "refuse";
      if (at === 31) server.cutAll();
      await browser.clock.advance(100);
    }
    await browser.clock.advance(5_000);
    assert.deepEqual(shown(), said());
    assert.equal(new Set(said()).size, 70);
    assert.deepEqual(env.reports, []);
  });
});

describe("what must never be silent", () => {
  it("loads everything anew when the server says reset, and misses nothing meanwhile", async () => {
    server.world.post("old");
    await inGeneral();
    server.world.epoch = "k2";
    server.world.post("unseen");
    /** @type {() => void} */
    let release = () => undefined;
    server.gate = new Promise((resolve) => (release = resolve));
    server.send({ type: "reset", reason: "foreign_epoch", cursor: server.world.cursor });
    await browser.clock.advance(20);
    server.world.post("while loading");
    await browser.clock.advance(20);
    server.gate = null;
    release();
    await browser.clock.advance(100);
    server.world.post("later");
    await browser.clock.advance(100);
    assert.deepEqual(shown(), ["old", "unseen", "while loading", "later"]);
    assert.equal(client.store.state.cursor, server.world.cursor);
    assert.deepEqual(env.reports, []);
  });

  it("notices an event that is missing, reports it, and loads everything anew", async () => {
    await inGeneral();
    const { onEvent } = server.world;
    server.world.onEvent = () => undefined;
    server.world.post("swallowed");
    server.world.onEvent = onEvent;
    server.world.post("next");
    await browser.clock.advance(200);
    assert.deepEqual(shown(), ["swallowed", "next"]);
    assert.equal(env.reports.length, 1);
    assert.equal(client.store.state.rooms.general?.unread, 2);
  });

  it("bounds what it holds back while a snapshot is loading, and still misses nothing", async () => {
    await inGeneral();
    /** @type {() => void} */
    let release = () => undefined;
    server.gate = new Promise((resolve) => (release = resolve));
    server.send({ type: "reset", reason: "behind", cursor: server.world.cursor });
    await browser.clock.advance(20);
    for (let at = 0; at < 6_000; at += 1) server.world.post(`m ${at}`);
    server.gate = null;
    release();
    await browser.clock.advance(1_000);
    assert.deepEqual(server.opened, ["websocket after k1.0", "websocket after k1.0"]);
    assert.deepEqual([shown(), client.store.state.cursor], [said().slice(-50), "k1.6000"]);
    assert.equal(client.store.state.rooms.general?.n, 6_000);
    assert.deepEqual(env.reports, []);
  });

  it("does not load everything in a storm when events keep missing", async () => {
    await inGeneral();
    server.calls = [];
    const general = /** @type {import("../types.js").RoomView} */ (server.world.rooms.get("general"));
    for (let at = 0; at < 100; at += 1) {
      general.n += 1;
      server.world.post(`after a hole ${at}`);
      await browser.clock.advance(100);
    }
    assert.ok(server.calls.filter((call) => call === "GET /snapshot").length < 10, `${server.calls.length}`);
    await browser.clock.advance(60_000);
    assert.deepEqual(shown(), said().slice(-50));
  });

  it("does not lose what happens while a page of history is on its way", async () => {
    for (let at = 0; at < 3; at += 1) server.world.post(`old ${at}`);
    await browser.clock.until(live);
    /** @type {() => void} */
    let release = () => undefined;
    server.gate = new Promise((resolve) => (release = resolve));
    await client.actions.openRoom("general");
    await browser.clock.advance(20);
    server.world.post("new");
    server.world.edit("m1", "edited");
    await browser.clock.advance(20);
    server.gate = null;
    release();
    await browser.clock.advance(20);
    assert.deepEqual(shown(), ["edited", "old 1", "old 2", "new"]);
  });

  it("waits for the server at the start, and says so", async () => {
    server.status = 503;
    await browser.clock.advance(3_000);
    assert.equal(client.store.state.phase, "failed");
    assert.match(statusLine(client.store.state, browser.clock.now()).text, /^Reconnecting/);
    server.status = null;
    await browser.clock.until(live, 60_000);
    assert.equal(client.store.state.phase, "ready");
  });

  it("stops where nobody is signed in, and sends nothing more", async () => {
    await inGeneral();
    server.status = 401;
    server.send({ type: "bye", reason: "signed_out", retry_ms: null });
    server.cutAll();
    await client.actions.post("general", "too late");
    server.opened = [];
    await browser.clock.advance(10 * 60_000);
    assert.equal(statusLine(client.store.state, 0).text, "You are signed out, 1 message waiting");
    assert.deepEqual(server.opened, []);
  });

  it("takes a 401 of any call for being signed out", async () => {
    await inGeneral();
    server.status = 401;
    await done(assert.rejects(client.actions.listRooms(), { name: "ApiError", status: 401 }));
    assert.equal(client.store.state.status.phase, "signed-out");
  });
});

describe("reading", () => {
  it("marks what comes in while somebody looks, in few commands", async () => {
    for (let at = 0; at < 5; at += 1) server.world.post(`unread ${at}`);
    await browser.clock.until(live);
    assert.equal(client.store.state.rooms.general?.unread, 5);
    await inGeneral();
    client.actions.setReading(true);
    await browser.clock.advance(10);
    assert.deepEqual([client.store.state.rooms.general?.unread, client.store.state.view.unreadAfter], [0, 0]);
    for (let at = 0; at < 5; at += 1) server.world.post(`read ${at}`);
    await browser.clock.advance(2_000);
    const marks = server.commands.filter(({ type }) => type === "read.mark");
    assert.ok(marks.length <= 2, `${marks.length} marks`);
    const last = server.world.messages.at(-1)?.seq;
    assert.deepEqual([server.world.rooms.get("general")?.read_seq, client.store.state.rooms.general?.unread], [last, 0]);
    client.actions.setReading(false);
    server.world.post("not read");
    await browser.clock.advance(2_000);
    assert.equal(client.store.state.rooms.general?.unread, 1);
  });

  it("tells the server once the network is back", async () => {
    server.world.post("unread");
    await inGeneral();
    server.status = 503;
    server.modes.websocket = "refuse";
    server.cutAll();
    client.actions.markRead("general");
    await browser.clock.advance(5_000);
    assert.equal(server.world.rooms.get("general")?.read_seq, 0);
    server.status = null;
    await browser.clock.advance(60_000);
    assert.equal(server.world.rooms.get("general")?.read_seq, 1);
  });

  it("loads older pages, jumps to a message in the past and back to the latest", async () => {
    for (let at = 0; at < 300; at += 1) server.world.post(`m ${at}`);
    await inGeneral();
    assert.equal(shown().length, 50);
    void client.actions.loadOlder("general");
    await done(client.actions.loadOlder("general"));
    assert.deepEqual([shown().length, shown()[0]], [100, "m 200"]);
    assert.equal(await done(client.actions.jumpToMessage("m21")), "general");
    const { state } = client.store;
    assert.deepEqual([state.view.focus, state.timelines.general?.hasAfter], ["m21", true]);
    assert.ok(shown().includes("m 20"));
    server.world.post("new");
    await browser.clock.advance(50);
    assert.ok(!shown().includes("new"));
    await done(client.actions.loadNewer("general"));
    assert.equal(shown().length, 100);
    await done(client.actions.jumpToLatest("general"), 50);
    assert.equal(shown().at(-1), "new");
  });

  it("goes to a message of another room without loading that room twice", async () => {
    for (let at = 0; at < 120; at += 1) server.world.post(`m ${at}`);
    await browser.clock.until(live);
    server.calls = [];
    await done(client.actions.jumpToMessage("m10"), 100);
    assert.deepEqual(server.calls.map((call) => call.split("?")[0]), ["GET /messages/m10", "GET /rooms/general/messages"]);
    assert.equal(client.store.state.view.room, "general");
  });

  it("goes back to the latest when somebody writes from the past", async () => {
    for (let at = 0; at < 120; at += 1) server.world.post(`m ${at}`);
    await inGeneral();
    await done(client.actions.jumpToMessage("m10"), 100);
    await done(client.actions.post("general", "here"), 500);
    assert.equal(shown().at(-1), "here");
  });

  it("says why a page could not be loaded, and loads it when the connection is back", async () => {
    await browser.clock.until(live);
    server.world.post("there");
    browser.setOnline(false, [env]);
    await client.actions.openRoom("general");
    await browser.clock.advance(100);
    assert.match(client.store.state.timelines.general?.error ?? "", /cannot be reached/);
    browser.setOnline(true, [env]);
    await browser.clock.advance(1_000);
    assert.deepEqual(shown(), ["there"]);
  });
});

describe("the rest of what a user does", () => {
  it("edits at once, and brings a made room into the state", async () => {
    server.world.post("typo", { author: "ada" });
    await inGeneral();
    await done(client.actions.edit("m1", "fixed"), 100);
    assert.deepEqual(shown(), ["fixed"]);
    const made = await done(client.actions.createRoom({ kind: "public", name: "plans" }));
    assert.deepEqual([client.store.state.rooms[made.id]?.joined, client.store.state.rooms[made.id]?.n], [true, 2]);
    server.world.post("in it", { room: made.id });
    await browser.clock.advance(100);
    assert.deepEqual([client.store.state.rooms[made.id]?.unread, env.reports], [1, []]);
  });

  it("gives the server's reason where something is refused", async () => {
    await inGeneral();
    await done(assert.rejects(client.actions.edit("nothing", "x"), { code: "not_found", retry: false }));
    await assert.rejects(client.actions.post("general", "  \n"), { code: "bad_request" });
    await assert.rejects(client.actions.post("general", "ä".repeat(8_001)), { code: "too_long" });
  });

  it("sends typing now and then, and never from elsewhere", async () => {
    await inGeneral();
    for (let key = 0; key < 50; key += 1) {
      client.actions.typing("general");
      await browser.clock.advance(100);
    }
    assert.equal(server.commands.filter(({ type }) => type === "typing").length, 2);
  });

  it("forgets who was typing", async () => {
    await inGeneral();
    server.send({ type: "typing", room: "general", user: "bob" });
    await browser.clock.advance(10);
    assert.deepEqual(Object.keys(client.store.state.typing), ["general"]);
    await browser.clock.advance(8_000);
    assert.deepEqual(client.store.state.typing, {});
  });

  it("keeps drafts over a reload and drops the one that was sent", async () => {
    await inGeneral();
    client.actions.setDraft("general", "half a th");
    client.actions.setDraft("random", "other", "m1");
    env.tab.emit("pagehide");
    client.stop();
    client = open(browser.tab());
    await inGeneral();
    assert.deepEqual(client.store.state.drafts, { general: { body: "half a th", reply_to: null }, random: { body: "other", reply_to: "m1" } });
    await Promise.all([client.actions.post("general", "half a thought"), browser.clock.advance(1_000)]);
    assert.deepEqual(Object.keys(client.store.state.drafts), ["random"]);
  });

  it("is away after five minutes without a sign of life, and back with the first", async () => {
    await inGeneral();
    await browser.clock.advance(6 * 60_000);
    env.tab.emit("activity");
    await browser.clock.advance(100);
    env.tab.visible = false;
    env.tab.emit("hidden");
    await browser.clock.advance(100);
    const states = server.commands.flatMap((command) => (command.type === "presence" ? command.state : []));
    assert.deepEqual(states, ["online", "away", "online", "away"]);
  });

  it("forgets everything of the account on signing out", async () => {
    await inGeneral();
    client.actions.setDraft("general", "secret");
    await browser.clock.advance(1_000);
    await done(client.actions.signOut(), 100);
    assert.ok(![...browser.stored.keys()].some((key) => key.includes("draft")));
    assert.deepEqual([client.store.state.status.phase, server.listeners.size], ["signed-out", 0]);
  });

  it("leaves the room in sight when it is taken out of it", async () => {
    await inGeneral();
    server.world.rooms.delete("random");
    await client.actions.openRoom("random");
    server.world.event("member.left", "random", { user: "ada", n: 1, room_info: roomInfo("random", { kind: "private" }) });
    await browser.clock.advance(100);
    assert.deepEqual([client.store.state.view.room, client.store.state.rooms.random], [null, undefined]);
  });
});
