// The rows of a timeline: messages with what stands between them. Pure, and remembered while
// nothing has changed.

import { GROUP_MS } from "./limits.js";
import { memo } from "./memo.js";

/** @import { Message, RoomId, Timestamp, User, UserId } from "../types.js" */
/** @import { Pending, State, Timeline } from "./shape.js" */

/**
 * `key` stays the same while a row lives; a pending message keeps it when it becomes a message.
 * `head`: the first of a group by one author, shown with name and picture.
 * @typedef {{ kind: "day", key: string, at: Timestamp }
 *   | { kind: "unread", key: string }
 *   | { kind: "message", key: string, message: Message, author: User, head: boolean, mine: boolean }
 *   | { kind: "pending", key: string, pending: Pending, author: User, head: boolean }} Row
 */

/** @param {State} state @param {RoomId} room @returns {Row[]} */
export function timelineRows(state, room) {
  const unreadAfter = state.view.room === room ? state.view.unreadAfter : null;
  return rowsOf(state.timelines[room], state.pending[room], unreadAfter, state.users, state.me);
}

const rowsOf = memo(
  /**
   * @param {Timeline | undefined} timeline
   * @param {Pending[] | undefined} pending
   * @param {number | null} unreadAfter
   * @param {Record<UserId, User>} users
   * @param {User | null} me
   * @returns {Row[]}
   */
  (timeline, pending, unreadAfter, users, me) => {
    const writer = new RowWriter(users, me, unreadAfter);
    for (const message of timeline?.messages ?? []) writer.message(message);
    if (!timeline?.hasAfter) for (const one of pending ?? []) writer.pending(one);
    return writer.rows;
  },
);

class RowWriter {
  /** @type {Row[]} */
  rows = [];
  #users;
  #me;
  #unreadAfter;
  #day = "";
  #author = "";
  #atMs = 0;

  /** @param {Record<UserId, User>} users @param {User | null} me @param {number | null} unreadAfter */
  constructor(users, me, unreadAfter) {
    this.#users = users;
    this.#me = me;
    this.#unreadAfter = unreadAfter;
  }

  /** @param {Message} message */
  message(message) {
    const mine = message.author === this.#me?.id;
    this.#dayLine(message.at);
    if (this.#unreadAfter !== null && message.seq > this.#unreadAfter && !mine) {
      this.#unreadAfter = null;
      this.#author = "";
      this.rows.push({ kind: "unread", key: "unread" });
    }
    const key = `${message.author}.${message.nonce}`;
    const head = this.#head(message.author, message.at / 1_000) || message.reply_to !== null;
    this.rows.push({ kind: "message", key, message, author: this.#user(message.author), head, mine });
  }

  /** @param {Pending} pending */
  pending(pending) {
    const author = this.#me?.id ?? "";
    this.#dayLine(pending.at * 1_000);
    const head = this.#head(author, pending.at) || pending.reply_to !== null;
    const key = `${author}.${pending.nonce}`;
    this.rows.push({ kind: "pending", key, pending, author: this.#user(author), head });
  }

  /** @param {Timestamp} at */
  #dayLine(at) {
    const day = dayOf(at);
    if (day === this.#day) return;
    this.#day = day;
    this.#author = "";
    this.rows.push({ kind: "day", key: `day.${day}`, at });
  }

  /** @param {UserId} author @param {number} atMs */
  #head(author, atMs) {
    const head = author !== this.#author || atMs - this.#atMs > GROUP_MS;
    this.#author = author;
    this.#atMs = atMs;
    return head;
  }

  /** @param {UserId} id @returns {User} */
  #user(id) {
    const unknown = { id, handle: "unknown", name: "Unknown", role: /** @type {const} */ ("member") };
    return this.#users[id] ?? { ...unknown, active: false, created_at: 0 };
  }
}

/** @param {Timestamp} at @returns {string} The reader's own calendar day. */
function dayOf(at) {
  const date = new Date(at / 1_000);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/**
 * @param {Timestamp} at
 * @param {number} nowMs
 * @param {string} [locale]
 * @returns {string} "Today", "Yesterday", "Tuesday, November 3", with the year where it is another one.
 */
export function dayLabel(at, nowMs, locale) {
  const day = dayOf(at);
  const now = new Date(nowMs);
  if (day === dayOf(nowMs * 1_000)) return "Today";
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (day === dayOf(yesterday.getTime() * 1_000)) return "Yesterday";
  const date = new Date(at / 1_000);
  const year = date.getFullYear() === now.getFullYear() ? undefined : /** @type {const} */ ("numeric");
  return date.toLocaleDateString(locale, { weekday: "long", day: "numeric", month: "long", year });
}

/** @param {Timestamp} at @param {string} [locale] @returns {string} "14:05" */
export function timeLabel(at, locale) {
  return new Date(at / 1_000).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
}

/** @param {Timestamp} at @param {string} [locale] @returns {string} Date and time in full. */
export function fullTimeLabel(at, locale) {
  return new Date(at / 1_000).toLocaleString(locale, { dateStyle: "full", timeStyle: "short" });
}
