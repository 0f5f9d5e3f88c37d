/*
 * A message of one's own while it is being changed, in its place in the timeline.
 */

import { plainError } from "./errors.js";
import { given } from "./given.js";
import { confirmDelete } from "./message-actions.js";
import { focusComposer } from "./focus.js";
import { html, LitElement, nothing } from "../vendor/lit.js";
import "./textbox.js";

/** @import { State } from "../state/shape.js" */
/** @import { Message } from "../types.js" */
/** @import { App } from "./shape.js" */
/** @import { TextBox } from "./textbox.js" */

export class EditElement extends LitElement {
  /** @override */
  static properties = {
    app: { attribute: false },
    state: { attribute: false },
    message: { attribute: false },
    error: { state: true },
    busy: { state: true },
  };

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {State} */ this.state = given();
    /** @type {Message} */ this.message = given();
    /** @type {string | null} */ this.error = null;
    this.busy = false;
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
  async firstUpdated() {
    await this.#box.updateComplete;
    this.#box.setText(this.message.body);
    this.#box.focus();
    this.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.app.set({ editing: null });
    focusComposer();
  }

  async #save() {
    const body = this.#box.text.trimEnd();
    if (this.busy) return;
    if (body === this.message.body) return this.#close();
    if (body.trim() === "") return confirmDelete(this.app, this.message);
    this.busy = true;
    this.error = null;
    try {
      await this.app.actions.edit(this.message.id, body);
      this.#close();
    } catch (error) {
      this.error = plainError(error).text;
    } finally {
      this.busy = false;
    }
  }

  /** @override */
  render() {
    return html`<div class="edit">
      <sb-textbox
        .state=${this.state}
        .room=${this.message.room}
        .label=${"Edit message"}
        .invalid=${this.error !== null}
        .onSubmit=${() => void this.#save()}
        .onCancel=${() => {
          this.#close();
          return true;
        }}
      ></sb-textbox>
      ${this.error === null ? nothing : html`<p class="field-error" role="alert">${this.error}</p>`}
      <p class="edit-actions">
        <button class="button small primary" ?disabled=${this.busy} @click=${this.#save}>Save</button>
        <button class="button small" @click=${this.#close}>Cancel</button>
        <span class="hint">Enter saves, Esc cancels</span>
      </p>
    </div>`;
  }
}

customElements.define("sb-edit", EditElement);
