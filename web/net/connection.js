// The client behind the page: `createClient()` gives the state, what can be done, and a switch.
//
// It wires the parts and holds no logic of its own: the transport brings frames, the feed turns them
// into state, the others send. Nothing here draws, and nothing that draws talks to the server.

import { Store } from "../state/store.js";
import { Account } from "./account.js";
import { Actions } from "./actions.js";
import { Api } from "./api.js";
import { Commands } from "./commands.js";
import { browserEnv } from "./env.js";
import { Feed } from "./feed.js";
import { HistoryLoader } from "./history.js";
import { openOutboxStore } from "./outbox-store.js";
import { ReadMarks } from "./read-marks.js";
import { Timer } from "./timer.js";
import { uuidMaker } from "./uuid.js";

/** @import { LogEvent } from "../types.js" */
/** @import { Env, OutboxStore, PageEvent } from "./shape.js" */

/** How often typing that has run out is taken off the state. */
const TYPING_CHECK_MS = 1_000;

/** @param {Env} [env] @returns {Client} */
export function createClient(env = browserEnv()) {
  return new Client(env);
}

export class Client {
  store = new Store();
  /** @type {Actions} */
  actions;
  #env;
  #api;
  #commands;
  #feed;
  #history;
  #reads;
  #typing;
  /** @type {Account | null} */
  #account = null;
  /** @type {(account: Account) => void} */
  #known = () => undefined;
  /** @type {(() => void)[]} */
  #ends = [];

  /** @param {Env} env */
  constructor(env) {
    const { store } = this;
    this.#env = env;
    this.#typing = new Timer(env);
    this.#api = new Api(env, () => this.#signedOut("signed_out"));
    const frame = /** @param {string} text */ (text) => this.#account?.transport.send(text) ?? false;
    const unanswered = () => this.#account?.transport.unanswered();
    this.#commands = new Commands(env, frame, (request) => this.#api.command(request), unanswered);
    this.#feed = new Feed(env, store, this.#feeding());
    this.#history = new HistoryLoader(store, this.#api, this.#feed);
    this.#reads = new ReadMarks(env, store, (command) => this.#commands.send(command));
    /** @type {Promise<Account>} */
    const account = new Promise((resolve) => (this.#known = resolve));
    const [api, commands, history, reads] = [this.#api, this.#commands, this.#history, this.#reads];
    this.actions = new Actions({ env, store, api, commands, history, reads, account });
  }

  /** Loads everything and connects. Never throws: how it goes is in the state. */
  start() {
    this.#ends.push(this.store.subscribe(() => this.#look()));
    this.#ends.push(this.#env.listen((event) => this.#page(event)));
    this.#feed.reload();
  }

  stop() {
    for (const end of this.#ends.splice(0)) end();
    this.#typing.clear();
    this.#feed.stop();
    this.#reads.stop();
    this.#account?.stop();
  }

  /** @returns {ConstructorParameters<typeof Feed>[2]} */
  #feeding() {
    return {
      snapshot: () => this.#api.snapshot(),
      loaded: () => this.#loaded(),
      applied: (event) => this.#applied(event),
      foreign: () => this.#signedOut("other_user"),
      overflow: () => this.#account?.overflow(),
      waiting: (delayMs) => {
        if (this.#account) return;
        const phase = this.#env.online() ? "reconnecting" : "offline";
        this.store.dispatch({ type: "status", status: { phase, retryAt: this.#env.now() + delayMs } });
      },
    };
  }

  #loaded() {
    this.#reads.again();
    if (this.#account) this.#account.loaded();
    else void openOutboxStore(this.#env).then((storage) => this.#begin(storage));
  }

  /** @param {OutboxStore} storage The first snapshot has said whose account this is. */
  #begin(storage) {
    const user = this.store.state.me?.id;
    if (this.#account || !user || this.#ends.length === 0) return;
    const tab = uuidMaker(this.#env)();
    const live = () => this.#history.again();
    const account = new Account(this.#env, this.store, this.#feed, this.#commands, storage, { user, tab, live });
    this.#account = account;
    account.start();
    this.#known(account);
  }

  /** @param {LogEvent} event */
  #applied(event) {
    if (event.type !== "message.posted" || event.message.author !== this.store.state.me?.id) return;
    void this.#account?.outbox.drop(event.message.nonce);
  }

  /** The state has changed. */
  #look() {
    this.#reads.look();
    this.#history.look();
    if (Object.keys(this.store.state.typing).length === 0 || this.#typing.pending) return;
    this.#typing.set(TYPING_CHECK_MS, () => {
      this.store.dispatch({ type: "typing.expired", now: this.#env.now() });
    });
  }

  /** @param {PageEvent} event */
  #page(event) {
    if (event === "online" || event === "visible" || event === "pageshow") this.#feed.hurry();
    this.#account?.page(event);
  }

  /** @param {string} reason */
  #signedOut(reason) {
    if (this.#account) return this.#account.signedOut(reason);
    this.store.dispatch({ type: "status", status: { phase: "signed-out", reason, retryAt: null } });
  }
}
