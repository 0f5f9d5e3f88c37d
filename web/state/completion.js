// What could be meant while somebody types `@ad` or `:tad`.
//
// The text before the caret decides: the mark must begin a word, so that mail addresses, times and
// `std::fmt` are left alone.

import { searchEmoji } from "./emoji.js";
import { fuzzyFind } from "./fuzzy.js";
import { COMPLETION_ITEMS_MAX, COMPLETION_QUERY_CHARS } from "./limits.js";

/** @import { RoomId, User } from "../types.js" */
/** @import { State } from "./shape.js" */

/**
 * @typedef {{ insert: string, label: string, detail: string, user?: User, emoji?: string }} Item
 * @typedef {{ kind: "mention" | "emoji", from: number, to: number, query: string, items: Item[] }} Completion
 */

/** Letters of an emoji's name that must be typed: `:)` and `a : b` are no beginnings of one. */
const EMOJI_QUERY_MIN_CHARS = 2;

/**
 * @param {State} state
 * @param {RoomId} room
 * @param {string} text
 * @param {number} caret
 * @returns {Completion | null} `from` and `to` are what an item replaces.
 */
export function completeAt(state, room, text, caret) {
  const before = text.slice(Math.max(0, caret - COMPLETION_QUERY_CHARS - 1), caret);
  const match = /(?:^|[\s(["'*_~>])([@:])([\p{L}\p{N}._+-]*)$/u.exec(before);
  if (!match) return null;
  const [, mark, query = ""] = match;
  const from = caret - query.length - 1;
  const kind = mark === "@" ? "mention" : "emoji";
  const items = kind === "mention" ? mentions(state, room, query) : emoji(query);
  return items.length > 0 ? { kind, from, to: caret, query, items } : null;
}

/**
 * @param {string} text
 * @param {Completion} completion
 * @param {Item} item
 * @returns {{ text: string, caret: number }}
 */
export function applyCompletion(text, completion, item) {
  const after = text.slice(completion.to);
  const insert = /^\s/.test(after) ? item.insert : `${item.insert} `;
  const caret = completion.from + item.insert.length + 1;
  return { text: text.slice(0, completion.from) + insert + after, caret };
}

/** @param {State} state @param {RoomId} id @param {string} query @returns {Item[]} */
function mentions(state, id, query) {
  const room = state.rooms[id];
  const inside = room?.kind === "direct" ? room.members : state.members[id];
  const members = inside ? new Set(inside) : null;
  const people = Object.values(state.users).filter((user) => user.active && user.id !== state.me?.id);
  const candidates = room?.kind === "direct" ? people.filter((user) => members?.has(user.id)) : people;
  const found = fuzzyFind(query, candidates, (user) => [user.handle, user.name]);
  /** @param {User} user Those who are in the room come first. */
  const bonus = (user) => (members?.has(user.id) ? 2 : 0) + (state.presence[user.id] ? 1 : 0);
  const sorted = found
    .map(({ item, score }) => ({ item, score: score + bonus(item) }))
    .sort((a, b) => b.score - a.score || a.item.name.localeCompare(b.item.name));
  const items = sorted.slice(0, COMPLETION_ITEMS_MAX).map(({ item: user }) => mention(user));
  if (!"room".startsWith(query.toLowerCase())) return items;
  const everybody = { insert: "@room", label: "@room", detail: "Everybody in this room" };
  const all = query === "" ? [...items.slice(0, COMPLETION_ITEMS_MAX - 1), everybody] : [everybody, ...items];
  return all.slice(0, COMPLETION_ITEMS_MAX);
}

/** @param {User} user @returns {Item} */
function mention(user) {
  return { insert: `@${user.handle}`, label: user.name, detail: `@${user.handle}`, user };
}

/** @param {string} query @returns {Item[]} */
function emoji(query) {
  if (query.length < EMOJI_QUERY_MIN_CHARS) return [];
  return searchEmoji(query, COMPLETION_ITEMS_MAX).map(({ char, name }) => ({
    insert: char,
    label: `:${name}:`,
    detail: name.replaceAll("_", " "),
    emoji: char,
  }));
}
