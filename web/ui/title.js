/*
 * The icon in the browser's tab: with a dot while something is unread.
 *
 * Why two files and not a canvas: the icon is an SVG that stays sharp, and swapping an address is
 * one line. The title's text is made by `state/selectors.js`.
 */

let shown = false;

/**
 * @param {string} assets
 * @param {boolean} unread
 */
export function showFavicon(assets, unread) {
  if (unread === shown) return;
  shown = unread;
  const link = document.querySelector('link[rel="icon"]');
  if (link instanceof HTMLLinkElement) link.href = `${assets}/icons/${unread ? "icon-unread" : "icon"}.svg`;
}
