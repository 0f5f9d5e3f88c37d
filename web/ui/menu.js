/*
 * A menu: a list of things to do, hanging from what they are done to.
 *
 * Follows the menu pattern of the ARIA practices: the focus moves through the items with the arrow
 * keys, Home, End and the first letter; Escape and Tab close it and give the focus back.
 */

import { html, LitElement, nothing } from "../vendor/lit.js";
import { given } from "./given.js";
import { closeOnPressBeside, showNear } from "./popover.js";

/** @import { App, Menu, MenuItem } from "./shape.js" */

export class MenuElement extends LitElement {
  /** @override */
  static properties = { app: { attribute: false }, menu: { attribute: false } };

  /** @type {Menu | null} the menu that was shown last */
  #shown = null;
  #endWatch = () => {};

  constructor() {
    super();
    /** @type {App} */ this.app = given();
    /** @type {Menu} */ this.menu = given();
  }

  /** @override */
  createRenderRoot() {
    return this;
  }

  get #popover() {
    return /** @type {HTMLElement} */ (this.querySelector("[popover]"));
  }

  /** @override */
  updated() {
    if (this.menu === this.#shown) return;
    this.#shown = this.menu;
    const popover = this.#popover;
    if (popover.matches(":popover-open")) popover.hidePopover();
    showNear(popover, this.menu.anchor, this.app.ui.narrow);
    this.#items()[0]?.focus();
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.querySelectorAll('[role="menuitem"]')]);
  }

  /** @override */
  firstUpdated() {
    this.#endWatch = closeOnPressBeside(this, () => this.#close());
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    this.#endWatch();
  }

  #close() {
    const { anchor } = this.menu;
    const inside = this.contains(document.activeElement) || document.activeElement === document.body;
    this.app.set({ menu: null });
    if (inside) anchor.focus({ preventScroll: true });
  }

  /** @param {() => void} run */
  #run(run) {
    this.#close();
    run();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const items = this.#items();
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = target(items, at, event.key);
    if (event.key === "Tab" || event.key === "Escape") this.#close();
    else if (to === undefined) return;
    else items[to]?.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  /** @override */
  render() {
    const { label, head, emoji, items } = this.menu;
    return html`<div class="menu" popover="manual" @keydown=${this.#onKey}>
      ${head ?? nothing}
      <div role="menu" aria-label=${label}>
        ${
          emoji
            ? html`<div class="menu-emoji" role="group" aria-label="React">
                ${emoji.chars.map((char) => html`<button role="menuitem" tabindex="-1" aria-label="React with ${char}" @click=${() => this.#run(() => emoji.choose(char))}>${char}</button>`)}
              </div>`
            : nothing
        }
        ${items.map((item) => this.#item(item))}
      </div>
    </div>`;
  }

  /** @param {MenuItem} item */
  #item(item) {
    return html`${item.apart ? html`<hr />` : nothing}
      <button
        role="menuitem"
        tabindex="-1"
        class="menu-item ${item.danger ? "danger" : ""}"
        @click=${() => this.#run(item.run)}
      >
        ${item.icon ?? nothing}<span class="menu-label">${item.label}</span>
        ${item.key ? html`<kbd aria-hidden="true">${item.key}</kbd>` : nothing}
      </button>`;
  }
}

/**
 * Which item a key moves to.
 *
 * @param {HTMLElement[]} items
 * @param {number} at
 * @param {string} key
 * @returns {number | undefined}
 */
function target(items, at, key) {
  const count = items.length;
  if (key === "ArrowDown" || key === "ArrowRight") return (at + 1) % count;
  if (key === "ArrowUp" || key === "ArrowLeft") return (at + count - 1) % count;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (key.length !== 1 || key === " ") return undefined;
  const wanted = key.toLocaleLowerCase();
  const order = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  const found = order.find((item) =>
    item.querySelector(".menu-label")?.textContent?.toLocaleLowerCase().startsWith(wanted),
  );
  return found ? items.indexOf(found) : undefined;
}

customElements.define("sb-menu", MenuElement);
