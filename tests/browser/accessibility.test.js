/*
 * axe-core finds nothing serious: on each page, in light, dark and at a phone's width, and in every
 * dialog and menu. The pictures are taken here too, where everything is furnished.
 */
import { after, before, describe, test } from "node:test";
import { assertAccessible } from "./kit/axe.js";
import { PHONE } from "./kit/browser.js";
import { furnish } from "./kit/furnish.js";
import { Team } from "./kit/team.js";

/** @type {Team} */
let team;

before(async () => {
  team = await Team.start();
  await furnish({ ada: team.api("ada"), bob: team.api("bob"), cy: team.api("cy") });
});
after(() => team?.remove());

/** @type {[string, import("playwright-core").BrowserContextOptions][]} */
const LOOKS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: PHONE, hasTouch: true, isMobile: true }],
  ["phone-dark", { colorScheme: "dark", viewport: PHONE, hasTouch: true, isMobile: true }],
];

/** The tabs of the settings. */
const SETTINGS = ["Profile", "Appearance", "Password", "Sessions", "API tokens"];

for (const [look, options] of LOOKS) {
  describe(look, () => {
    /** @type {import("./kit/chat.js").Chat} */
    let chat;
    after(() => chat?.window.close());

    test("signing in", async () => {
      const window = await team.window(undefined, options);
      await window.page.goto("/sign-in");
      await assertAccessible(window.page, `sign-in, ${look}`);
      await window.picture(`sign-in-${look}`);
      await window.close();
    });

    test("the conversation", async () => {
      chat = await team.chat("ada", undefined, options);
      await chat.live("websocket");
      await chat.open("general");
      await chat.shows("Nothing gets lost, though");
      await assertAccessible(chat.page, `chat, ${look}`);
      await chat.window.picture(`chat-${look}`);
    });

    test("tables, quotes and mentions", async () => {
      await chat.open("trains");
      await chat.shows("Snow on the upper loop");
      await assertAccessible(chat.page, `trains, ${look}`);
      await chat.window.picture(`trains-${look}`);
    });

    test("dialogs and menus", async () => {
      for (const [name, open] of dialogs(chat)) {
        await chat.open("general");
        await open();
        await assertAccessible(chat.page, `${name}, ${look}`);
        await chat.window.picture(`${name.toLowerCase().replace(" ", "-")}-${look}`);
        await chat.closeAll();
      }
    });

    test("the page did not complain", () => chat.window.assertQuiet());
  });
}

/**
 * Every dialog and menu, and the way to it.
 * @param {import("./kit/chat.js").Chat} chat
 * @returns {[string, () => Promise<void>][]}
 */
function dialogs(chat) {
  /** @param {string} item */
  const workspace = (item) => () => chat.workspaceMenu(item);
  return [
    ["switcher", () => chat.openSwitcher()],
    ["search", () => chat.search("the upper station", "Two things before Monday")],
    ["shortcuts", workspace("Keyboard shortcuts")],
    ["people", workspace("People")],
    ["invite", workspace("Invite people")],
    ["workspace", workspace("Rename workspace")],
    ...SETTINGS.map((tab) => /** @type {[string, () => Promise<void>]} */ ([`settings-${tab}`, () => chat.settings(tab)])),
    ["room-menu", () => chat.press("Room menu")],
    ["new-room", () => chat.sidePress("New room")],
    ["browse", () => chat.sidePress("Browse rooms")],
    ["new-message", () => chat.sidePress("New message")],
    ["message-menu", () => chat.messageMenu("Boards are printed")],
    ["members", () => chat.press(/members?, show the list$/)],
  ];
}
