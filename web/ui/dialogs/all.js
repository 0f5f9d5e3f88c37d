/*
 * The dialogs that are open, the topmost last.
 *
 * Why a list: a question ("Deactivate?") may lie on top of the dialog that asks it.
 */

import { html, keyed } from "../../vendor/lit.js";
import "./browse.js";
import "./confirm.js";
import "./edit-room.js";
import "./invite.js";
import "./new-direct.js";
import "./new-room.js";
import "./people.js";
import "./search.js";
import "./settings.js";
import "./shortcuts.js";
import "./switcher.js";
import "./workspace.js";

/** @import { State } from "../../state/shape.js" */
/** @import { App, Dialog } from "../shape.js" */

/**
 * @param {App} app
 * @param {State} state
 */
export function dialogsView(app, state) {
  return app.ui.dialogs.map((dialog) => keyed(dialog, dialogView(app, state, dialog)));
}

/**
 * @param {App} app
 * @param {State} state
 * @param {Dialog} dialog
 */
function dialogView(app, state, dialog) {
  switch (dialog.kind) {
    case "add-people":
    case "new-direct":
      return html`<sb-choose-people .app=${app} .state=${state} .dialog=${dialog}></sb-choose-people>`;
    case "browse":
      return html`<sb-browse .app=${app} .state=${state} .dialog=${dialog}></sb-browse>`;
    case "confirm":
      return html`<sb-confirm .app=${app} .state=${state} .dialog=${dialog}></sb-confirm>`;
    case "edit-room":
      return html`<sb-edit-room .app=${app} .state=${state} .dialog=${dialog}></sb-edit-room>`;
    case "invite":
      return html`<sb-invite .app=${app} .state=${state} .dialog=${dialog}></sb-invite>`;
    case "new-room":
      return html`<sb-new-room .app=${app} .state=${state} .dialog=${dialog}></sb-new-room>`;
    case "people":
      return html`<sb-people .app=${app} .state=${state} .dialog=${dialog}></sb-people>`;
    case "search":
      return html`<sb-search .app=${app} .state=${state} .dialog=${dialog}></sb-search>`;
    case "settings":
      return html`<sb-settings .app=${app} .state=${state} .dialog=${dialog}></sb-settings>`;
    case "shortcuts":
      return html`<sb-shortcuts .app=${app} .state=${state} .dialog=${dialog}></sb-shortcuts>`;
    case "switcher":
      return html`<sb-switcher .app=${app} .state=${state} .dialog=${dialog}></sb-switcher>`;
    case "workspace":
      return html`<sb-workspace .app=${app} .state=${state} .dialog=${dialog}></sb-workspace>`;
  }
}
