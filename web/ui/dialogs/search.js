/*
 * Searching in all messages: words, Enter, and one is at the message.
 *
 * Why like the quick switcher: what is typed is looked for after a moment, arrows choose, Enter goes there,
 * and the caret never leaves the field. The last search is there again when the dialog is opened again,
 * because the first message found is often not the one.
 */

import { fullTimeLabel } from "../../state/rows.js";
import { isFilterBegun, searchHints, snippet, wantedWords } from "../../state/search.js";
import { roomName } from "../../state/selectors.js";
import { html, nothing, repeat } from "../../vendor/lit.js";
import { avatar } from "../avatar.js";
import { plainError } from "../errors.js";
import { plain } from "../excerpt.js";
import { icon } from "../icons.js";
import { shortTime } from "../time.js";
import { DialogElement } from "./base.js";

/** @import { Message, RoomId, RoomView, Seq } from "../../types.js" */

/** Typing that goes on is not searched for letter by letter. */
const PAUSE_MS = 250;
/** Kept while the page is open. */
let lastQuery = "";

class SearchElement extends DialogElement {
  /** @override */
  static properties = {
    ...DialogElement.properties,
    query: { state: true },
    chosen: { state: true },
    found: { state: true },
    refusal: { state: true },
    searching: { state: true },
  };

  /** @override */
  size = "wide top search";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pause;
  /** The newest search; what an older one brings is dropped. */
  #newest = {};
  /** @type {Map<RoomId, RoomView>} Rooms that one has not joined. */
  #rooms = new Map();

  constructor() {
    super();
    this.query = lastQuery;
    this.chosen = 0;
    /** @type {{ query: string, messages: Message[], before: Seq | null, complete: boolean } | null} */
    this.found = null;
    /** @type {string | null} */
    this.refusal = null;
    this.searching = false;
  }

  /** @override */
  heading() {
    return "Search messages";
  }

  /** @override */
  firstUpdated() {
    super.firstUpdated();
    this.#input.select();
    if (this.query.trim() !== "") this.#search();
  }

  /** @override */
  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#pause);
    this.#newest = {};
  }

  /** @override @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("chosen")) this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.querySelector("[data-first]"));
  }

  /** @param {string} query */
  #type(query) {
    this.query = query;
    lastQuery = query;
    clearTimeout(this.#pause);
    if (query.trim() === "") {
      this.#newest = {};
      this.found = null;
      this.refusal = null;
      this.searching = false;
    } else if (!isFilterBegun(query)) this.#pause = setTimeout(() => this.#search(), PAUSE_MS);
  }

  /** @param {Seq | null} [before] Those after these. */
  async #search(before = null) {
    clearTimeout(this.#pause);
    const { query } = this;
    const search = (this.#newest = {});
    this.searching = true;
    this.refusal = null;
    try {
      const { messages, before: next, complete } = await this.app.actions.search(query.trim(), before);
      await this.#learnRooms(messages);
      if (this.#newest !== search) return;
      const earlier = before === null ? [] : (this.found?.messages ?? []);
      this.found = { query, messages: [...earlier, ...messages], before: next, complete };
      if (before === null) this.chosen = 0;
    } catch (error) {
      if (this.#newest !== search) return;
      if (before === null) this.found = null;
      this.refusal = plainError(error).text;
    } finally {
      if (this.#newest === search) this.searching = false;
    }
  }

  /** @param {Message[]} messages Public rooms that one is not in have names, too. */
  async #learnRooms(messages) {
    const unknown = new Set(messages.map((message) => message.room));
    const ids = [...unknown].filter((id) => !this.state.rooms[id] && !this.#rooms.has(id));
    const rooms = await Promise.all(ids.map((id) => this.app.actions.lookAtRoom(id).catch(() => null)));
    for (const room of rooms) if (room) this.#rooms.set(room.id, room);
  }

  /** @param {Message} message */
  #go(message) {
    this.close();
    this.app.go.message(message.id);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing) return;
    const messages = this.found?.messages ?? [];
    const count = Math.max(1, messages.length);
    if (event.key === "ArrowDown") this.chosen = (this.chosen + 1) % count;
    else if (event.key === "ArrowUp") this.chosen = (this.chosen + count - 1) % count;
    else if (event.key === "Enter") this.#enter(messages[this.chosen]);
    else return;
    event.preventDefault();
  }

  /** @param {Message | undefined} message Of a search that is not done yet, nothing is chosen. */
  #enter(message) {
    if (message && this.found?.query === this.query) this.#go(message);
    else if (this.query.trim() !== "") this.#search();
  }

  /** @param {string} query */
  #take(query) {
    this.#input.value = query;
    this.#input.focus();
    this.#type(query);
  }

  /** @override */
  body() {
    const messages = this.found?.messages ?? [];
    const typed = /** @param {InputEvent} event */ (event) =>
      this.#type(/** @type {HTMLInputElement} */ (event.currentTarget).value);
    return html`<div class="switcher search-body" aria-busy=${this.searching}>
      <input
        class="input"
        type="text"
        role="combobox"
        aria-label="Search messages"
        aria-expanded=${messages.length > 0}
        aria-controls="search-list"
        aria-describedby="search-status"
        aria-activedescendant=${messages.length > 0 ? `search-${this.chosen}` : nothing}
        placeholder="Words, “a phrase”, from:@handle, in:#room"
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
        enterkeyhint="search"
        maxlength="400"
        data-first
        .value=${this.query}
        @input=${typed}
        @keydown=${this.#onKey}
      />
      ${this.#hints()}
      <p class="search-status soft" id="search-status" role="status">${this.#status()}</p>
      <ul class="options found" role="listbox" id="search-list" aria-label="Messages found">
        ${repeat(
          messages,
          (message) => message.id,
          (message, at) => this.#item(message, at),
        )}
      </ul>
      ${this.#more()}
    </div>`;
  }

  #hints() {
    const hints = searchHints(this.state, this.query);
    if (hints.length === 0) return nothing;
    return html`<div class="search-hints" role="group" aria-label="Narrow the search">
      ${hints.map(
        (hint) =>
          html`<button class="button small quiet" @click=${() => this.#take(hint.query)}>${hint.label}</button>`,
      )}
    </div>`;
  }

  #status() {
    if (this.refusal !== null) return this.refusal;
    if (this.found === null)
      return this.searching
        ? "Searching…"
        : "Finds messages with all of the words. Days as after:2026-01-31 and before:2026-02-28.";
    const { messages, before, complete } = this.found;
    const count = messages.length;
    const more = before === null ? "" : " or more";
    const found = count === 0 && before === null ? "Nothing found." : `${count}${more} ${count === 1 && !more ? "message" : "messages"} found.`;
    return complete ? found : `${found} The search index is catching up: what was said last may be missing.`;
  }

  #more() {
    const { found } = this;
    if (!found || found.before === null) return nothing;
    return html`<button class="button small" ?disabled=${this.searching} @click=${() => this.#search(found.before)}>
      Show older
    </button>`;
  }

  /**
   * @param {Message} message
   * @param {number} at
   */
  #item(message, at) {
    const author = this.state.users[message.author];
    const room = this.state.rooms[message.room] ?? this.#rooms.get(message.room);
    const pieces = snippet(plain(message.body), wantedWords(this.found?.query ?? ""));
    return html`<li
      role="option"
      id="search-${at}"
      class="option found-message"
      aria-selected=${at === this.chosen}
      @click=${() => this.#go(message)}
      @pointermove=${() => (this.chosen = at)}
    >
      ${author ? avatar(author, "small") : nothing}
      <span class="found-text">
        <span class="found-head"
          ><strong>${author?.name ?? "Somebody"}</strong> ${room ? this.#place(room) : nothing}
          <span class="soft" title=${fullTimeLabel(message.at)}>${shortTime(message.at)}</span></span
        >
        <span class="found-snippet"
          >${pieces.map((piece) => (piece.hit ? html`<mark>${piece.text}</mark>` : piece.text))}</span
        >
      </span>
    </li>`;
  }

  /** @param {RoomView} room */
  #place(room) {
    const sign = room.kind === "private" ? "lock" : room.kind === "direct" ? "people" : "hash";
    return html`<span class="found-room">${icon(sign)}${roomName(this.state, room)}</span>`;
  }
}

customElements.define("sb-search", SearchElement);
