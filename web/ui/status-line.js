/*
 * The quiet line that says which way in is in use and what the connection is doing.
 *
 * Why always there: a network that blocks something should be a fact one can read, not a riddle. It
 * is polite to screen readers and silent while it counts seconds; the announcer has already said
 * that the connection is lost.
 */

import { statusLine as line } from "../state/status.js";
import { html, nothing } from "../vendor/lit.js";

/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

/**
 * @param {App} app
 * @param {State} state
 */
export function statusLine(app, state) {
  const { phase, transport } = state.status;
  const { text, tone } = line(state, app.ui.now);
  const away = phase === "reconnecting" || phase === "offline";
  return html`<div
    class="status-line ${tone}"
    role="status"
    aria-live=${away ? "off" : "polite"}
    data-testid="connection-status"
    data-phase=${phase}
    data-transport=${transport ?? "none"}
  >
    <span class="status-dot" aria-hidden="true"></span>
    <span class="status-text">${text}</span>
    ${away ? html`<button class="link-button" @click=${() => app.actions.reconnect()}>Retry now</button>` : nothing}
  </div>`;
}
