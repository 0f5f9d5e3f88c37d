// Unsent messages: kept over reloads, in order, each exactly once, and given back when there is no
// point in trying again.

import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { ApiError } from "../net/errors.js";
import { Outbox } from "../net/outbox.js";
import { openOutboxStore } from "../net/outbox-store.js";
import { Store } from "../state/store.js";
import { Browser } from "./kit/browser.js";
import { settle } from "./kit/clock.js";
import { FakeServer } from "./kit/server.js";
import { message, room, user } from "./kit/workspace.js";

/** @import { Command } from "../types.js" */
/** @import { OutboxNews } from "../net/outbox.js" */
/** @import { OutboxItem } from "../net/shape.js" */

/** @type {Browser} */
let browser;
/** @type {Command[]} */
let sent;
/** @type {OutboxNews[]} */
let news;
/** What the next sends meet: nothing, or an error. @type {(ApiError | null)[]} */
let errors;
/** While set, sends wait for it. @type {Promise<void> | null} */
let gate;

const network = () => new ApiError({ code: "network", detail: "The server cannot be reached.", retry: true });

beforeEach(() => {
  browser = new Browser(new FakeServer());
  browser.indexedDB = new IDBFactory();
  [sent, news, errors, gate] = [[], [], [], null];
});

/** @param {Command} command */
async function send(command) {
  sent.push(command);
  await gate;
  const error = errors.shift();
  if (error) throw error;
  const nonce = command.type === "message.post" ? command.nonce : "";
  return { type: /** @type {const} */ ("ack"), id: 1, seq: 100 + sent.length, message: message(100 + sent.length, { author: "ada", nonce }) };
}

/** A page as it was just opened. */
async function open() {
  const env = browser.tab();
  const store = new Store();
  const rooms = [room("general"), room("random")];
  store.dispatch({ type: "snapshot", snapshot: { cursor: "k1.10", workspace: { name: "E" }, me: user("ada"), users: [], rooms, presence: [] } });
  const outbox = new Outbox(env, await openOutboxStore(env), store, "ada", send, (told) => news.push(told));
  await outbox.load();
  return { outbox, store };
}

/** @param {number} at @param {Partial<OutboxItem>} [more] @returns {OutboxItem} */
function item(at, more = {}) {
  return { nonce: `nonce-${String(at).padStart(3, "0")}`, user: "ada", room: "general", body: `text ${at}`, reply_to: null, at, failed: null, ...more };
}

const nonces = () => sent.map((command) => (command.type === "message.post" ? command.nonce : null));
const bodies = () => sent.map((command) => (command.type === "message.post" ? command.body : command.type));

describe("the outbox", () => {
  it("sends in order within a room, one after the other, and rooms beside each other", async () => {
    const { outbox } = await open();
    outbox.setActive(true);
    /** @type {() => void} */
    let release = () => undefined;
    gate = new Promise((resolve) => (release = resolve));
    await Promise.all([outbox.add(item(1)), outbox.add(item(2)), outbox.add(item(3, { room: "random" }))]);
    await settle();
    assert.deepEqual(bodies().sort(), ["text 1", "text 3"]);
    release();
    gate = null;
    await settle();
    assert.deepEqual(bodies().filter((body) => body !== "text 3"), ["text 1", "text 2"]);
  });

  it("keeps what is unsent over a reload, and sends it with its nonce", async () => {
    const first = await open();
    await first.outbox.add(item(1));
    await first.outbox.add(item(2));
    assert.deepEqual(sent, [], "this tab does not send");
    first.outbox.stop();
    const second = await open();
    assert.equal(second.store.state.pending.general?.length, 2);
    second.outbox.setActive(true);
    await settle();
    assert.deepEqual(nonces(), ["nonce-001", "nonce-002"]);
    assert.deepEqual(second.store.state.pending, {});
    assert.deepEqual((await open()).store.state.pending, {});
  });

  it("does not send what belongs to another account", async () => {
    const { outbox } = await open();
    await outbox.add(item(1, { user: "bob" }));
    const { store, outbox: again } = await open();
    again.setActive(true);
    await settle();
    assert.deepEqual([sent, store.state.pending], [[], {}]);
  });

  it("tries again with backoff, keeping the order, until it gets through", async () => {
    const { outbox, store } = await open();
    outbox.setActive(true);
    errors = [network(), network(), network()];
    await outbox.add(item(1));
    await outbox.add(item(2));
    await settle();
    assert.deepEqual(store.state.pending.general?.map(({ status }) => status), ["waiting", "waiting"]);
    await browser.clock.advance(10_000);
    assert.deepEqual(bodies(), ["text 1", "text 1", "text 1", "text 1", "text 2"]);
    assert.equal(new Set(nonces()).size, 2);
  });

  it("waits as long as the server asks", async () => {
    const { outbox } = await open();
    outbox.setActive(true);
    errors = [new ApiError({ code: "rate_limited", detail: "Wait.", retry: true, retryAfterMs: 5_000 })];
    await outbox.add(item(1));
    await browser.clock.advance(4_999);
    assert.equal(sent.length, 1);
    await browser.clock.advance(1);
    assert.equal(sent.length, 2);
  });

  it("does not wait any longer when the connection is back", async () => {
    const { outbox } = await open();
    outbox.setActive(true);
    errors = [network(), network(), network(), network()];
    await outbox.add(item(1));
    await browser.clock.until(() => errors.length === 0);
    await settle();
    outbox.hurry();
    await settle();
    assert.equal(sent.length, 5);
  });

  it("gives back what the server refuses for good, and goes on with the next", async () => {
    const { outbox, store } = await open();
    outbox.setActive(true);
    errors = [new ApiError({ code: "forbidden", detail: "The room is archived." })];
    await outbox.add(item(1));
    await outbox.add(item(2));
    await settle();
    assert.deepEqual(store.state.pending.general?.map(({ status, error }) => [status, error]), [["failed", "The room is archived."]]);
    assert.deepEqual([bodies(), store.state.status.waiting], [["text 1", "text 2"], 0]);
    const reloaded = await open();
    reloaded.outbox.setActive(true);
    await settle();
    assert.equal(reloaded.store.state.pending.general?.[0]?.status, "failed");
    assert.equal(sent.length, 2, "not tried again by itself");
  });

  it("tries again, or forgets, what has failed when the user says so", async () => {
    const { outbox, store } = await open();
    outbox.setActive(true);
    errors = [new ApiError({ code: "forbidden", detail: "No." }), new ApiError({ code: "forbidden", detail: "No." })];
    await outbox.add(item(1));
    await outbox.add(item(2));
    await settle();
    await outbox.retry("nonce-001");
    await settle();
    await outbox.drop("nonce-002");
    assert.deepEqual([bodies(), store.state.pending], [["text 1", "text 2", "text 1"], {}]);
    assert.deepEqual((await open()).store.state.pending, {});
  });

  it("does not hold against a message that its ack was lost, once its event has come", async () => {
    const { outbox, store } = await open();
    outbox.setActive(true);
    errors = [network()];
    await outbox.add(item(1));
    await settle();
    outbox.drop("nonce-001");
    await browser.clock.advance(60_000);
    assert.deepEqual([sent.length, store.state.pending], [1, {}]);
  });

  it("takes no more than it can keep, and says so", async () => {
    const { outbox } = await open();
    for (let at = 0; at < 200; at += 1) await outbox.add(item(at));
    await assert.rejects(outbox.add(item(200)), (error) => error instanceof ApiError && error.code === "too_many");
  });

  it("tells other tabs, and hears them", async () => {
    const one = await open();
    const two = await open();
    await one.outbox.add(item(1));
    for (const told of news.splice(0)) two.outbox.hear(told);
    assert.equal(two.store.state.pending.general?.[0]?.status, "waiting");
    two.outbox.setActive(true);
    await settle();
    for (const told of news.splice(0)) one.outbox.hear(told);
    assert.deepEqual([bodies(), one.store.state.pending], [["text 1"], {}]);
  });

  it("works from memory where there is no database", async () => {
    browser.indexedDB = null;
    const { outbox, store } = await open();
    outbox.setActive(true);
    await outbox.add(item(1));
    await settle();
    assert.deepEqual([bodies(), store.state.pending], [["text 1"], {}]);
  });

  it("works from memory where the database cannot be opened", async () => {
    browser.indexedDB = /** @type {any} */ ({ open: () => { throw new Error("forbidden"); } });
    const { outbox } = await open();
    outbox.setActive(true);
    await outbox.add(item(1));
    await settle();
    assert.deepEqual(bodies(), ["text 1"]);
  });

  it("forgets everything of the account when it signs out", async () => {
    const { outbox, store } = await open();
    await outbox.add(item(1));
    await outbox.clear();
    assert.deepEqual(store.state.pending, {});
    assert.deepEqual((await open()).store.state.pending, {});
  });
});
