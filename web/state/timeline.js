// The window on a room's messages: one run without holes, ordered by `seq`.
//
// A window that ends at the newest message (`!hasAfter`) grows by itself; one in the past does not,
// and learns only of changes to what it holds. Pure: every function gives a new timeline.

import { changeMessage, newer, requote } from "./messages.js";
import { TIMELINE_MESSAGES_MAX } from "./limits.js";

/** @import { LogEvent, Message, MessageId } from "../types.js" */
/** @import { HistoryPage, Timeline } from "./shape.js" */

/** @returns {Timeline} Before its first page. */
export function unloaded() {
  return { messages: [], hasBefore: false, hasAfter: true, loading: null, error: null, stale: false };
}

/**
 * @param {HistoryPage} page
 * @returns {Timeline} A window of this page alone.
 */
export function fromPage(page) {
  const { messages, hasBefore, hasAfter } = page;
  return { messages: bySeq(messages), hasBefore, hasAfter, loading: null, error: null, stale: false };
}

/**
 * Adds the page before the window; the far end goes where the window gets too long.
 * @param {Timeline} timeline
 * @param {HistoryPage} page
 * @returns {Timeline}
 */
export function prepend(timeline, page) {
  const first = timeline.messages[0]?.seq ?? Infinity;
  const older = bySeq(page.messages).filter((message) => message.seq < first);
  const messages = [...older, ...timeline.messages];
  const cut = messages.length > TIMELINE_MESSAGES_MAX;
  return {
    ...settled(timeline),
    messages: cut ? messages.slice(0, TIMELINE_MESSAGES_MAX) : messages,
    hasBefore: page.hasBefore,
    hasAfter: timeline.hasAfter || cut,
  };
}

/**
 * Adds the page after the window; the far end goes where the window gets too long.
 * @param {Timeline} timeline
 * @param {HistoryPage} page
 * @returns {Timeline}
 */
export function append(timeline, page) {
  const last = timeline.messages.at(-1)?.seq ?? 0;
  const newerOnes = bySeq(page.messages).filter((message) => message.seq > last);
  const whole = { ...settled(timeline), messages: [...timeline.messages, ...newerOnes], hasAfter: page.hasAfter };
  return keepNewest(whole, TIMELINE_MESSAGES_MAX);
}

/**
 * @param {Timeline} timeline
 * @param {number} count
 * @returns {Timeline} With no more than its `count` newest messages.
 */
export function keepNewest(timeline, count) {
  if (timeline.messages.length <= count) return timeline;
  return { ...timeline, messages: timeline.messages.slice(-count), hasBefore: true };
}

/**
 * Puts a message in its place, if its place is in the window.
 * @param {Timeline} timeline
 * @param {Message} message
 * @returns {Timeline}
 */
export function put(timeline, message) {
  const { messages, hasBefore, hasAfter, stale } = timeline;
  const known = messages.findIndex((other) => other.id === message.id);
  if (known >= 0) return replaceAt(timeline, known, newer(messages[known], message));
  // From the end: that is where nearly all of them belong.
  let place = messages.length;
  while (place > 0 && (messages[place - 1]?.seq ?? 0) > message.seq) place -= 1;
  if (place === messages.length && (hasAfter || stale)) return timeline;
  if (place === 0 && messages.length > 0 && hasBefore) return timeline;
  return { ...timeline, messages: messages.toSpliced(place, 0, message) };
}

/**
 * What an event does to the messages in the window.
 * @param {Timeline} timeline
 * @param {LogEvent} event
 * @returns {Timeline}
 */
export function applyEvent(timeline, event) {
  switch (event.type) {
    case "message.posted":
      return put(timeline, event.message);
    case "message.edited":
    case "message.deleted":
      return applyChange(timeline, event.message);
    case "reaction.added":
    case "reaction.removed":
      return change(timeline, event.message, (message) => changeMessage(message, event));
    default:
      return timeline;
  }
}

/**
 * A message has changed: it and every quote of it.
 * @param {Timeline} timeline
 * @param {Message} changed
 * @returns {Timeline}
 */
function applyChange(timeline, changed) {
  const next = change(timeline, changed.id, (message) => newer(message, changed));
  if (!next.messages.some((message) => message.reply_to?.id === changed.id)) return next;
  return { ...next, messages: next.messages.map((message) => requote(message, changed)) };
}

/**
 * @param {Timeline} timeline
 * @param {MessageId} id
 * @param {(message: Message) => Message} how
 * @returns {Timeline}
 */
function change(timeline, id, how) {
  const place = timeline.messages.findIndex((message) => message.id === id);
  const message = timeline.messages[place];
  return message ? replaceAt(timeline, place, how(message)) : timeline;
}

/** @param {Timeline} timeline @param {number} place @param {Message} message @returns {Timeline} */
function replaceAt(timeline, place, message) {
  if (timeline.messages[place] === message) return timeline;
  return { ...timeline, messages: timeline.messages.with(place, message) };
}

/** @param {Timeline} timeline @returns {Timeline} Nothing under way. */
function settled(timeline) {
  return { ...timeline, loading: null, error: null };
}

/** @param {Message[]} messages */
function bySeq(messages) {
  return messages.toSorted((a, b) => a.seq - b.seq);
}
