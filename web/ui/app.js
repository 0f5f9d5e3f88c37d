/*
 * The screen as a whole: keeps what only the screen knows, and draws when that or the state changes.
 *
 * Why one draw of everything: Lit compares values and touches only what differs, long lists are
 * guarded by identity, and so no part needs to know which other part changed. The timeline, the
 * text box and the dialogs are elements of their own because they hold things that must outlive a
 * draw: a scroll position, a caret, a half-filled form.
 *
 * Why what comes in waits for a frame: a hundred messages a second are a hundred changes of the state,
 * and nobody sees more than the frames. What the person at the screen does is drawn at once.
 */

import { title, titleCount, unreadTotal } from "../state/selectors.js";
import { render } from "../vendor/lit.js";
import { createAnnouncer } from "./announce.js";
import { plainError } from "./errors.js";
import { createRouter, signInPath } from "./router.js";
import { listenToKeys } from "./shortcuts.js";
import { showFavicon } from "./title.js";
import { appView } from "./view.js";

/** @import { State } from "../state/shape.js" */
/** @import { RoomId } from "../types.js" */
/** @import { App, Client, Dialog, Ui } from "./shape.js" */

/** From this width on, rooms and conversation stand side by side. Also in styles/layout.css. */
const NARROW = "(max-width: 47.99rem)";
const NOTICE_MS = 6_000;
const TICK_MS = 1_000;
/** A draw waits for the browser's next frame, but no longer than this: a hidden page has none. */
const DRAW_MAX_MS = 200;
/** Why the client stopped, where signing in again is the answer. For other reasons the status line says what to do. */
const SIGN_IN_REASONS = new Set([null, "signed_out", "deactivated", "other_user"]);

/**
 * Draws the chat into `root` and starts the client.
 *
 * @param {Client} client
 * @param {HTMLElement} root
 * @returns {App}
 */
export function startApp(client, root) {
  const screen = new Screen(client, root);
  screen.start();
  return screen;
}

/** @implements {App} */
class Screen {
  /** @type {Ui} */
  ui = {
    place: "room",
    narrow: matchMedia(NARROW).matches,
    panel: false,
    editing: null,
    dialogs: [],
    menu: null,
    picker: null,
    notice: null,
    missing: null,
    now: Date.now(),
  };

  #announcer = createAnnouncer();
  /** @type {RoomId | null} the room that was open at the last change */
  #room = null;
  #drawn = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} a draw waits for the next frame */
  #awaited;
  #opened = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noticeTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  /**
   * @param {Client} client
   * @param {HTMLElement} root
   */
  constructor(client, root) {
    this.client = client;
    this.actions = client.actions;
    this.root = root;
    this.assets = document.body.dataset.assets ?? "";
    this.go = createRouter(this);
  }

  start() {
    this.root.classList.remove("booting");
    this.root.replaceChildren();
    this.client.store.subscribe(() => this.#stateChanged());
    matchMedia(NARROW).addEventListener("change", (event) => {
      this.set({ narrow: event.matches });
      if (!event.matches && this.client.store.state.view.room === null) this.go.home();
    });
    listenToKeys(this);
    this.client.start();
    this.#schedule();
  }

  /** @param {Partial<Ui>} change */
  set(change) {
    this.ui = { ...this.ui, ...change };
    this.#schedule();
  }

  /** @param {Dialog} dialog */
  open(dialog) {
    this.set({ dialogs: [...this.ui.dialogs, dialog], menu: null, picker: null });
  }

  closeDialog() {
    this.set({ dialogs: this.ui.dialogs.slice(0, -1) });
  }

  /**
   * @param {Promise<unknown>} action
   * @param {string} [done]
   */
  async run(action, done) {
    try {
      await action;
      if (done) this.notify(done);
      return true;
    } catch (error) {
      this.notify(plainError(error).text, "bad");
      return false;
    }
  }

  /**
   * @param {string} text
   * @param {"info" | "bad"} [tone]
   */
  notify(text, tone = "info") {
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => this.set({ notice: null }), NOTICE_MS);
    this.set({ notice: { text, tone } });
  }

  /** @param {string} text */
  announce(text) {
    this.#announcer.say(text);
  }

  #stateChanged() {
    const state = this.client.store.state;
    if (isSignedOut(state)) {
      location.assign(signInPath(location.pathname));
      return;
    }
    this.#leaveLostRoom(state);
    if (state.phase === "ready" && !this.#opened) {
      this.#opened = true;
      this.go.start();
    }
    this.#announcer.follow(state);
    this.#keepTicking(state);
    this.#drawWithFrame();
  }

  /**
   * The room that is open was left, on another device or because somebody else decided so.
   *
   * @param {State} state
   */
  #leaveLostRoom(state) {
    const before = this.#room;
    const { room } = state.view;
    this.#room = room !== null && state.rooms[room] ? room : null;
    if (before !== null && this.#room === null && this.ui.place === "room" && this.ui.missing === null)
      this.go.home();
  }

  /**
   * Seconds are counted on the screen only while the connection is away or somebody types.
   *
   * @param {State} state
   */
  #keepTicking(state) {
    const needed =
      state.status.phase !== "live" || Object.values(state.typing).some((who) => Object.keys(who).length);
    if (needed && this.#ticking === undefined) {
      this.set({ now: Date.now() });
      this.#ticking = setInterval(() => this.set({ now: Date.now() }), TICK_MS);
    } else if (!needed && this.#ticking !== undefined) {
      clearInterval(this.#ticking);
      this.#ticking = undefined;
    }
  }

  #schedule() {
    if (this.#drawn) return;
    this.#drawn = true;
    queueMicrotask(() => {
      this.#drawn = false;
      this.#draw();
    });
  }

  #drawWithFrame() {
    if (this.#awaited !== undefined) return;
    const draw = () => {
      if (this.#awaited !== undefined) this.#draw();
    };
    this.#awaited = setTimeout(draw, DRAW_MAX_MS);
    requestAnimationFrame(draw);
  }

  #draw() {
    clearTimeout(this.#awaited);
    this.#awaited = undefined;
    const state = this.client.store.state;
    render(appView(this, state), this.root);
    if (state.phase !== "ready") return;
    document.title = title(state);
    showFavicon(this.assets, titleCount(state) > 0 || unreadTotal(state).unread > 0);
  }
}

/** @param {State} state */
function isSignedOut({ status }) {
  return status.phase === "signed-out" && SIGN_IN_REASONS.has(status.reason);
}
