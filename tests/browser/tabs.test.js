/*
 * Several tabs, several devices, and what lies between them: one connection per browser, unsent
 * messages that outlive their tab, unread counts in step, and an account that is closed.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, describe, test } from "node:test";
import { Chat } from "./kit/chat.js";
import { Team } from "./kit/team.js";
import { until } from "./kit/wait.js";

const SOON_MS = 1_000;
/** A tab is gone: the browser hands its lock on, and the next one connects at the cursor. */
const HANDOVER_MS = 5_000;
const BACK_MS = 35_000;

/** @type {Team} */
let team;
before(async () => {
  team = await Team.start();
});
after(() => team?.remove());

describe("two tabs of one browser", () => {
  /** @type {Chat} */
  let first;
  /** @type {Chat} */
  let second;
  /** @type {import("./kit/api.js").Api} */
  let api;
  /** @type {string} */
  let general;

  before(async () => {
    api = team.api("ada");
    general = await api.general();
    first = await team.chat("bob");
    await first.live("websocket");
    second = await first.otherTab();
    await second.live("websocket");
  });
  after(() => second?.window.close());

  test("share one connection", async () => {
    assert.equal(await connections(), 1);
    await api.post(general, "To both tabs");
    await first.shows("To both tabs", SOON_MS);
    await second.shows("To both tabs", SOON_MS);
  });

  test("show each other's messages once", async () => {
    await first.send("From the first tab");
    await second.shows("From the first tab", SOON_MS);
    await second.send("From the second tab");
    await first.shows("From the second tab", SOON_MS);
    await first.settled();
    await second.settled();
    assert.deepEqual(await first.messages(), await second.messages());
  });

  test("go on when the tab that held the connection is closed", async () => {
    await first.page.close();
    await api.post(general, "To the tab that is left");
    await second.shows("To the tab that is left", HANDOVER_MS);
    await second.send("Still here");
    await second.settled(HANDOVER_MS);
    assert.equal(await connections(), 1);
  });

  test("the page did not complain", () => second.window.assertQuiet());
});

test("an unsent message outlives its tab and is sent once by the next", async () => {
  const proxy = await team.proxy("passes");
  const bob = await team.chat("bob", proxy.url);
  await bob.live("websocket");
  bob.window.expectBrokenNetwork();
  await proxy.cut();
  await bob.send("Written in a tunnel");
  await until("it is kept", SOON_MS, () => keptMessages(bob));
  await bob.page.close();
  await proxy.restore();
  const again = await bob.otherTab();
  await again.live("websocket", BACK_MS);
  await again.shows("Written in a tunnel");
  await again.settled(BACK_MS);
  const api = team.api("ada");
  const there = (await api.messages(await api.general())).filter(({ body }) => body === "Written in a tunnel");
  assert.equal(there.length, 1);
});

describe("two devices of one person", () => {
  /** @type {Chat} */
  let desk;
  /** @type {Chat} */
  let phone;

  beforeEach(async () => {
    desk = await team.chat("cy");
    phone = await team.chat("cy");
    await desk.live("websocket");
    await phone.live("websocket");
  });
  afterEach(async () => {
    await desk.window.close();
    await phone.window.close();
  });

  test("agree on what is unread, in the list, in the title and in the icon", async () => {
    const ada = team.api("ada");
    const room = await ada.rest("POST", "/rooms", { kind: "public", name: "unread" });
    const cy = await team.api("cy").rest("GET", "/users/me");
    await ada.rest("PUT", `/rooms/${room.id}/members/${cy.id}`);
    await ada.post(room.id, "@cy are you there?");
    for (const chat of [desk, phone]) {
      await chat.rooms.getByRole("link", { name: /^unread\s*, 1 unread, 1 for you/ }).waitFor({ timeout: SOON_MS });
      await until("the title counts", SOON_MS, async () => (await chat.page.title()).startsWith("(1) "));
      assert.match(await icon(chat), /icon-unread/);
    }
    await desk.open("unread");
    for (const chat of [desk, phone]) {
      await until("the title is quiet", SOON_MS, async () => !(await chat.page.title()).startsWith("("));
      assert.doesNotMatch(await icon(chat), /icon-unread/);
    }
  });

  test("are both signed out when the account is deactivated", async () => {
    const cy = await team.api("cy").rest("GET", "/users/me");
    await team.api("ada").rest("PATCH", `/users/${cy.id}`, { active: false });
    for (const chat of [desk, phone]) {
      await chat.page.getByRole("heading", { name: "Sign in" }).waitFor({ timeout: 2 * SOON_MS });
    }
  });
});

/** Live connections, as the server counts them. */
async function connections() {
  const text = await (await fetch(`${team.server.url}/metrics`)).text();
  const counts = [...text.matchAll(/^switchback_connections\{[^}]*\} (\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Whether a message lies in the browser's own database. @param {Chat} chat */
function keptMessages(chat) {
  return chat.page.evaluate(async () => {
    const [found] = (await indexedDB.databases()).filter(({ name }) => name);
    if (!found?.name) return false;
    const database = await new Promise((resolve, reject) => {
      const opening = indexedDB.open(found.name ?? "");
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    const stores = [...database.objectStoreNames];
    const counts = await Promise.all(
      stores.map((store) => new Promise((resolve) => {
        const asking = database.transaction(store).objectStore(store).count();
        asking.onsuccess = () => resolve(asking.result);
      })),
    );
    database.close();
    return counts.some((count) => count > 0);
  });
}

/** @param {Chat} chat */
async function icon(chat) {
  return (await chat.page.locator('link[rel="icon"]').getAttribute("href")) ?? "";
}
