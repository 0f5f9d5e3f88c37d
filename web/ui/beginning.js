/*
 * The top of a room: what it is, and, while it is empty, what to do next.
 */

import { isAdmin, roomName, roomPeers } from "../state/selectors.js";
import { html, nothing } from "../vendor/lit.js";
import { avatar } from "./avatar.js";
import { icon } from "./icons.js";

/** @import { RoomId, RoomView } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomId} id
 */
export function beginning(app, state, id) {
  const room = state.rooms[id];
  if (!room) return nothing;
  const empty = (state.timelines[id]?.messages.length ?? 0) === 0;
  if (room.kind === "direct") return directBeginning(state, room);
  return html`<div class="beginning">
    <span class="beginning-sign" aria-hidden="true">${icon(room.kind === "private" ? "lock" : "hash")}</span>
    <h2>${empty ? `Welcome to ${room.name}` : `The beginning of ${room.name}`}</h2>
    <p>${about(room)}</p>
    ${empty && room.joined ? firstSteps(app, state, room) : nothing}
  </div>`;
}

/** @param {RoomView} room */
function about(room) {
  if (room.general) return "Everybody in the workspace is in this room: for what concerns all.";
  if (room.kind === "private") return "Only the members of this room know that it exists and can read it.";
  return "Everybody in the workspace can find this room, read it, and join.";
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
function firstSteps(app, state, room) {
  const alone = Object.values(state.users).filter((user) => user.active).length < 2;
  return html`<ol class="first-steps">
    ${
      alone && isAdmin(state)
        ? html`<li>
            <span>Nobody else is here yet. Make a link and send it to your team.</span>
            <button class="button primary small" @click=${() => app.open({ kind: "invite" })}>
              Invite your team
            </button>
          </li>`
        : nothing
    }
    ${
      !room.general && !alone
        ? html`<li>
            <span>Bring in the people it is for.</span>
            <button class="button small" @click=${() => app.open({ kind: "add-people", room: room.id })}>
              Add people
            </button>
          </li>`
        : nothing
    }
    <li>
      <span>Write the first message below. <kbd>@</kbd> mentions somebody, <kbd>:</kbd> finds an emoji.</span>
    </li>
    <li>
      <span>Make a room for each subject; it keeps talk in its place.</span>
      <button class="button small" @click=${() => app.open({ kind: "new-room" })}>New room</button>
    </li>
  </ol>`;
}

/**
 * @param {State} state
 * @param {RoomView} room
 */
function directBeginning(state, room) {
  const peers = roomPeers(state, room);
  const shown = peers.length > 0 ? peers : state.me ? [state.me] : [];
  return html`<div class="beginning">
    <div class="beginning-faces">${shown.map((user) => avatar(user))}</div>
    <h2>${roomName(state, room)}</h2>
    <p>
      ${
        peers.length === 0
          ? "Only you can read this: a place for notes and for drafts."
          : peers.length === 1
            ? "This conversation is between the two of you."
            : "Only the people in this conversation can read it."
      }
    </p>
  </div>`;
}
