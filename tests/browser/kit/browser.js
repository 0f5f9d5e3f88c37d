/*
 * Debian's Chromium, and windows that write down what they complain about.
 *
 * A window is a browser context of its own: its own cookies, storage and network, as a second
 * person has them. Every console error, uncaught exception and violation of the content security
 * policy is kept; a test ends by asking that there was none. Only what a browser itself reports of
 * a network that the test broke is let through, and only from then on.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const OUTPUT = join(import.meta.dirname, "../output");
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Two windows are both looked at, though only one is in front.
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];
/** What Chromium writes by itself when the network fails. Nothing a page does can keep it quiet. */
const NETWORK_NOISE = [
  /^Failed to load resource: net::ERR_/,
  /^Failed to load resource: the server responded with a status of (408|50\d)/,
  /^WebSocket connection to '.*' failed/,
];

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
/** What a person waits for at most before something is wrong; single checks ask for much less. */
const PATIENCE_MS = 15_000;

/**
 * Starts the browser; one per test file.
 * @param {Record<string, string>} [environment]
 * @param {string[]} [flags]
 */
export function launch(environment = {}, flags = []) {
  const executablePath = PLACES.find(existsSync);
  if (!executablePath) throw new Error("Chromium is missing: apt-get install --no-install-recommends chromium");
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags], env: { ...process.env, ...environment } });
}

/** One person's window. */
export class Window {
  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {import("playwright-core").Page} page
   * @param {boolean} touch whether fingers point, and no mouse
   */
  constructor(context, page, touch) {
    this.context = context;
    this.page = page;
    this.touch = touch;
    /** @type {string[]} */
    this.complaints = [];
    this.brokenNetwork = false;
    page.on("console", (message) => {
      if (message.type() === "error" || /content security policy/i.test(message.text())) this.#complain(message.text());
    });
    page.on("pageerror", (error) => this.#complain(`uncaught: ${error.stack ?? error}`));
  }

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} url where the person believes the server to be
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async open(browser, url, options = {}) {
    const context = await browser.newContext({ baseURL: url, viewport: DESKTOP, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    return new Window(context, await context.newPage(), options.hasTouch ?? false);
  }

  /** Another tab: the same cookies and storage. It complains for itself. */
  async otherTab() {
    const tab = new Window(this.context, await this.context.newPage(), this.touch);
    tab.brokenNetwork = this.brokenNetwork;
    return tab;
  }

  /** From here on the network is meant to fail. */
  expectBrokenNetwork() {
    this.brokenNetwork = true;
  }

  /** Fails if the page complained. */
  assertQuiet() {
    assert.deepEqual(this.complaints, [], `complaints of ${this.page.url()}`);
  }

  /** A picture for people, into tests/browser/output. @param {string} name */
  async picture(name) {
    mkdirSync(OUTPUT, { recursive: true });
    await this.page.screenshot({ path: join(OUTPUT, `${name}.png`), animations: "disabled" });
  }

  async close() {
    await this.context.close();
  }

  /** @param {string} text */
  #complain(text) {
    if (this.brokenNetwork && NETWORK_NOISE.some((known) => known.test(text))) return;
    this.complaints.push(text);
  }
}
