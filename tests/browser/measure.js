/*
 * The page under load, measured by Chromium's own tracing. `cargo xtask bench browser` starts the
 * server, fills a room and runs this with what it must know, as JSON, in one argument; the figures
 * are the last line of what this prints, as JSON.
 */
import { Window, launch } from "./kit/browser.js";
import { Chat } from "./kit/chat.js";
import { reload } from "./measure/reload.js";
import { scroll } from "./measure/scroll.js";
import { shell } from "./measure/shell.js";
import { typing } from "./measure/typing.js";
import { Voices } from "./measure/voices.js";

/**
 * @typedef {object} Task
 * @property {string} url
 * @property {string} room
 * @property {string} handle
 * @property {string} password
 * @property {string[]} tokens of those who write
 * @property {number} reloads
 * @property {number} scrolled messages
 * @property {number} page messages in one page of history
 * @property {number} per_s messages that come in
 * @property {number} typed_ms
 */

/** @type {Task} */
const task = JSON.parse(process.argv[2] ?? "");
const browser = await launch();
try {
  const figures = {
    browser: browser.version(),
    shell: await shell(browser, task.url, enter),
    ...(await inTheRoom()),
  };
  console.log(JSON.stringify(figures));
} finally {
  await browser.close();
}

async function inTheRoom() {
  const window = await Window.open(browser, task.url);
  const chat = new Chat(window);
  const voices = new Voices(task);
  try {
    await enter(chat);
    const reloads = await reload(chat, task.reloads);
    const typed = await typing(chat, voices, { perS: task.per_s, lastingMs: task.typed_ms });
    const scrolled = await scroll(chat, task.scrolled, task.page);
    window.assertQuiet();
    return { reloads, typed, scrolled };
  } finally {
    voices.end();
    await window.close();
  }
}

/** Signs in and opens the room. @param {Chat} chat */
async function enter(chat) {
  await chat.signIn(task.handle, task.password);
  await chat.live("websocket");
  await chat.page.goto(`/room/${task.room}`);
  await chat.live("websocket");
  await chat.log.getByRole("article").first().waitFor();
}
