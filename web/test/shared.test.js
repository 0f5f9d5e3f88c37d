// Several tabs of one browser share one connection, and nothing is lost when it changes hands.

import { IDBFactory } from "fake-indexeddb";
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { Client } from "../net/connection.js";
import { Browser } from "./kit/browser.js";
import { FakeServer } from "./kit/server.js";

/** @import { TestEnv } from "./kit/browser.js" */

/** @type {FakeServer} */
let server;
/** @type {Browser} */
let browser;
/** @type {{ client: Client, env: TestEnv }[]} */
let tabs;

beforeEach(() => {
  server = new FakeServer();
  browser = new Browser(server);
  browser.indexedDB = new IDBFactory();
  tabs = [];
});

afterEach(() => {
  for (const { client } of tabs) client.stop();
});

async function open() {
  const env = browser.tab({ shared: true });
  const client = new Client(env);
  const tab = { client, env };
  tabs.push(tab);
  client.start();
  await browser.clock.until(() => client.store.state.status.phase === "live");
  await client.actions.openRoom("general");
  await browser.clock.advance(100);
  return tab;
}

/** @param {{ client: Client }} tab */
function shown({ client }) {
  const { timelines, pending } = client.store.state;
  return [...(timelines.general?.messages ?? []), ...(pending.general ?? [])].map(({ body }) => body);
}

/** @param {{ client: Client, env: TestEnv }} tab As a browser closes it: nothing of it runs any more. */
function close({ client, env }) {
  client.stop();
  env.tab.asleep = true;
}

const said = () => server.world.messages.map(({ body }) => body);
const reports = () => tabs.flatMap(({ env }) => env.reports);

describe("tabs", () => {
  it("share one connection, and each sees everything", async () => {
    const [one, two, three] = [await open(), await open(), await open()];
    assert.deepEqual([server.opened.length, server.listeners.size], [1, 1]);
    server.world.post("to all");
    await browser.clock.advance(100);
    assert.deepEqual([shown(one), shown(two), shown(three)], [["to all"], ["to all"], ["to all"]]);
    assert.equal(three.client.store.state.status.transport, "websocket");
  });

  it("write from any of them, in order, and show it in all", async () => {
    const [one, two] = [await open(), await open()];
    for (let at = 0; at < 10; at += 1) {
      await (at % 2 ? one : two).client.actions.post("general", `m ${at}`);
      // Nobody writes in two tabs within one millisecond.
      await browser.clock.advance(1);
    }
    await browser.clock.advance(2_000);
    const all = Array.from({ length: 10 }, (_, at) => `m ${at}`);
    assert.deepEqual([said(), shown(one), shown(two)], [all, all, all]);
  });

  it("hand the connection on when the one that has it is closed, in the middle of a conversation", async () => {
    const open3 = [await open(), await open(), await open()];
    for (let at = 0; at < 60; at += 1) {
      server.world.post(`bob ${at}`);
      if (at === 20 || at === 40) {
        const gone = open3.shift();
        if (gone) close(gone);
        await browser.clock.advance(30);
      } else {
        await browser.clock.advance(at % 7);
      }
    }
    await browser.clock.advance(2_000);
    const [last] = open3;
    assert.ok(last);
    assert.deepEqual(shown(last), said());
    assert.deepEqual([server.listeners.size, reports()], [1, []]);
  });

  it("send what a closed tab has left unsent", async () => {
    const [one, two] = [await open(), await open()];
    browser.setOnline(false, [one.env, two.env]);
    await two.client.actions.post("general", "from two");
    await browser.clock.advance(1);
    await one.client.actions.post("general", "from one");
    await browser.clock.advance(100);
    assert.deepEqual(shown(one), ["from two", "from one"]);
    close(one);
    browser.setOnline(true, [two.env]);
    await browser.clock.advance(60_000);
    assert.deepEqual([said(), shown(two)], [["from two", "from one"], ["from two", "from one"]]);
    assert.equal(two.client.store.state.status.waiting, 0);
  });

  it("catch up a tab that was loading while the conversation went on", async () => {
    const one = await open();
    const env = browser.tab({ shared: true });
    const client = new Client(env);
    tabs.push({ client, env });
    client.start();
    for (let at = 0; at < 50; at += 1) {
      server.world.post(`m ${at}`);
      await browser.clock.advance(1);
    }
    await client.actions.openRoom("general");
    await browser.clock.advance(500);
    assert.deepEqual([shown({ client }), shown(one)], [said(), said()]);
    assert.equal(client.store.state.rooms.general?.unread, 50);
    assert.deepEqual([server.listeners.size, reports()], [1, []]);
  });

  it("load anew what is too far back to be told", async () => {
    const [, two] = [await open(), await open()];
    two.env.tab.asleep = true;
    for (let at = 0; at < 2_500; at += 1) server.world.post(`m ${at}`);
    await browser.clock.advance(100);
    two.env.tab.asleep = false;
    server.world.post("awake");
    await browser.clock.advance(3_000);
    assert.deepEqual(shown(two), said().slice(-50));
    assert.deepEqual(reports(), []);
  });

  it("take the connection from a tab that the browser has put to sleep, once somebody looks", async () => {
    const [one, two] = [await open(), await open()];
    one.env.tab.asleep = true;
    // Its socket lives on, but nobody reads it.
    server.listeners.clear();
    server.world.post("missed");
    two.env.tab.emit("visible");
    await browser.clock.advance(3_000);
    server.world.post("seen");
    await browser.clock.advance(100);
    assert.deepEqual(shown(two), ["missed", "seen"]);
    assert.equal(two.client.store.state.status.phase, "live");
  });

  it("do not fight for it while the one that has it answers", async () => {
    const [one, two] = [await open(), await open()];
    for (let minute = 0; minute < 10; minute += 1) {
      await browser.clock.advance(60_000);
      for (const { env } of [one, two]) env.tab.emit("visible");
    }
    assert.equal(server.opened.length, 1);
  });

  it("all know when the connection is lost and when it is back", async () => {
    const [one, two] = [await open(), await open()];
    browser.setOnline(false, [one.env, two.env]);
    await browser.clock.advance(100);
    assert.deepEqual([one, two].map(({ client }) => client.store.state.status.phase), ["offline", "offline"]);
    server.world.post("meanwhile");
    browser.setOnline(true, [one.env, two.env]);
    await browser.clock.advance(3_000);
    assert.deepEqual([one, two].map(({ client }) => client.store.state.status.phase), ["live", "live"]);
    assert.deepEqual([shown(one), shown(two)], [["meanwhile"], ["meanwhile"]]);
  });

  it("all are signed out together", async () => {
    const [one, two] = [await open(), await open()];
    server.send({ type: "bye", reason: "signed_out", retry_ms: null });
    await browser.clock.advance(100);
    assert.deepEqual([one, two].map(({ client }) => client.store.state.status.phase), ["signed-out", "signed-out"]);
  });

  it("are online together as long as one of them is looked at", async () => {
    const [one, two] = [await open(), await open()];
    await browser.clock.advance(100);
    one.env.tab.visible = false;
    one.env.tab.emit("hidden");
    await browser.clock.advance(100);
    const states = () => server.commands.flatMap((command) => (command.type === "presence" ? command.state : []));
    assert.deepEqual(states(), ["online"]);
    two.env.tab.visible = false;
    two.env.tab.emit("hidden");
    await browser.clock.advance(100);
    assert.deepEqual(states(), ["online", "away"]);
  });
});
