// What the state means: names, orders, counts, and who may do what. Pure, and cheap to call often.

import { DIRECT_NAMES_MAX } from "./limits.js";
import { memo } from "./memo.js";

/** @import { Message, MessageId, RoomId, RoomView, User } from "../types.js" */
/** @import { State } from "./shape.js" */

/**
 * @typedef {object} SideEntry
 * @property {RoomView} room
 * @property {string} name
 * @property {number} unread
 * @property {number} mentions
 * @property {boolean} active It is the one in sight.
 * @property {"online" | "away" | "offline" | null} presence Of the other one in a conversation of two.
 * @property {User[]} peers
 * @property {boolean} failed A message of mine there could not be sent.
 */

/** @param {State} state @returns {{ rooms: SideEntry[], directs: SideEntry[] }} */
export function sidebar(state) {
  return sidebarOf(state.rooms, state.users, state.presence, state.pending, state.view.room, state.me);
}

const sidebarOf = memo(
  /**
   * @param {State["rooms"]} rooms
   * @param {State["users"]} users
   * @param {State["presence"]} presence
   * @param {State["pending"]} pending
   * @param {RoomId | null} shown
   * @param {User | null} me
   */
  (rooms, users, presence, pending, shown, me) => {
    const state = { rooms, users, presence, me };
    const joined = Object.values(rooms).filter((room) => room.joined);
    /** @param {RoomView} room @returns {SideEntry} */
    const entry = (room) => ({
      room,
      name: roomName(state, room),
      unread: room.unread,
      mentions: room.mentions,
      active: room.id === shown,
      presence: peerPresence(state, room),
      peers: roomPeers(state, room),
      failed: (pending[room.id] ?? []).some((one) => one.status === "failed"),
    });
    const named = joined.filter((room) => room.kind !== "direct").map(entry);
    const directs = joined.filter((room) => room.kind === "direct").map(entry);
    return { rooms: named.sort(byName), directs: directs.sort(byNewest) };
  },
);

/** @param {SideEntry} a @param {SideEntry} b `general` first; what is archived last. */
function byName(a, b) {
  return (
    Number(b.room.general) - Number(a.room.general) ||
    Number(a.room.archived) - Number(b.room.archived) ||
    a.name.localeCompare(b.name)
  );
}

/** @param {SideEntry} a @param {SideEntry} b */
function byNewest(a, b) {
  return b.room.last_at - a.room.last_at || a.name.localeCompare(b.name);
}

/**
 * @param {Pick<State, "users" | "me">} state
 * @param {RoomView} room
 * @returns {User[]} The others in a direct conversation.
 */
export function roomPeers(state, room) {
  const others = (room.members ?? []).filter((id) => id !== state.me?.id);
  return others.flatMap((id) => state.users[id] ?? []);
}

/**
 * @param {Pick<State, "users" | "me">} state
 * @param {RoomView} room
 * @returns {string}
 */
export function roomName(state, room) {
  if (room.kind !== "direct") return room.name ?? "";
  const peers = roomPeers(state, room);
  if (peers.length === 0) return state.me ? `${state.me.name} (you)` : "You";
  const shown = peers.slice(0, DIRECT_NAMES_MAX).map((user) => user.name);
  const more = peers.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/**
 * @param {Pick<State, "users" | "me" | "presence">} state
 * @param {RoomView} room
 * @returns {"online" | "away" | "offline" | null}
 */
export function peerPresence(state, room) {
  const peers = room.kind === "direct" ? roomPeers(state, room) : [];
  const only = peers.length === 1 ? peers[0] : undefined;
  return only ? (state.presence[only.id] ?? "offline") : null;
}

/** @param {State} state @returns {{ unread: number, mentions: number }} */
export function unreadTotal(state) {
  let [unread, mentions] = [0, 0];
  for (const room of Object.values(state.rooms)) {
    if (!room.joined) continue;
    unread += room.unread;
    mentions += room.mentions;
  }
  return { unread, mentions };
}

/** @param {State} state @returns {number} What calls for this person: mentions and direct messages. */
export function titleCount(state) {
  return unreadTotal(state).mentions;
}

/** @param {State} state @returns {string} The window's title. */
export function title(state) {
  const { unread, mentions } = unreadTotal(state);
  const room = state.view.room === null ? undefined : state.rooms[state.view.room];
  const names = [room ? roomName(state, room) : "", state.workspace?.name ?? "Switchback"];
  const mark = mentions > 0 ? `(${mentions}) ` : unread > 0 ? "• " : "";
  return mark + names.filter((name) => name !== "").join(" · ");
}

/** @param {State} state @param {RoomId} room @param {number} nowMs @returns {User[]} */
export function typingUsers(state, room, nowMs) {
  const there = Object.entries(state.typing[room] ?? {}).filter(([, until]) => until > nowMs);
  return there.flatMap(([id]) => (id === state.me?.id ? [] : (state.users[id] ?? [])));
}

/** @param {State} state @param {MessageId} id @returns {Message | null} If it is loaded. */
export function messageById(state, id) {
  for (const timeline of Object.values(state.timelines)) {
    const found = timeline.messages.find((message) => message.id === id);
    if (found) return found;
  }
  return null;
}

/** @param {State} state @param {RoomId} room @returns {Message | null} The one that arrow-up edits. */
export function lastOwnMessage(state, room) {
  const timeline = state.timelines[room];
  if (!timeline || timeline.hasAfter) return null;
  return timeline.messages.findLast((message) => canEdit(state, message)) ?? null;
}

/** @param {State} state @param {RoomId} room @returns {User[] | null} `null`: not loaded. */
export function roomMembers(state, room) {
  const members = state.members[room] ?? state.rooms[room]?.members;
  return members ? members.flatMap((id) => state.users[id] ?? []) : null;
}

/** @param {State} state */
export function isAdmin(state) {
  return state.me?.role === "admin" || state.me?.role === "owner";
}

/** @param {State} state @param {Message} message */
export function canEdit(state, message) {
  return message.author === state.me?.id && !message.deleted && canPost(state, message.room);
}

/** @param {State} state @param {Message} message */
export function canDelete(state, message) {
  return !message.deleted && (message.author === state.me?.id || isAdmin(state));
}

/** @param {State} state @param {RoomId} id */
export function canPost(state, id) {
  const room = state.rooms[id];
  return room !== undefined && room.joined && !room.archived;
}

// The server has the last word on each of these; here they keep buttons away that would be refused.

/** @param {State} state @param {RoomView} room Its topic, and its name: of `general` for admins only. */
export function canManageRoom(state, room) {
  return room.kind !== "direct" && (isAdmin(state) || (room.joined && !room.general));
}

/** @param {State} state @param {RoomView} room */
export function canSetTopic(state, room) {
  return room.kind !== "direct" && (isAdmin(state) || room.joined);
}

/** @param {State} state @param {RoomView} room Closing it, and opening it again. */
export function canArchive(state, room) {
  return room.kind !== "direct" && !room.general && isAdmin(state);
}

/** @param {State} state @param {RoomView} room */
export function canAddMembers(state, room) {
  return state.me !== null && room.kind !== "direct" && room.joined && !room.archived && !room.general;
}

/** @param {State} state @param {RoomView} room Who is in a private room can send others away; else admins. */
export function canRemoveMembers(state, room) {
  if (room.kind === "direct" || room.general) return false;
  return isAdmin(state) || (room.kind === "private" && room.joined);
}

/** @param {State} state @param {RoomView} room */
export function canLeave(state, room) {
  return state.me !== null && room.joined && room.kind !== "direct" && !room.general;
}
