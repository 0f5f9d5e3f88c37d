/*
 * The keys, for those who want to learn them.
 */

import { html } from "../../vendor/lit.js";
import { SHORTCUTS } from "../shortcuts.js";
import { DialogElement } from "./base.js";

class ShortcutsElement extends DialogElement {
  /** @override */
  size = "wide";

  /** @override */
  heading() {
    return "Keyboard shortcuts";
  }

  /** @override */
  body() {
    return html`<div class="dialog-body shortcuts" role="group" aria-label="Keyboard shortcuts" tabindex="0">
      ${SHORTCUTS.map(
        (group) =>
          html`<section>
            <h3>${group.name}</h3>
            <dl>
              ${group.keys.map(
                (one) =>
                  html`<div>
                    <dt>${one.keys.map((key) => html`<kbd>${key}</kbd> `)}</dt>
                    <dd>${one.what}</dd>
                  </div>`,
              )}
            </dl>
          </section>`,
      )}
    </div>`;
  }
}

customElements.define("sb-shortcuts", ShortcutsElement);
