/*
 * The quick switcher: a few letters, Enter, and one is there.
 */

import { quickSwitch } from "../../state/fuzzy.js";
import { html, nothing, repeat } from "../../vendor/lit.js";
import { avatar, presenceDot } from "../avatar.js";
import { icon } from "../icons.js";
import { DialogElement } from "./base.js";

/** @typedef {ReturnType<typeof quickSwitch>[number]} Found */

class SwitcherElement extends DialogElement {
  /** @override */
  static properties = { ...DialogElement.properties, query: { state: true }, chosen: { state: true } };

  /** @override */
  size = "top";

  constructor() {
    super();
    this.query = "";
    this.chosen = 0;
  }

  /** @override */
  heading() {
    return "Jump to";
  }

  /** @override */
  updated() {
    this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  /** A person whose conversation is found already is not offered twice. */
  #found() {
    const found = quickSwitch(this.state, this.query);
    const me = this.state.me?.id;
    const met = new Set(found.map((item) => peerOf(this.state.rooms[item.id]?.members, me)));
    return found.filter((item) => item.kind === "room" || !met.has(item.id));
  }

  /** @param {Found} found */
  async #go(found) {
    this.close();
    if (found.kind === "room") this.app.go.room(found.id);
    else
      await this.app.run(this.app.actions.openDirect([found.id]).then((room) => this.app.go.room(room.id)));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const found = this.#found();
    const item = found[this.chosen];
    if (event.key === "ArrowDown") this.chosen = (this.chosen + 1) % Math.max(1, found.length);
    else if (event.key === "ArrowUp")
      this.chosen = (this.chosen + found.length - 1) % Math.max(1, found.length);
    else if (event.key === "Enter" && item) this.#go(item);
    else return;
    event.preventDefault();
  }

  /** @param {InputEvent} event */
  #search(event) {
    this.query = /** @type {HTMLInputElement} */ (event.currentTarget).value;
    this.chosen = 0;
  }

  /** @override */
  body() {
    const found = this.#found();
    return html`<div class="switcher">
      <input
        class="input"
        type="text"
        role="combobox"
        aria-label="Room or person"
        aria-expanded="true"
        aria-controls="switcher-list"
        aria-activedescendant=${found.length > 0 ? `switch-${this.chosen}` : nothing}
        placeholder="Room or person"
        autocomplete="off"
        spellcheck="false"
        data-first
        @input=${this.#search}
        @keydown=${this.#onKey}
      />
      <ul class="options" role="listbox" id="switcher-list" aria-label="Rooms and people">
        ${repeat(
          found,
          (item) => `${item.kind}.${item.id}`,
          (item, at) => this.#item(item, at),
        )}
      </ul>
      ${found.length === 0 ? html`<p class="nothing" role="status">Nothing of this name.</p>` : nothing}
    </div>`;
  }

  /**
   * @param {Found} item
   * @param {number} at
   */
  #item(item, at) {
    return html`<li
      role="option"
      id="switch-${at}"
      class="option ${item.unread > 0 ? "unread" : ""}"
      aria-selected=${at === this.chosen}
      @click=${() => this.#go(item)}
      @pointermove=${() => (this.chosen = at)}
    >
      ${this.#sign(item)}<span class="option-label">${item.label}</span
      ><span class="soft">${item.detail}</span>
      ${item.unread > 0 ? html`<span class="badge">${item.unread}<span class="visually-hidden"> unread</span></span>` : nothing}
    </li>`;
  }

  /** @param {Found} item */
  #sign(item) {
    const room = this.state.rooms[item.id];
    const user =
      item.kind === "user"
        ? this.state.users[item.id]
        : this.state.users[peerOf(room?.members, this.state.me?.id)];
    if (user)
      return html`<span class="with-presence"
        >${avatar(user, "small")}${presenceDot(item.presence, false)}</span
      >`;
    return html`<span class="option-sign"
      >${icon(room?.kind === "private" ? "lock" : room?.kind === "direct" ? "people" : "hash")}</span
    >`;
  }
}

/**
 * The other one of a conversation of two.
 *
 * @param {string[] | undefined} members
 * @param {string | undefined} me
 */
function peerOf(members, me) {
  const others = (members ?? []).filter((id) => id !== me);
  return others.length === 1 ? (others[0] ?? "") : "";
}

customElements.define("sb-switcher", SwitcherElement);
