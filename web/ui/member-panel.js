/*
 * Who is in the room, beside the conversation: who is there first.
 */

import { canManageRoom, canPost, isAdmin, roomMembers, roomName, roomPeers } from "../state/selectors.js";
import { html, nothing, repeat } from "../vendor/lit.js";
import { avatar, presenceDot } from "./avatar.js";
import { icon } from "./icons.js";

/** @import { RoomId, RoomView, User } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

const ORDER = { online: 0, away: 1, offline: 2 };

/** The room whose list was asked for last: asked once, not at every draw. */
let asked = /** @type {RoomId | null} */ (null);

/**
 * @param {App} app
 * @param {State} state
 */
export function memberPanel(app, state) {
  const room = state.view.room === null ? undefined : state.rooms[state.view.room];
  if (!app.ui.panel || !room) {
    asked = null;
    return nothing;
  }
  const members = membersOf(app, state, room);
  const mayAdd = room.kind !== "direct" && !room.general && canPost(state, room.id);
  return html`<aside class="panel" aria-label="Members of ${roomName(state, room)}">
    <header class="panel-head">
      <h2>Members</h2>
      <button
        class="icon-button"
        aria-label="Close the list of members"
        @click=${() => app.set({ panel: false })}
      >
        ${icon("close")}
      </button>
    </header>
    ${mayAdd ? html`<button class="button small" @click=${() => app.open({ kind: "add-people", room: room.id })}>${icon("userAdd")} Add people</button>` : nothing}
    ${
      members === null
        ? html`<p class="hint" role="status">Loading…</p>`
        : html`<ul role="list" class="people">
            ${repeat(
              sorted(state, members),
              (user) => user.id,
              (user) => memberView(app, state, room, user),
            )}
          </ul>`
    }
    ${room.general ? html`<p class="hint">Everybody in the workspace is in this room.${isAdmin(state) ? html` <button class="link-button" @click=${() => app.open({ kind: "invite" })}>Invite people</button>` : nothing}</p>` : nothing}
  </aside>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 * @returns {User[] | null}
 */
function membersOf(app, state, room) {
  if (room.kind === "direct") return [...(state.me ? [state.me] : []), ...roomPeers(state, room)];
  const members = roomMembers(state, room.id);
  if (members === null && asked !== room.id) {
    asked = room.id;
    queueMicrotask(() => app.run(app.actions.loadMembers(room.id)));
  }
  return members;
}

/**
 * @param {State} state
 * @param {User[]} users
 */
function sorted(state, users) {
  /** @param {User} user */
  const rank = (user) => ORDER[state.presence[user.id] ?? "offline"];
  return [...users].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 * @param {User} user
 */
function memberView(app, state, room, user) {
  const me = user.id === state.me?.id;
  const mayRemove = !me && room.kind !== "direct" && !room.general && canManageRoom(state, room);
  return html`<li class="person">
    <span class="with-presence"
      >${avatar(user, "small")}${presenceDot(state.presence[user.id] ?? "offline", false)}</span
    >
    <span class="person-name">
      <span>${user.name}${me ? " (you)" : ""}</span>
      <span class="soft"
        >@${user.handle}<span class="visually-hidden">, ${state.presence[user.id] ?? "offline"}</span></span
      >
    </span>
    ${me ? nothing : html`<button class="icon-button" aria-label="Message ${user.name}" title="Message" @click=${() => talkTo(app, user)}>${icon("message")}</button>`}
    ${mayRemove ? html`<button class="icon-button" aria-label="Remove ${user.name} from this room" title="Remove" @click=${() => remove(app, room, user)}>${icon("close")}</button>` : nothing}
  </li>`;
}

/**
 * Opens the conversation with one person.
 *
 * @param {App} app
 * @param {User} user
 */
export async function talkTo(app, user) {
  await app.run(app.actions.openDirect([user.id]).then((room) => app.go.room(room.id)));
}

/**
 * @param {App} app
 * @param {RoomView} room
 * @param {User} user
 */
function remove(app, room, user) {
  app.open({
    kind: "confirm",
    heading: `Remove ${user.name}?`,
    text: `${user.name} will no longer see ${room.kind === "private" ? "this private room" : `#${room.name}`} in the list of rooms. What they wrote stays.`,
    action: "Remove",
    danger: true,
    run: () => app.actions.removeMember(room.id, user.id),
  });
}
