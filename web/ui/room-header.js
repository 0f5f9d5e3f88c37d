/*
 * The line above a conversation: where one is, what it is about, who is there, and what can be done.
 */

import { canLeave, canManageRoom, canPost, peerPresence, roomName } from "../state/selectors.js";
import { html, nothing } from "../vendor/lit.js";
import { presenceDot } from "./avatar.js";
import { copyText } from "./clipboard.js";
import { icon } from "./icons.js";
import { SEARCH_KEY } from "./shortcuts.js";

/** @import { RoomView } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App, MenuItem } from "./shape.js" */

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
export function roomHeader(app, state, room) {
  const name = roomName(state, room);
  const count = room.members?.length ?? room.member_count;
  return html`<header class="room-head">
    ${app.ui.narrow ? html`<button class="icon-button back" aria-label="Back to the list of rooms" @click=${app.go.home}>${icon("back")}</button>` : nothing}
    <div class="room-title">
      <h1>${kindIcon(room)}<span>${name}</span>${presenceDot(peerPresence(state, room))}</h1>
      ${topicView(app, state, room)}
    </div>
    <button
      class="icon-button"
      aria-label="Search messages"
      title="Search messages (${SEARCH_KEY})"
      @click=${() => app.open({ kind: "search" })}
    >
      ${icon("search")}
    </button>
    <button
      class="count-button"
      aria-expanded=${app.ui.panel}
      aria-label="${count} ${count === 1 ? "member" : "members"}, show the list"
      title="Members"
      @click=${() => app.set({ panel: !app.ui.panel })}
    >
      ${icon("people")}<span aria-hidden="true">${count}</span>
    </button>
    <button
      class="icon-button"
      aria-label="Room menu"
      aria-haspopup="menu"
      aria-expanded=${app.ui.menu?.label === "Room"}
      @click=${/** @param {MouseEvent} event */ (event) => openMenu(app, state, room, event)}
    >
      ${icon("more")}
    </button>
  </header>`;
}

/** @param {RoomView} room */
function kindIcon(room) {
  if (room.kind === "direct") return nothing;
  return icon(room.kind === "private" ? "lock" : "hash");
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
function topicView(app, state, room) {
  if (room.kind === "direct") return nothing;
  const edit = () => app.open({ kind: "edit-room", room: room.id, field: "topic" });
  const may = canManageRoom(state, room) && !room.archived;
  if (room.archived) return html`<p class="topic">Archived. ${room.topic}</p>`;
  if (!may) return room.topic ? html`<p class="topic" title=${room.topic}>${room.topic}</p>` : nothing;
  return html`<p class="topic">
    <button class="topic-button" title="Change the topic" @click=${edit}>
      ${room.topic || "Add a topic"}
    </button>
  </p>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 * @param {MouseEvent} event
 */
function openMenu(app, state, room, event) {
  const anchor = /** @type {HTMLElement} */ (event.currentTarget);
  app.set({ menu: { label: "Room", anchor, items: roomItems(app, state, room) } });
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 * @returns {MenuItem[]}
 */
function roomItems(app, state, room) {
  const manage = canManageRoom(state, room) && room.kind !== "direct";
  const id = room.id;
  /** @type {(MenuItem | false)[]} */
  const items = [
    { label: "Members", icon: icon("people"), run: () => app.set({ panel: true }) },
    { label: "Mark as read", icon: icon("check"), key: "Esc", run: () => app.actions.markRead(id) },
    {
      label: "Copy link",
      icon: icon("link"),
      run: () => void copyText(app, `${location.origin}/room/${id}`, "Link copied."),
    },
    canPost(state, room.id) &&
      room.kind !== "direct" &&
      !room.general && {
        label: "Add people",
        icon: icon("userAdd"),
        run: () => app.open({ kind: "add-people", room: id }),
      },
    manage &&
      !room.archived && {
        label: "Rename",
        icon: icon("edit"),
        apart: true,
        run: () => app.open({ kind: "edit-room", room: id, field: "name" }),
      },
    manage &&
      !room.archived && {
        label: "Change topic",
        icon: icon("info"),
        run: () => app.open({ kind: "edit-room", room: id, field: "topic" }),
      },
    manage && !room.general && archiveItem(app, room),
    canLeave(state, room) && {
      label: "Leave room",
      icon: icon("leave"),
      danger: true,
      apart: true,
      run: () => leave(app, state, room),
    },
  ];
  return items.filter((item) => item !== false);
}

/**
 * @param {App} app
 * @param {RoomView} room
 * @returns {MenuItem}
 */
function archiveItem(app, room) {
  if (room.archived)
    return {
      label: "Open again",
      icon: icon("archive"),
      run: () => void app.run(app.actions.archive(room.id, false)),
    };
  return {
    label: "Archive",
    icon: icon("archive"),
    run: () =>
      app.open({
        kind: "confirm",
        heading: `Archive ${room.name}?`,
        text: "Everything stays and can be read, but nobody can write here until it is opened again.",
        action: "Archive",
        danger: false,
        run: () => app.actions.archive(room.id, true),
      }),
  };
}

/**
 * @param {App} app
 * @param {State} state
 * @param {RoomView} room
 */
function leave(app, state, room) {
  const gone = async () => {
    await app.actions.leave(room.id);
    const general = Object.values(state.rooms).find((other) => other.general);
    if (app.ui.narrow || !general) app.go.home();
    else app.go.room(general.id);
  };
  if (room.kind === "public") {
    app.run(gone());
    return;
  }
  app.open({
    kind: "confirm",
    heading: `Leave ${roomName(state, room)}?`,
    text: "You will not see it any more. Somebody in it has to add you if you want to come back.",
    action: "Leave",
    danger: true,
    run: gone,
  });
}
