/*
 * The chat as a person uses it: what is pressed, what is read. Elements are found by what they are
 * called, as a screen reader would, so that a test breaks when the page stops being usable.
 */
import assert from "node:assert/strict";
import { until } from "./wait.js";

const PATIENCE_MS = 15_000;

/** Somebody's chat in a window of their own. */
export class Chat {
  #openedAt = 0;

  /** @param {import("./browser.js").Window} window */
  constructor(window) {
    this.window = window;
    this.page = window.page;
    this.box = this.page.getByRole("textbox", { name: /^Message / });
    this.log = this.page.getByRole("log");
    this.rooms = this.page.getByRole("navigation", { name: "Rooms" });
    this.menu = this.page.getByRole("menu");
    this.dialog = this.page.getByRole("dialog");
  }

  /** Signs in on the sign-in page that an unknown visitor is led to. @param {string} handle @param {string} password */
  async signIn(handle, password) {
    await this.page.goto("/");
    await this.page.getByLabel("Handle").fill(handle);
    await this.page.getByLabel("Password").fill(password);
    this.#openedAt = Date.now();
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Another tab of the same browser, signed in as it is; the chat there is opened anew. */
  async otherTab() {
    const chat = new Chat(await this.window.otherTab());
    await chat.page.goto("/");
    return chat;
  }

  /** Since the chat was asked for. */
  sinceOpeningMs() {
    return Date.now() - this.#openedAt;
  }

  /** Waits until the connection is live by this transport. @param {string} transport @param {number} [limitMs] */
  async live(transport, limitMs = PATIENCE_MS) {
    const wanted = `[data-testid="connection-status"][data-phase="live"][data-transport="${transport}"]`;
    await this.page.locator(wanted).waitFor({ timeout: limitMs });
  }

  /** What the line about the connection says. */
  async status() {
    return this.page.getByTestId("connection-status").innerText();
  }

  /** Writes a message; it is on one's own screen when this returns, acknowledged or not. @param {string} text */
  async send(text) {
    await this.box.fill(text);
    await this.box.press("Enter");
    await this.shows(text);
  }

  /** Types without sending; an empty text clears the box. @param {string} text @param {number} [delayMs] between keys */
  async type(text, delayMs = 0) {
    if (text === "") await this.box.fill("");
    else await this.box.pressSequentially(text, { delay: delayMs });
  }

  /** The message with exactly this text. @param {string} text */
  message(text) {
    const body = this.page.locator(".body", { hasText: text });
    return this.log.getByRole("article").filter({ has: body });
  }

  /** @param {string} text @param {number} [limitMs] */
  async shows(text, limitMs = PATIENCE_MS) {
    await this.message(text).first().waitFor({ timeout: limitMs });
  }

  /** @param {string} text @param {number} [limitMs] */
  async hides(text, limitMs = PATIENCE_MS) {
    await this.message(text).first().waitFor({ state: "detached", timeout: limitMs });
  }

  /** Changes one's own message through its menu. @param {string} from @param {string} to */
  async edit(from, to) {
    await this.#menu(from, "Edit");
    const box = this.log.getByRole("textbox");
    await box.fill(to);
    await box.press("Enter");
    await this.shows(to);
  }

  /** Deletes one's own message through its menu. @param {string} text */
  async remove(text) {
    await this.#menu(text, "Delete");
    await this.dialog.getByRole("button", { name: "Delete" }).click();
  }

  /** Reacts with the first emoji that is offered. @param {string} text */
  async react(text) {
    const message = this.message(text);
    await message.hover();
    await message.getByRole("button", { name: /^React with/ }).first().click();
  }

  /** @param {string} text @param {number} limitMs */
  async showsReaction(text, limitMs) {
    await this.message(text).getByRole("group", { name: "Reactions" }).waitFor({ timeout: limitMs });
  }

  /** @param {string} name @param {number} limitMs */
  async showsTyping(name, limitMs) {
    await this.page.getByText(new RegExp(`${name}.* (is|are) (typing|writing)`)).first().waitFor({ timeout: limitMs });
  }

  /** The messages on the screen, oldest first. */
  async rows() {
    return this.log.locator("article[data-state]").evaluateAll((articles) =>
      articles.map((article) => ({
        id: article.getAttribute("data-message-id"),
        state: article.getAttribute("data-state"),
        text: article.querySelector(".body, .deleted")?.textContent?.replace("(edited)", "").trim() ?? "",
      })),
    );
  }

  /** Their texts. */
  async texts() {
    return (await this.rows()).map(({ text }) => text);
  }

  /** Ids and texts: what two windows must agree on. */
  async messages() {
    return (await this.rows()).map(({ id, text }) => `${id} ${text}`);
  }

  /** Texts of messages that wait to be sent. */
  async pending() {
    return (await this.rows()).filter(({ state }) => state === "pending").map(({ text }) => text);
  }

  /** Waits until nothing waits to be sent, and fails if something could not be. @param {number} limitMs */
  async settled(limitMs = PATIENCE_MS) {
    await until("nothing is pending", limitMs, async () => (await this.pending()).length === 0);
    assert.deepEqual((await this.rows()).filter(({ state }) => state === "failed"), []);
  }

  /** Goes to a room by the list of rooms. @param {string} room */
  async open(room) {
    const back = this.page.getByRole("button", { name: "Back to the list of rooms" });
    if (await back.isVisible()) await back.click();
    await this.rooms.getByRole("link", { name: new RegExp(`^${room}\\b`) }).click();
    await this.page.getByRole("heading", { name: room, level: 1 }).waitFor();
  }

  async openSwitcher() {
    await this.page.keyboard.press("Control+k");
    await this.dialog.waitFor();
  }

  /** Searches, and waits for a message with this text to be found. @param {string} query @param {string} text */
  async search(query, text) {
    if ((await this.dialog.count()) === 0) await this.page.keyboard.press("Control+Shift+F");
    const field = this.dialog.getByRole("combobox", { name: "Search messages" });
    await field.fill(query);
    await this.dialog.getByRole("option").filter({ hasText: text }).first().waitFor();
  }

  /** Chooses an item of the workspace's menu. @param {string} item */
  async workspaceMenu(item) {
    await this.sidePress(/./, ".workspace-button");
    await this.menu.getByRole("menuitem", { name: item, exact: true }).click();
    await this.dialog.waitFor();
  }

  /** Opens one tab of the settings. @param {string} tab */
  async settings(tab) {
    await this.workspaceMenu("Settings");
    await this.dialog.getByRole("tab", { name: tab }).click();
  }

  /** Presses a button of the list of rooms, which on a phone is a screen of its own. @param {string | RegExp} name */
  async sidePress(name, selector = "button") {
    const back = this.page.getByRole("button", { name: "Back to the list of rooms" });
    if (await back.isVisible()) await back.click();
    await this.rooms.getByRole("button", { name }).and(this.page.locator(selector)).first().click();
  }

  /** Presses a button of the room. @param {string | RegExp} name */
  async press(name) {
    await this.page.getByRole("main").getByRole("button", { name }).click();
  }

  /** Opens a message's menu: by its button, or by a long press where there is only a finger. @param {string} text */
  async messageMenu(text) {
    const message = this.message(text);
    if (this.window.touch) await this.#longPress(message);
    else {
      await message.hover();
      await message.getByRole("button", { name: "More actions" }).click();
    }
  }

  /** @param {import("playwright-core").Locator} locator */
  async #longPress(locator) {
    await locator.scrollIntoViewIfNeeded();
    const box = await locator.boundingBox();
    assert.ok(box);
    const finger = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const session = await this.window.context.newCDPSession(this.page);
    await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [finger] });
    await this.menu.waitFor();
    await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await session.detach();
  }

  /** Closes what lies on top, as Escape does. */
  async closeAll() {
    await this.page.keyboard.press("Escape");
    await this.dialog.waitFor({ state: "detached" });
    await this.menu.waitFor({ state: "detached" });
  }

  /** @param {string} text @param {string} item */
  async #menu(text, item) {
    await this.messageMenu(text);
    await this.menu.getByRole("menuitem", { name: item, exact: true }).click();
  }
}
