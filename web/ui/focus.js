/*
 * Small questions about where the keyboard's focus is.
 */

/** Whether the window is hidden or another one has the focus. */
export function isAway() {
  return document.visibilityState === "hidden" || !document.hasFocus();
}

/**
 * Whether a key pressed on this element is text for a field.
 *
 * @param {EventTarget | null} target
 */
export function isField(target) {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement &&
      !["checkbox", "radio", "button", "submit"].includes(target.type)) ||
    (target instanceof HTMLElement && target.isContentEditable)
  );
}

/** Puts the caret into the message box, if there is one. */
export function focusComposer() {
  const box = document.querySelector("#message-box");
  if (box instanceof HTMLTextAreaElement) box.focus();
}
