// What a search looks like: where words stand in a found text, and what could be typed next.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { SEARCH_SNIPPET_CHARS } from "../state/limits.js";
import { initialState, reduce } from "../state/reduce.js";
import { isFilterBegun, searchHints, snippet, wantedWords } from "../state/search.js";
import { room, user } from "./kit/workspace.js";

/** @param {string} text @param {string} query Marks in brackets. */
function marked(text, query) {
  return snippet(text, wantedWords(query)).map((piece) => (piece.hit ? `[${piece.text}]` : piece.text)).join("");
}

describe("the words of a found text", () => {
  it("are marked whole, without regard to case and accents, the last also by its beginning", () => {
    assert.equal(marked("The Deploy is deployed", "is depl"), "The [Deploy] [is] [deployed]");
    assert.equal(marked("Crème brûlée, please", "brulee creme"), "[Crème] [brûlée], please");
    assert.equal(marked("The Deploy is deployed", '"deploy"'), "The [Deploy] is deployed");
    assert.equal(marked("nothing here", "x"), "nothing here");
  });

  it("are none of the filters'", () => {
    assert.equal(marked("from ada in general", "ada from:@bob in:#general"), "from [ada] in general");
    assert.equal(marked("a big room", 'big in:"a room"'), "a [big] room");
  });

  it("are single characters where no spaces are written", () => {
    assert.equal(marked("日本語のメモ", "本語"), "日[本語]のメモ");
    assert.equal(marked("ship it 🎉 now", "🎉"), "ship it [🎉] now");
  });

  it("come with so much of the text around the first", () => {
    const long = `${"before ".repeat(100)}needle ${"after ".repeat(100)}`.trim();
    const shown = marked(long, "needle");
    assert.match(shown, /^…before .*\[needle\] after .*…$/);
    assert.ok(shown.length <= SEARCH_SNIPPET_CHARS + 4, `${shown.length}`);
    assert.equal(marked(`${"x".repeat(1_000)} needle`, "needle").slice(-9), "…[needle]");
    assert.doesNotThrow(() => encodeURIComponent(marked("🎉".repeat(500), "x")));
  });

  it("are looked for in any text there may be", () => {
    for (const text of ["", " ", "…", "\u0301\u0301", "a\u0000b"]) {
      const whole = snippet(text, wantedWords("a b")).map((piece) => piece.text).join("");
      assert.equal(whole, text);
    }
  });
});

describe("a filter", () => {
  it("is begun until a space ends it", () => {
    for (const begun of ["in:", "plan from:@b", "after:2026-0", 'in:"big pl']) assert.ok(isFilterBegun(begun), begun);
    for (const ended of ["plan", "in:#design ", "from:@bob plan", "in", 'in:"big plans"', 'in:"big plans" x', "join:x"]) assert.ok(!isFilterBegun(ended), ended);
  });
});

describe("what could be typed next", () => {
  const rooms = [room("general"), room("design"), room("big plans"), room("d1", { kind: "direct", name: null, members: ["ada", "bob"] })];
  const snapshot = { cursor: "k1.10", workspace: { name: "Engines" }, me: user("ada"), users: [user("ada"), user("bob"), user("eve", { active: false })], rooms, presence: [] };
  const state = reduce(reduce(initialState(), { type: "snapshot", snapshot }), { type: "view.room", room: "design" });
  /** @param {string} query */
  const labels = (query) => searchHints(state, query).map((hint) => hint.label);

  it("is at first the open room and oneself", () => {
    assert.deepEqual(labels(""), ["in:#design", "from:@ada"]);
    assert.deepEqual(labels("plan"), []);
  });

  it("is a room after in: and a person after from:", () => {
    assert.deepEqual(labels("plan in:"), ['in:"big plans"', "in:#design", "in:#general"]);
    assert.deepEqual(labels("plan in:#DE"), ["in:#design"]);
    assert.deepEqual(labels("from:@b"), ["from:@bob"]);
    assert.deepEqual(labels("from:e"), []);
    assert.deepEqual(searchHints(state, "plan in:#de"), [{ label: "in:#design", query: "plan in:#design " }]);
    assert.deepEqual(labels("plan in:#design"), []);
  });
});
