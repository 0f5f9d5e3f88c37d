/*
 * One's own settings: name, look, password, where one is signed in, and tokens for programs.
 *
 * Follows the tabs pattern: arrow keys move between the tabs, and each panel is reached by Tab.
 */

import { html, nothing } from "../../vendor/lit.js";
import { letLettersAct, lettersAct } from "../shortcuts.js";
import { chooseTheme, chosenTheme } from "../theme.js";
import { DialogElement, fieldView, values } from "./base.js";
import "./sessions.js";
import "./tokens.js";

/** @import { SettingsTab } from "../shape.js" */
/** @import { Theme } from "../theme.js" */

const NAME_CHARS = 80;
const PASSWORD_MIN_CHARS = 8;

/** @type {[SettingsTab, string][]} */
const TABS = [
  ["profile", "Profile"],
  ["look", "Appearance"],
  ["password", "Password"],
  ["sessions", "Sessions"],
  ["tokens", "API tokens"],
];

/** @type {[Theme, string][]} */
const THEMES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

class SettingsElement extends DialogElement {
  /** @override */
  static properties = { ...DialogElement.properties, tab: { state: true }, done: { state: true } };

  /** @override */
  size = "wide";

  constructor() {
    super();
    /** @type {SettingsTab} */ this.tab = "profile";
    /** @type {string | null} what was just saved */ this.done = null;
  }

  /** @override */
  heading() {
    return "Settings";
  }

  /** @override */
  firstUpdated() {
    super.firstUpdated();
    if (this.dialog.kind === "settings" && this.dialog.tab) this.tab = this.dialog.tab;
  }

  /** @param {SettingsTab} tab */
  #show(tab) {
    this.tab = tab;
    this.error = null;
    this.done = null;
  }

  /** @param {KeyboardEvent} event */
  async #onTabKey(event) {
    const step =
      event.key === "ArrowRight" || event.key === "ArrowDown"
        ? 1
        : event.key === "ArrowLeft" || event.key === "ArrowUp"
          ? -1
          : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = TABS.findIndex(([tab]) => tab === this.tab);
    const next = TABS[(at + step + TABS.length) % TABS.length];
    if (next) this.#show(next[0]);
    await this.updateComplete;
    /** @type {HTMLElement | null} */ (this.querySelector('[role="tab"][aria-selected="true"]'))?.focus();
  }

  /** @override */
  body() {
    return html`<div class="settings">
      <div class="tabs" role="tablist" aria-label="Settings" @keydown=${this.#onTabKey}>
        ${TABS.map(
          ([tab, label]) =>
            html`<button
              role="tab"
              id="tab-${tab}"
              aria-controls="settings-panel"
              aria-selected=${tab === this.tab}
              tabindex=${tab === this.tab ? 0 : -1}
              ?data-first=${tab === this.tab}
              @click=${() => this.#show(tab)}
            >
              ${label}
            </button>`,
        )}
      </div>
      <div
        class="tab-panel"
        role="tabpanel"
        id="settings-panel"
        aria-labelledby="tab-${this.tab}"
        tabindex="0"
      >
        ${this.#panel()} ${this.done ? html`<p class="done" role="status">${this.done}</p>` : nothing}
      </div>
    </div>`;
  }

  #panel() {
    switch (this.tab) {
      case "profile":
        return this.#profile();
      case "look":
        return this.#look();
      case "password":
        return this.#password();
      case "sessions":
        return html`<sb-sessions .app=${this.app}></sb-sessions>`;
      case "tokens":
        return html`<sb-tokens .app=${this.app}></sb-tokens>`;
    }
  }

  /** @param {Event} event */
  async #saveName(event) {
    const name = values(event)("name");
    this.done = null;
    if (await this.attempt(() => this.app.actions.updateMe({ name }))) this.done = "Saved.";
  }

  #profile() {
    return html`<form @submit=${this.#saveName}>
      ${fieldView({
        id: "my-name",
        label: "Name",
        input: html`<input
          id="my-name"
          name="name"
          .defaultValue=${this.state.me?.name ?? ""}
          required
          maxlength=${NAME_CHARS}
          autocomplete="name"
          aria-describedby="my-name-note"
          aria-invalid=${this.errorOf("name") !== null}
        />`,
        hint: `Others mention you as @${this.state.me?.handle}. The handle stays as it is.`,
        error: this.errorOf("name"),
      })}
      ${this.otherError("name")}
      <button class="button primary" ?disabled=${this.busy}>Save</button>
    </form>`;
  }

  #look() {
    const chosen = chosenTheme();
    return html`<fieldset class="choices">
        <legend>Theme</legend>
        ${THEMES.map(
          ([theme, label]) =>
            html`<label
              ><input
                type="radio"
                name="theme"
                value=${theme}
                ?checked=${theme === chosen}
                @change=${() => chooseTheme(theme)}
              /><span>${label}</span></label
            >`,
        )}
      </fieldset>
      <fieldset class="choices">
        <legend>Keyboard</legend>
        <label>
          <input
            type="checkbox"
            ?checked=${lettersAct()}
            @change=${/** @param {Event} event */ (event) => letLettersAct(/** @type {HTMLInputElement} */ (event.currentTarget).checked)}
          />
          <span
            >Single keys act on messages<span class="hint"
              >R replies, E edits, + reacts, ? shows the shortcuts. Switch it off if you write by
              speaking.</span
            ></span
          >
        </label>
      </fieldset>
      <p class="hint">Kept in this browser.</p>`;
  }

  /** @param {SubmitEvent} event */
  async #savePassword(event) {
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    event.preventDefault();
    const data = new FormData(form);
    this.done = null;
    const saved = await this.attempt(() =>
      this.app.actions.changePassword(String(data.get("current")), String(data.get("new"))),
    );
    if (!saved) return;
    form.reset();
    this.done = "Changed. Your other sessions were ended.";
  }

  #password() {
    return html`<form @submit=${this.#savePassword}>
      <input
        class="visually-hidden"
        tabindex="-1"
        aria-hidden="true"
        autocomplete="username"
        .value=${this.state.me?.handle ?? ""}
        readonly
      />
      ${fieldView({
        id: "password-current",
        label: "Current password",
        input: html`<input
          id="password-current"
          name="current"
          type="password"
          required
          autocomplete="current-password"
          aria-describedby="password-current-note"
          aria-invalid=${this.errorOf("current") !== null}
        />`,
        error: this.errorOf("current"),
      })}
      ${fieldView({
        id: "password-new",
        label: "New password",
        input: html`<input
          id="password-new"
          name="new"
          type="password"
          required
          minlength=${PASSWORD_MIN_CHARS}
          autocomplete="new-password"
          aria-describedby="password-new-note"
          aria-invalid=${this.errorOf("new") !== null}
        />`,
        hint: "At least 8 characters. You stay signed in here and are signed out everywhere else.",
        error: this.errorOf("new"),
      })}
      ${this.otherError("current", "new")}
      <button class="button primary" ?disabled=${this.busy}>Change password</button>
    </form>`;
  }
}

customElements.define("sb-settings", SettingsElement);
