/*
 * Refusals in plain words.
 *
 * Why: the server's details are written to follow the name of a field ("is too long: ..."), which is
 * right beside that field and odd on its own. Here they become sentences.
 */

/** @typedef {{ text: string, field: string | null }} PlainError */

const FIELD_NAMES = /** @type {Record<string, string>} */ ({
  body: "The message",
  current: "The current password",
  emoji: "The emoji",
  expires_in_s: "The time",
  handle: "The handle",
  label: "The label",
  max_uses: "The number of uses",
  name: "The name",
  new: "The new password",
  password: "The password",
  topic: "The topic",
  users: "The list of people",
});

/**
 * @param {unknown} error
 * @returns {PlainError}
 */
export function plainError(error) {
  if (!(error instanceof Error)) return { text: "That did not work. Try again.", field: null };
  const { detail, field } = /** @type {Error & { detail?: string, field?: string | null }} */ (error);
  const text = detail ?? error.message;
  return { text: sentence(text, field ?? null), field: field ?? null };
}

/**
 * @param {string} text
 * @param {string | null} field
 */
function sentence(text, field) {
  const bare = text.replace(/^`?[a-z_.]+`?: /, "").trim();
  const subject = field === null ? undefined : FIELD_NAMES[field];
  const full = subject && /^(is|must|may|has|holds|cannot|does)\b/.test(bare) ? `${subject} ${bare}` : bare;
  const upper = full.charAt(0).toLocaleUpperCase() + full.slice(1);
  return /[.!?…]$/.test(upper) ? upper : `${upper}.`;
}
