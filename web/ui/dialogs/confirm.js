/*
 * A question before something that cannot be undone, or that others will notice.
 */

import { html } from "../../vendor/lit.js";
import { DialogElement } from "./base.js";

/** @import { Confirm } from "../shape.js" */

class ConfirmElement extends DialogElement {
  /** @override */
  size = "small";

  get #question() {
    return /** @type {Confirm} */ (this.dialog);
  }

  /** @override */
  heading() {
    return this.#question.heading;
  }

  async #run() {
    if (await this.attempt(() => this.#question.run())) this.close();
  }

  /** @override */
  body() {
    const { text, action, danger } = this.#question;
    return html`<div class="dialog-body">
        <p>${text}</p>
        ${this.otherError()}
      </div>
      <footer class="dialog-foot">
        <button class="button" @click=${this.close}>Cancel</button>
        <button
          class="button ${danger ? "danger" : "primary"}"
          data-first
          ?disabled=${this.busy}
          @click=${this.#run}
        >
          ${action}
        </button>
      </footer>`;
  }
}

customElements.define("sb-confirm", ConfirmElement);
