/*
 * Another name for the workspace.
 */

import { html } from "../../vendor/lit.js";
import { DialogElement, fieldView, values } from "./base.js";

const NAME_CHARS = 80;

class WorkspaceElement extends DialogElement {
  /** @override */
  heading() {
    return "Rename the workspace";
  }

  /** @param {Event} event */
  async #save(event) {
    const name = values(event)("name");
    if (await this.attempt(() => this.app.actions.renameWorkspace(name))) this.close();
  }

  /** @override */
  body() {
    return html`<form class="dialog-body" @submit=${this.#save}>
      ${fieldView({
        id: "workspace-name-field",
        label: "Name",
        input: html`<input
          id="workspace-name-field"
          name="name"
          .defaultValue=${this.state.workspace?.name ?? ""}
          required
          maxlength=${NAME_CHARS}
          autocomplete="off"
          data-first
          aria-describedby="workspace-name-field-note"
          aria-invalid=${this.errorOf("name") !== null}
        />`,
        hint: "Everybody sees it, on the sign-in page too.",
        error: this.errorOf("name"),
      })}
      ${this.otherError("name")}
      <footer class="dialog-foot">
        <button class="button" type="button" @click=${this.close}>Cancel</button>
        <button class="button primary" ?disabled=${this.busy}>Save</button>
      </footer>
    </form>`;
  }
}

customElements.define("sb-workspace", WorkspaceElement);
