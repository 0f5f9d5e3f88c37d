/*
 * Choosing people: for a direct conversation, or to bring into a room.
 *
 * One field finds people by name or handle; those chosen stand as chips before it. Backspace in the
 * empty field takes the last one back.
 */

import { fuzzyMatch } from "../../state/fuzzy.js";
import { isAdmin, roomMembers } from "../../state/selectors.js";
import { html, nothing, repeat } from "../../vendor/lit.js";
import { avatar, presenceDot } from "../avatar.js";
import { icon } from "../icons.js";
import { DialogElement } from "./base.js";

/** @import { User, UserId } from "../../types.js" */

/** Others in one conversation; see `limits::DIRECT_MEMBERS` of core, oneself left out. */
const DIRECT_OTHERS_MAX = 8;
const FOUND_MAX = 50;

class ChoosePeopleElement extends DialogElement {
  /** @override */
  static properties = {
    ...DialogElement.properties,
    picked: { state: true },
    query: { state: true },
    chosen: { state: true },
  };

  constructor() {
    super();
    /** @type {User[]} */ this.picked = [];
    this.query = "";
    this.chosen = 0;
  }

  get #room() {
    return this.dialog.kind === "add-people" ? this.dialog.room : null;
  }

  /** @override */
  heading() {
    return this.#room === null
      ? "New message"
      : `Add people to ${this.state.rooms[this.#room]?.name ?? "the room"}`;
  }

  /** @override */
  isFilled() {
    return this.picked.length > 0;
  }

  /** @override */
  firstUpdated() {
    super.firstUpdated();
    if (this.#room !== null && roomMembers(this.state, this.#room) === null)
      this.app.run(this.app.actions.loadMembers(this.#room));
  }

  /** @override */
  updated() {
    this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  #found() {
    const inside = new Set(
      this.#room === null ? [] : (roomMembers(this.state, this.#room) ?? []).map((user) => user.id),
    );
    const out = new Set([...inside, ...this.picked.map((user) => user.id), this.state.me?.id]);
    const people = Object.values(this.state.users).filter((user) => user.active && !out.has(user.id));
    return people
      .flatMap((user) => {
        const score = Math.max(
          fuzzyMatch(this.query, user.name)?.score ?? -Infinity,
          fuzzyMatch(this.query, user.handle)?.score ?? -Infinity,
        );
        return score === -Infinity ? [] : [{ user, score }];
      })
      .sort((a, b) => b.score - a.score || a.user.name.localeCompare(b.user.name))
      .slice(0, FOUND_MAX)
      .map(({ user }) => user);
  }

  #invite() {
    this.close();
    this.app.open({ kind: "invite" });
  }

  #full() {
    return this.#room === null && this.picked.length >= DIRECT_OTHERS_MAX;
  }

  /** @param {User} user */
  #pick(user) {
    if (this.#full()) return;
    this.picked = [...this.picked, user];
    this.query = "";
    this.chosen = 0;
    this.querySelector("input")?.focus();
  }

  /** @param {UserId} id */
  #drop(id) {
    this.picked = this.picked.filter((user) => user.id !== id);
    this.querySelector("input")?.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const found = this.#found();
    const user = found[this.chosen];
    const last = this.picked.at(-1);
    if (event.key === "ArrowDown") this.chosen = Math.min(this.chosen + 1, found.length - 1);
    else if (event.key === "ArrowUp") this.chosen = Math.max(this.chosen - 1, 0);
    else if (event.key === "Enter" && (this.query !== "" || this.picked.length === 0) && user)
      this.#pick(user);
    else if (event.key === "Enter") this.#finish();
    else if (event.key === "Backspace" && this.query === "" && last) this.#drop(last.id);
    else return;
    event.preventDefault();
  }

  async #finish() {
    if (this.picked.length === 0) return;
    const ids = this.picked.map((user) => user.id);
    const room = this.#room;
    const done = await this.attempt(async () => {
      if (room !== null) for (const id of ids) await this.app.actions.addMember(room, id);
      else this.app.go.room((await this.app.actions.openDirect(ids)).id);
    });
    if (done) this.close();
  }

  /** @override */
  body() {
    const found = this.#found();
    return html`<div class="dialog-body">
      <p class="hint">
        ${this.#room === null ? `One person, or up to ${DIRECT_OTHERS_MAX} for a conversation of several.` : "They see everything that was written here."}
      </p>
      <div class="chips">
        ${this.picked.map((user) => html`<span class="chip">${user.name}<button aria-label="Take ${user.name} off" @click=${() => this.#drop(user.id)}>${icon("close")}</button></span>`)}
        <input
          type="text"
          role="combobox"
          aria-label="Find people"
          aria-expanded="true"
          aria-controls="people-found"
          aria-activedescendant=${found.length > 0 ? `found-${this.chosen}` : nothing}
          placeholder=${this.picked.length === 0 ? "Name or handle" : ""}
          autocomplete="off"
          data-first
          .value=${this.query}
          @input=${/** @param {InputEvent} event */ (event) => this.#search(event)}
          @keydown=${this.#onKey}
        />
      </div>
      ${this.otherError()} ${this.#list(found)}
      <footer class="dialog-foot">
        <button class="button" @click=${this.close}>Cancel</button>
        <button
          class="button primary"
          ?disabled=${this.busy || this.picked.length === 0}
          @click=${this.#finish}
        >
          ${this.#room === null ? "Open conversation" : "Add"}
        </button>
      </footer>
    </div>`;
  }

  /** @param {InputEvent} event */
  #search(event) {
    this.query = /** @type {HTMLInputElement} */ (event.currentTarget).value;
    this.chosen = 0;
  }

  /** @param {User[]} found */
  #list(found) {
    if (found.length === 0) {
      const others = Object.values(this.state.users).filter((user) => user.active).length > 1;
      return html`<div class="nothing" id="people-found">
        <p>
          ${others ? "Nobody of this name who is not here already." : "Nobody else is in the workspace yet."}
        </p>
        ${!others && isAdmin(this.state) ? html`<button class="button small" @click=${this.#invite}>Invite people</button>` : nothing}
      </div>`;
    }
    return html`<ul class="options" role="listbox" id="people-found" aria-label="People">
      ${repeat(
        found,
        (user) => user.id,
        (user, at) =>
          html`<li
            role="option"
            id="found-${at}"
            class="option"
            aria-selected=${at === this.chosen}
            @click=${() => this.#pick(user)}
            @pointermove=${() => (this.chosen = at)}
          >
            <span class="with-presence"
              >${avatar(user, "small")}${presenceDot(this.state.presence[user.id] ?? "offline", false)}</span
            >
            <span class="option-label">${user.name}</span><span class="soft">@${user.handle}</span>
          </li>`,
      )}
    </ul>`;
  }
}

customElements.define("sb-choose-people", ChoosePeopleElement);
