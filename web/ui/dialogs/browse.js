/*
 * All rooms one may see, to read or to join.
 */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { icon } from "../icons.js";
import { DialogElement } from "./base.js";

/** @import { RoomView } from "../../types.js" */

class BrowseElement extends DialogElement {
  /** @override */
  static properties = { ...DialogElement.properties, rooms: { state: true }, query: { state: true } };

  /** @override */
  size = "wide";

  constructor() {
    super();
    /** @type {RoomView[] | null} */ this.rooms = null;
    this.query = "";
  }

  /** @override */
  heading() {
    return "Browse rooms";
  }

  /** @override */
  firstUpdated() {
    super.firstUpdated();
    this.#load();
  }

  async #load() {
    await this.attempt(async () => {
      this.rooms = await this.app.actions.listRooms();
    });
  }

  /** @param {RoomView} room */
  async #join(room) {
    if (await this.attempt(() => this.app.actions.join(room.id))) this.#visit(room);
  }

  /** @param {RoomView} room */
  #visit(room) {
    this.close();
    this.app.go.room(room.id);
  }

  #newRoom() {
    this.close();
    this.app.open({ kind: "new-room" });
  }

  /** @override */
  body() {
    const wanted = this.query.trim().toLocaleLowerCase();
    const rooms = this.rooms
      ?.map((room) => this.state.rooms[room.id] ?? room)
      .filter(
        (room) => room.kind !== "direct" && `${room.name} ${room.topic}`.toLocaleLowerCase().includes(wanted),
      );
    return html`<div class="dialog-body">
      <div class="browse-top">
        <input
          class="input"
          type="search"
          aria-label="Search rooms"
          placeholder="Search by name or topic"
          data-first
          @input=${/** @param {InputEvent} event */ (event) => (this.query = /** @type {HTMLInputElement} */ (event.currentTarget).value)}
        />
        <button class="button" @click=${this.#newRoom}>${icon("add")} New room</button>
      </div>
      ${this.otherError()}
      ${rooms ? this.#list(rooms) : this.error ? nothing : html`<p class="hint" role="status">Loading…</p>`}
    </div>`;
  }

  /** @param {RoomView[]} rooms */
  #list(rooms) {
    if (rooms.length === 0) return html`<p class="nothing">No room of this name. Make it?</p>`;
    return html`<ul role="list" class="list">
      ${repeat(
        rooms,
        (room) => room.id,
        (room) => this.#room(room),
      )}
    </ul>`;
  }

  /** @param {RoomView} room */
  #room(room) {
    const open = () => this.#visit(room);
    return html`<li class="list-row">
      <span class="list-sign">${icon(room.kind === "private" ? "lock" : "hash")}</span>
      <div class="list-text">
        <strong>${room.name}</strong>${room.archived ? html` <span class="tag">archived</span>` : nothing}
        <p class="soft">
          ${room.member_count}
          ${room.member_count === 1 ? "member" : "members"}${room.topic ? html` · ${room.topic}` : nothing}
        </p>
      </div>
      ${
        room.joined || room.archived
          ? html`<button class="button small" aria-label="Open ${room.name}" @click=${open}>Open</button>`
          : html`<button class="button small quiet" aria-label="Look into ${room.name}" @click=${open}>
                Look
              </button>
              <button
                class="button small primary"
                aria-label="Join ${room.name}"
                ?disabled=${this.busy}
                @click=${() => this.#join(room)}
              >
                Join
              </button>`
      }
    </li>`;
  }
}

customElements.define("sb-browse", BrowseElement);
