/*
 * Where a menu or picker is put: beside what it hangs from, inside the window.
 *
 * Why by hand: the browser's own anchoring is too new to lean on, and the top layer (`popover`) keeps
 * the timeline's edges from cutting a menu off. On a phone the style sheet makes a sheet of it.
 */

const GAP_PX = 4;
const MARGIN_PX = 8;
/** A click later than this after a press is another one. */
const CLICK_FOLLOWS_MS = 600;

/**
 * Shows `element` as a popover near `anchor`.
 *
 * @param {HTMLElement} element
 * @param {HTMLElement} anchor
 * @param {boolean} sheet at the window's bottom instead
 */
export function showNear(element, anchor, sheet) {
  element.showPopover();
  if (sheet) return;
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const left = box.left + width < innerWidth - MARGIN_PX ? box.left : box.right - width;
  const below = box.bottom + GAP_PX;
  const above = box.top - GAP_PX - height;
  const top = below + height > innerHeight - MARGIN_PX && above > MARGIN_PX ? above : below;
  element.style.left = `${clamp(left, innerWidth - width - MARGIN_PX)}px`;
  element.style.top = `${clamp(top, innerHeight - height - MARGIN_PX)}px`;
}

/**
 * Closes `element` when something beside it is pressed, and swallows the click that follows: it meant
 * "close", not what lies below.
 *
 * Why not the browser's own light dismissal: it takes the end of the long press that opens a menu for
 * such a press.
 *
 * @param {HTMLElement} element
 * @param {() => void} close
 * @returns {() => void} ends it
 */
export function closeOnPressBeside(element, close) {
  /** @param {Event} event */
  const swallow = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  /** @param {Event} event */
  const press = (event) => {
    if (event.target instanceof Node && element.contains(event.target)) return;
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), CLICK_FOLLOWS_MS);
    close();
  };
  addEventListener("pointerdown", press, { capture: true });
  return () => removeEventListener("pointerdown", press, { capture: true });
}

/**
 * @param {number} value
 * @param {number} max
 */
function clamp(value, max) {
  return Math.max(MARGIN_PX, Math.min(value, max));
}
