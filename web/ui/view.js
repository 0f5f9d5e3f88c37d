/*
 * The frame: side bar, room, members, status line, and what lies on top of them.
 *
 * Why one frame for wide windows and phones: which of the two screens a phone shows is an attribute
 * (`data-place`), and the style sheet does the rest, so that nothing is drawn twice.
 */

import { roomName } from "../state/selectors.js";
import { html, nothing } from "../vendor/lit.js";
import { dialogsView } from "./dialogs/all.js";
import { focusComposer } from "./focus.js";
import { icon, mark } from "./icons.js";
import { memberPanel } from "./member-panel.js";
import "./menu.js";
import "./picker.js";
import { roomView } from "./room.js";
import { sideBar } from "./sidebar.js";
import { statusLine } from "./status-line.js";

/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

/**
 * @param {App} app
 * @param {State} state
 */
export function appView(app, state) {
  if (state.phase !== "ready") return openingView(state);
  return html`
    <a class="skip-link" href="#message-box" @click=${skipToComposer}>Skip to the message box</a>
    <div class="frame" data-place=${app.ui.place} ?data-panel=${app.ui.panel && state.view.room !== null}>
      ${sideBar(app, state)} ${mainView(app, state)} ${memberPanel(app, state)} ${statusLine(app, state)}
    </div>
    ${dialogsView(app, state)}
    ${app.ui.menu ? html`<sb-menu .app=${app} .menu=${app.ui.menu}></sb-menu>` : nothing}
    ${app.ui.picker ? html`<sb-picker .app=${app} .picker=${app.ui.picker}></sb-picker>` : nothing}
    <div class="notice-place" role="alert">
      ${
        app.ui.notice
          ? html`<p class="notice ${app.ui.notice.tone}">
              ${app.ui.notice.text}
              <button class="icon-button" aria-label="Dismiss" @click=${() => app.set({ notice: null })}>
                ${icon("close")}
              </button>
            </p>`
          : nothing
      }
    </div>
  `;
}

/**
 * @param {App} app
 * @param {State} state
 */
function mainView(app, state) {
  const room = state.view.room === null ? undefined : state.rooms[state.view.room];
  if (app.ui.missing !== null) return missingView(app, app.ui.missing);
  if (room === undefined) {
    return html`<main class="main" aria-busy=${state.view.room !== null}>
      <div class="blank">
        <h1 class="visually-hidden">No room chosen</h1>
        <p>Choose a room to read and write.</p>
      </div>
    </main>`;
  }
  return html`<main class="main" aria-label=${roomName(state, room)}>${roomView(app, state, room)}</main>`;
}

/**
 * @param {App} app
 * @param {string} text
 */
function missingView(app, text) {
  return html`<main class="main">
    <div class="blank">
      ${mark()}
      <h1>Nothing to see here</h1>
      <p>${text}</p>
      <p class="actions">
        <button class="button" @click=${() => app.open({ kind: "browse" })}>Browse rooms</button>
        <button class="button primary" @click=${app.go.home}>Back to your rooms</button>
      </p>
    </div>
  </main>`;
}

/**
 * Before the first snapshot is here.
 *
 * @param {State} state
 */
function openingView(state) {
  return html`<main class="opening" aria-busy=${state.phase === "loading"}>
    <h1 class="visually-hidden">Switchback</h1>
    <div class="opening-mark">${mark()}</div>
    ${
      state.phase === "failed"
        ? html`<p role="alert">
              <strong>The workspace cannot be reached.</strong><br />${state.failure ?? ""}
            </p>
            <p class="hint">This page keeps trying by itself.</p>
            <button class="button" @click=${() => location.reload()}>Try now</button>`
        : html`<p role="status">Opening the workspace…</p>`
    }
  </main>`;
}

/** @param {Event} event */
function skipToComposer(event) {
  event.preventDefault();
  focusComposer();
}
