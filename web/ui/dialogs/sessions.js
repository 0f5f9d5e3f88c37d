/*
 * Where one is signed in, with a way to end each.
 */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { shortTime } from "../time.js";
import { PanelElement } from "./panel.js";

/** @import { SessionInfo } from "../../types.js" */

class SessionsElement extends PanelElement {
  /** @override */
  static properties = { ...PanelElement.properties, sessions: { state: true } };

  constructor() {
    super();
    /** @type {SessionInfo[] | null} */ this.sessions = null;
  }

  /** @override */
  async load() {
    this.sessions = await this.app.actions.listSessions();
  }

  /** @param {SessionInfo} session */
  #end(session) {
    this.attempt(async () => {
      await this.app.actions.endSession(session.id);
      await this.load();
    });
  }

  /** @override */
  render() {
    const sessions = this.sessions;
    return html`<p>
        Browsers that are signed in to your account. One you do not know? End it and change your password.
      </p>
      ${this.errorView()}
      ${
        sessions === null
          ? this.error
            ? nothing
            : html`<p class="hint" role="status">Loading…</p>`
          : html`<ul role="list" class="list">
              ${repeat(
                sessions,
                (one) => one.id,
                (one) => this.#row(one),
              )}
            </ul>`
      }`;
  }

  /** @param {SessionInfo} session */
  #row(session) {
    const label = session.label || "Unknown browser";
    return html`<li class="list-row">
      <div class="list-text">
        <strong>${label}</strong>${session.current ? html` <span class="tag">this one</span>` : nothing}
        <p class="soft">Last used ${shortTime(session.last_used_at)}</p>
      </div>
      ${session.current ? nothing : html`<button class="button small" aria-label="End the session of ${label}" ?disabled=${this.busy} @click=${() => this.#end(session)}>End</button>`}
    </li>`;
  }
}

customElements.define("sb-sessions", SessionsElement);
