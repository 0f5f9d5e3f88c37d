/*
 * Searching: by keys alone to a message of another room, and nothing that is not one's own.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { furnish } from "./kit/furnish.js";
import { Team } from "./kit/team.js";
import { until } from "./kit/wait.js";

const SOON_MS = 10_000;

/** @type {Team} */
let team;
/** @type {import("./kit/chat.js").Chat} */
let chat;
/** @type {Awaited<ReturnType<typeof furnish>>} */
let rooms;

before(async () => {
  team = await Team.start();
  rooms = await furnish({ ada: team.api("ada"), bob: team.api("bob"), cy: team.api("cy") });
  chat = await team.chat("ada");
  await chat.live("websocket");
  await chat.open("general");
});
after(() => team?.remove());

test("/ opens the search, words are found in every room and marked", async () => {
  await chat.page.keyboard.press("Shift+Tab");
  await chat.page.keyboard.press("/");
  await chat.search("plough train runs", "the plough runs before");
  const option = chat.dialog.getByRole("option").first();
  assert.match(await option.innerText(), /Cy Tan[\s\S]*trains/);
  assert.deepEqual(await option.locator("mark").allInnerTexts(), ["plough", "runs", "train"]);
  await until("the count is told", SOON_MS, async () => (await status()) === "1 message found.");
});

test("a message that was just said is found, its words in bold and links too", async () => {
  await team.api("bob").post(rooms.trains, "The **turntable** is [ordered](https://example.org/turn).");
  await chat.search("ordered turnt", "The turntable is ordered.");
  const marks = chat.dialog.getByRole("option").first().locator("mark");
  assert.deepEqual(await marks.allInnerTexts(), ["turntable", "ordered"]);
});

test("hints complete a filter, and narrow the search to a room", async () => {
  await chat.dialog.getByRole("combobox").fill("monday in:#gen");
  await chat.dialog.getByRole("button", { name: "in:#general" }).click();
  await until("all that is found is in general", SOON_MS, async () => {
    const found = await chat.dialog.getByRole("option").allInnerTexts();
    return found.length === 2 && found.every((text) => text.includes("general"));
  });
});

test("nothing found is said, and so is what is wrong", async () => {
  await chat.dialog.getByRole("combobox").fill("zeppelin");
  await until("it says so", SOON_MS, async () => (await status()) === "Nothing found.");
  assert.equal(await chat.dialog.getByRole("option").count(), 0);
});

test("arrows choose, Enter goes to the message, which has the focus of the room", async () => {
  await chat.search("upper", "Snow on the upper loop");
  const field = chat.dialog.getByRole("combobox");
  for (let n = 0; n < 5 && !(await isChosen("Snow on the upper loop")); n += 1) await field.press("ArrowDown");
  await field.press("Enter");
  await chat.dialog.waitFor({ state: "detached" });
  await chat.page.getByRole("heading", { name: "trains", level: 1 }).waitFor();
  await chat.shows("Snow on the upper loop");
  assert.match(chat.page.url(), /\/message\//);
});

test("the last search is there again, and Escape closes it", async () => {
  await chat.page.getByRole("button", { name: "Search messages" }).click();
  await chat.dialog.getByRole("option").first().waitFor();
  assert.equal(await chat.dialog.getByRole("combobox").inputValue(), "upper");
  await chat.closeAll();
});

test("of a room that one is not in, nothing is found", async () => {
  const eve = { handle: "eve", name: "Eve Outside", role: "member", password: "correct horse battery" };
  team.server.createUser(eve);
  await team.api("ada").post(rooms.board, "the zirconium budget");
  const outside = await team.chat("eve");
  await outside.live("websocket");
  await chat.search("zirconium", "the zirconium budget");
  await outside.page.keyboard.press("Control+Shift+F");
  await outside.dialog.getByRole("combobox").fill("zirconium");
  await until("nothing is found", SOON_MS, async () => (await outside.dialog.getByRole("status").innerText()) === "Nothing found.");
});

test("the page did not complain", () => chat.window.assertQuiet());

async function status() {
  return chat.dialog.getByRole("status").innerText();
}

/** @param {string} text */
async function isChosen(text) {
  const chosen = chat.dialog.getByRole("option", { selected: true });
  return (await chosen.innerText()).includes(text);
}
