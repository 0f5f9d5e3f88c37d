/*
 * A person as a small square with initials, and the dot that says whether they are there.
 *
 * Why: no pictures to upload, to store, or to leak; a colour out of eight, fixed by the person's
 * id, is enough to tell who is who. Colours are classes because the page forbids inline styles.
 */

import { html, nothing } from "../vendor/lit.js";

/** @import { User } from "../types.js" */
/** @import { View } from "./shape.js" */

const COLOURS = 8;

/**
 * Up to two letters: of the first and the last word.
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.split(/[\s\-_.]+/u).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const first = [...(words[0] ?? name)][0] ?? "?";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + last).toLocaleUpperCase();
}

/**
 * @param {string} id
 * @returns {number}
 */
export function colourOf(id) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % COLOURS;
}

/**
 * @param {User} user
 * @param {string} [size] a class: `small`
 */
export function avatar(user, size = "") {
  return html`<span class="avatar colour-${colourOf(user.id)} ${size}" aria-hidden="true"
    >${initials(user.name)}</span
  >`;
}

/**
 * @param {"online" | "away" | "offline" | null | undefined} presence
 * @param {boolean} [spoken] whether a screen reader says it
 * @returns {View}
 */
export function presenceDot(presence, spoken = true) {
  if (!presence) return nothing;
  return html`<span class="presence ${presence}"
    >${spoken ? html`<span class="visually-hidden">(${presence})</span>` : nothing}</span
  >`;
}
