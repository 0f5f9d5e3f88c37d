/*
 * One row of the timeline: a message, a message on its way, a day, the unread line.
 *
 * Why so many ids: a row's name for screen readers is put together from what it shows (author, time,
 * text), so nothing is written twice. Buttons of a row are reached by Tab only on the row that has
 * the focus: a hundred rows must not be five hundred stops. And of a row's buttons only the one with
 * the menu, which has them all, is there before somebody comes near: the others were more than half
 * of the document.
 */

import { fullTimeLabel, timeLabel, dayLabel } from "../state/rows.js";
import { guard, html, nothing } from "../vendor/lit.js";
import { avatar } from "./avatar.js";
import { excerpt } from "./excerpt.js";
import { icon } from "./icons.js";
import { messageBody } from "./message-body.js";
import "./message-edit.js";
import { openMessageMenu, quickReactions, reactFrom, reply } from "./message-actions.js";
import { reactionsView } from "./reactions.js";

/** @import { Message, Quote } from "../types.js" */
/** @import { Row } from "../state/rows.js" */
/** @import { State } from "../state/shape.js" */
/** @import { App } from "./shape.js" */

const MICROS_PER_MILLI = 1_000;

/** @typedef {Extract<Row, { kind: "message" }>} MessageRow */
/** @typedef {Extract<Row, { kind: "pending" }>} PendingRow */
/**
 * @typedef {object} Look
 * @property {boolean} active the row that the keyboard is on
 * @property {boolean} near the pointer or the focus is on it
 * @property {boolean} lit just jumped to
 * @property {boolean} editing
 * @property {boolean} canPost
 */

/**
 * @param {App} app
 * @param {State} state
 * @param {Row} row
 * @param {Look} look
 */
export function rowView(app, state, row, look) {
  if (row.kind === "day") return dayView(row.key, row.at);
  if (row.kind === "unread") {
    return html`<div class="unread-line" role="separator" aria-label="New messages" data-key=${row.key}>
      <span aria-hidden="true">New</span>
    </div>`;
  }
  const { active, near, lit, editing, canPost } = look;
  if (row.kind === "pending")
    return guard([row.pending, row.author, row.head, active, state.users], () =>
      pendingView(app, state, row, active),
    );
  return guard(
    [
      row.message,
      row.author,
      row.head,
      active,
      near,
      lit,
      editing,
      canPost,
      state.users,
      state.me,
      editing && state,
    ],
    () => messageView(app, state, row, look),
  );
}

/**
 * @param {string} key
 * @param {number} at
 */
function dayView(key, at) {
  const label = dayLabel(at, Date.now());
  return html`<div class="day-line" role="separator" aria-label=${label} data-key=${key}>
    <span aria-hidden="true">${label}</span>
  </div>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @param {MessageRow} row
 * @param {Look} look
 */
function messageView(app, state, row, look) {
  const { message, head, author } = row;
  const id = `m-${message.id}`;
  const forMe = message.mentions_room || message.mentions.includes(state.me?.id ?? "");
  const classes = [
    "message",
    head ? "head" : "",
    forMe && message.author !== state.me?.id ? "for-me" : "",
    look.lit ? "lit" : "",
    look.editing ? "editing" : "",
    message.deleted ? "tombstone" : "",
  ];
  return html`<article
    class=${classes.filter(Boolean).join(" ")}
    data-key=${row.key}
    data-message-id=${message.id}
    data-state="sent"
    tabindex=${look.active ? 0 : -1}
    aria-labelledby="${id}-author ${id}-time ${id}-text"
  >
    <div class="gutter">${head ? avatar(author) : timeLink(message, false, `${id}-time`, look.active)}</div>
    <div class="content">
      <div class=${head ? "byline" : "visually-hidden"}>
        <span class="author" id="${id}-author">${author.name}</span>
        ${head ? timeLink(message, true, `${id}-time`, look.active) : nothing}
      </div>
      ${message.reply_to && !message.deleted ? quoteView(state, message.reply_to, look.active) : nothing}
      ${bodyView(app, state, message, look, `${id}-text`)} ${reactionsView(app, state, message, look)}
    </div>
    ${message.deleted || look.editing ? nothing : toolbar(app, message, look)}
  </article>`;
}

/**
 * @param {Message} message
 * @param {boolean} shown always, or only while pointed at
 * @param {string} id
 * @param {boolean} active
 */
function timeLink(message, shown, id, active) {
  const iso = new Date(message.at / MICROS_PER_MILLI).toISOString();
  return html`<a
    class="time ${shown ? "" : "on-hover"}"
    id=${id}
    href="/message/${message.id}"
    title=${fullTimeLabel(message.at)}
    tabindex=${active ? 0 : -1}
    ><time datetime=${iso}>${timeLabel(message.at)}</time></a
  >`;
}

/**
 * @param {State} state
 * @param {Quote} quote
 * @param {boolean} active
 */
function quoteView(state, quote, active) {
  const name = state.users[quote.author]?.name ?? "Somebody";
  return html`<a class="quote" href="/message/${quote.id}" tabindex=${active ? 0 : -1}>
    ${icon("reply")}<span class="visually-hidden">In reply to </span><span class="quote-author">${name}</span>
    <span class="quote-text">${quote.deleted ? html`<em>deleted message</em>` : excerpt(quote.excerpt)}</span>
  </a>`;
}

/**
 * @param {App} app
 * @param {State} state
 * @param {Message} message
 * @param {Look} look
 * @param {string} id
 */
function bodyView(app, state, message, look, id) {
  if (message.deleted) return html`<p class="deleted" id=${id}>This message was deleted.</p>`;
  if (look.editing) return html`<sb-edit .app=${app} .state=${state} .message=${message} id=${id}></sb-edit>`;
  return html`<div class="body" id=${id}>
    ${guard([message.html, state.me?.id], () => messageBody(app, message.html, state.me?.id))}
    ${message.edited_at === null ? nothing : html`<span class="edited" title="Edited ${fullTimeLabel(message.edited_at)}">(edited)</span>`}
  </div>`;
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {Look} look
 */
function toolbar(app, message, look) {
  const tab = look.active ? 0 : -1;
  /** @param {MouseEvent} event */
  const anchor = (event) => /** @type {HTMLElement} */ (event.currentTarget);
  return html`<div class="toolbar" role="group" aria-label="Actions">
    ${
      look.canPost && look.near
        ? html`${quickReactions().map(
              (emoji) =>
                html`<button
                  class="icon-button quick"
                  tabindex=${tab}
                  aria-label="React with ${emoji}"
                  @click=${() => app.run(app.actions.toggleReaction(message.id, emoji))}
                >
                  ${emoji}
                </button>`,
            )}
            <button
              class="icon-button"
              tabindex=${tab}
              aria-label="Add reaction"
              title="Add reaction (+)"
              @click=${/** @param {MouseEvent} event */ (event) => reactFrom(app, message, anchor(event))}
            >
              ${icon("emoji")}
            </button>
            <button
              class="icon-button"
              tabindex=${tab}
              aria-label="Reply"
              title="Reply (R)"
              @click=${() => reply(app, message)}
            >
              ${icon("reply")}
            </button>`
        : nothing
    }
    <button
      class="icon-button"
      tabindex=${tab}
      aria-label="More actions"
      title="More (Enter)"
      aria-haspopup="menu"
      @click=${/** @param {MouseEvent} event */ (event) => openMessageMenu(app, message, anchor(event))}
    >
      ${icon("more")}
    </button>
  </div>`;
}

/**
 * A message that the server has not acknowledged yet. Its text is shown as it was typed.
 *
 * @param {App} app
 * @param {State} state
 * @param {PendingRow} row
 * @param {boolean} active
 */
function pendingView(app, state, row, active) {
  const { pending, head, author } = row;
  const id = `p-${pending.nonce}`;
  const failed = pending.status === "failed";
  const tab = active ? 0 : -1;
  return html`<article
    class="message ${head ? "head" : ""} ${failed ? "failed" : "pending"}"
    data-key=${row.key}
    data-state=${failed ? "failed" : "pending"}
    tabindex=${tab}
    aria-labelledby="${id}-author ${id}-state ${id}-text"
  >
    <div class="gutter">${head ? avatar(author) : nothing}</div>
    <div class="content">
      <div class=${head ? "byline" : "visually-hidden"}>
        <span class="author" id="${id}-author">${author.name}</span>
      </div>
      ${pendingQuote(state, pending.reply_to, pending.room)}
      <div class="body plain" id="${id}-text">${pending.body}</div>
      ${
        failed
          ? html`<p class="send-error">
              <span id="${id}-state">Not sent: ${pending.error ?? "the server refused it"}</span>
              <button class="link-button" @click=${() => app.actions.retry(pending.nonce)}>Retry</button>
              <button class="link-button danger" @click=${() => app.actions.discard(pending.nonce)}>
                Discard
              </button>
            </p>`
          : html`<span class="visually-hidden" id="${id}-state">sending</span>`
      }
    </div>
  </article>`;
}

/**
 * @param {State} state
 * @param {string | null} id
 * @param {string} room
 */
function pendingQuote(state, id, room) {
  const message = id === null ? undefined : state.timelines[room]?.messages.find((one) => one.id === id);
  if (!message) return nothing;
  return quoteView(
    state,
    { id: message.id, author: message.author, excerpt: message.body, deleted: message.deleted },
    false,
  );
}
