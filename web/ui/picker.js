/*
 * The emoji picker: a search field and a grid.
 *
 * The focus stays in the field; arrow keys move through the grid, as in the completion list.
 */

import { COMMON_REACTIONS, searchEmoji } from "../state/emoji.js";
import { html, LitElement } from "../vendor/lit.js";
import { given } from "./given.js";
import { closeOnPressBeside, showNear } from "./popover.js";

/** @import { Emoji } from "../state/emoji.js" */
/** @import { App, Picker } from "./shape.js" */

const COLUMNS = 8;
const FOUND_MAX = 400;

export class PickerElement extends LitElement {
  /** @override */
  static properties = {
    app: { attribute: false },
    picker: { attribute: false },
    query: { state: true },
    chosen: { state: true },
  };

  /** @type {Picker | null} */
  #shown = null;
  #endWatch = () => {};

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {Picker} */ this.picker = given();
    this.query = "";
    this.chosen = 0;
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @override */
  updated() {
    this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
    if (this.picker === this.#shown) return;
    this.#shown = this.picker;
    const popover = /** @type {HTMLElement} */ (this.querySelector("[popover]"));
    showNear(popover, this.picker.anchor, this.app.ui.narrow);
    this.querySelector("input")?.focus();
  }

  #found() {
    return this.query === "" ? common() : searchEmoji(this.query, FOUND_MAX);
  }

  /** @override */
  firstUpdated() {
    this.#endWatch = closeOnPressBeside(this, () => this.#close());
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.#endWatch();
  }

  #close() {
    const { anchor } = this.picker;
    const inside = this.contains(document.activeElement) || document.activeElement === document.body;
    this.app.set({ picker: null });
    if (inside) anchor.focus({ preventScroll: true });
  }

  /** @param {string} char */
  #choose(char) {
    this.#close();
    this.picker.choose(char);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const found = this.#found();
    const steps = /** @type {Record<string, number>} */ ({
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: COLUMNS,
      ArrowUp: -COLUMNS,
    });
    const step = steps[event.key];
    const emoji = found[this.chosen];
    if (step !== undefined) this.chosen = Math.max(0, Math.min(found.length - 1, this.chosen + step));
    else if (event.key === "Enter" && emoji) this.#choose(emoji.char);
    else if (event.key === "Escape" || event.key === "Tab") this.#close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Event} event */
  #search(event) {
    this.query = /** @type {HTMLInputElement} */ (event.currentTarget).value;
    this.chosen = 0;
  }

  /** @override */
  render() {
    const found = this.#found();
    const active = found.length > 0 ? `emoji-${this.chosen}` : "";
    return html`<div
      class="picker"
      popover="manual"
      role="dialog"
      aria-label="Choose an emoji"
      @keydown=${this.#onKey}
    >
      <input
        class="input"
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="emoji-grid"
        aria-activedescendant=${active}
        aria-label="Search emoji"
        placeholder="Search emoji"
        autocomplete="off"
        @input=${this.#search}
      />
      <div class="picker-grid" role="listbox" id="emoji-grid" aria-label="Emoji">
        ${found.map((emoji, at) => this.#emoji(emoji, at))}
      </div>
      <p class="picker-name" aria-live="polite">
        ${found[this.chosen]?.name.replaceAll("_", " ") ?? "No emoji of this name"}
      </p>
    </div>`;
  }

  /**
   * @param {Emoji} emoji
   * @param {number} at
   */
  #emoji(emoji, at) {
    return html`<div
      role="option"
      class="picker-emoji"
      id="emoji-${at}"
      aria-selected=${at === this.chosen}
      aria-label=${emoji.name.replaceAll("_", " ")}
      @click=${() => this.#choose(emoji.char)}
      @pointermove=${() => (this.chosen = at)}
    >
      ${emoji.char}
    </div>`;
  }
}

/** All, with those that are used most in front. */
function common() {
  const all = searchEmoji("", FOUND_MAX);
  const first = COMMON_REACTIONS.flatMap((char) => all.find((emoji) => emoji.char === char) ?? []);
  return [...first, ...all.filter((emoji) => !COMMON_REACTIONS.includes(emoji.char))];
}

customElements.define("sb-picker", PickerElement);
