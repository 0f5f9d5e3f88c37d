/*
 * The place to write in a room.
 *
 * Why the text is not drawn from the state at each key: the state holds it as the room's draft, which
 * is put into the field once, when the room is opened. Sending never fails here: the outbox keeps
 * what the network or the server does not take, and the timeline shows it.
 */

import { replaceShortcodes } from "../state/emoji.js";
import { lastOwnMessage, messageById, roomName, typingUsers } from "../state/selectors.js";
import { html, LitElement, nothing } from "../vendor/lit.js";
import { excerpt } from "./excerpt.js";
import { focusComposer } from "./focus.js";
import { given } from "./given.js";
import { icon } from "./icons.js";
import { joinNames } from "./reactions.js";
import "./textbox.js";

/** @import { State } from "../state/shape.js" */
/** @import { RoomId, RoomView } from "../types.js" */
/** @import { App, Ui } from "./shape.js" */
/** @import { TextBox } from "./textbox.js" */

/** As the server counts; see `limits::MESSAGE_BODY_BYTES` of core. */
const BODY_BYTES_MAX = 16_000;
/** From here on the field says how much is left. */
const BODY_BYTES_HINT = 14_000;
const TYPING_NAMES_MAX = 3;

const encoder = new TextEncoder();

export class ComposerElement extends LitElement {
  /** @override */
  static properties = {
    app: { attribute: false },
    state: { attribute: false },
    ui: { attribute: false },
    bytes: { state: true },
  };

  /** @type {RoomId | null} the room whose draft is in the field */
  #room = null;

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {State} */ this.state = given();
    /** @type {Ui} */ this.ui = given();
    this.bytes = 0;
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @returns {TextBox} */
  get #box() {
    return /** @type {TextBox} */ (this.querySelector("sb-textbox"));
  }

  /** @override */
  async updated() {
    const { room } = this.state.view;
    if (room === null || room === this.#room) return;
    this.#room = room;
    await this.#box.updateComplete;
    const draft = this.state.drafts[room]?.body ?? "";
    this.#box.setText(draft);
    this.bytes = encoder.encode(draft).length;
    if (!this.ui.narrow && this.ui.dialogs.length === 0 && this.state.view.focus === null && !inTimeline())
      focusComposer();
  }

  #text(/** @type {string} */ text) {
    const room = this.#room;
    if (room === null) return;
    this.bytes = text.length > BODY_BYTES_HINT / 4 ? encoder.encode(text).length : 0;
    this.app.actions.setDraft(room, text, this.#replyTo());
    if (text.trim() !== "") this.app.actions.typing(room);
  }

  #replyTo() {
    return (this.#room === null ? null : this.state.drafts[this.#room]?.reply_to) ?? null;
  }

  #send() {
    const room = this.#room;
    const body = replaceShortcodes(this.#box.text).trimEnd();
    if (room === null || body.trim() === "" || encoder.encode(body).length > BODY_BYTES_MAX) return;
    const replyTo = this.#replyTo();
    this.#box.setText("");
    this.bytes = 0;
    this.app.actions.setDraft(room, "", null);
    this.app.actions.post(room, body, replyTo ?? undefined);
    this.#box.focus();
  }

  /** Escape takes back the reply; without one it is not ours. */
  #cancel() {
    if (this.#replyTo() === null) return false;
    this.#endReply();
    return true;
  }

  #endReply() {
    if (this.#room !== null) this.app.actions.setDraft(this.#room, this.#box.text, null);
    this.#box.focus();
  }

  #editLast() {
    const last = this.#room === null ? null : lastOwnMessage(this.state, this.#room);
    if (!last) return false;
    this.app.set({ editing: last.id });
    return true;
  }

  /** @param {MouseEvent} event */
  #pickEmoji(event) {
    const anchor = /** @type {HTMLElement} */ (event.currentTarget);
    this.app.set({
      picker: {
        anchor,
        choose: (char) => {
          this.#box.insert(char);
          this.#box.focus();
        },
      },
    });
  }

  /** @override */
  render() {
    const room = this.state.view.room === null ? undefined : this.state.rooms[this.state.view.room];
    if (!room) return nothing;
    const over = this.bytes > BODY_BYTES_MAX;
    return html`<div class="composer">
      ${this.#replyBar()}
      <div class="composer-box">
        <sb-textbox
          .state=${this.state}
          .room=${room.id}
          .label=${labelOf(this.state, room)}
          .fieldId=${"message-box"}
          .describedBy=${"composer-hint"}
          .invalid=${over}
          .onText=${(/** @type {string} */ text) => this.#text(text)}
          .onSubmit=${() => this.#send()}
          .onCancel=${() => this.#cancel()}
          .onUp=${() => this.#editLast()}
        ></sb-textbox>
        <button class="icon-button" aria-label="Emoji" title="Emoji" @click=${this.#pickEmoji}>
          ${icon("emoji")}
        </button>
        <button
          class="icon-button send"
          aria-label="Send"
          title="Send (Enter)"
          ?disabled=${over}
          @click=${this.#send}
        >
          ${icon("send")}
        </button>
      </div>
      <div class="composer-foot">
        <p class="typing" aria-hidden=${this.#typing(room) === ""}>${this.#typing(room)}</p>
        ${this.#hint(over)}
      </div>
    </div>`;
  }

  #replyBar() {
    const id =
      this.state.view.room === null ? null : (this.state.drafts[this.state.view.room]?.reply_to ?? null);
    const message = id === null ? null : messageById(this.state, id);
    if (id === null) return nothing;
    const author = message ? (this.state.users[message.author]?.name ?? "somebody") : "a message";
    return html`<div class="reply-bar">
      ${icon("reply")}
      <span class="reply-to"
        >Reply to <strong>${author}</strong> <span class="soft">${excerpt(message?.body ?? "")}</span></span
      >
      <button class="icon-button" aria-label="Cancel reply" title="Cancel (Esc)" @click=${this.#endReply}>
        ${icon("close")}
      </button>
    </div>`;
  }

  /** @param {RoomView} room */
  #typing(room) {
    const users = typingUsers(this.state, room.id, this.ui.now);
    if (users.length === 0) return "";
    if (users.length > TYPING_NAMES_MAX) return "Several people are typing…";
    return `${joinNames(users.map((user) => user.name))} ${users.length === 1 ? "is" : "are"} typing…`;
  }

  /** @param {boolean} over */
  #hint(over) {
    if (over) {
      return html`<p class="composer-hint bad" id="composer-hint" role="alert">
        Too long by ${this.bytes - BODY_BYTES_MAX} characters. Send it in parts.
      </p>`;
    }
    if (this.bytes > BODY_BYTES_HINT) {
      return html`<p class="composer-hint" id="composer-hint">
        ${BODY_BYTES_MAX - this.bytes} characters left
      </p>`;
    }
    return html`<p class="composer-hint markdown" id="composer-hint">
      <strong>**bold**</strong> <em>*italic*</em> <code>\`code\`</code> <span>&gt; quote</span>
      <span>- list</span>
    </p>`;
  }
}

/**
 * @param {State} state
 * @param {RoomView} room
 */
function labelOf(state, room) {
  return `Message ${room.kind === "direct" ? "" : "#"}${roomName(state, room)}`;
}

/** Whether the keyboard is on a message, from where it must not be taken. */
function inTimeline() {
  return document.activeElement?.closest("sb-timeline") !== null && document.activeElement !== null;
}

customElements.define("sb-composer", ComposerElement);
