/*
 * What can be done with a message, for the pointer, the keyboard and touch alike.
 *
 * Why one list: the menu, the row's toolbar and the keys must never disagree about what is allowed.
 */

import { COMMON_REACTIONS } from "../state/emoji.js";
import { canDelete, canEdit, canPost } from "../state/selectors.js";
import { copyText } from "./clipboard.js";
import { focusComposer } from "./focus.js";
import { icon } from "./icons.js";

/** @import { Message } from "../types.js" */
/** @import { App, MenuItem } from "./shape.js" */

const QUICK_REACTIONS = 3;

export function quickReactions() {
  return COMMON_REACTIONS.slice(0, QUICK_REACTIONS);
}

/**
 * @param {App} app
 * @param {Message} message
 */
export function mayPost(app, message) {
  return canPost(app.client.store.state, message.room);
}

/**
 * @param {App} app
 * @param {Message} message
 */
export function reply(app, message) {
  if (message.deleted || !mayPost(app, message)) return;
  const draft = app.client.store.state.drafts[message.room];
  app.actions.setDraft(message.room, draft?.body ?? "", message.id);
  focusComposer();
}

/**
 * @param {App} app
 * @param {Message} message
 */
export function edit(app, message) {
  if (canEdit(app.client.store.state, message)) app.set({ editing: message.id });
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {HTMLElement} anchor
 */
export function reactFrom(app, message, anchor) {
  if (message.deleted || !mayPost(app, message)) return;
  app.set({
    menu: null,
    picker: { anchor, choose: (char) => void app.run(app.actions.react(message.id, char, true)) },
  });
}

/**
 * @param {App} app
 * @param {Message} message
 */
export function confirmDelete(app, message) {
  const state = app.client.store.state;
  if (!canDelete(state, message)) return;
  const mine = message.author === state.me?.id;
  app.open({
    kind: "confirm",
    heading: "Delete this message?",
    text: `${mine ? "Your message" : `The message of ${state.users[message.author]?.name ?? "somebody"}`} will be gone for everybody. This cannot be undone.`,
    action: "Delete",
    danger: true,
    run: () => app.actions.remove(message.id),
  });
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {HTMLElement} anchor
 */
export function openMessageMenu(app, message, anchor) {
  const post = mayPost(app, message);
  app.set({
    picker: null,
    menu: {
      label: "Message",
      anchor,
      items: messageItems(app, message, anchor),
      ...(post
        ? {
            emoji: {
              chars: COMMON_REACTIONS,
              choose: (char) => void app.run(app.actions.toggleReaction(message.id, char)),
            },
          }
        : {}),
    },
  });
}

/**
 * @param {App} app
 * @param {Message} message
 * @param {HTMLElement} anchor
 * @returns {MenuItem[]}
 */
function messageItems(app, message, anchor) {
  const state = app.client.store.state;
  const post = mayPost(app, message);
  /** @type {(MenuItem | false)[]} */
  const items = [
    post && { label: "Reply", icon: icon("reply"), key: "R", run: () => reply(app, message) },
    post && {
      label: "Add reaction…",
      icon: icon("emoji"),
      key: "+",
      run: () => reactFrom(app, message, anchor),
    },
    canEdit(state, message) && { label: "Edit", icon: icon("edit"), key: "E", run: () => edit(app, message) },
    { label: "Copy text", icon: icon("copy"), run: () => void copyText(app, message.body, "Text copied.") },
    {
      label: "Copy link",
      icon: icon("link"),
      run: () => void copyText(app, `${location.origin}/message/${message.id}`, "Link copied."),
    },
    canDelete(state, message) && {
      label: "Delete",
      icon: icon("trash"),
      key: "Del",
      danger: true,
      apart: true,
      run: () => confirmDelete(app, message),
    },
  ];
  return items.filter((item) => item !== false);
}
