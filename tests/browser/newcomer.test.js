/*
 * The newcomer's path, from the first line of the log to a talk: set-up address, owner, invitation by
 * link, a second person joins, the two talk.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible } from "./kit/axe.js";
import { launch, Window } from "./kit/browser.js";
import { Chat } from "./kit/chat.js";
import { Proxy } from "./kit/proxy.js";
import { Server } from "./kit/server.js";

const SOON_MS = 1_000;

/** @type {Server} */
let server;
/** @type {Proxy} */
let proxy;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Window} */
let owner;
/** @type {Window} */
let second;
let invitation = "";

before(async () => {
  server = await Server.start();
  proxy = await Proxy.start("eats", server.port);
  browser = await launch();
  owner = await Window.open(browser, server.url);
  second = await Window.open(browser, proxy.url);
  second.expectBrokenNetwork();
});
after(async () => {
  await browser?.close();
  await proxy?.remove();
  await server?.remove();
});

test("before set-up, the page says where the set-up address is to be found", async () => {
  await second.page.goto("/");
  await second.page.getByText("has no owner yet").waitFor();
  await assertAccessible(second.page, "the page before set-up");
});

test("the printed address creates the owner", async () => {
  const { page } = owner;
  await page.goto(server.setupUrl);
  await assertAccessible(page, "set-up");
  await owner.picture("setup");
  await page.getByLabel("Workspace name").fill("Zermatt Works");
  await page.getByLabel("Your name").fill("Ada Lovelace");
  await page.getByLabel("Handle").fill("ada");
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Create workspace" }).click();
  await new Chat(owner).live("websocket");
  await owner.picture("first-look");
  await assertAccessible(page, "the empty workspace");
});

test("the set-up address works once", async () => {
  const answer = await second.page.goto(new URL(server.setupUrl).pathname);
  assert.equal(answer?.status(), 410);
  await second.page.getByRole("heading", { name: "Already set up" }).waitFor();
  second.complaints = second.complaints.filter((text) => !/status of 410/.test(text));
});

test("the owner makes an invitation link in the page", async () => {
  const { page } = owner;
  await new Chat(owner).rooms.getByRole("button", { name: "Invite your team" }).click();
  const dialog = page.getByRole("dialog");
  await assertAccessible(page, "the invitation dialog");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  invitation = await dialog.getByLabel("Your link").inputValue();
  assert.match(invitation, /^http:\/\/127\.0\.0\.1:\d+\/join\/[\w-]+$/);
  await owner.picture("invitation");
  await page.keyboard.press("Escape");
});

test("a second person joins by the link", async () => {
  const { page } = second;
  await page.goto(new URL(invitation).pathname);
  await page.getByText("Ada Lovelace").waitFor();
  await assertAccessible(page, "joining");
  await second.picture("join");
  await page.getByLabel("Your name").fill("Bob Kahn");
  await page.getByLabel("Handle").fill("bob");
  await page.getByLabel("Password").fill("another good sentence");
  await page.getByRole("button", { name: "Join Zermatt Works" }).click();
  await new Chat(second).live("sse");
});

test("the two talk, one by WebSocket, the other by event stream", async () => {
  const [ada, bob] = [new Chat(owner), new Chat(second)];
  await bob.send("Hello, I am new");
  await ada.shows("Hello, I am new", SOON_MS);
  await ada.send("Welcome!");
  await bob.shows("Welcome!", SOON_MS);
  assert.match(await ada.status(), /WebSocket/);
  assert.match(await bob.status(), /event stream/);
});

test("neither page complained", () => {
  owner.assertQuiet();
  second.assertQuiet();
});
