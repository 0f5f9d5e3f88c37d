/*
 * A part of a dialog that loads a list of its own and shows refusals in its place.
 */

import { html, LitElement, nothing } from "../../vendor/lit.js";
import { plainError } from "../errors.js";
import { given } from "../given.js";

/** @import { App, View } from "../shape.js" */

export class PanelElement extends LitElement {
  /** @override */
  static properties = { app: { attribute: false }, error: { state: true }, busy: { state: true } };

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {string | null} */ this.error = null;
    this.busy = false;
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  /** @override */
  firstUpdated() {
    this.attempt(() => this.load());
  }

  /** @returns {Promise<void>} */
  async load() {}

  /** @param {() => Promise<unknown>} action */
  async attempt(action) {
    this.busy = true;
    this.error = null;
    try {
      await action();
    } catch (error) {
      this.error = plainError(error).text;
    } finally {
      this.busy = false;
    }
  }

  /** @returns {View} */
  errorView() {
    return this.error === null ? nothing : html`<p class="form-error" role="alert">${this.error}</p>`;
  }
}
