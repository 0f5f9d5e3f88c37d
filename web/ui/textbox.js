/*
 * A field for Markdown that grows with its text and completes mentions and emoji.
 *
 * Why its own element: writing and editing share it, and it holds what a draw must not touch: the
 * text while it is being typed, and the caret. The list of completions follows the listbox pattern:
 * the focus stays in the field, and `aria-activedescendant` names the chosen item.
 */

import { applyCompletion, completeAt } from "../state/completion.js";
import { html, ifDefined, LitElement, nothing } from "../vendor/lit.js";
import { avatar } from "./avatar.js";
import { given } from "./given.js";

/** @import { Completion, Item } from "../state/completion.js" */
/** @import { State } from "../state/shape.js" */
/** @import { RoomId } from "../types.js" */

/** Taller than this the field scrolls. Also in styles/composer.css. */
const HEIGHT_MAX_PX = 320;

/** Where the style sheet's `field-sizing` does it. */
const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");

let made = 0;

export class TextBox extends LitElement {
  /** @override */
  static properties = {
    state: { attribute: false },
    room: { attribute: false },
    label: { attribute: false },
    fieldId: { attribute: false },
    describedBy: { attribute: false },
    invalid: { attribute: false },
    completion: { state: true },
    chosen: { state: true },
  };

  #listId = `completion-${(made += 1)}`;
  /** The text for which Escape closed the list. */
  #dismissed = "";

  constructor() {
    super();
    /** @type {State} */ this.state = given();
    /** @type {RoomId} */ this.room = "";
    /** @type {string} */ this.label = "";
    /** @type {string | undefined} */ this.fieldId = undefined;
    /** @type {string | undefined} */ this.describedBy = undefined;
    this.invalid = false;
    /** @type {Completion | null} */ this.completion = null;
    this.chosen = 0;
    /** Called with each change of the text. @type {(text: string) => void} */
    this.onText = () => {};
    /** Enter. @type {() => void} */
    this.onSubmit = () => {};
    /** Escape, with nothing to close here. Returns whether it meant something. @type {() => boolean} */
    this.onCancel = () => false;
    /** Arrow up at the beginning. Returns whether it meant something. @type {() => boolean} */
    this.onUp = () => false;
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @returns {HTMLTextAreaElement} */
  get field() {
    return /** @type {HTMLTextAreaElement} */ (this.querySelector("textarea"));
  }

  get text() {
    return this.field.value;
  }

  /**
   * Replaces the text, as a draft or an edit begins.
   *
   * @param {string} text
   * @param {number} [caret]
   */
  setText(text, caret = text.length) {
    this.field.value = text;
    this.field.setSelectionRange(caret, caret);
    this.completion = null;
    this.#grow();
  }

  /**
   * Puts a text at the caret.
   *
   * @param {string} text
   */
  insert(text) {
    const { selectionStart, selectionEnd } = this.field;
    this.field.setRangeText(text, selectionStart, selectionEnd, "end");
    this.#changed();
  }

  /** @override */
  focus() {
    this.field.focus();
  }

  #changed() {
    this.#grow();
    this.onText(this.field.value);
    this.#complete();
  }

  #grow() {
    if (GROWS_BY_ITSELF) return;
    const { field } = this;
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, HEIGHT_MAX_PX)}px`;
  }

  #complete() {
    const { field } = this;
    const caret = field.selectionStart;
    const found = caret === field.selectionEnd ? completeAt(this.state, this.room, field.value, caret) : null;
    this.chosen = 0;
    this.completion = found && field.value !== this.#dismissed ? found : null;
    if (field.value !== this.#dismissed) this.#dismissed = "";
  }

  /** @param {Item} item */
  #choose(item) {
    if (!this.completion) return;
    const { text, caret } = applyCompletion(this.field.value, this.completion, item);
    this.setText(text, caret);
    this.onText(text);
    this.field.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing) return;
    if (this.#completionKey(event) || this.#ownKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** @param {KeyboardEvent} event */
  #completionKey(event) {
    const { completion } = this;
    if (!completion || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return false;
    const count = completion.items.length;
    const item = completion.items[this.chosen];
    if (event.key === "ArrowDown") this.chosen = (this.chosen + 1) % count;
    else if (event.key === "ArrowUp") this.chosen = (this.chosen + count - 1) % count;
    else if (event.key === "Enter" && this.#isTyped(completion, item)) return false;
    else if ((event.key === "Enter" || event.key === "Tab") && item) this.#choose(item);
    else if (event.key === "Escape") {
      this.#dismissed = this.field.value;
      this.completion = null;
    } else return false;
    return true;
  }

  /**
   * Whether the item stands in the field already, to its last letter: then Enter means "send".
   *
   * @param {Completion} completion
   * @param {Item | undefined} item
   */
  #isTyped({ from, to }, item) {
    return this.field.value.slice(from, to) === item?.insert;
  }

  /** @param {KeyboardEvent} event */
  #ownKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    if (event.key === "Enter" && !event.shiftKey) {
      this.onSubmit();
      return true;
    }
    if (event.key === "Escape") return this.onCancel();
    if (event.key === "ArrowUp" && this.field.value === "") return this.onUp();
    return false;
  }

  /** The caret has moved without a change of the text. */
  #caretMoved() {
    if (this.completion) this.#complete();
  }

  /** @override */
  render() {
    const { completion } = this;
    const active = completion ? `${this.#listId}-${this.chosen}` : undefined;
    return html`${completion ? this.#list(completion) : nothing}
      <textarea
        id=${ifDefined(this.fieldId)}
        rows="1"
        aria-label=${this.label}
        placeholder=${this.label}
        aria-autocomplete="list"
        aria-controls=${completion ? this.#listId : nothing}
        aria-activedescendant=${ifDefined(active)}
        aria-describedby=${ifDefined(this.describedBy)}
        aria-invalid=${this.invalid}
        enterkeyhint="send"
        autocapitalize="sentences"
        @input=${this.#changed}
        @keydown=${this.#onKey}
        @click=${this.#caretMoved}
        @blur=${() => (this.completion = null)}
      ></textarea>`;
  }

  /** @param {Completion} completion */
  #list(completion) {
    const name = completion.kind === "mention" ? "People" : "Emoji";
    return html`<ul class="completion" role="listbox" id=${this.#listId} aria-label=${name}>
      ${completion.items.map((item, at) => this.#item(item, at))}
    </ul>`;
  }

  /**
   * @param {Item} item
   * @param {number} at
   */
  #item(item, at) {
    /** @param {Event} event keeps the focus in the field */
    const keep = (event) => event.preventDefault();
    const sign = item.user
      ? avatar(item.user, "small")
      : html`<span class="completion-sign">${item.emoji ?? "@"}</span>`;
    return html`<li
      role="option"
      id="${this.#listId}-${at}"
      aria-selected=${at === this.chosen}
      @mousedown=${keep}
      @click=${() => this.#choose(item)}
      @pointermove=${() => (this.chosen = at)}
    >
      ${sign}<span class="completion-label">${item.label}</span><span class="soft">${item.detail}</span>
    </li>`;
  }
}

customElements.define("sb-textbox", TextBox);
