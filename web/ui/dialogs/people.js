/*
 * Everybody in the workspace; admins change roles and let people go or come back here.
 */

import { isAdmin } from "../../state/selectors.js";
import { html, nothing, repeat } from "../../vendor/lit.js";
import { avatar, presenceDot } from "../avatar.js";
import { icon } from "../icons.js";
import { DialogElement } from "./base.js";

/** @import { Role, User } from "../../types.js" */

const ROLES = /** @type {const} */ ([
  ["member", "Member"],
  ["admin", "Admin"],
  ["owner", "Owner"],
]);

class PeopleElement extends DialogElement {
  /** @override */
  static properties = { ...DialogElement.properties, query: { state: true }, gone: { state: true } };

  /** @override */
  size = "wide";

  constructor() {
    super();
    this.query = "";
    /** Whether deactivated people are shown. */
    this.gone = false;
  }

  /** @override */
  heading() {
    const count = Object.values(this.state.users).filter((user) => user.active).length;
    return `People (${count})`;
  }

  /** @param {User} user */
  async #talk(user) {
    const done = await this.attempt(async () =>
      this.app.go.room((await this.app.actions.openDirect([user.id])).id),
    );
    if (done) this.close();
  }

  /**
   * @param {User} user
   * @param {Event} event
   */
  async #setRole(user, event) {
    const select = /** @type {HTMLSelectElement} */ (event.currentTarget);
    const role = /** @type {Role} */ (select.value);
    if (!(await this.attempt(() => this.app.actions.updateUser(user.id, { role })))) select.value = user.role;
  }

  /** @param {User} user */
  #setActive(user) {
    if (!user.active) {
      this.attempt(() => this.app.actions.updateUser(user.id, { active: true }));
      return;
    }
    this.app.open({
      kind: "confirm",
      heading: `Deactivate ${user.name}?`,
      text: `${user.name} is signed out everywhere at once and cannot sign in. What they wrote stays. You can let them back in at any time.`,
      action: "Deactivate",
      danger: true,
      run: () => this.app.actions.updateUser(user.id, { active: false }),
    });
  }

  #invite() {
    this.close();
    this.app.open({ kind: "invite" });
  }

  /** @override */
  body() {
    const wanted = this.query.trim().toLocaleLowerCase();
    const people = Object.values(this.state.users)
      .filter(
        (user) =>
          (user.active || this.gone) && `${user.name} @${user.handle}`.toLocaleLowerCase().includes(wanted),
      )
      .sort((a, b) => Number(b.active) - Number(a.active) || a.name.localeCompare(b.name));
    const anyGone = Object.values(this.state.users).some((user) => !user.active);
    return html`<div class="dialog-body">
      <div class="browse-top">
        <input
          class="input"
          type="search"
          aria-label="Search people"
          placeholder="Search by name or handle"
          data-first
          @input=${/** @param {InputEvent} event */ (event) => (this.query = /** @type {HTMLInputElement} */ (event.currentTarget).value)}
        />
        ${isAdmin(this.state) ? html`<button class="button" @click=${this.#invite}>${icon("userAdd")} Invite people</button>` : nothing}
      </div>
      ${
        anyGone
          ? html`<label class="check"
              ><input type="checkbox" .checked=${this.gone} @change=${() => (this.gone = !this.gone)} /> Show
              deactivated people</label
            >`
          : nothing
      }
      ${this.otherError()}
      <ul role="list" class="list">
        ${repeat(
          people,
          (user) => user.id,
          (user) => this.#person(user),
        )}
      </ul>
      ${people.length === 0 ? html`<p class="nothing">Nobody of this name.</p>` : nothing}
    </div>`;
  }

  /** @param {User} user */
  #person(user) {
    const me = user.id === this.state.me?.id;
    const presence = this.state.presence[user.id] ?? "offline";
    return html`<li class="list-row ${user.active ? "" : "gone"}">
      <span class="with-presence">${avatar(user)}${user.active ? presenceDot(presence) : nothing}</span>
      <div class="list-text">
        <strong>${user.name}</strong
        >${me ? " (you)" : ""}${user.active ? nothing : html` <span class="tag">deactivated</span>`}
        <p class="soft">
          @${user.handle}${!this.#manages(user) && user.role !== "member" ? ` · ${user.role}` : ""}
        </p>
      </div>
      ${this.#manages(user) ? this.#controls(user) : nothing}
      ${me || !user.active ? nothing : html`<button class="icon-button" aria-label="Message ${user.name}" title="Message" @click=${() => this.#talk(user)}>${icon("message")}</button>`}
    </li>`;
  }

  /**
   * Admins manage members; only owners touch admins and owners, and nobody oneself.
   *
   * @param {User} user
   */
  #manages(user) {
    const { me } = this.state;
    if (!me || user.id === me.id) return false;
    return me.role === "owner" || (me.role === "admin" && user.role === "member");
  }

  /** @param {User} user */
  #controls(user) {
    const owner = this.state.me?.role === "owner";
    return html`${
        user.active && owner
          ? html`<select
              class="input role"
              aria-label="Role of ${user.name}"
              ?disabled=${this.busy}
              @change=${/** @param {Event} event */ (event) => this.#setRole(user, event)}
            >
              ${ROLES.map(([role, label]) => html`<option value=${role} ?selected=${role === user.role}>${label}</option>`)}
            </select>`
          : nothing
      }
      <button
        class="button small"
        ?disabled=${this.busy}
        aria-label="${user.active ? "Deactivate" : "Reactivate"} ${user.name}"
        @click=${() => this.#setActive(user)}
      >
        ${user.active ? "Deactivate" : "Reactivate"}
      </button>`;
  }
}

customElements.define("sb-people", PeopleElement);
