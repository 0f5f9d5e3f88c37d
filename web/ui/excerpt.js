/*
 * One line of a message's text without the marks of Markdown, for places too small for it.
 *
 * Why so simple: it is read at a glance, and the message itself is one click away.
 */

const CHARS_MAX = 200;

/**
 * @param {string} markdown
 * @returns {string}
 */
export function excerpt(markdown) {
  const text = plain(markdown.slice(0, CHARS_MAX * 2));
  return text.length > CHARS_MAX ? `${text.slice(0, CHARS_MAX)}…` : text;
}

/**
 * All of it.
 *
 * @param {string} markdown
 * @returns {string}
 */
export function plain(markdown) {
  return markdown
    .replace(/```[^\n]*\n?/g, "")
    .replace(/\[([^\]]*)\]\([^)\s]*\)/g, "$1")
    .replace(/(\*\*|__|~~|`)/g, "")
    .replace(/(^|\s)[*_]([^*_\s][^*_]*)[*_](?=\W|$)/g, "$1$2")
    .replace(/^\s*(?:>|#{1,6}\s|[-*+]\s)/gm, "")
    .replace(/\s+/g, " ")
    .trim();
}
