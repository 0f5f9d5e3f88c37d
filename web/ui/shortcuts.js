/*
 * Keys that work everywhere. Keys on one message are in timeline-keys.js, those of the message box in
 * textbox.js.
 *
 * Why so few: each one must be worth remembering, and none may shadow the browser's own. Plain
 * letters act only where no text is being written, and can be switched off (WCAG 2.1.4): people who
 * dictate would press them by speaking.
 */

import { focusComposer, isField } from "./focus.js";

/** @import { App } from "./shape.js" */

const KEY = "switchback.letters";
const isMac = /mac|iphone|ipad/i.test(navigator.platform);

/** What the help dialog shows, in groups. */
export const SHORTCUTS = [
  {
    name: "Everywhere",
    keys: [
      { keys: [isMac ? "⌘" : "Ctrl", "K"], what: "Jump to a room or a person" },
      { keys: [isMac ? "⌘" : "Ctrl", "Shift", "F"], what: "Search messages" },
      { keys: ["/"], what: "The same, where nothing is being written" },
      { keys: ["Alt", "↑"], what: "Previous room" },
      { keys: ["Alt", "↓"], what: "Next room" },
      { keys: ["Alt", "Shift", "↓"], what: "Next unread room (↑: previous)" },
      { keys: ["Esc"], what: "Close what is open; else mark the room as read" },
      { keys: ["?"], what: "This help" },
    ],
  },
  {
    name: "On a message",
    keys: [
      { keys: ["↑", "↓"], what: "Move between messages" },
      { keys: ["R"], what: "Reply" },
      { keys: ["+"], what: "React" },
      { keys: ["E"], what: "Edit your own" },
      { keys: ["Delete"], what: "Delete your own" },
      { keys: ["Enter"], what: "More actions" },
    ],
  },
  {
    name: "In the message box",
    keys: [
      { keys: ["Enter"], what: "Send" },
      { keys: ["Shift", "Enter"], what: "New line" },
      { keys: ["↑"], what: "In an empty box: edit your last message" },
      { keys: ["@"], what: "Mention somebody" },
      { keys: [":"], what: "Find an emoji" },
      { keys: ["Shift", "Tab"], what: "From the box to the messages" },
    ],
  },
];

/** The label of the quick switcher's key on this system. */
export const SWITCHER_KEY = isMac ? "⌘K" : "Ctrl K";

/** The label of the search's key. */
export const SEARCH_KEY = isMac ? "⇧⌘F" : "Ctrl ⇧ F";

/** Whether single letters act as shortcuts. */
export function lettersAct() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** @param {boolean} act */
export function letLettersAct(act) {
  try {
    if (act) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "off");
  } catch {
    // Without storage the letters keep their meaning.
  }
}

/** @param {App} app */
export function listenToKeys(app) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (app.client.store.state.phase !== "ready") return;
    if (press(app, event)) event.preventDefault();
  });
}

/**
 * @param {App} app
 * @param {KeyboardEvent} event
 * @returns {boolean} whether it was a shortcut
 */
function press(app, event) {
  const ctrl = event.ctrlKey || event.metaKey;
  if (ctrl && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    toggle(app, "switcher");
    return true;
  }
  if (ctrl && event.shiftKey && !event.altKey && event.key.toLowerCase() === "f") {
    toggle(app, "search");
    return true;
  }
  // A menu closes by its own keys while it has the focus; a click on its edge can take that away.
  if (event.key === "Escape" && (app.ui.menu || app.ui.picker)) {
    app.set({ menu: null, picker: null });
    return true;
  }
  // What the browser has closed already, it tells us of a moment later: the next key must not be lost to it.
  if (document.querySelector("dialog[open]") || app.ui.menu || app.ui.picker) return false;
  if (event.altKey && !ctrl && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    app.go.step(event.key === "ArrowUp" ? -1 : 1, event.shiftKey);
    return true;
  }
  if (event.key === "Escape") return escape(app);
  if (event.key === "/" && !ctrl && !event.altKey && !isField(event.target) && lettersAct()) {
    app.open({ kind: "search" });
    return true;
  }
  if (event.key === "?" && !ctrl && !event.altKey && !isField(event.target) && lettersAct()) {
    app.open({ kind: "shortcuts" });
    return true;
  }
  return false;
}

/**
 * @param {App} app
 * @param {"switcher" | "search"} kind
 */
function toggle(app, kind) {
  const top = app.ui.dialogs.at(-1);
  if (top?.kind === kind) app.closeDialog();
  else app.open({ kind });
}

/**
 * Closes what is open beside the conversation, or marks it read and goes to its end.
 *
 * @param {App} app
 */
function escape(app) {
  const { room } = app.client.store.state.view;
  if (app.ui.notice) app.set({ notice: null });
  else if (app.ui.panel) app.set({ panel: false });
  else if (room !== null) {
    app.actions.markRead(room);
    app.run(app.actions.jumpToLatest(room));
    focusComposer();
  } else return false;
  return true;
}
