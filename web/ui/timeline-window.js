/*
 * Which rows of a long timeline are in the document.
 *
 * Why: a room may hold a hundred thousand messages; the document holds a window of them, which moves
 * when its edge comes near. Pure, so that it can be tested without a page.
 */

/** Rows in the document at once. */
export const WINDOW_ROWS = 160;
/** Rows by which the window moves. */
export const STEP_ROWS = 30;

/**
 * The window that begins at the row named `top`, or the last one if there is none of that name.
 *
 * @param {readonly { key: string }[]} rows
 * @param {string | null} top
 * @returns {{ start: number, end: number }}
 */
export function windowOf(rows, top) {
  const last = Math.max(0, rows.length - WINDOW_ROWS);
  const at = top === null ? -1 : rows.findIndex((row) => row.key === top);
  const start = at < 0 ? last : Math.min(at, last);
  return { start, end: Math.min(rows.length, start + WINDOW_ROWS) };
}

/**
 * The key of the row that the window begins with after it has moved.
 *
 * @param {readonly { key: string }[]} rows
 * @param {number} start where it begins now
 * @param {number} by rows, negative towards the past
 * @returns {string | null} `null`: there are no rows
 */
export function moved(rows, start, by) {
  const last = Math.max(0, rows.length - WINDOW_ROWS);
  return rows[Math.min(last, Math.max(0, start + by))]?.key ?? null;
}

/**
 * The beginning of a window that has the row at `index` in its middle.
 *
 * @param {readonly { key: string }[]} rows
 * @param {number} index
 * @returns {string | null}
 */
export function around(rows, index) {
  return moved(rows, index, -Math.floor(WINDOW_ROWS / 2));
}
