/*
 * Tokens with which programs act in one's name. The secret is shown once, when it is made.
 */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { copyText } from "../clipboard.js";
import { icon } from "../icons.js";
import { shortTime } from "../time.js";
import { values } from "./base.js";
import { selectAll } from "./invite.js";
import { PanelElement } from "./panel.js";

/** @import { TokenInfo } from "../../types.js" */

const LABEL_CHARS = 80;

class TokensElement extends PanelElement {
  /** @override */
  static properties = { ...PanelElement.properties, tokens: { state: true }, secret: { state: true } };

  constructor() {
    super();
    /** @type {TokenInfo[] | null} */ this.tokens = null;
    /** @type {string | null} */ this.secret = null;
  }

  /** @override */
  async load() {
    this.tokens = await this.app.actions.listTokens();
  }

  /** @param {Event} event */
  #make(event) {
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const label = values(event)("label");
    this.attempt(async () => {
      const { token } = await this.app.actions.createToken(label);
      this.secret = token;
      form.reset();
      await this.load();
    });
  }

  /** @param {TokenInfo} token */
  #delete(token) {
    this.app.open({
      kind: "confirm",
      heading: `Delete “${token.label}”?`,
      text: "Programs that use it are locked out at once.",
      action: "Delete",
      danger: true,
      run: async () => {
        await this.app.actions.deleteToken(token.id);
        await this.load();
      },
    });
  }

  /** @override */
  render() {
    const { tokens } = this;
    return html`<p>A token lets a program do what you can do, over the same interface as this page.</p>
      <form class="token-form" @submit=${this.#make}>
        <div class="field">
          <label for="token-label">What is it for?</label>
          <input
            id="token-label"
            name="label"
            required
            maxlength=${LABEL_CHARS}
            autocomplete="off"
            placeholder="Build server"
          />
        </div>
        <button class="button primary" ?disabled=${this.busy}>Create token</button>
      </form>
      ${this.errorView()} ${this.secret === null ? nothing : this.#secretView(this.secret)}
      ${
        tokens && tokens.length > 0
          ? html`<ul role="list" class="list">
              ${repeat(
                tokens,
                (one) => one.id,
                (one) => this.#row(one),
              )}
            </ul>`
          : nothing
      }`;
  }

  /** @param {string} secret */
  #secretView(secret) {
    return html`<div class="secret">
      <label for="token-secret">Your new token</label>
      <div class="secret-line">
        <input id="token-secret" class="input" readonly .value=${secret} @focus=${selectAll} />
        <button class="button primary" @click=${() => copyText(this.app, secret, "Token copied.")}>
          ${icon("copy")} Copy
        </button>
      </div>
      <p class="hint">Copy it now: it is shown only this once.</p>
    </div>`;
  }

  /** @param {TokenInfo} token */
  #row(token) {
    const used = token.last_used_at === null ? "never used" : `last used ${shortTime(token.last_used_at)}`;
    return html`<li class="list-row">
      <div class="list-text">
        <strong>${token.label}</strong>
        <p class="soft">Made ${shortTime(token.created_at)}, ${used}</p>
      </div>
      <button
        class="button small"
        aria-label="Delete the token ${token.label}"
        @click=${() => this.#delete(token)}
      >
        Delete
      </button>
    </li>`;
  }
}

customElements.define("sb-tokens", TokensElement);
