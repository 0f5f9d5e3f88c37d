/*
 * Another name or another topic for a room.
 */

import { html } from "../../vendor/lit.js";
import { DialogElement, fieldView, values } from "./base.js";

/** @import { Dialog } from "../shape.js" */

const CHARS = { name: 80, topic: 250 };

class EditRoomElement extends DialogElement {
  get #what() {
    return /** @type {Extract<Dialog, { kind: "edit-room" }>} */ (this.dialog);
  }

  /** @override */
  heading() {
    return this.#what.field === "name" ? "Rename the room" : "Change the topic";
  }

  /** @param {Event} event */
  async #save(event) {
    const { room, field } = this.#what;
    const text = values(event)(field);
    const change = field === "name" ? { name: text } : { topic: text };
    if (await this.attempt(() => this.app.actions.updateRoom(room, change))) this.close();
  }

  /** @override */
  body() {
    const { room, field } = this.#what;
    const isName = field === "name";
    return html`<form class="dialog-body" @submit=${this.#save}>
      ${fieldView({
        id: "edit-room-field",
        label: isName ? "Name" : "Topic",
        input: html`<input
          id="edit-room-field"
          name=${field}
          .defaultValue=${this.state.rooms[room]?.[field] ?? ""}
          ?required=${isName}
          maxlength=${CHARS[field]}
          autocomplete="off"
          data-first
          aria-describedby="edit-room-field-note"
          aria-invalid=${this.errorOf(field) !== null}
        />`,
        hint: isName
          ? "Links to the room stay valid."
          : "One line that says what belongs here. Everybody sees it above the messages.",
        error: this.errorOf(field),
      })}
      ${this.otherError(field)}
      <footer class="dialog-foot">
        <button class="button" type="button" @click=${this.close}>Cancel</button>
        <button class="button primary" ?disabled=${this.busy}>Save</button>
      </footer>
    </form>`;
  }
}

customElements.define("sb-edit-room", EditRoomElement);
