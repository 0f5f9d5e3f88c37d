// What only the screen knows: which dialog is open, which message is being edited. Types only.

import type { createClient } from "../net/connection.js";
import type { MessageId, RoomId, UserId } from "../types.js";
import type { TemplateResult } from "../vendor/lit.js";
import type { State } from "../state/shape.js";

export type Client = ReturnType<typeof createClient>;
export type Actions = Client["actions"];

export type View = TemplateResult | typeof import("../vendor/lit.js").nothing;

/** What every part of the screen is given. */
export interface App {
  client: Client;
  actions: Actions;
  /** The part of the state that is not the team's. Replaced, never changed in place. */
  ui: Ui;
  /** Changes some of `ui` and draws again. */
  set(change: Partial<Ui>): void;
  /** Opens a dialog on top of those that are open. */
  open(dialog: Dialog): void;
  /** Closes the topmost dialog. */
  closeDialog(): void;
  /** Waits for an action; a refusal is shown as a notice. Resolves to whether it succeeded. */
  run(action: Promise<unknown>, done?: string): Promise<boolean>;
  /** Shows a short text at the bottom for a while. */
  notify(text: string, tone?: "info" | "bad"): void;
  /** Says a text to people who use a screen reader, and shows nothing. */
  announce(text: string): void;
  go: Navigator;
  /** The prefix of static files, such as `/assets/3f9c21`. */
  assets: string;
}

/** Ways to another place; each also changes the address. */
export interface Navigator {
  room(room: RoomId): void;
  message(message: MessageId): void;
  /** The list of rooms: a screen of its own on a phone. */
  home(): void;
  /** A room by its position relative to the one shown. */
  step(by: 1 | -1, unreadOnly: boolean): void;
}

export interface Ui {
  /** Which of the two screens a phone shows. */
  place: "side" | "room";
  /** Whether the window is as narrow as a phone. */
  narrow: boolean;
  /** The list of members beside the timeline. */
  panel: boolean;
  editing: MessageId | null;
  dialogs: Dialog[];
  menu: Menu | null;
  picker: Picker | null;
  notice: Notice | null;
  /** A room that could not be opened, and why. */
  missing: string | null;
  /** Milliseconds since 1970; moves once a second while something on the screen counts down. */
  now: number;
}

export type Dialog =
  | { kind: "switcher" }
  | { kind: "search" }
  | { kind: "shortcuts" }
  | { kind: "new-room" }
  | { kind: "browse" }
  | { kind: "new-direct" }
  | { kind: "invite" }
  | { kind: "people" }
  | { kind: "settings"; tab?: SettingsTab }
  | { kind: "workspace" }
  | { kind: "edit-room"; room: RoomId; field: "name" | "topic" }
  | { kind: "add-people"; room: RoomId }
  | Confirm;

export type SettingsTab = "profile" | "look" | "password" | "sessions" | "tokens";

export interface Confirm {
  kind: "confirm";
  heading: string;
  text: string;
  /** The button's text: what will be done. */
  action: string;
  danger: boolean;
  /** A rejection is shown in the dialog, which then stays open. */
  run: () => Promise<unknown>;
}

export interface MenuItem {
  label: string;
  icon?: TemplateResult;
  /** The key that does the same. */
  key?: string;
  danger?: boolean;
  /** A line above it. */
  apart?: boolean;
  run: () => void;
}

export interface Menu {
  label: string;
  /** What it hangs from; gets the focus back. */
  anchor: HTMLElement;
  /** Text above the items. */
  head?: TemplateResult;
  /** Emoji to react with, in a row above the items. */
  emoji?: { chars: string[]; choose: (char: string) => void };
  items: MenuItem[];
}

export interface Picker {
  anchor: HTMLElement;
  choose: (char: string) => void;
}

export interface Notice {
  text: string;
  tone: "info" | "bad";
}

/** Somebody picked in a list of people. */
export interface Pick {
  id: UserId;
  name: string;
}

export type { State };
