// What a search looks like on the screen: where the words stand in a found text, and what could be
// typed next.
//
// What is found is the server's matter (core::search there). Here the same rules for words are kept
// roughly: a mark too few or too many costs nothing but a glance.

import { SEARCH_HINTS_MAX, SEARCH_SNIPPET_CHARS } from "./limits.js";
import { roomName } from "./selectors.js";

/** @import { State } from "./shape.js" */

/** @typedef {{ word: string, isBeginning: boolean }} Wanted */
/** @typedef {{ text: string, hit: boolean }} Piece */
/** @typedef {{ label: string, query: string }} Hint */

const FILTER = /(?:^|\s)(?:from|in|after|before):(?:["“”„][^"“”„]*["“”„]?|\S*)/giu;
/** A run of letters and digits; where no spaces are written, and of pictures, each one is a word. */
const ALONE = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}]`;
const WORD = new RegExp(String.raw`${ALONE}|(?:(?!${ALONE})[\p{L}\p{N}\p{M}])+`, "gu");

/**
 * The words of a query, without its filters.
 *
 * @param {string} query
 * @returns {Wanted[]}
 */
export function wantedWords(query) {
  const text = query.replace(FILTER, " ");
  const words = Array.from(text.matchAll(WORD), (match) => fold(match[0]));
  const isQuoted = /["“”„]\s*$/u.test(text);
  return words.map((word, at) => ({ word, isBeginning: at === words.length - 1 && !isQuoted && word.length > 1 }));
}

/**
 * The part of a text around the first of the words, in pieces, those that are wanted apart.
 *
 * @param {string} text one line
 * @param {Wanted[]} wanted
 * @returns {Piece[]}
 */
export function snippet(text, wanted) {
  const hits = Array.from(text.matchAll(WORD)).filter((match) => isWanted(fold(match[0]), wanted));
  const from = beginning(text, hits[0]?.index ?? 0);
  const to = ending(text, from + SEARCH_SNIPPET_CHARS);
  /** @type {Piece[]} */
  const pieces = [];
  let at = from;
  for (const { 0: word, index } of hits) {
    if (index < from || index + word.length > to) continue;
    if (index > at) pieces.push({ text: text.slice(at, index), hit: false });
    // Neighbours without a space between them are one mark.
    const last = pieces.at(-1);
    if (last?.hit && index === at) last.text += word;
    else pieces.push({ text: word, hit: true });
    at = index + word.length;
  }
  if (at < to) pieces.push({ text: text.slice(at, to), hit: false });
  const first = pieces[0];
  if (from > 0 && first) pieces.unshift({ text: "…", hit: false });
  if (to < text.length) pieces.push({ text: "…", hit: false });
  return pieces;
}

/** @param {string} word @param {Wanted[]} wanted */
function isWanted(word, wanted) {
  return wanted.some((one) => (one.isBeginning ? word.startsWith(one.word) : word === one.word));
}

/** @param {string} text @param {number} hit A word's beginning that leaves the hit well in sight. */
function beginning(text, hit) {
  const lead = Math.floor(SEARCH_SNIPPET_CHARS / 4);
  if (text.length <= SEARCH_SNIPPET_CHARS || hit <= lead) return 0;
  const from = Math.min(hit - lead, text.length - SEARCH_SNIPPET_CHARS);
  const space = text.indexOf(" ", from);
  return space >= 0 && space < hit ? space + 1 : whole(text, from);
}

/** @param {string} text @param {number} to */
function ending(text, to) {
  return to >= text.length ? text.length : whole(text, to);
}

/** @param {string} text @param {number} at Not in the middle of a character of two units. */
function whole(text, at) {
  return /[\uDC00-\uDFFF]/.test(text[at] ?? "") ? at - 1 : at;
}

/** @param {string} text Without case and accents. */
function fold(text) {
  return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
}

/**
 * What could be typed next: rooms after `in:`, people after `from:`, and at the beginning the room that is open
 * and oneself.
 *
 * @param {State} state
 * @param {string} query
 * @returns {Hint[]}
 */
export function searchHints(state, query) {
  const [, before = "", filter, name = ""] = /^(.*?)(?:\b(from|in):[@#]?(\S*))?$/isu.exec(query) ?? [];
  if (filter === undefined) return query.trim() === "" ? firstHints(state) : [];
  const begun = fold(name);
  const hints =
    filter.toLowerCase() === "in"
      ? namedRooms(state).filter((room) => fold(room).includes(begun)).map(inRoom)
      : handles(state, begun).map(fromHandle);
  // What is typed already in full needs no hint.
  return hints.filter((hint) => hint !== query.slice(before.length)).slice(0, SEARCH_HINTS_MAX).map((label) => ({ label, query: `${before}${label} ` }));
}

/**
 * Whether somebody is in the middle of a filter, which is no name and no day yet.
 *
 * @param {string} query
 */
export function isFilterBegun(query) {
  return /(?:^|\s)(?:from|in|after|before):(?:\S*|["“”„][^"“”„]*)$/iu.test(query);
}

/** @param {State} state */
function firstHints(state) {
  const room = state.view.room === null ? undefined : state.rooms[state.view.room];
  const labels = [];
  if (room && room.kind !== "direct") labels.push(inRoom(roomName(state, room)));
  if (state.me) labels.push(fromHandle(state.me.handle));
  return labels.map((label) => ({ label, query: `${label} ` }));
}

/** @param {State} state @returns {string[]} */
function namedRooms(state) {
  return Object.values(state.rooms).flatMap((room) => room.name ?? []).sort((a, b) => a.localeCompare(b));
}

/** @param {State} state @param {string} begun */
function handles(state, begun) {
  const users = Object.values(state.users).filter((user) => user.active);
  const found = users.filter((user) => user.handle.includes(begun) || fold(user.name).includes(begun));
  return found.map((user) => user.handle).sort();
}

/** @param {string} name */
function inRoom(name) {
  return /[\s"]/.test(name) ? `in:"${name.replaceAll('"', "")}"` : `in:#${name}`;
}

/** @param {string} handle */
function fromHandle(handle) {
  return `from:@${handle}`;
}
