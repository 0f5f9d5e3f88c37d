/*
 * Invitation links: making one, and ending those that exist.
 *
 * The server keeps no more than a hash of a link, so it can be copied only right after it was made;
 * the dialog says so.
 */

import { html, nothing, repeat } from "../../vendor/lit.js";
import { copyText } from "../clipboard.js";
import { icon } from "../icons.js";
import { shortTime } from "../time.js";
import { DialogElement, values } from "./base.js";

/** @import { Invitation } from "../../types.js" */

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const MICROS_PER_MILLI = 1_000;
const SPANS = [
  { label: "1 hour", seconds: HOUR_S },
  { label: "1 day", seconds: DAY_S },
  { label: "7 days", seconds: 7 * DAY_S },
  { label: "30 days", seconds: 30 * DAY_S },
];
const SPAN_FIRST_S = 7 * DAY_S;
const USES = [1, 5, 10, 25, 100];

class InviteElement extends DialogElement {
  /** @override */
  static properties = { ...DialogElement.properties, made: { state: true }, list: { state: true } };

  constructor() {
    super();
    /** @type {Invitation | null} */ this.made = null;
    /** @type {Invitation[] | null} */ this.list = null;
  }

  /** @override */
  heading() {
    return `Invite people to ${this.state.workspace?.name ?? "the workspace"}`;
  }

  /** @override */
  firstUpdated() {
    super.firstUpdated();
    this.attempt(() => this.#load());
  }

  async #load() {
    this.list = await this.app.actions.listInvitations();
  }

  /** @param {Event} event */
  async #make(event) {
    const value = values(event);
    const uses = Number(value("uses"));
    await this.attempt(async () => {
      this.made = await this.app.actions.createInvitation({
        expires_in_s: Number(value("span")),
        ...(uses > 0 ? { max_uses: uses } : {}),
      });
      await this.#load();
    });
    await this.updateComplete;
    this.querySelector("input")?.select();
  }

  /** @param {Invitation} invitation */
  async #end(invitation) {
    await this.attempt(async () => {
      await this.app.actions.revokeInvitation(invitation.id);
      if (this.made?.id === invitation.id) this.made = null;
      await this.#load();
    });
  }

  /** @override */
  body() {
    const usable = this.list?.filter(isUsable) ?? [];
    return html`<div class="dialog-body">
      <p class="lead">Whoever opens the link can make an account and is in at once.</p>
      ${this.made?.url ? this.#link(this.made.url) : nothing} ${this.#form()} ${this.otherError()}
      ${
        usable.length > 0
          ? html`<h3 class="list-head">Links that work now</h3>
              <ul role="list" class="list">
                ${repeat(
                  usable,
                  (one) => one.id,
                  (one) => this.#row(one),
                )}
              </ul>`
          : nothing
      }
    </div>`;
  }

  #form() {
    return html`<form class="invite-form" @submit=${this.#make}>
      <div class="field">
        <label for="invite-span">Works for</label>
        <select id="invite-span" name="span">
          ${SPANS.map(({ label, seconds }) => html`<option value=${seconds} ?selected=${seconds === SPAN_FIRST_S}>${label}</option>`)}
        </select>
      </div>
      <div class="field">
        <label for="invite-uses">How often</label>
        <select id="invite-uses" name="uses">
          <option value="0">No limit</option>
          ${USES.map((uses) => html`<option value=${uses}>${uses === 1 ? "Once" : `${uses} times`}</option>`)}
        </select>
      </div>
      <button class="button ${this.made ? "" : "primary"}" data-first ?disabled=${this.busy}>
        ${this.made ? "Make another link" : "Make a link"}
      </button>
    </form>`;
  }

  /** @param {string} url */
  #link(url) {
    return html`<div class="secret">
      <label for="invite-link">Your link</label>
      <div class="secret-line">
        <input id="invite-link" class="input" readonly .value=${url} @focus=${selectAll} />
        <button class="button primary" @click=${() => copyText(this.app, url, "Link copied.")}>
          ${icon("copy")} Copy
        </button>
      </div>
      <p class="hint">Copy it now: it is shown only this once.</p>
    </div>`;
  }

  /** @param {Invitation} one */
  #row(one) {
    const by = this.state.users[one.created_by]?.name ?? "somebody";
    const uses = usesOf(one);
    const until = one.expires_at === null ? "works until ended" : `until ${shortTime(one.expires_at)}`;
    return html`<li class="list-row">
      <span class="list-sign">${icon("link")}</span>
      <div class="list-text">
        <strong>By ${by}</strong>
        <p class="soft">${uses}, ${until}</p>
      </div>
      <button
        class="button small"
        aria-label="Revoke the link by ${by}, ${uses}"
        ?disabled=${this.busy}
        @click=${() => this.#end(one)}
      >
        Revoke
      </button>
    </li>`;
  }
}

/** @param {Invitation} one */
function isUsable(one) {
  const expired = one.expires_at !== null && one.expires_at / MICROS_PER_MILLI < Date.now();
  return !one.revoked && !expired && (one.max_uses === null || one.uses < one.max_uses);
}

/** @param {Invitation} one */
function usesOf(one) {
  if (one.max_uses !== null)
    return `used ${one.uses} of ${one.max_uses} ${one.max_uses === 1 ? "time" : "times"}`;
  if (one.uses === 0) return "not used yet";
  return one.uses === 1 ? "used once" : `used ${one.uses} times`;
}

/** @param {FocusEvent} event */
export function selectAll(event) {
  if (event.currentTarget instanceof HTMLInputElement) event.currentTarget.select();
}

customElements.define("sb-invite", InviteElement);
