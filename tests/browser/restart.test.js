/*
 * `kill -9` under two people who talk, and a planned restart: everything is still there, what was
 * written meanwhile arrives, nobody has to do anything.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Team } from "./kit/team.js";
import { until } from "./kit/wait.js";

const NOTICE_MS = 5_000;
/** Backoff with jitter grows while the server is away. */
const BACK_MS = 40_000;

/** @type {Team} */
let team;
/** @type {import("./kit/chat.js").Chat} */
let ada;
/** @type {import("./kit/chat.js").Chat} */
let bob;

before(async () => {
  team = await Team.start();
  const proxy = await team.proxy("eats");
  ada = await team.chat("ada");
  bob = await team.chat("bob", proxy.url);
  bob.window.expectBrokenNetwork();
  await ada.live("websocket");
  await bob.live("sse");
});
after(() => team?.remove());

for (const [how, end] of /** @type {const} */ ([["kill -9", "kill"], ["a planned stop", "stop"]])) {
  test(`${how}: all that was there is there again`, async () => {
    for (let n = 1; n <= 5; n += 1) {
      await ada.send(`Ada before ${how} ${n}`);
      await bob.send(`Bob before ${how} ${n}`);
    }
    await ada.settled();
    await bob.settled();
    ada.window.expectBrokenNetwork();
    await team.server[end]();
    await until("both notice", NOTICE_MS, async () => !(await isLive(ada)) && !(await isLive(bob)));
    await ada.send(`Ada during ${how}`);
    await bob.send(`Bob during ${how}`);
    assert.deepEqual(await ada.pending(), [`Ada during ${how}`]);
    await team.server.restart();
    await ada.live("websocket", BACK_MS);
    await bob.live("sse", BACK_MS);
    await ada.shows(`Bob during ${how}`, BACK_MS);
    await bob.shows(`Ada during ${how}`, BACK_MS);
    await ada.settled(BACK_MS);
    await bob.settled(BACK_MS);
    await assertSameAsServer();
  });
}

test("a reload shows the same", async () => {
  const before = await ada.messages();
  await ada.page.reload();
  await ada.live("websocket");
  await ada.shows("Ada during kill -9");
  assert.deepEqual(await ada.messages(), before);
});

test("neither page complained", () => {
  ada.window.assertQuiet();
  bob.window.assertQuiet();
});

/** Both windows show what the server has: each message once, in its order. */
async function assertSameAsServer() {
  const api = team.api("cy");
  const there = (await api.messages(await api.general())).map(({ id, body }) => `${id} ${body}`);
  assert.deepEqual(await ada.messages(), there);
  assert.deepEqual(await bob.messages(), there);
}

/** @param {import("./kit/chat.js").Chat} chat */
async function isLive(chat) {
  return (await chat.page.getByTestId("connection-status").getAttribute("data-phase")) === "live";
}
