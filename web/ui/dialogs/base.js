/*
 * What all dialogs share: the native `<dialog>`, a heading, closing, and how a refusal is shown.
 *
 * Why native: the browser keeps the focus inside, makes what lies behind inert, closes on Escape and
 * gives the focus back. A dialog is told to close by the app's list of open dialogs; when the browser
 * closes it (Escape), it takes itself off that list.
 */

import { html, LitElement, nothing } from "../../vendor/lit.js";
import { plainError } from "../errors.js";
import { focusComposer } from "../focus.js";
import { given } from "../given.js";
import { icon } from "../icons.js";

/** @import { State } from "../../state/shape.js" */
/** @import { RoomId } from "../../types.js" */
/** @import { App, Dialog, View } from "../shape.js" */
/** @import { PlainError } from "../errors.js" */

let made = 0;

export class DialogElement extends LitElement {
  /** @override */
  static properties = {
    app: { attribute: false },
    state: { attribute: false },
    dialog: { attribute: false },
    busy: { state: true },
    error: { state: true },
  };

  /** A class of the style sheet: `small`, `wide`, `top`. */
  size = "";
  /** @type {RoomId | null} */
  #openedIn = null;
  #id = `dialog-${(made += 1)}`;

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {State} */ this.state = given();
    /** @type {Dialog} */ this.dialog = given();
    this.busy = false;
    /** @type {PlainError | null} */ this.error = null;
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @override */
  firstUpdated() {
    this.#openedIn = this.state.view.room;
    this.#dialog.showModal();
    /** @type {HTMLElement | null} */ (this.querySelector("[data-first]"))?.focus();
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (this.querySelector("dialog"));
  }

  close() {
    this.#dialog.close();
  }

  #closed() {
    const { dialogs, narrow } = this.app.ui;
    if (dialogs.includes(this.dialog))
      this.app.set({ dialogs: dialogs.filter((one) => one !== this.dialog) });
    // The dialog has led to another room: what was focused before is of the old one.
    if (!narrow && this.app.client.store.state.view.room !== this.#openedIn) focusComposer();
  }

  /**
   * Waits for an action; a refusal is kept for the form to show.
   *
   * @param {() => Promise<unknown>} action
   * @returns {Promise<boolean>} whether it succeeded
   */
  async attempt(action) {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await action();
      return true;
    } catch (error) {
      this.error = plainError(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /**
   * The refusal that concerns one field.
   *
   * @param {string} field
   */
  errorOf(field) {
    return this.error?.field === field ? this.error.text : null;
  }

  /**
   * The refusal that concerns none of these fields.
   *
   * @param {string[]} fields
   * @returns {View}
   */
  otherError(...fields) {
    if (!this.error || (this.error.field !== null && fields.includes(this.error.field))) return nothing;
    return html`<p class="form-error" role="alert">${this.error.text}</p>`;
  }

  /** @returns {string} */
  heading() {
    return "";
  }

  /** @returns {View} */
  body() {
    return nothing;
  }

  /**
   * A click beside the dialog closes it, unless something was typed.
   *
   * @param {MouseEvent} event
   */
  #clicked(event) {
    if (event.target === this.#dialog && !this.isFilled()) this.close();
  }

  /** Whether closing would lose what was typed. */
  isFilled() {
    return false;
  }

  /** @override */
  render() {
    return html`<dialog
      class="dialog ${this.size}"
      aria-labelledby=${this.#id}
      @close=${this.#closed}
      @mousedown=${this.#clicked}
    >
      <div class="dialog-frame">
        <header class="dialog-head">
          <h2 id=${this.#id}>${this.heading()}</h2>
          <button class="icon-button" aria-label="Close" @click=${this.close}>${icon("close")}</button>
        </header>
        ${this.body()}
      </div>
    </dialog>`;
  }
}

/**
 * A field with its label, its hint and its error.
 *
 * @param {object} parts
 * @param {string} parts.id
 * @param {string} parts.label
 * @param {View} parts.input gets `id`, and `aria-describedby` of `<id>-note`
 * @param {View | string} [parts.hint]
 * @param {string | null} [parts.error]
 */
export function fieldView({ id, label, input, hint, error }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${input}
    <div id="${id}-note">
      ${hint ? html`<p class="hint">${hint}</p>` : nothing}
      ${error ? html`<p class="field-error" role="alert">${error}</p>` : nothing}
    </div>
  </div>`;
}

/**
 * What a form's fields hold.
 *
 * @param {Event} event of the form
 */
export function values(event) {
  event.preventDefault();
  const data = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  return (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
}
