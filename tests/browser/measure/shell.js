/*
 * What a browser loads that has never been here: sizes as they come over the wire, and whether each
 * part may be kept for ever.
 */
import { Window } from "../kit/browser.js";
import { Chat } from "../kit/chat.js";

const FOR_EVER = "public, max-age=31536000, immutable";
const HASHED = /^\/assets\/[0-9a-f]{16}\//;
const SHELL = ["Document", "Script", "Stylesheet"];

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {(chat: Chat) => Promise<void>} enter signs in and opens a room
 */
export async function shell(browser, url, enter) {
  const window = await Window.open(browser, url);
  try {
    const chat = new Chat(window);
    await enter(chat);
    // Signed in, and yet without anything of ours in the cache: as after an update.
    const session = await window.context.newCDPSession(window.page);
    await session.send("Network.enable");
    await session.send("Network.clearBrowserCache");
    const loaded = await listen(session, async () => {
      await window.page.reload();
      await chat.live("websocket");
    });
    return summary(loaded.filter(({ type }) => SHELL.includes(type)));
  } finally {
    await window.close();
  }
}

/** @typedef {{ type: string, url: string, headers: Record<string, string>, status: number, headBytes: number, bytes: number, fromCache: boolean }} Loaded */

/**
 * @param {import("playwright-core").CDPSession} session
 * @param {() => Promise<void>} doing
 * @returns {Promise<Loaded[]>}
 */
async function listen(session, doing) {
  /** @type {Map<string, Loaded>} */
  const all = new Map();
  session.on("Network.responseReceived", ({ requestId, type, response }) => {
    const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), value]));
    const { url, status, encodedDataLength: headBytes, fromDiskCache: fromCache = false } = response;
    all.set(requestId, { type, url, headers, status, headBytes, bytes: 0, fromCache });
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const one = all.get(requestId);
    if (one) one.bytes = encodedDataLength - one.headBytes;
  });
  await doing();
  return [...all.values()];
}

/** @param {Loaded[]} parts */
function summary(parts) {
  if (parts.some(({ status, fromCache }) => status !== 200 || fromCache)) throw new Error("the shell did not come whole over the wire");
  const sum = (/** @type {Loaded[]} */ of, /** @type {"bytes" | "headBytes"} */ what) => of.reduce((all, one) => all + one[what], 0);
  const kinds = SHELL.map((type) => {
    const of = parts.filter((part) => part.type === type);
    return { type, count: of.length, bytes: sum(of, "bytes"), head_bytes: sum(of, "headBytes") };
  });
  const static_ = parts.filter(({ type }) => type !== "Document");
  const kept = static_.filter(({ url, headers }) => HASHED.test(new URL(url).pathname) && headers["cache-control"] === FOR_EVER);
  return {
    kinds,
    bytes: sum(parts, "bytes"),
    head_bytes: sum(parts, "headBytes"),
    static_files: static_.length,
    not_kept_for_ever: static_.length - kept.length,
    largest: parts.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5).map(({ url, bytes }) => `${new URL(url).pathname.replace(HASHED, "")} ${bytes}`),
  };
}
