// The window on a room's messages: pages in both directions, holes, bounds, and pages that are older
// than the events that came before them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { TIMELINE_HIDDEN_MESSAGES, TIMELINE_MESSAGES_MAX, TIMELINES_MAX } from "../state/limits.js";
import { initialState, reduce } from "../state/reduce.js";
import { message, room, T0, user } from "./kit/workspace.js";

/** @import { Action, State } from "../state/shape.js" */
/** @import { LogEvent } from "../types.js" */

/** @param {number} from @param {number} to @param {string} [where] */
const run = (from, to, where = "general") => Array.from({ length: to - from + 1 }, (_, at) => message(from + at, { room: where }));

/** @param {State} state @param {...Action} actions */
const after = (state, ...actions) => actions.reduce(reduce, state);

/** @param {State} state @param {string} [where] */
const seqs = (state, where = "general") => state.timelines[where]?.messages.map(({ seq }) => seq);

/**
 * @param {"replace" | "before" | "after"} place
 * @param {import("../types.js").Message[]} messages
 * @param {{ before?: boolean, after?: boolean, anchor?: number, since?: LogEvent[], room?: string }} [more]
 * @returns {Action}
 */
function page(place, messages, { before = false, after: hasAfter = false, anchor, since = [], room: where = "general" } = {}) {
  return { type: "history.loaded", room: where, place, anchor: anchor ?? null, page: { messages, hasBefore: before, hasAfter }, since };
}

/** @param {number} seq @param {number} n @param {string} [where] @returns {Action} */
function posted(seq, n, where = "general") {
  const event = { type: /** @type {const} */ ("message.posted"), seq, n, room: where, at: T0, actor: "bob", message: message(seq, { room: where }) };
  return { type: "event", event };
}

function loaded() {
  const names = ["general", "random", ...Array.from({ length: 30 }, (_, at) => `room${at}`)];
  const snapshot = { cursor: "k1.1000", workspace: { name: "E" }, me: user("ada"), users: [user("ada"), user("bob")], rooms: names.map((name) => room(name)), presence: [] };
  return after(reduce(initialState(), { type: "snapshot", snapshot }), { type: "view.room", room: "general" });
}

describe("pages", () => {
  it("meet without doubles in both directions", () => {
    const middle = after(loaded(), page("replace", run(40, 50), { before: true, after: true }));
    const more = after(
      middle,
      page("before", run(30, 41), { before: true, anchor: 40 }),
      page("after", run(50, 60), { after: true, anchor: 50 }),
    );
    assert.deepEqual(seqs(more), run(30, 60).map(({ seq }) => seq));
    assert.deepEqual([more.timelines.general?.hasBefore, more.timelines.general?.hasAfter], [true, true]);
  });

  it("are dropped when the window is elsewhere by now, and do not block the next ones", () => {
    const state = after(
      loaded(),
      page("replace", run(40, 50), { before: true, after: true }),
      { type: "history.loading", room: "general", what: "before" },
      page("replace", run(900, 950), { before: true }),
      { type: "history.loading", room: "general", what: "before" },
      page("before", run(30, 39), { anchor: 40 }),
    );
    assert.deepEqual([seqs(state)?.[0], state.timelines.general?.loading], [900, null]);
  });

  it("say what is under way and what has failed", () => {
    const loading = after(loaded(), { type: "history.loading", room: "general", what: "initial" });
    assert.equal(loading.timelines.general?.loading, "initial");
    const failed = after(loading, { type: "history.failed", room: "general", detail: "No network." });
    assert.deepEqual([failed.timelines.general?.loading, failed.timelines.general?.error], [null, "No network."]);
    const fine = after(failed, page("replace", run(1, 2)));
    assert.equal(fine.timelines.general?.error, null);
  });

  it("are brought up to date by what happened while they were on their way", () => {
    const since = /** @type {any[]} */ ([
      { type: "message.posted", seq: 1001, n: 1, room: "general", message: message(1001) },
      { type: "message.edited", seq: 1002, n: 2, room: "general", message: message(50, { body: "edited", edited_at: T0 + 5 }) },
      { type: "reaction.added", seq: 1003, n: 3, room: "general", message: "m1001", user: "bob", emoji: "👍" },
    ]);
    const state = after(loaded(), page("replace", run(40, 50), { before: true, since }));
    assert.deepEqual(seqs(state), [...run(40, 50).map(({ seq }) => seq), 1001]);
    assert.equal(state.timelines.general?.messages.find(({ id }) => id === "m50")?.body, "edited");
    assert.equal(state.timelines.general?.messages.at(-1)?.reactions.length, 1);
  });

  it("show a message of mine whose ack was lost as sent", () => {
    const pending = { nonce: "nonce-50", room: "general", body: "message 50", reply_to: null, at: 1, status: /** @type {const} */ ("waiting"), error: null };
    const mine = message(50, { author: "ada" });
    const state = after(loaded(), { type: "pending.put", pending }, page("replace", [mine]));
    assert.deepEqual(state.pending, {});
  });

  it("take the place of what is stale", () => {
    const before = after(loaded(), page("replace", run(40, 50)));
    const snapshot = { cursor: "k1.2000", workspace: { name: "E" }, me: user("ada"), users: [], rooms: [room("general")], presence: [] };
    const stale = after(before, { type: "snapshot", snapshot }, posted(2001, 1));
    assert.deepEqual([stale.timelines.general?.stale, seqs(stale)?.at(-1)], [true, 50], "nothing is appended after a hole");
    const state = after(stale, page("replace", run(1990, 2001)));
    assert.deepEqual([state.timelines.general?.stale, seqs(state)?.[0]], [false, 1990]);
  });
});

describe("bounds", () => {
  it("let go of the far end when older pages come in", () => {
    let state = after(loaded(), page("replace", run(901, 1000), { before: true }));
    for (let first = 901; first > 1; first -= 100) {
      state = after(state, page("before", run(first - 100, first - 1), { before: first > 101, anchor: first }));
    }
    assert.equal(state.timelines.general?.messages.length, TIMELINE_MESSAGES_MAX);
    assert.deepEqual([seqs(state)?.[0], state.timelines.general?.hasAfter], [1, true]);
  });

  it("let go of the oldest when newer ones come in", () => {
    let state = after(loaded(), { type: "view.reading", reading: true }, page("replace", run(1, TIMELINE_MESSAGES_MAX)));
    for (let at = 1; at <= 50; at += 1) state = after(state, posted(1000 + at, at));
    assert.equal(state.timelines.general?.messages.length, TIMELINE_MESSAGES_MAX);
    assert.deepEqual([seqs(state)?.at(-1), state.timelines.general?.hasBefore], [1050, true]);
  });

  it("keep what somebody reads far from the end", () => {
    let state = after(loaded(), page("replace", run(1, TIMELINE_MESSAGES_MAX)));
    for (let at = 1; at <= 50; at += 1) state = after(state, posted(1000 + at, at));
    assert.equal(state.timelines.general?.messages.length, TIMELINE_MESSAGES_MAX + 50);
  });

  it("keep little of a room that is out of sight, and nothing of a window in the past", () => {
    const shown = after(loaded(), page("replace", run(1, 500)));
    let state = after(shown, { type: "view.room", room: "random" });
    assert.equal(state.timelines.general?.messages.length, TIMELINE_HIDDEN_MESSAGES);
    for (let at = 1; at <= 50; at += 1) state = after(state, posted(1000 + at, at));
    assert.deepEqual([state.timelines.general?.messages.length, seqs(state)?.at(-1)], [TIMELINE_HIDDEN_MESSAGES, 1050]);
    const past = after(loaded(), page("replace", run(1, 50), { after: true }), { type: "view.room", room: "random" });
    assert.equal(past.timelines.general, undefined);
  });

  it("forget the rooms that were not seen for longest", () => {
    let state = loaded();
    for (let at = 0; at < 30; at += 1) {
      state = after(state, { type: "view.room", room: `room${at}` }, page("replace", run(1, 3, `room${at}`), { room: `room${at}` }));
    }
    state = after(state, { type: "view.room", room: "general" });
    assert.equal(Object.keys(state.timelines).length, TIMELINES_MAX);
    assert.deepEqual([state.timelines.room0, state.timelines.room29?.messages.length], [undefined, 3]);
    assert.deepEqual(Object.keys(state.timelines).sort(), [...state.recent].sort());
  });
});
