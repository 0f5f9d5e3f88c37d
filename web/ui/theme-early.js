/*
 * Sets the theme the reader chose before the first paint.
 *
 * Why: a module runs after parsing, which is too late: a dark room would flash white at every
 * load. So this is a classic script in the head, as small as can be. `theme.js` is its other half.
 */
(() => {
  try {
    const theme = localStorage.getItem("switchback.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off in this browser: the system's theme it is.
  }
})();
