/*
 * Copying a text, with a notice that it was done.
 */

/** @import { App } from "./shape.js" */

/**
 * The clipboard exists only where the page is served safely (https or localhost); elsewhere the old
 * way, a selected field, still works.
 *
 * @param {App} app
 * @param {string} text
 * @param {string} done
 */
export async function copyText(app, text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) {
      app.notify(`Copying is not possible in this browser. The text: ${text}`, "bad");
      return;
    }
  }
  app.notify(done);
}

/** @param {string} text */
function copyBySelection(text) {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}
