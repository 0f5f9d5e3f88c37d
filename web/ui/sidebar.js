/*
 * The side bar: the workspace's menu, the rooms one is in, and direct conversations.
 *
 * Why links and not buttons: a room has an address, so it can be opened in a new tab, copied, and
 * found by a screen reader's list of links.
 */

import { isAdmin, sidebar } from "../state/selectors.js";
import { html, nothing, repeat } from "../vendor/lit.js";
import { avatar, presenceDot } from "./avatar.js";
import { icon, mark } from "./icons.js";
import { SEARCH_KEY, SWITCHER_KEY } from "./shortcuts.js";

/** @import { SideEntry } from "../state/selectors.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App, MenuItem } from "./shape.js" */

const BADGE_MAX = 99;

/**
 * @param {App} app
 * @param {State} state
 */
export function sideBar(app, state) {
  const { rooms, directs } = sidebar(state);
  const newMessage = () => app.open({ kind: "new-direct" });
  return html`<nav class="side" aria-label="Rooms">
    ${workspaceButton(app, state)}
    <button class="jump-button" aria-keyshortcuts="Control+K" @click=${() => app.open({ kind: "switcher" })}>
      ${icon("hash")}<span>Jump to…</span><kbd aria-hidden="true">${SWITCHER_KEY}</kbd>
    </button>
    <button class="jump-button" aria-keyshortcuts="Control+Shift+F /" @click=${() => app.open({ kind: "search" })}>
      ${icon("search")}<span>Search…</span><kbd aria-hidden="true">${SEARCH_KEY}</kbd>
    </button>
    <div class="side-lists">
      <div class="side-section">
        <h2>Rooms</h2>
        ${sideButton("Browse rooms", "compass", () => app.open({ kind: "browse" }))}
        ${sideButton("New room", "add", () => app.open({ kind: "new-room" }))}
      </div>
      ${entriesView(state, rooms)}
      <div class="side-section">
        <h2>Direct messages</h2>
        ${sideButton("New message", "add", newMessage)}
      </div>
      ${directs.length === 0 ? noDirects(newMessage) : entriesView(state, directs)}
      ${alone(state) ? inviteCard(app) : nothing}
    </div>
  </nav>`;
}

/**
 * @param {string} label
 * @param {"add" | "compass"} sign
 * @param {() => void} run
 */
function sideButton(label, sign, run) {
  return html`<button class="side-button" aria-label=${label} title=${label} @click=${run}>${icon(sign)}</button>`;
}

/**
 * @param {State} state
 * @param {SideEntry[]} entries
 */
function entriesView(state, entries) {
  const rows = repeat(
    entries,
    (entry) => entry.room.id,
    (entry) => entryView(state, entry),
  );
  return html`<ul role="list">${rows}</ul>`;
}

/** @param {() => void} newMessage */
function noDirects(newMessage) {
  return html`<p class="side-empty">
    Talk to one or a few people in private. Begin with
    <button class="side-text-button" @click=${newMessage}>a new message</button>.
  </p>`;
}

/** @param {State} state */
function alone(state) {
  return isAdmin(state) && Object.values(state.users).filter((user) => user.active).length < 2;
}

/** @param {App} app */
function inviteCard(app) {
  return html`<div class="side-card">
    <p><strong>It is quiet in here.</strong> Send your team a link and they are in.</p>
    <button class="button primary small" @click=${() => app.open({ kind: "invite" })}>
      Invite your team
    </button>
  </div>`;
}

/**
 * @param {App} app
 * @param {State} state
 */
function workspaceButton(app, state) {
  const { me, workspace } = state;
  /** @param {MouseEvent} event */
  const openMenu = (event) => {
    const anchor = /** @type {HTMLElement} */ (event.currentTarget);
    app.set({
      menu: { label: "Workspace", anchor, items: workspaceItems(app, state), head: menuHead(state) },
    });
  };
  const presence = me ? (state.presence[me.id] ?? "offline") : null;
  return html`<button
    class="workspace-button"
    aria-haspopup="menu"
    aria-expanded=${app.ui.menu?.label === "Workspace"}
    @click=${openMenu}
  >
    ${mark()}
    <span class="workspace-names">
      <span class="workspace-name">${workspace?.name}</span>
      <span class="workspace-me">${presenceDot(presence, false)}${me?.name}</span>
    </span>
    <span class="workspace-more">${icon("more")}</span>
  </button>`;
}

/** @param {State} state */
function menuHead(state) {
  const { me } = state;
  if (!me) return undefined;
  const presence = state.presence[me.id] ?? "offline";
  return html`<div class="menu-me">
    ${avatar(me)}
    <div><strong>${me.name}</strong><br /><span class="soft">@${me.handle} · ${presence}</span></div>
  </div>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @returns {MenuItem[]}
 */
function workspaceItems(app, state) {
  const admin = isAdmin(state);
  return [
    { label: "Settings", icon: icon("gear"), run: () => app.open({ kind: "settings" }) },
    { label: "People", icon: icon("people"), run: () => app.open({ kind: "people" }) },
    ...(admin
      ? [{ label: "Invite people", icon: icon("userAdd"), run: () => app.open({ kind: "invite" }) }]
      : []),
    ...(admin
      ? [{ label: "Rename workspace", icon: icon("edit"), run: () => app.open({ kind: "workspace" }) }]
      : []),
    { label: "Keyboard shortcuts", icon: icon("info"), key: "?", run: () => app.open({ kind: "shortcuts" }) },
    { label: "Sign out", icon: icon("leave"), apart: true, run: () => confirmSignOut(app) },
  ];
}

/** @param {App} app */
function confirmSignOut(app) {
  const { waiting } = app.client.store.state.status;
  const leave = async () => {
    await app.actions.signOut();
    location.assign("/sign-in");
  };
  if (waiting === 0) {
    app.run(leave());
    return;
  }
  app.open({
    kind: "confirm",
    heading: "Sign out?",
    text: `${waiting === 1 ? "One message is" : `${waiting} messages are`} not sent yet and will be lost, drafts too.`,
    action: "Sign out",
    danger: true,
    run: leave,
  });
}

/**
 * @param {State} state
 * @param {SideEntry} entry
 */
function entryView(state, entry) {
  const { room, name, unread, mentions, active } = entry;
  const draft = !active && (state.drafts[room.id]?.body ?? "") !== "";
  return html`<li>
    <a
      class="side-link ${unread > 0 ? "unread" : ""}"
      href="/room/${room.id}"
      aria-current=${active ? "page" : nothing}
      data-room-id=${room.id}
    >
      ${entryIcon(entry)}
      <span class="side-name">${name}</span>
      ${entry.failed ? html`<span class="side-mark failed" title="A message was not sent"><span class="visually-hidden">, a message was not sent</span></span>` : nothing}
      ${draft ? html`<span class="side-mark" title="Draft">${icon("edit")}<span class="visually-hidden">, draft</span></span>` : nothing}
      ${unread > 0 ? countView(unread, mentions) : nothing}
    </a>
  </li>`;
}

/** @param {SideEntry} entry */
function entryIcon(entry) {
  const { room, peers, presence } = entry;
  const [peer] = peers;
  if (room.kind !== "direct") return icon(room.kind === "private" ? "lock" : "hash");
  if (peers.length > 1)
    return html`<span class="avatar small group" aria-hidden="true">${peers.length}</span>`;
  if (!peer) return icon("edit");
  return html`<span class="with-presence">${avatar(peer, "small")}${presenceDot(presence, false)}</span>`;
}

/**
 * @param {number} unread
 * @param {number} mentions
 */
function countView(unread, mentions) {
  const spoken = mentions > 0 ? `${unread} unread, ${mentions} for you` : `${unread} unread`;
  return html`${
      mentions > 0
        ? html`<span class="badge" aria-hidden="true"
            >${mentions > BADGE_MAX ? `${BADGE_MAX}+` : mentions}</span
          >`
        : nothing
    }<span class="visually-hidden">, ${spoken}</span>`;
}
