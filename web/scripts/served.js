/*
 * What the server makes of our sources before it sends them: the same without comments. For tests; the
 * server's own is `crates/server/src/http/assets/comments.rs`, which says why.
 */

/**
 * @param {string} text
 * @returns {string}
 */
export function withoutComments(text) {
  let inside = false;
  /** @type {string[]} */
  const kept = [];
  for (const line of text.split("\n").slice(0, text.endsWith("\n") ? -1 : undefined)) {
    const begin = line.trimStart();
    const comment = inside || (!begin.startsWith("/*!") && /^\/[/*]/.test(begin));
    if (!comment) kept.push(withoutTypes(line));
    else if (inside || begin.startsWith("/*")) {
      const end = begin.indexOf("*/");
      inside = end < 0;
      const code = end < 0 ? "" : begin.slice(end + 2).trimStart();
      if (code !== "") kept.push(withoutTypes(code));
    }
  }
  return kept.map((line) => `${line}\n`).join("");
}

/** @param {string} line */
function withoutTypes(line) {
  return line.replace(/\/\*\* @.*?\*\/ ?/g, "");
}
