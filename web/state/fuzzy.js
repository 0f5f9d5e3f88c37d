// Finding by a few letters in order: "gnr" finds "general". For the quick switcher and completion.
//
// The score prefers what people mean: a match at the beginning, at the beginnings of words, in one
// piece, in a short text. Every match of a short text is tried greedily from each beginning, which
// is enough for names and far cheaper than a full alignment.

import { FUZZY_CHARS, SWITCHER_ITEMS_MAX } from "./limits.js";
import { peerPresence, roomName } from "./selectors.js";

/** @import { RoomView, User } from "../types.js" */
/** @import { State } from "./shape.js" */

/** @typedef {{ score: number, ranges: [number, number][] }} Match */

/**
 * @param {string} query
 * @param {string} text
 * @returns {Match | null} `ranges` are [from, to) in `text`; `null`: no match.
 */
export function fuzzyMatch(query, text) {
  const wanted = fold(query.trim());
  const folded = fold(text.slice(0, FUZZY_CHARS));
  if (wanted === "") return { score: 0, ranges: [] };
  /** @type {Match | null} */
  let best = null;
  for (let from = folded.indexOf(wanted[0] ?? ""); from >= 0; from = folded.indexOf(wanted[0] ?? "", from + 1)) {
    const match = matchFrom(wanted, folded, from);
    if (match && (best === null || match.score > best.score)) best = match;
  }
  return best;
}

/** @param {string} wanted @param {string} text @param {number} from @returns {Match | null} */
function matchFrom(wanted, text, from) {
  /** @type {[number, number][]} */
  const ranges = [];
  let score = 0;
  let at = from;
  for (const letter of wanted) {
    const found = text.indexOf(letter, at);
    if (found < 0) return null;
    const last = ranges.at(-1);
    if (last && last[1] === found) {
      last[1] = found + letter.length;
      score += 4;
    } else {
      ranges.push([found, found + letter.length]);
      score += startsWord(text, found) ? 3 : 0;
      score -= last ? 1 : 0;
    }
    at = found + letter.length;
  }
  const first = from === 0 ? 6 : 0;
  const whole = text.length === wanted.length ? 6 : 0;
  return { score: score + first + whole - text.length / FUZZY_CHARS, ranges };
}

/** @param {string} text @param {number} at */
function startsWord(text, at) {
  return at === 0 || /[\s._\-/#@(,]/.test(text[at - 1] ?? "");
}

/** @param {string} text @returns {string} Without case and accents, and as long as before. */
function fold(text) {
  return Array.from(text, (char) => {
    const plain = char.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    return plain.length === char.length ? plain : char;
  }).join("");
}

/**
 * @template Item
 * @param {string} query
 * @param {Iterable<Item>} items
 * @param {(item: Item) => string[]} textsOf
 * @returns {{ item: Item, score: number }[]} Those that match, best first.
 */
export function fuzzyFind(query, items, textsOf) {
  /** @type {{ item: Item, score: number }[]} */
  const found = [];
  for (const item of items) {
    const scores = textsOf(item).flatMap((text) => fuzzyMatch(query, text)?.score ?? []);
    if (scores.length > 0) found.push({ item, score: Math.max(...scores) });
  }
  return found.sort((a, b) => b.score - a.score);
}

/**
 * @typedef {object} SwitchEntry
 * @property {"room" | "user"} kind
 * @property {string} id
 * @property {string} label
 * @property {string} detail
 * @property {number} unread
 * @property {"online" | "away" | "offline" | null} presence
 */

/**
 * Rooms and people by a few letters; without any, the unread rooms and then the latest ones.
 * @param {State} state
 * @param {string} query
 * @param {number} [limit]
 * @returns {SwitchEntry[]}
 */
export function quickSwitch(state, query, limit = SWITCHER_ITEMS_MAX) {
  const rooms = Object.values(state.rooms).filter((room) => room.joined);
  if (query.trim() === "") return rooms.sort(byUrgency).slice(0, limit).map((room) => roomEntry(state, room));
  const wanted = query.trim().replace(/^[#@]/, "");
  /** @param {RoomView} room */
  const roomTexts = (room) => [roomName(state, room)];
  const people = query.trim().startsWith("#") ? [] : Object.values(state.users).filter((user) => user.active);
  const foundRooms = query.trim().startsWith("@") ? [] : fuzzyFind(wanted, rooms, roomTexts);
  const found = [
    ...foundRooms.map(({ item, score }) => ({ score: score + 1, entry: roomEntry(state, item) })),
    ...fuzzyFind(wanted, people, (user) => [user.name, user.handle]).map(({ item, score }) => ({
      score,
      entry: userEntry(state, item),
    })),
  ];
  return found.sort((a, b) => b.score - a.score).slice(0, limit).map(({ entry }) => entry);
}

/** @param {RoomView} a @param {RoomView} b */
function byUrgency(a, b) {
  return b.mentions - a.mentions || Number(b.unread > 0) - Number(a.unread > 0) || b.last_at - a.last_at;
}

/** @param {State} state @param {RoomView} room @returns {SwitchEntry} */
function roomEntry(state, room) {
  const detail = room.kind === "direct" ? "Direct message" : room.topic;
  const presence = peerPresence(state, room);
  return { kind: "room", id: room.id, label: roomName(state, room), detail, unread: room.unread, presence };
}

/** @param {State} state @param {User} user @returns {SwitchEntry} */
function userEntry(state, user) {
  const presence = state.presence[user.id] ?? "offline";
  return { kind: "user", id: user.id, label: user.name, detail: `@${user.handle}`, unread: 0, presence };
}
