// What belongs to one account in this browser, from its first snapshot on: the connection that its
// tabs share, its unsent messages, its drafts, and whether somebody is at it.

import { formatCursor, parseCursor } from "../state/cursor.js";
import { Activity } from "./activity.js";
import { Drafts } from "./drafts.js";
import { Outbox } from "./outbox.js";
import { Shared } from "./shared.js";
import { Stream } from "./stream.js";
import { Transport } from "./transport.js";

/**
 * @import { Cursor, Frame, PresenceChange, UserId } from "../types.js"
 * @import { Status } from "../state/shape.js"
 * @import { Store } from "../state/store.js"
 * @import { ActivityNews } from "./activity.js"
 * @import { Commands } from "./commands.js"
 * @import { Feed } from "./feed.js"
 * @import { OutboxNews } from "./outbox.js"
 * @import { Env, OutboxStore, PageEvent } from "./shape.js"
 */

/** @typedef {ActivityNews | OutboxNews} News What tabs tell each other besides frames. */

export class Account {
  #store;
  #feed;
  #commands;
  #live;
  #started = false;
  /** @type {Shared<News>} */
  #shared;

  /**
   * @param {Env} env
   * @param {Store} store
   * @param {Feed} feed
   * @param {Commands} commands
   * @param {OutboxStore} storage
   * @param {{ user: UserId, tab: string, live: () => void }} what `live`: told when a connection is.
   */
  constructor(env, store, feed, commands, storage, { user, tab, live }) {
    this.#store = store;
    this.#feed = feed;
    this.#commands = commands;
    this.#live = live;
    this.#shared = new Shared(env, `switchback.${user}`, tab, this.#sharing());
    const send = commands.send.bind(commands);
    /** @param {News} news */
    const tell = (news) => this.#shared.news(news);
    this.drafts = new Drafts(env, store, user);
    this.outbox = new Outbox(env, storage, store, user, send, tell);
    this.activity = new Activity(env, tell, (state) => this.#presence(state));
    this.stream = new Stream((frame, before) => {
      feed.frame(frame);
      this.#shared.frame(frame, before);
    });
    this.transport = new Transport(env, {
      cursor: () => this.stream.cursor,
      frame: (frame) => {
        if (!commands.take(frame)) this.stream.push(frame);
      },
      status: (status) => this.status(status),
      lost: () => commands.lost(),
    });
  }

  start() {
    this.drafts.load();
    void this.outbox.load();
    this.#shared.start();
    this.activity.start();
  }

  stop() {
    this.drafts.flush();
    this.outbox.stop();
    this.activity.stop();
    this.transport.stop();
    this.#shared.stop();
  }

  /** A snapshot is in the state. */
  loaded() {
    if (this.#shared.leading && !this.#started) this.#startTransport();
  }

  /** More came in than could be held while the snapshot was loading. */
  overflow() {
    // A tab that follows notices by the cursor of the next frame, and asks.
    if (!this.#started) return;
    this.stream.restart(this.#store.state.cursor);
    this.transport.reconnect();
  }

  /** @param {string} reason Whoever was signed in is not any more, or not as before. */
  signedOut(reason) {
    this.outbox.stop();
    if (this.#shared.leading) this.transport.halt(reason);
    else this.#show({ phase: "signed-out", reason, retryAt: null });
  }

  /** The user wants it now. */
  reconnect() {
    if (this.#shared.leading) this.transport.reconnect();
    else this.#shared.wake();
    this.outbox.hurry();
  }

  /** @param {PageEvent} event */
  page(event) {
    this.activity.page(event);
    if (event === "hidden" || event === "pagehide") this.drafts.flush();
    if (event === "visible" || event === "pageshow") this.#shared.wake();
    if (event === "online" || event === "network") this.#network();
    if (event === "offline" && this.#shared.leading) this.transport.networkGone();
  }

  #network() {
    if (this.#shared.leading) this.transport.networkChanged();
    else this.#shared.wake();
    this.outbox.hurry();
  }

  /** @returns {ConstructorParameters<typeof Shared<News>>[3]} */
  #sharing() {
    return {
      lead: () => {
        this.outbox.setActive(true);
        if (!this.#feed.loading) this.#startTransport();
      },
      follow: () => {
        this.#started = false;
        this.transport.stop();
        this.outbox.setActive(false);
      },
      wake: () => this.transport.check(),
      cursor: () => (this.#feed.loading ? null : this.#store.state.cursor),
      frame: (frame) => this.#feed.frame(frame),
      status: (status) => this.#show(status),
      missed: () => this.#feed.reload(),
      since: (cursor) => this.#since(cursor),
      current: () => this.#current(),
      news: (news, from) => {
        if (news.kind === "activity") this.activity.hear(news, from);
        else this.outbox.hear(news);
      },
    };
  }

  #startTransport() {
    this.#started = true;
    this.stream.restart(this.#store.state.cursor);
    this.transport.start();
  }

  /** @param {Partial<Status>} status Of the connection that this tab holds. */
  status(status) {
    this.#show(status);
    this.#shared.status(status);
  }

  /** @param {Partial<Status>} status */
  #show(status) {
    const was = this.#store.state.status.phase;
    this.#store.dispatch({ type: "status", status });
    if (status.phase === "signed-out") this.outbox.stop();
    if (status.phase !== "live" || was === "live") return;
    this.outbox.setActive(this.#shared.leading);
    this.outbox.hurry();
    this.activity.again();
    this.#live();
  }

  /** @returns {Partial<Status>} Without what each tab counts for itself. */
  #current() {
    const { waiting: _own, ...status } = this.#store.state.status;
    return status;
  }

  /** @param {Cursor | null} cursor @returns {Frame[] | null} */
  #since(cursor) {
    const events = cursor === null ? null : this.stream.since(cursor);
    const now = this.stream.cursor;
    if (!events || now === null || cursor === null) return null;
    const { epoch, seq } = parseCursor(now);
    const reached = formatCursor(epoch, seq);
    return [...events, { type: "heartbeat", cursor: reached }, { type: "presence", full: true, changes: this.#there() }];
  }

  /** @returns {PresenceChange[]} */
  #there() {
    return Object.entries(this.#store.state.presence).map(([user, state]) => ({ user, state }));
  }

  /** @param {"online" | "away"} state The tab that holds the connection tells the server. */
  #presence(state) {
    if (!this.#shared.leading || this.#store.state.status.phase !== "live") return;
    // Not worth another attempt: the next connection is told again.
    this.#commands.send({ type: "presence", state }).catch(() => undefined);
  }
}
