/*
 * The timeline of the room that is open: what it shows of the rows, and where it is scrolled to.
 *
 * Why the care about scrolling: text that moves under the reader's eyes is the worst thing a chat can
 * do. So each draw remembers the first row in sight and its place, and puts it back there, whatever
 * came in above, below, or changed its height. Only a timeline that stands at its end follows it.
 * The document holds a window of the rows (timeline-window.js). The log itself is silent to screen
 * readers; see announce.js.
 */

import { canPost, roomName } from "../state/selectors.js";
import { timelineRows } from "../state/rows.js";
import { html, LitElement, nothing, repeat } from "../vendor/lit.js";
import { isAway } from "./focus.js";
import { given } from "./given.js";
import { icon } from "./icons.js";
import { beginning } from "./beginning.js";
import { rowView } from "./message.js";
import { onTimelineKey } from "./timeline-keys.js";
import { listenToTouch } from "./timeline-touch.js";
import { around, moved, STEP_ROWS, windowOf } from "./timeline-window.js";

/** @import { Row } from "../state/rows.js" */
/** @import { State } from "../state/shape.js" */
/** @import { MessageId, RoomId } from "../types.js" */
/** @import { App, Ui } from "./shape.js" */

/** Closer than this to the end counts as at the end. */
const END_PX = 48;
/** Closer than this to an edge of the window, more is brought in. */
const EDGE_PX = 900;
/** How far below the top the unread line is put when a room is opened. */
const UNREAD_TOP_PX = 72;
const HIGHLIGHT_MS = 2_600;
const COUNT_MAX = 99;

/** @typedef {{ key: string, top: number }} Anchor */

export class TimelineElement extends LitElement {
  /** @override */
  static properties = { app: { attribute: false }, state: { attribute: false }, ui: { attribute: false } };

  /** @type {Row[]} */
  #rows = [];
  #range = { start: 0, end: 0 };
  /** @type {string | null} the window's first row; `null`: the window is the last one */
  #top = null;
  /** At the end, and following it. */
  #atEnd = true;
  /** Where it stood when it was last looked at. */
  #seenTop = 0;
  #seenHeight = 0;
  /** Has its first position in this room. */
  #placed = false;
  /** @type {MessageId | null} the message that was asked for and is shown already */
  #jumpedTo = null;
  /** @type {RoomId | null} */
  #room = null;
  /** @type {string | null} the row that the keyboard is on */
  #active = null;
  /** @type {string | null} the row that the pointer is on */
  #pointed = null;
  /** @type {string | null} the row just jumped to */
  #lit = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #litTimer;
  #lastKey = "";
  #reading = false;
  #resized = new ResizeObserver(() => this.#keepEnd());

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {State} */ this.state = given();
    /** @type {Ui} */ this.ui = given();
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @override */
  connectedCallback() {
    super.connectedCallback();
    for (const type of ["focus", "blur"]) addEventListener(type, this.#reportReading);
    document.addEventListener("visibilitychange", this.#reportReading);
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    for (const type of ["focus", "blur"]) removeEventListener(type, this.#reportReading);
    document.removeEventListener("visibilitychange", this.#reportReading);
    this.#resized.disconnect();
    this.#setReading(false);
  }

  /**
   * Each key in the message box changes the state (the draft), and nothing here.
   *
   * @override
   * @param {import("../vendor/lit.js").PropertyValues} changed
   */
  shouldUpdate(changed) {
    const before = /** @type {State | undefined} */ (changed.get("state"));
    return changed.size !== 1 || before === undefined || !sameForTimeline(before, this.state);
  }

  /** @override */
  willUpdate() {
    const { room } = this.state.view;
    if (room === null) return;
    if (room !== this.#room) this.#enter(room);
    else this.#noteScroll();
    this.#rows = timelineRows(this.state, room);
    this.#chooseWindow();
    this.#range = windowOf(this.#rows, this.#top);
  }

  /** The reader may have scrolled, and the browser not have told yet. */
  #noteScroll() {
    if (!this.#placed || Math.abs(this.#scroller().scrollTop - this.#seenTop) < 1) return;
    this.#seenTop = this.#scroller().scrollTop;
    this.#atEnd = this.#isAtEnd();
    if (!this.#atEnd) this.#top ??= this.#rows[this.#range.start]?.key ?? null;
  }

  /** @param {RoomId} room */
  #enter(room) {
    this.#room = room;
    this.#top = null;
    this.#atEnd = true;
    this.#placed = false;
    this.#active = null;
    this.#pointed = null;
    this.#lit = null;
    this.#lastKey = "";
  }

  /** Puts the window where a jump, the unread line, or one's own new message wants it. */
  #chooseWindow() {
    const wanted = this.#wantedIndex();
    if (wanted >= 0) {
      this.#top = around(this.#rows, wanted);
      this.#atEnd = false;
    }
    const last = this.#rows.at(-1);
    if (last && last.key !== this.#lastKey && last.kind === "pending" && this.#placed) {
      this.#top = null;
      this.#atEnd = true;
    }
    this.#lastKey = last?.key ?? "";
    if (this.#atEnd) this.#top = null;
  }

  /** The row to go to, or -1. */
  #wantedIndex() {
    const { focus } = this.state.view;
    if (focus !== null)
      return this.#rows.findIndex((row) => row.kind === "message" && row.message.id === focus);
    if (this.#placed || !this.#loaded()) return -1;
    return this.#rows.findIndex((row) => row.kind === "unread");
  }

  #loaded() {
    const timeline = this.#timeline();
    return timeline !== undefined && timeline.loading !== "initial";
  }

  #timeline() {
    return this.#room === null ? undefined : this.state.timelines[this.#room];
  }

  /**
   * @override
   * @param {import("../vendor/lit.js").PropertyValues} changed
   */
  update(changed) {
    const anchor = this.#placed ? this.#anchor() : null;
    super.update(changed);
    this.#place(anchor);
    this.#reportReading();
    requestAnimationFrame(() => this.#fetchAtEdges());
  }

  /** @override */
  firstUpdated() {
    this.#resized.observe(this.#scroller());
    const list = this.querySelector(".rows");
    if (list) this.#resized.observe(list);
    listenToTouch(this.#scroller(), this.app, (id) => this.#message(id));
  }

  #scroller() {
    return /** @type {HTMLElement} */ (this.querySelector(".timeline"));
  }

  /** @param {string} key */
  #element(key) {
    return /** @type {HTMLElement | null} */ (this.querySelector(`[data-key="${CSS.escape(key)}"]`));
  }

  /** @param {string} id */
  #message(id) {
    return this.#timeline()?.messages.find((message) => message.id === id);
  }

  /**
   * The first message in sight, and where it is. Lines between messages are no hold: when older ones
   * come in, the unread line goes up with them.
   *
   * @returns {Anchor | null}
   */
  #anchor() {
    const scroller = this.#scroller();
    const edge = scroller.getBoundingClientRect().top;
    for (const row of scroller.querySelectorAll("article[data-key]")) {
      const box = row.getBoundingClientRect();
      if (box.bottom > edge) return { key: row.getAttribute("data-key") ?? "", top: box.top };
    }
    return null;
  }

  /**
   * After a draw: jumps, stays at the end, or stays where it was.
   *
   * @param {Anchor | null} anchor
   */
  #place(anchor) {
    if (this.#jump()) return;
    if (!this.#placed) this.#placeFirst();
    else if (this.#atEnd) this.#toEnd();
    else if (anchor) {
      const row = this.#element(anchor.key);
      if (row) this.#scroller().scrollTop += row.getBoundingClientRect().top - anchor.top;
    }
    this.#note();
  }

  /** Goes to the message that was asked for, if it is there. */
  #jump() {
    const { focus } = this.state.view;
    if (focus === null) this.#jumpedTo = null;
    const row =
      focus === null
        ? undefined
        : this.#rows.find((one) => one.kind === "message" && one.message.id === focus);
    // What was asked for is there until the next frame is drawn: it is not gone to twice.
    if (!row || focus === this.#jumpedTo) return false;
    this.#jumpedTo = focus;
    this.#placed = true;
    this.#active = row.key;
    this.#light(row.key);
    const element = this.#element(row.key);
    element?.scrollIntoView({ block: "center" });
    element?.focus({ preventScroll: true });
    this.app.actions.clearFocus();
    this.#measure();
    return true;
  }

  /** @param {string} key */
  #light(key) {
    clearTimeout(this.#litTimer);
    this.#lit = key;
    this.#litTimer = setTimeout(() => {
      this.#lit = null;
      this.requestUpdate();
    }, HIGHLIGHT_MS);
    queueMicrotask(() => this.requestUpdate());
  }

  /** The position in which a room is opened: at the unread line, or at the end. */
  #placeFirst() {
    if (!this.#loaded()) return;
    this.#placed = true;
    const line = this.querySelector(".unread-line");
    const scroller = this.#scroller();
    if (line)
      scroller.scrollTop +=
        line.getBoundingClientRect().top - scroller.getBoundingClientRect().top - UNREAD_TOP_PX;
    else this.#toEnd();
    this.#measure();
  }

  #toEnd() {
    const scroller = this.#scroller();
    scroller.scrollTop = scroller.scrollHeight;
    this.#note();
  }

  #note() {
    const { scrollTop, scrollHeight } = this.#scroller();
    this.#seenTop = scrollTop;
    this.#seenHeight = scrollHeight;
  }

  #keepEnd() {
    if (this.#atEnd && this.#placed) this.#toEnd();
    else this.#measure();
  }

  /** Looks where the timeline stands, after the reader or a draw has moved it. */
  #measure() {
    const atEnd = this.#isAtEnd();
    this.#note();
    if (!atEnd && this.#top === null) this.#top = this.#rows[this.#range.start]?.key ?? null;
    if (atEnd !== this.#atEnd) {
      this.#atEnd = atEnd;
      this.requestUpdate();
    }
    this.#reportReading();
  }

  #isAtEnd() {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller();
    const rest = scrollHeight - clientHeight - scrollTop;
    return rest < END_PX && this.#range.end === this.#rows.length && this.#timeline()?.hasAfter !== true;
  }

  #onScroll() {
    if (!this.#placed) return;
    // A row has grown (a field opened in it) and the focus scrolled to it: not the reader's doing.
    if (this.#atEnd && this.#scroller().scrollHeight !== this.#seenHeight) this.#toEnd();
    this.#measure();
    this.#fetchAtEdges();
  }

  /** Brings in more where an edge of what is in the document comes near. */
  #fetchAtEdges() {
    const timeline = this.#timeline();
    if (!timeline || !this.#placed || this.#room === null || !this.isConnected) return;
    const scroller = this.#scroller();
    const rest = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    const { start, end } = this.#range;
    if (scroller.scrollTop < EDGE_PX && start > 0) this.#move(-STEP_ROWS);
    else if (rest < EDGE_PX && end < this.#rows.length) this.#move(STEP_ROWS);
    else if (timeline.loading === null && timeline.error === null) {
      if (scroller.scrollTop < EDGE_PX && timeline.hasBefore) this.app.actions.loadOlder(this.#room);
      else if (rest < EDGE_PX && timeline.hasAfter) this.app.actions.loadNewer(this.#room);
    }
  }

  /** @param {number} by */
  #move(by) {
    this.#top = moved(this.#rows, this.#range.start, by);
    this.#atEnd = false;
    this.requestUpdate();
  }

  #reportReading = () => {
    const inSight = this.ui.place === "room" || !this.ui.narrow;
    const covered = this.ui.dialogs.length > 0 || (this.ui.narrow && this.ui.panel);
    this.#setReading(this.#placed && this.#atEnd && inSight && !covered && !isAway());
  };

  /** @param {boolean} reading */
  #setReading(reading) {
    if (reading === this.#reading && reading === this.state.view.reading) return;
    this.#reading = reading;
    queueMicrotask(() => this.app.actions.setReading(this.#reading));
  }

  /** @param {PointerEvent} event */
  #onPointerOver(event) {
    const key = rowKey(event);
    if (key === null || key === this.#pointed) return;
    this.#pointed = key;
    this.requestUpdate();
  }

  /** @param {FocusEvent} event */
  #onFocusIn(event) {
    const key = rowKey(event);
    if (key === null || key === this.#active) return;
    this.#active = key;
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    onTimelineKey(this.app, event, (id) => this.#message(id));
  }

  #toLatest() {
    if (this.#room === null) return;
    // The address of one old message would lead back to it at the next load.
    history.replaceState(null, "", `/room/${this.#room}`);
    this.app.run(this.app.actions.jumpToLatest(this.#room));
    this.#top = null;
    this.#atEnd = true;
    this.requestUpdate();
  }

  /** @override */
  render() {
    const room = this.#room === null ? undefined : this.state.rooms[this.#room];
    if (!room) return nothing;
    const rows = this.#rows.slice(this.#range.start, this.#range.end);
    return html`<div
        class="timeline"
        role="log"
        aria-live="off"
        aria-label="Messages in ${roomName(this.state, room)}"
        aria-busy=${!this.#loaded()}
        @scroll=${this.#onScroll}
        @focusin=${this.#onFocusIn}
        @pointerover=${this.#onPointerOver}
        @keydown=${this.#onKey}
      >
        <div class="rows">
          ${this.#upperEnd()}
          ${repeat(
            rows,
            (row) => row.key,
            (row) => this.#rowView(row),
          )}
          ${this.#lowerEnd()}
        </div>
      </div>
      ${this.#jumpButton(room.unread)}`;
  }

  /** @param {Row} row */
  #rowView(row) {
    const active = row.key === this.#activeKey();
    const editing = row.kind === "message" && row.message.id === this.ui.editing;
    const near = row.key === this.#pointed || row.key === this.#active;
    const post = this.#room !== null && canPost(this.state, this.#room);
    const lit = row.key === this.#lit;
    return rowView(this.app, this.state, row, { active, near, editing, lit, canPost: post });
  }

  /** The one row that Tab reaches: the one that had the focus, or the last. */
  #activeKey() {
    if (this.#active !== null && this.#rows.some((row) => row.key === this.#active)) return this.#active;
    return this.#rows.at(-1)?.key ?? null;
  }

  /** What stands above the first row. */
  #upperEnd() {
    const timeline = this.#timeline();
    if (timeline?.error) return this.#errorView(timeline.error);
    if (!timeline || timeline.loading === "initial")
      return html`<div class="skeleton" aria-hidden="true"></div>`;
    if (timeline.hasBefore || this.#range.start > 0)
      return html`<p class="edge">Loading earlier messages…</p>`;
    return beginning(this.app, this.state, this.#room ?? "");
  }

  /** @param {string} error */
  #errorView(error) {
    return html`<p class="edge bad" role="alert">
      The messages could not be loaded: ${error}
      <button class="link-button" @click=${this.#retry}>Try again</button>
    </p>`;
  }

  /** Loads again what could not be loaded. */
  #retry() {
    const room = this.#room;
    if (room === null) return;
    if (this.#rows.length > 0) {
      this.app.actions.loadOlder(room);
      this.app.actions.loadNewer(room);
      return;
    }
    this.app.actions.closeRoom();
    this.app.go.room(room);
  }

  #lowerEnd() {
    const timeline = this.#timeline();
    if (!timeline?.hasAfter || timeline.loading === "initial") return nothing;
    if (timeline.error) return this.#errorView(timeline.error);
    return html`<p class="edge">Loading later messages…</p>`;
  }

  /** @param {number} unread */
  #jumpButton(unread) {
    if (this.#atEnd || !this.#loaded()) return nothing;
    const count = unread > COUNT_MAX ? `${COUNT_MAX}+` : unread;
    return html`<div class="jump-place">
      <button class="jump-latest" @click=${this.#toLatest}>
        ${icon("down")}<span>Jump to latest</span>
        ${unread > 0 ? html`<span class="badge">${count}<span class="visually-hidden"> new</span></span>` : nothing}
      </button>
    </div>`;
  }
}

/**
 * @param {Event} event
 * @returns {string | null} of the row in which it happened
 */
function rowKey(event) {
  const row = event.target instanceof Element ? event.target.closest("article") : null;
  return row?.getAttribute("data-key") ?? null;
}

/**
 * @param {State} a
 * @param {State} b
 */
function sameForTimeline(a, b) {
  const room = b.view.room ?? "";
  const parts = /** @type {const} */ (["view", "users", "me"]);
  const byRoom = /** @type {const} */ (["rooms", "timelines", "pending"]);
  return (
    parts.every((part) => a[part] === b[part]) && byRoom.every((part) => a[part][room] === b[part][room])
  );
}

customElements.define("sb-timeline", TimelineElement);
