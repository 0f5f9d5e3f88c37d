/*
 * The emoji under a message: how many, who, and whether one's own is among them.
 */

import { EMOJI } from "../state/emoji.js";
import { html, nothing, repeat } from "../vendor/lit.js";
import { icon } from "./icons.js";
import { reactFrom } from "./message-actions.js";

/** @import { Message, Reaction } from "../types.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */
/** @import { Look } from "./message.js" */

const NAMES_SHOWN = 12;

/** @type {Map<string, string>} */
const names = new Map(EMOJI.map(({ char, name }) => [char, name]));

/**
 * @param {App} app
 * @param {State} state
 * @param {Message} message
 * @param {Look} look
 */
export function reactionsView(app, state, message, look) {
  if (message.deleted || message.reactions.length === 0) return nothing;
  return html`<div class="reactions" role="group" aria-label="Reactions">
    ${repeat(
      message.reactions,
      (reaction) => reaction.emoji,
      (reaction) => reactionView(app, state, message, reaction, look),
    )}
    ${
      look.canPost
        ? html`<button
            class="reaction add"
            tabindex=${look.active ? 0 : -1}
            aria-label="Add reaction"
            title="Add reaction"
            @click=${/** @param {MouseEvent} event */ (event) => reactFrom(app, message, /** @type {HTMLElement} */ (event.currentTarget))}
          >
            ${icon("emoji")}
          </button>`
        : nothing
    }
  </div>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @param {Message} message
 * @param {Reaction} reaction
 * @param {Look} look
 */
function reactionView(app, state, message, reaction, look) {
  const { emoji, users } = reaction;
  const mine = state.me !== null && users.includes(state.me.id);
  const who = people(state, reaction);
  const name = names.get(emoji) ?? emoji;
  return html`<button
    class="reaction ${mine ? "mine" : ""}"
    tabindex=${look.active ? 0 : -1}
    aria-pressed=${mine}
    aria-label="${emoji} ${users.length}: ${who}"
    title="${who} reacted with ${name}"
    ?disabled=${!look.canPost}
    @click=${() => app.run(app.actions.toggleReaction(message.id, emoji))}
  >
    <span class="reaction-emoji" aria-hidden="true">${emoji}</span
    ><span class="reaction-count" aria-hidden="true">${users.length}</span>
  </button>`;
}

/**
 * "You, Ada and 3 others"
 *
 * @param {State} state
 * @param {Reaction} reaction
 */
function people(state, reaction) {
  const me = state.me?.id;
  const sorted = [...reaction.users].sort((a, b) => Number(b === me) - Number(a === me));
  const shown = sorted
    .slice(0, NAMES_SHOWN)
    .map((id) => (id === me ? "you" : (state.users[id]?.name ?? "somebody")));
  const more = sorted.length - shown.length;
  if (more > 0) shown.push(more === 1 ? "one other" : `${more} others`);
  return joinNames(shown);
}

/** @param {string[]} list */
export function joinNames(list) {
  if (list.length < 2) return list[0] ?? "";
  return `${list.slice(0, -1).join(", ")} and ${list.at(-1)}`;
}
