/*
 * Making a room: what it is called, what it is about, and who can find it.
 */

import { html } from "../../vendor/lit.js";
import { DialogElement, fieldView, values } from "./base.js";

const NAME_CHARS = 80;
const TOPIC_CHARS = 250;

class NewRoomElement extends DialogElement {
  /** @override */
  heading() {
    return "New room";
  }

  /** @override */
  isFilled() {
    return this.querySelector("input")?.value !== "";
  }

  /** @param {Event} event */
  async #create(event) {
    const value = values(event);
    const kind = value("kind") === "private" ? "private" : "public";
    const topic = value("topic");
    const made = await this.attempt(async () => {
      const room = await this.app.actions.createRoom({
        kind,
        name: value("name"),
        ...(topic ? { topic } : {}),
      });
      this.app.go.room(room.id);
      if (kind === "private") this.app.open({ kind: "add-people", room: room.id });
    });
    if (made) this.close();
  }

  /** @override */
  body() {
    return html`<form class="dialog-body" @submit=${this.#create}>
      ${fieldView({
        id: "room-name-field",
        label: "Name",
        input: html`<input
          id="room-name-field"
          name="name"
          required
          maxlength=${NAME_CHARS}
          autocomplete="off"
          data-first
          aria-describedby="room-name-field-note"
          aria-invalid=${this.errorOf("name") !== null}
        />`,
        hint: "One subject, one room: “design”, “support”, “lunch”.",
        error: this.errorOf("name"),
      })}
      ${fieldView({
        id: "room-topic-field",
        label: "Topic (may be left empty)",
        input: html`<input
          id="room-topic-field"
          name="topic"
          maxlength=${TOPIC_CHARS}
          autocomplete="off"
          aria-describedby="room-topic-field-note"
          aria-invalid=${this.errorOf("topic") !== null}
        />`,
        error: this.errorOf("topic"),
      })}
      <fieldset class="choices">
        <legend>Who can find it?</legend>
        <label
          ><input type="radio" name="kind" value="public" checked /><span
            ><strong>Everybody</strong
            ><span class="hint">A public room: all can read it and join.</span></span
          ></label
        >
        <label
          ><input type="radio" name="kind" value="private" /><span
            ><strong>Only members</strong
            ><span class="hint">A private room: others do not know that it exists.</span></span
          ></label
        >
      </fieldset>
      ${this.otherError("name", "topic")}
      <footer class="dialog-foot">
        <button class="button" type="button" @click=${this.close}>Cancel</button>
        <button class="button primary" ?disabled=${this.busy}>Create room</button>
      </footer>
    </form>`;
  }
}

customElements.define("sb-new-room", NewRoomElement);
