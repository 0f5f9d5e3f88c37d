/*
 * The pictures on buttons, as SVG templates.
 *
 * Why: drawn in the page, they take the colour of their text in both themes and cost no request.
 * All share one grid (20 by 20, strokes of 1.6), and all are hidden from screen readers: the
 * button's own name says what it does.
 */

import { html } from "../vendor/lit.js";

/** @import { TemplateResult } from "../vendor/lit.js" */

const SHAPES = /** @type {const} */ ({
  add: "M10 4v12M4 10h12",
  archive: "M3 4.5h14v3.5H3zM4.5 8v8h11V8M8 11h4",
  back: "M12.5 4 6.5 10l6 6",
  bell: "M10 3a4.5 4.5 0 0 0-4.5 4.5c0 4-1.5 5.5-1.5 5.5h12s-1.5-1.5-1.5-5.5A4.5 4.5 0 0 0 10 3zM8.5 16a1.6 1.6 0 0 0 3 0",
  check: "m4 10.5 4 4 8-9",
  close: "m5 5 10 10M15 5 5 15",
  compass: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM13 7l-1.7 4.3L7 13l1.7-4.3z",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
  down: "M10 4v12m-5-5 5 5 5-5",
  edit: "m4 16 .8-3.5L13 4.3a1.4 1.4 0 0 1 2 0l.7.7a1.4 1.4 0 0 1 0 2L7.5 15.2z",
  emoji: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM7.3 8v.5M12.7 8v.5M6.5 11.5a4 4 0 0 0 7 0",
  gear: "M10 7.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM10 2v2.2M10 15.8V18M2 10h2.2M15.8 10H18M4.3 4.3l1.6 1.6M14.1 14.1l1.6 1.6M4.3 15.7l1.6-1.6M14.1 5.9l1.6-1.6",
  hash: "M7.8 3.5 6.2 16.5M13.8 3.5l-1.6 13M3.8 7.5h13M3.2 12.5h13",
  info: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM10 9v4.5M10 6.3v.2",
  leave: "M8 3.5H4v13h4M8 10h9m-3.5-3.5L17 10l-3.5 3.5",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.7-2.7a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-2.7 2.7a3 3 0 0 0 4.3 4.3l1-1",
  lock: "M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  message: "M3.5 4.5h13v9H9L5.5 16.5v-3h-2z",
  more: "M3.9 10a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M9.4 10a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M14.9 10a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0",
  people:
    "M7.5 4a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4zM2.5 16c0-3 2-4.6 5-4.6s5 1.6 5 4.6M13 4.3a2.6 2.6 0 0 1 0 4.9M14.5 11.7c2 .5 3 2 3 4.3",
  reply: "M8 5 3.5 9.5 8 14M3.5 9.5H12c3 0 4.5 1.8 4.5 5.5",
  search: "M8.8 3.5a5.3 5.3 0 1 0 0 10.6 5.3 5.3 0 0 0 0-10.6zM12.7 12.7 17 17",
  send: "M3.5 4 17 10 3.5 16l1.7-6zM5.2 10H10",
  trash: "M4 6h12M8 6V3.5h4V6M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v4.5M11.5 9v4.5",
  userAdd: "M8 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM2.5 16.5c0-3 2-5 5.5-5s5.5 2 5.5 5M15.5 6v6M12.5 9h6",
});

/**
 * @param {keyof typeof SHAPES} name
 * @returns {TemplateResult}
 */
export function icon(name) {
  return html`<svg
    class="icon"
    width="20"
    height="20"
    viewBox="0 0 20 20"
    aria-hidden="true"
    focusable="false"
  >
    <path
      d=${SHAPES[name]}
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>`;
}

/**
 * The mark of the product: a track that climbs by zig-zag.
 *
 * @returns {TemplateResult}
 */
export function mark() {
  return html`<svg
    class="mark"
    width="28"
    height="28"
    viewBox="6 6 52 52"
    aria-hidden="true"
    focusable="false"
  >
    <g fill="none" stroke-width="6" stroke-linecap="round">
      <path class="mark-low" d="M12 52.5 51 46M15 34.5 47 24" />
      <path class="mark-high" d="M51 46 15 34.5M47 24 22 12.5" />
    </g>
  </svg>`;
}
