/*
 * The web client's half of tests/hostile: one Chromium, a window behind each network. The other half
 * starts the networks and says in lines of JSON what to do next; what the windows went through is
 * answered when all is over.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Window, launch } from "./kit/browser.js";
import { Chat } from "./kit/chat.js";
import { until } from "./kit/wait.js";

/** A page through the worst of them while others are loading theirs. */
const LIVE_MS = 60_000;
const LIVE = '[data-testid="connection-status"][data-phase="live"]';
/** People who come at once; more would measure the machine, not the network. */
const ARRIVING = 3;
/** Large enough to show rooms and messages side by side, small enough to draw cheaply. */
const SMALL = { width: 1024, height: 480 };
/** When all is said, everything has come within this time. */
const SETTLES_MS = 60_000;

/** @typedef {{ url: string, proxy: string | null, handle: string, room: string }} Behind */
/** @typedef {{ seen: Record<string, number>, helloMs: number | null }} Watched */

/** In the page, before anything else: notes the first hello and when each message was first shown. */
function watch() {
  /** @type {Watched} */
  const watched = { seen: {}, helloMs: null };
  Object.assign(globalThis, { hostile: watched });
  const look = () => {
    if (document.querySelector('[data-testid="connection-status"][data-phase="live"]')) {
      watched.helloMs ??= performance.now();
    }
    for (const body of document.querySelectorAll("article[data-state] .body")) {
      watched.seen[body.textContent?.trim() ?? ""] ??= Date.now();
    }
  };
  const everything = { childList: true, subtree: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(document, everything);
}

/**
 * The sign-in page is not what is measured here, and every page costs a loaded machine seconds.
 * @param {Behind} behind @param {string} password
 */
async function signIn({ url, handle }, password) {
  const headers = { "content-type": "application/json", origin: url };
  const answer = await fetch(`${url}/api/v1/session`, { method: "POST", headers, body: JSON.stringify({ handle, password }) });
  const cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  if (!answer.ok || !cookie) throw new Error(`${handle} could not sign in: ${answer.status}`);
  const [name, value] = cookie.split("=");
  return { name, value, url, httpOnly: true };
}

/** Somebody behind one network. */
class Visitor {
  talking = false;
  /** @type {string[]} */
  said = [];
  /** @type {string[]} */
  transports = [];
  /** @type {[number, number][]} */
  talks = [];
  /** @type {string[]} */
  unwanted = [];
  /** @type {Promise<void>} */
  #talk = Promise.resolve();

  /** @param {Chat} chat @param {Behind} behind */
  constructor(chat, behind) {
    this.chat = chat;
    this.behind = behind;
  }

  /** @param {import("playwright-core").Browser} browser @param {Behind} behind @param {string} password */
  static async arrive(browser, behind, password) {
    // Chromium asks no proxy for this machine unless it is told to.
    const proxy = behind.proxy ? { server: behind.proxy, bypass: "<-loopback>" } : undefined;
    const window = await Window.open(browser, behind.url, { proxy, viewport: SMALL, reducedMotion: "reduce" });
    const failed = (/** @type {unknown} */ error) => {
      throw new Error(`${behind.handle}, ${behind.url} by ${behind.proxy}: ${error}`);
    };
    return this.#enter(window, behind, password).catch(failed);
  }

  /** @param {Window} window @param {Behind} behind @param {string} password */
  static async #enter(window, behind, password) {
    window.expectBrokenNetwork();
    window.context.setDefaultTimeout(LIVE_MS);
    await window.context.addInitScript(watch);
    const chat = new Chat(window);
    await window.context.addCookies([await signIn(behind, password)]);
    await chat.page.goto("/");
    await chat.page.locator(LIVE).waitFor({ timeout: LIVE_MS });
    await chat.open(behind.room);
    return new Visitor(chat, behind);
  }

  /** @param {number} number @param {number} paceMs */
  begin(number, paceMs) {
    this.talking = true;
    const from = Date.now();
    const talk = async () => {
      for (let n = 0; this.talking; n += 1) {
        const text = `${this.behind.handle} ${number}.${n}`;
        this.said.push(text);
        await this.chat.box.fill(text);
        await this.chat.box.press("Enter");
        await sleep(paceMs);
      }
    };
    this.#talk = talk().catch((error) => void this.unwanted.push(`could not go on: ${error}`));
    return from;
  }

  /** @param {number} from @param {number} to */
  async hush(from, to) {
    await this.#talk;
    this.talks.push([from, to]);
    this.transports.push(await this.#transport());
  }

  /** The way it is live on; a network that cuts may have it between two connections just now. */
  async #transport() {
    return (await this.chat.page.locator(LIVE).getAttribute("data-transport")) ?? "none";
  }

  /** @param {string} partner @param {number} count */
  async #settle(partner, count) {
    const come = async () => {
      const rows = await this.chat.rows();
      return rows.every(({ state }) => state !== "pending") && rows.filter(({ text }) => text.startsWith(partner)).length >= count;
    };
    await until("everything has come", SETTLES_MS, come).catch((error) => void this.unwanted.push(String(error)));
  }

  /** @param {string} partner @param {number} count */
  async finish(partner, count) {
    await this.#settle(partner, count);
    this.transports.push(await this.#transport());
    const rows = await this.chat.rows();
    /** @type {Watched} */
    const watched = await this.chat.page.evaluate(() => Reflect.get(globalThis, "hostile"));
    const sent = new Set(rows.filter(({ state }) => state !== "pending" && state !== "failed").map(({ text }) => text));
    await this.chat.window.close();
    return {
      hello_ms: Math.round(watched.helloMs ?? 0),
      transports: this.transports,
      acked: this.said.filter((text) => sent.has(text)),
      unacked: this.said.filter((text) => !sent.has(text)),
      heard: rows.filter(({ text }) => sent.has(text)).map(({ text }) => [watched.seen[text] ?? 0, text]),
      talks: this.talks,
      unwanted: [...this.unwanted, ...this.chat.window.complaints],
    };
  }
}

/** @type {import("playwright-core").Browser | null} */
let browser = null;
/** @type {Visitor[]} */
let visitors = [];
let [partner, paceMs, talks, from] = ["", 0, 0, 0];

/** @type {Record<string, (asked: any) => Promise<object>>} */
const DEEDS = {
  async begin(asked) {
    ({ partner, pace_ms: paceMs } = asked);
    const chromium = await launch();
    browser = chromium;
    const waiting = [...asked.windows.entries()];
    const admit = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [n, behind] = next;
        visitors[n] = await Visitor.arrive(chromium, behind, asked.password);
      }
    };
    await Promise.all(Array.from({ length: ARRIVING }, admit));
    return {};
  },
  async talk() {
    talks += 1;
    from = Date.now();
    for (const visitor of visitors) visitor.begin(talks, paceMs);
    return {};
  },
  async hush() {
    const to = Date.now();
    for (const visitor of visitors) visitor.talking = false;
    await Promise.all(visitors.map((visitor) => visitor.hush(from, to)));
    return {};
  },
  async finish(asked) {
    const records = await Promise.all(visitors.map((visitor, n) => visitor.finish(partner, asked.partners[n])));
    return { records };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const done = await DEEDS[asked.do](asked);
  process.stdout.write(`${JSON.stringify({ done: asked.do, ...done })}\n`);
}
await browser?.close();
