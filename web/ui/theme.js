/*
 * The reader's choice of theme: as the system, light, or dark.
 *
 * Why here and not with the account: a screen in a dark room and one by the window may want
 * different themes, so the choice stays with the browser. `theme-early.js` applies it before the
 * first paint of the next load.
 */

const KEY = "switchback.theme";

/** @typedef {"system" | "light" | "dark"} Theme */

/** @returns {Theme} */
export function chosenTheme() {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

/** @param {Theme} theme */
export function chooseTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice lasts as long as this page.
  }
}
