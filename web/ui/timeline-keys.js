/*
 * Keys on a message that has the focus: arrows move, letters act.
 *
 * Why letters only here: a single letter that acts everywhere would act on people who dictate or
 * brush a key (WCAG 2.1.4); on a focused message it is what the focus is for.
 */

import { focusComposer, isField } from "./focus.js";
import { confirmDelete, edit, openMessageMenu, reactFrom, reply } from "./message-actions.js";
import { lettersAct } from "./shortcuts.js";

/** @import { Message } from "../types.js" */
/** @import { App } from "./shape.js" */

/**
 * @param {App} app
 * @param {KeyboardEvent} event
 * @param {(id: string) => Message | undefined} find
 */
export function onTimelineKey(app, event, find) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isField(event.target)) return;
  const row = event.target instanceof HTMLElement ? event.target.closest("article") : null;
  if (!row) return;
  const handled = move(row, event.key) || (row === event.target && act(app, row, event.key, find));
  if (handled) event.preventDefault();
}

/**
 * @param {HTMLElement} row
 * @param {string} key
 */
function move(row, key) {
  if (key === "ArrowUp") focusRow(sibling(row, -1));
  else if (key === "ArrowDown") {
    const next = sibling(row, 1);
    if (next) focusRow(next);
    else focusComposer();
  } else return false;
  return true;
}

/**
 * @param {HTMLElement} row
 * @param {1 | -1} by
 * @returns {HTMLElement | null}
 */
function sibling(row, by) {
  /** @type {Element | null} */
  let next = row;
  do next = by < 0 ? next.previousElementSibling : next.nextElementSibling;
  while (next && next.localName !== "article");
  return next instanceof HTMLElement ? next : null;
}

/** @param {HTMLElement | null} row */
function focusRow(row) {
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
}

/**
 * @param {App} app
 * @param {HTMLElement} row
 * @param {string} key
 * @param {(id: string) => Message | undefined} find
 */
function act(app, row, key, find) {
  const message = find(row.dataset["messageId"] ?? "");
  if (!message) return false;
  switch (key) {
    case "Enter":
    case "ContextMenu":
      if (!message.deleted) openMessageMenu(app, message, row);
      return true;
    case "Delete":
      confirmDelete(app, message);
      return true;
    default:
      return lettersAct() && letter(app, row, key, message);
  }
}

/**
 * @param {App} app
 * @param {HTMLElement} row
 * @param {string} key
 * @param {Message} message
 */
function letter(app, row, key, message) {
  if (key === "r") reply(app, message);
  else if (key === "e") edit(app, message);
  else if (key === "+") reactFrom(app, message, row);
  else return false;
  return true;
}
