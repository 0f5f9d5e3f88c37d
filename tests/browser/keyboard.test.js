/*
 * Without a mouse: signing in, changing the room, sending, editing the last message, reacting,
 * deleting. Only keys are pressed, and what has the focus is where the next key goes.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chat } from "./kit/chat.js";
import { furnish } from "./kit/furnish.js";
import { PASSWORD, Team } from "./kit/team.js";

/** Nothing on these pages is further away than this by Tab. */
const TABS_MAX = 40;

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
  await assertFocused("the message box", /^Message #trains$/);
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
  await assertFocused("the message box", /^Message #trains$/);
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
  assert.equal(await focusedMessage(), id, "the focus comes back to the message");
});

test("Delete asks, and Enter on the button deletes", async () => {
  await keys.press("ArrowDown");
  await keys.press("Delete");
  await chat.dialog.waitFor();
  const button = chat.dialog.getByRole("button", { name: "Delete" });
  const focused = () => button.evaluate((element) => element === document.activeElement);
  for (let n = 0; n < TABS_MAX && !(await focused()); n += 1) await keys.press("Tab");
  await keys.press("Enter");
  await chat.hides("and a second");
});

test("a dialog gives the focus back when Escape closes it", async () => {
  await chat.box.focus();
  await keys.press("Control+k");
  await chat.dialog.waitFor();
  await keys.press("Escape");
  await chat.dialog.waitFor({ state: "detached" });
  await assertFocused("the message box", /^Message #trains$/);
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

/** @param {string} what @param {RegExp} name */
async function assertFocused(what, name) {
  const box = chat.page.getByRole("textbox", { name });
  await box.waitFor();
  assert.ok(await box.evaluate((element) => element === document.activeElement), `${what} has the focus`);
}

function messageHasFocus() {
  return chat.page.evaluate(() => document.activeElement?.matches("article[data-message-id]") ?? false);
}

function focusedMessage() {
  return chat.page.evaluate(() => document.activeElement?.closest("[data-message-id]")?.getAttribute("data-message-id"));
}
