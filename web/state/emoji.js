// The emoji that completion and the picker offer: common ones, with the names people type.
//
// One line each: the emoji, its name, further words that find it. Any other emoji still works where
// the keyboard can write it; this list only helps to find.

import { EMOJI_FOUND_MAX } from "./limits.js";
import { EMOJI_LINES } from "./emoji-data.js";

/** @typedef {{ char: string, name: string, keywords: string[] }} Emoji */

/** @type {readonly Emoji[]} */
export const EMOJI = EMOJI_LINES.trim()
  .split("\n")
  .map((line) => {
    const [char = "", name = "", ...keywords] = line.trim().split(" ");
    return { char, name, keywords };
  });

/** Offered at once under a message. */
export const COMMON_REACTIONS = ["👍", "❤️", "😂", "🎉", "👀", "✅"];

/** @type {ReadonlyMap<string, string>} */
const BY_NAME = new Map(EMOJI.map(({ char, name }) => [name, char]));

/**
 * @param {string} query
 * @param {number} [limit]
 * @returns {Emoji[]} Names that begin with the query first, then further words, then parts of names.
 */
export function searchEmoji(query, limit = EMOJI_FOUND_MAX) {
  const wanted = query.trim().toLowerCase().replaceAll(" ", "_");
  if (wanted === "") return EMOJI.slice(0, limit);
  /** @type {Emoji[][]} */
  const ranked = [[], [], [], []];
  for (const emoji of EMOJI) ranked[rank(emoji, wanted)]?.push(emoji);
  return ranked.flat().slice(0, limit);
}

/** @param {Emoji} emoji @param {string} wanted @returns {number} 4: not found. */
function rank({ char, name, keywords }, wanted) {
  if (name === wanted || char === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  if (keywords.some((word) => word.startsWith(wanted))) return 2;
  return name.includes(wanted) ? 3 : 4;
}

/**
 * Turns `:tada:` into 🎉, outside of code, and leaves what is no name of an emoji as it is.
 * @param {string} text
 * @returns {string}
 */
export function replaceShortcodes(text) {
  return text.replace(/(```[\s\S]*?(?:```|$)|`[^`\n]*`)|:([a-z0-9_+-]+):/g, (whole, code, name) =>
    code ? whole : (BY_NAME.get(name) ?? whole),
  );
}
