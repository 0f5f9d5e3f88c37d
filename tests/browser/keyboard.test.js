/*
 * Without a mouse: signing in, changing the room, sending, editing the last message, reacting,
 * deleting. Only keys are pressed, and what has the focus is where the next key goes.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chat } from "./kit/chat.js";
import { furnish } from "./kit/furnish.js";
import { PASSWORD, Team } from "./kit/team.js";
import { until } from "./kit/wait.js";

/** Nothing on these pages is further away than this by Tab. */
const TABS_MAX = 40;
const SOON_MS = 1_000;

/** @type {Team} */
let team;
/** @type {Chat} */
let chat;
/** @type {import("playwright-core").Keyboard} */
let keys;

before(async () => {
  team = await Team.start();
  await furnish({ ada: team.api("ada"), bob: team.api("bob"), cy: team.api("cy") });
  chat = new Chat(await team.window());
  keys = chat.page.keyboard;
});
after(() => team?.remove());

test("signing in: the first field has the focus, Tab leads on, Enter sends", async () => {
  await chat.page.goto("/");
  // A page puts the focus with its first picture, which may be after it has loaded.
  await focused(/^Handle$/);
  await keys.type("ada");
  await keys.press("Tab");
  await keys.type(PASSWORD);
  await keys.press("Enter");
  await chat.live("websocket");
});

test("Ctrl-K goes to a room by its name, and the message box has the focus there", async () => {
  await keys.press("Control+k");
  await chat.dialog.waitFor();
  await keys.type("trai");
  await keys.press("Enter");
  await chat.dialog.waitFor({ state: "detached" });
  await chat.page.getByRole("heading", { name: "trains", level: 1 }).waitFor();
  await focused(/^Message #trains$/);
});

test("Enter sends, Shift-Enter begins a new line", async () => {
  await keys.type("First line");
  await keys.press("Shift+Enter");
  await keys.type("and a secnd");
  await keys.press("Enter");
  await chat.shows("and a secnd");
  await chat.settled();
});

test("ArrowUp in the empty box edits the last message, Enter saves", async () => {
  await keys.press("ArrowUp");
  await chat.log.getByRole("textbox").waitFor();
  await keys.press("End");
  for (let n = 0; n < "cnd".length; n += 1) await keys.press("Backspace");
  await keys.type("cond");
  await keys.press("Enter");
  await chat.shows("and a second");
  await focused(/^Message #trains$/);
});

test("Shift-Tab leads to the messages, arrows move there, + reacts", async () => {
  for (let n = 0; n < TABS_MAX && !(await messageHasFocus()); n += 1) await keys.press("Shift+Tab");
  assert.ok(await messageHasFocus(), "Shift-Tab reaches a message");
  await keys.press("ArrowUp");
  const id = await focusedMessage();
  await keys.press("+");
  await chat.dialog.waitFor();
  await keys.type("tada");
  await keys.press("Enter");
  await chat.page.locator(`[data-message-id="${id}"]`).getByRole("group", { name: "Reactions" }).waitFor();
  await until("the focus comes back to the message", SOON_MS, async () => (await focusedMessage()) === id);
});

test("Delete asks, and Enter on the button deletes", async () => {
  await keys.press("ArrowDown");
  await keys.press("Delete");
  await chat.dialog.waitFor();
  const button = chat.dialog.getByRole("button", { name: "Delete" });
  const reached = () => button.evaluate((element) => element === document.activeElement);
  for (let n = 0; n < TABS_MAX && !(await reached()); n += 1) await keys.press("Tab");
  await keys.press("Enter");
  await chat.hides("and a second");
});

test("a dialog gives the focus back when Escape closes it", async () => {
  await chat.box.focus();
  await keys.press("Control+k");
  await chat.dialog.waitFor();
  await keys.press("Escape");
  await chat.dialog.waitFor({ state: "detached" });
  await focused(/^Message #trains$/);
});

test("Alt-ArrowDown and Alt-ArrowUp go through the rooms", async () => {
  const heading = chat.page.getByRole("heading", { level: 1 });
  const before = await heading.innerText();
  await keys.press("Alt+ArrowUp");
  await chat.page.waitForFunction((text) => document.querySelector("h1")?.innerText !== text, before);
  await keys.press("Alt+ArrowDown");
  await chat.page.waitForFunction((text) => document.querySelector("h1")?.innerText === text, before);
});

test("the page did not complain", () => chat.window.assertQuiet());

/** Waits until the text box of this name has the focus. @param {RegExp} name */
async function focused(name) {
  await chat.page.getByRole("textbox", { name }).and(chat.page.locator(":focus")).waitFor();
}

function messageHasFocus() {
  return chat.page.evaluate(() => document.activeElement?.matches("article[data-message-id]") ?? false);
}

function focusedMessage() {
  return chat.page.evaluate(() => document.activeElement?.closest("[data-message-id]")?.getAttribute("data-message-id"));
}
