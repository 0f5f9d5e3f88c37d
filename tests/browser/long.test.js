/*
 * A page that is open for long, in a room in which much is said: what it must not gather.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Team } from "./kit/team.js";
import { until } from "./kit/wait.js";
import { withoutComments } from "../../web/scripts/served.js";

const WEB = join(import.meta.dirname, "../../web");
/** More than the page keeps of a room, twice. */
const MESSAGES = 1_300;
const AT_ONCE = 20;
const LIMIT_MS = 60_000;
/** Rows of the timeline in the document (web/ui/timeline-window.js), and markers of Lit for each at most. */
const ROWS = 160;
const MARKERS = 20;

describe("a long room", () => {
  /** @type {Team} */
  let team;
  before(async () => (team = await Team.start()));
  after(async () => team.remove());

  it("leaves nothing in the document of what has gone by", async () => {
    const chat = await team.chat("ada");
    await chat.live("websocket");
    await chat.open("general");
    const bob = team.api("bob");
    const room = await bob.general();
    await say(bob, room, MESSAGES);
    await chat.shows(`message ${MESSAGES - 1}.`, LIMIT_MS);
    const left = await chat.page.evaluate(() => {
      const comments = document.createTreeWalker(document.querySelector(".rows") ?? document, NodeFilter.SHOW_COMMENT);
      let count = 0;
      while (comments.nextNode()) count += 1;
      return { comments: count, rows: document.querySelectorAll("[data-key]").length };
    });
    assert.ok(left.rows <= ROWS, `${left.rows} rows`);
    assert.ok(left.comments <= left.rows * MARKERS, `${left.comments} markers for ${left.rows} rows`);
    chat.window.assertQuiet();
    await chat.window.close();
  });

  it("is opened by a page of history, not by all that is unread", async () => {
    const chat = await team.chat("cy");
    /** @type {string[]} */
    const pages = [];
    chat.page.on("request", (request) => {
      if (/\/messages(\?|$)/.test(request.url())) pages.push(request.url());
    });
    await chat.live("websocket");
    await chat.open("general");
    await chat.log.getByRole("article").first().waitFor();
    // A second page may be fetched ahead; a third would be asked for by nobody.
    await until("the page is at rest", LIMIT_MS, async () => chat.page.evaluate(async () => {
      const busy = () => document.querySelector("[role=log]")?.getAttribute("aria-busy") === "true";
      for (let frame = 0; frame < 60; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
      return !busy();
    }));
    assert.ok(pages.length <= 3, `${pages.length} pages were loaded`);
    chat.window.assertQuiet();
    await chat.window.close();
  });

  it("is sent our sources, without their comments", async () => {
    const page = await (await team.window()).page.context().newPage();
    await page.goto(team.server.url);
    const style = await page.locator('link[rel="stylesheet"]').first().getAttribute("href");
    const prefix = style?.replace(/\/styles\/.*/, "");
    for (const file of ["main.js", "ui/timeline.js", "net/transport.js", "state/reduce.js", "ui/theme-early.js", "styles/base.css"]) {
      const sent = await (await fetch(`${team.server.url}${prefix}/${file}`)).text();
      assert.equal(sent, withoutComments(readFileSync(join(WEB, file), "utf8")), file);
    }
  });
});

/** @param {import("./kit/api.js").Api} api @param {string} room @param {number} count */
async function say(api, room, count) {
  let next = 0;
  const one = async () => {
    while (next < count - 1) await api.post(room, `message ${next++}.`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  // The last of all, whoever was overtaken.
  await api.post(room, `message ${count - 1}.`);
}
