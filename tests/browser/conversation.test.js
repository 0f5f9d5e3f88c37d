/*
 * Two people, two windows, three networks: the same conversation over WebSocket, over an event
 * stream behind a proxy that eats `Upgrade`, and in batches behind one that buffers whole responses.
 *
 * Ada is always directly at the server. What differs is Bob's network; that neither of them notices
 * is what is tested.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Team } from "./kit/team.js";

/** "Within a second" is the promise. */
const SOON_MS = 1_000;
const AWAY_MS = 10_000;
/** Noticing that the network is back, reconnecting with jitter, catching up. */
const BACK_MS = 35_000;
const BOB_WRITES = 3;
const ADA_WRITES = 5;

/** @type {{fault: import("./kit/proxy.js").Fault, transport: string, openMs: number}[]} */
const NETWORKS = [
  { fault: "passes", transport: "websocket", openMs: 3_000 },
  { fault: "eats", transport: "sse", openMs: 3_000 },
  { fault: "denies", transport: "sse", openMs: 3_000 },
  // 1.5 s of these are spent waiting for a WebSocket that says neither yes nor no.
  { fault: "hangs", transport: "sse", openMs: 4_500 },
  { fault: "buffers", transport: "batch", openMs: 8_000 },
];
/** The three whose whole conversation is walked through; of the others, that they open in time. */
const WALKED = ["passes", "eats", "buffers"];

/** @type {Team} */
let team;
before(async () => {
  team = await Team.start();
});
after(() => team?.remove());

for (const { fault, transport, openMs } of NETWORKS) {
  describe(`${transport}, behind a proxy that ${fault}`, () => {
    /** @type {import("./kit/proxy.js").Proxy} */
    let proxy;
    /** @type {import("./kit/chat.js").Chat} */
    let ada;
    /** @type {import("./kit/chat.js").Chat} */
    let bob;
    const say = (/** @type {string} */ text) => `${text} (${fault})`;

    before(async () => {
      proxy = await team.proxy(fault);
      await makeRoom(fault);
      ada = await team.chat("ada");
      await ada.live("websocket", openMs);
      await ada.open(fault);
    });
    afterEach((context) => picturesIfFailed(context, fault, ada, bob));
    after(async () => {
      await ada?.window.close();
      await bob?.window.close();
      await proxy?.remove();
    });

    test(`opens by ${transport} within ${openMs / 1000} s`, async () => {
      bob = await team.chat("bob", proxy.url);
      // A refused upgrade is in the console of every browser, and no page can keep it out.
      if (fault !== "passes") bob.window.expectBrokenNetwork();
      await bob.live(transport, openMs - bob.sinceOpeningMs());
      await bob.open(fault);
    });

    if (!WALKED.includes(fault)) return;

    test("each sees what the other writes within a second", async () => {
      await ada.send(say("Good morning"));
      await bob.shows(say("Good morning"), SOON_MS);
      await bob.send(say("Morning, Ada"));
      await ada.shows(say("Morning, Ada"), SOON_MS);
    });

    test("an edit arrives within a second", async () => {
      await bob.edit(say("Morning, Ada"), say("Good morning, Ada"));
      await ada.shows(say("Good morning, Ada"), SOON_MS);
      await ada.shows("edited", SOON_MS);
    });

    test("a reaction arrives within a second", async () => {
      await bob.react(say("Good morning"));
      await ada.showsReaction(say("Good morning"), SOON_MS);
    });

    test("a deletion arrives within a second", async () => {
      await bob.send(say("Oh no"));
      await ada.shows(say("Oh no"), SOON_MS);
      await bob.remove(say("Oh no"));
      await ada.hides(say("Oh no"), SOON_MS);
    });

    test("typing shows within a second", async () => {
      await bob.type("I am just wri");
      await ada.showsTyping("Bob", SOON_MS);
      await bob.type("");
    });

    test("a reload loses nothing", async () => {
      const [before, mine] = [await bob.messages(), await ada.messages()];
      assert.deepEqual(before, mine);
      await bob.page.reload();
      await bob.live(transport, openMs);
      await bob.shows(say("Good morning, Ada"));
      assert.deepEqual(await bob.messages(), before);
    });

    test("offline for 10 s: what was written and missed comes once and in order", async () => {
      bob.window.expectBrokenNetwork();
      // Chromium's own switch tells the page, but leaves a stream that is open already alone.
      await bob.window.context.setOffline(true);
      await proxy.cut();
      await awayAndBack("offline", async () => {
        await proxy.restore();
        await bob.window.context.setOffline(false);
      });
    });

    test("a link that breaks for 10 s: the same", async () => {
      bob.window.expectBrokenNetwork();
      await proxy.cut();
      await awayAndBack("cut", () => proxy.restore());
    });

    test("a link that falls silent for 10 s: the same", async () => {
      proxy.pause();
      await awayAndBack("silent", async () => proxy.resume());
    });

    test("neither page complained", () => {
      ada.window.assertQuiet();
      bob.window.assertQuiet();
    });

    /** @param {string} how @param {() => Promise<void>} back */
    async function awayAndBack(how, back) {
      const left = Date.now();
      const bobs = numbered(BOB_WRITES, (n) => say(`Bob, ${how}, ${n}`));
      const adas = numbered(ADA_WRITES, (n) => say(`Ada, ${how}, ${n}`));
      for (const text of bobs) await bob.send(text);
      for (const text of adas) await ada.send(text);
      for (const text of adas) await ada.shows(text);
      await sleep(AWAY_MS - (Date.now() - left));
      await assertApart(bobs, adas);
      await back();
      for (const text of adas) await bob.shows(text, BACK_MS);
      for (const text of bobs) await ada.shows(text, BACK_MS);
      await bob.live(transport, BACK_MS);
      await bob.settled(BACK_MS);
      await assertOnceAndInOrder(bobs, adas);
    }

    /** The fault was real: nothing got through. @param {string[]} bobs @param {string[]} adas */
    async function assertApart(bobs, adas) {
      const [seenByBob, seenByAda] = [await bob.texts(), await ada.texts()];
      assert.deepEqual(seenByBob.filter((text) => adas.includes(text)), []);
      assert.deepEqual(seenByAda.filter((text) => bobs.includes(text)), []);
      assert.deepEqual(await bob.pending(), bobs);
    }

    /** @param {string[]} bobs @param {string[]} adas */
    async function assertOnceAndInOrder(bobs, adas) {
      const wanted = [...adas, ...bobs];
      for (const chat of [ada, bob]) {
        const texts = (await chat.texts()).filter((text) => wanted.includes(text));
        assert.deepEqual(texts, wanted);
      }
      assert.deepEqual(await bob.messages(), await ada.messages());
    }
  });
}

/** A room of their own for each network. @param {string} name */
async function makeRoom(name) {
  const [ada, bob] = [team.api("ada"), team.api("bob")];
  const room = await ada.rest("POST", "/rooms", { kind: "private", name });
  const them = await bob.rest("GET", "/users/me");
  await ada.rest("PUT", `/rooms/${room.id}/members/${them.id}`);
}

/** @param {number} count @param {(n: number) => string} name */
function numbered(count, name) {
  return Array.from({ length: count }, (_, index) => name(index + 1));
}

/**
 * @param {any} context @param {string} fault
 * @param {import("./kit/chat.js").Chat} ada @param {import("./kit/chat.js").Chat} bob
 */
async function picturesIfFailed(context, fault, ada, bob) {
  if (context.passed !== false) return;
  await ada?.window.picture(`failed-${fault}-ada`);
  await bob?.window.picture(`failed-${fault}-bob`);
}
