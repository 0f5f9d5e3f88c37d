/*
 * A long press on a message opens its menu: a finger has no hover.
 */

import { openMessageMenu } from "./message-actions.js";

/** @import { Message } from "../types.js" */
/** @import { App } from "./shape.js" */

const LONG_PRESS_MS = 450;
/** A finger that moves further scrolls and does not press. */
const SLACK_PX = 10;

/**
 * @param {HTMLElement} log
 * @param {App} app
 * @param {(id: string) => Message | undefined} find
 */
export function listenToTouch(log, app, find) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let [x, y] = [0, 0];
  let touching = false;
  const cancel = () => clearTimeout(timer);

  log.addEventListener("pointerdown", (event) => {
    cancel();
    touching = event.pointerType === "touch";
    const row = event.target instanceof Element ? event.target.closest("article") : null;
    const message = row ? find(row.dataset["messageId"] ?? "") : undefined;
    if (!touching || !row || !message || message.deleted || app.ui.editing === message.id) return;
    [x, y] = [event.clientX, event.clientY];
    timer = setTimeout(() => {
      getSelection()?.removeAllRanges();
      swallowClick();
      openMessageMenu(app, message, row);
    }, LONG_PRESS_MS);
  });
  log.addEventListener("pointermove", (event) => {
    if (Math.hypot(event.clientX - x, event.clientY - y) > SLACK_PX) cancel();
  });
  for (const type of ["pointerup", "pointercancel", "scroll"])
    log.addEventListener(type, cancel, { passive: true });
  log.addEventListener("contextmenu", (event) => {
    if (touching && event.target instanceof Element && !event.target.closest("a")) event.preventDefault();
  });
}

/**
 * The finger that opened the menu is lifted over it. What it makes of that, a click and the mouse
 * events before it, must neither choose what happens to lie there nor take the focus from the menu.
 */
function swallowClick() {
  /** @param {Event} event */
  const swallow = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  const made = ["mousedown", "click"];
  for (const type of made) addEventListener(type, swallow, { capture: true, once: true });
  const end = () => made.forEach((type) => removeEventListener(type, swallow, { capture: true }));
  addEventListener("pointerdown", end, { capture: true, once: true });
}
