/*
 * One room: its header, its timeline, and the place to write.
 */

import { canManageRoom, canPost, roomName } from "../state/selectors.js";
import { html, nothing } from "../vendor/lit.js";
import "./composer.js";
import { roomHeader } from "./room-header.js";
import "./timeline.js";

/** @import { RoomView } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
export function roomView(app, state, room) {
  return html`
    ${roomHeader(app, state, room)}
    <sb-timeline .app=${app} .state=${state} .ui=${app.ui}></sb-timeline>
    ${canPost(state, room.id) ? html`<sb-composer .app=${app} .state=${state} .ui=${app.ui}></sb-composer>` : closedView(app, state, room)}
  `;
}

/**
 * What stands in place of the message box where one cannot write.
 *
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
function closedView(app, state, room) {
  if (room.archived) {
    const open = () => app.run(app.actions.archive(room.id, false));
    return html`<div class="closed">
      <p>This room is archived: everything can be read, nobody can write.</p>
      ${canManageRoom(state, room) ? html`<button class="button small" @click=${open}>Open it again</button>` : nothing}
    </div>`;
  }
  if (!room.joined) {
    return html`<div class="closed">
      <p>You are looking at <strong>${roomName(state, room)}</strong> without being in it.</p>
      <button class="button primary small" @click=${() => app.run(app.actions.join(room.id))}>
        Join the room
      </button>
    </div>`;
  }
  return html`<div class="closed">
    <p>Nobody can answer here any more: the others have left the workspace.</p>
  </div>`;
}
