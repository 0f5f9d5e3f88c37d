/*
 * A furnished start for a test: a server with three accounts, a browser, and windows for people who
 * are signed in. Whatever was started is ended by one `remove`.
 */
import { Api } from "./api.js";
import { Window, launch } from "./browser.js";
import { Chat } from "./chat.js";
import { Proxy } from "./proxy.js";
import { Server } from "./server.js";

export const PASSWORD = "correct horse battery";
const PEOPLE = [
  { handle: "ada", name: "Ada Lovelace", role: "owner" },
  { handle: "bob", name: "Bob Kahn", role: "member" },
  { handle: "cy", name: "Cy Tan", role: "member" },
];

/** A certificate that nobody signed: a person would click through the warning. */
const TRUST_ANYBODY = ["--ignore-certificate-errors"];

/** A server, its people, and who looks at it. */
export class Team {
  /** @param {Server} server @param {import("playwright-core").Browser} browser */
  constructor(server, browser) {
    this.server = server;
    this.browser = browser;
    /** @type {{remove?: () => Promise<void>, close?: () => Promise<void>}[]} */
    this.opened = [];
  }

  /**
   * @param {Record<string, string>} [environment] of the browser
   * @param {{tls?: boolean}} [options] of the server
   */
  static async start(environment, options) {
    const server = await Server.start(options);
    try {
      for (const person of PEOPLE) server.createUser({ ...person, password: PASSWORD });
      return new Team(server, await launch(environment, options?.tls ? TRUST_ANYBODY : []));
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** A script's way in, with a token of its own. @param {string} handle */
  api(handle) {
    return new Api(this.server.url, this.server.createToken(handle));
  }

  /** @param {import("./proxy.js").Fault} fault */
  async proxy(fault) {
    const proxy = await Proxy.start(fault, this.server.port);
    this.opened.push(proxy);
    return proxy;
  }

  /**
   * A window that shows the sign-in page.
   * @param {string} [url] @param {import("playwright-core").BrowserContextOptions} [options]
   */
  async window(url = this.server.url, options = {}) {
    const window = await Window.open(this.browser, url, options);
    this.opened.push(window);
    return window;
  }

  /**
   * A window with somebody signed in; the page is open, not necessarily live.
   * @param {string} handle @param {string} [url]
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  async chat(handle, url, options) {
    const chat = new Chat(await this.window(url, options));
    await chat.signIn(handle, PASSWORD);
    return chat;
  }

  async remove() {
    for (const thing of this.opened.reverse()) await (thing.remove?.() ?? thing.close?.());
    await this.browser.close();
    await this.server.remove();
  }
}
