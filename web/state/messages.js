// One message: which of two versions is the newer one, and what an event does to it.

import { REPLY_EXCERPT_CHARS } from "./limits.js";

/** @import { Message, Reaction, ReactionEvent, UserId } from "../types.js" */

/**
 * Of two versions of one message the newer one. An event that is read again late carries an old
 * text; a tombstone is final. Where they are equally old the second counts.
 * @param {Message | undefined} have
 * @param {Message} got
 * @returns {Message}
 */
export function newer(have, got) {
  if (!have || got.deleted) return got;
  if (have.deleted) return have;
  return (got.edited_at ?? 0) >= (have.edited_at ?? 0) ? got : have;
}

/**
 * @param {Message} message
 * @param {ReactionEvent} event
 * @returns {Message}
 */
export function changeMessage(message, event) {
  const { emoji, user } = event;
  const reactions =
    event.type === "reaction.added"
      ? withReaction(message.reactions, emoji, user)
      : withoutReaction(message.reactions, emoji, user);
  return reactions === message.reactions ? message : { ...message, reactions };
}

/** @param {Reaction[]} reactions @param {string} emoji @param {UserId} user @returns {Reaction[]} */
function withReaction(reactions, emoji, user) {
  const place = reactions.findIndex((reaction) => reaction.emoji === emoji);
  const reaction = reactions[place];
  if (!reaction) return [...reactions, { emoji, users: [user] }];
  if (reaction.users.includes(user)) return reactions;
  return reactions.with(place, { emoji, users: [...reaction.users, user] });
}

/** @param {Reaction[]} reactions @param {string} emoji @param {UserId} user @returns {Reaction[]} */
function withoutReaction(reactions, emoji, user) {
  const place = reactions.findIndex((reaction) => reaction.emoji === emoji);
  const reaction = reactions[place];
  if (!reaction?.users.includes(user)) return reactions;
  const users = reaction.users.filter((other) => other !== user);
  return users.length > 0 ? reactions.with(place, { emoji, users }) : reactions.toSpliced(place, 1);
}

/**
 * The message with its quote of `quoted` as that now stands.
 * @param {Message} message
 * @param {Message} quoted
 * @returns {Message}
 */
export function requote(message, quoted) {
  const quote = message.reply_to;
  if (quote?.id !== quoted.id || quote.deleted) return message;
  const excerpt = quoted.deleted ? "" : excerptOf(quoted.body);
  return { ...message, reply_to: { ...quote, excerpt, deleted: quoted.deleted } };
}

/** @param {string} body As the server cuts it: by characters, not by UTF-16 units. */
function excerptOf(body) {
  // Twice the length in units is always enough for that many characters.
  return Array.from(body.slice(0, 2 * REPLY_EXCERPT_CHARS)).slice(0, REPLY_EXCERPT_CHARS).join("");
}

/**
 * Whether a message of somebody else calls `me` in a room of this kind.
 * @param {Message} message
 * @param {UserId} me
 * @param {"public" | "private" | "direct"} kind
 */
export function mentionsMe(message, me, kind) {
  return kind === "direct" || message.mentions_room || message.mentions.includes(me);
}
