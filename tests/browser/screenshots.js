/*
 * The README's pictures: a furnished workspace, seen by Ada, in light, dark and on a phone.
 * `cargo xtask screenshots` runs this after the page has changed its face.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DESKTOP, PHONE } from "./kit/browser.js";
import { furnish } from "./kit/furnish.js";
import { Team } from "./kit/team.js";

const IMAGES = join(import.meta.dirname, "../../docs/images");
/** Sharp on the screens that read READMEs. */
const SCALE = 2;

/** So slowly that it is told once more: that happens every 3 s at most. */
const TYPING_MS = 5_000;
const TALL = { ...DESKTOP, height: 880 };

/** @type {[string, import("playwright-core").BrowserContextOptions][]} */
const PICTURES = [
  ["light", { colorScheme: "light", viewport: TALL }],
  ["dark", { colorScheme: "dark", viewport: TALL }],
  ["phone", { colorScheme: "light", viewport: PHONE, hasTouch: true, isMobile: true }],
];

/** It is nine in the morning in the pictures, whenever they are taken. */
const MORNING = { locale: "en-GB", timezoneId: zoneAtHour(9) };

mkdirSync(IMAGES, { recursive: true });
const team = await Team.start({ FONTCONFIG_FILE: join(import.meta.dirname, "kit/fonts.conf") });
try {
  await furnish({ ada: team.api("ada"), bob: team.api("bob"), cy: team.api("cy") });
  const bob = await team.chat("bob");
  await bob.live("websocket");
  await bob.open("general");
  for (const [name, options] of PICTURES) {
    const chat = await team.chat("ada", undefined, { ...options, ...MORNING, deviceScaleFactor: SCALE });
    await chat.live("websocket");
    await chat.open("general");
    await chat.shows("Nothing gets lost, though");
    await bob.type("Sounds like a plan", TYPING_MS / 18);
    await chat.showsTyping("Bob", TYPING_MS);
    await chat.page.mouse.move(640, 2);
    const path = join(IMAGES, `${name}.png`);
    await chat.page.screenshot({ path, animations: "disabled", caret: "initial" });
    console.log(path);
    await bob.type("");
    await chat.window.close();
  }
} finally {
  await team.remove();
}

/** A time zone in which it is this hour now. @param {number} hour */
function zoneAtHour(hour) {
  const east = (hour - new Date().getUTCHours() + 24) % 24;
  const offset = east > 12 ? east - 24 : east;
  // POSIX counts west as positive.
  return `Etc/GMT${offset > 0 ? "-" : "+"}${Math.abs(offset)}`;
}
