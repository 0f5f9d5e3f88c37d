// The parts of the screen that need no page: which rows are shown, where addresses lead, and how
// texts are put into plain words.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { plainError } from "../ui/errors.js";
import { excerpt } from "../ui/excerpt.js";
import { parsePath, signInPath } from "../ui/router.js";
import { around, moved, STEP_ROWS, WINDOW_ROWS, windowOf } from "../ui/timeline-window.js";

/** @param {number} count */
const rows = (count) => Array.from({ length: count }, (_, at) => ({ key: `row${at}` }));

describe("the window of rows", () => {
  it("shows all rows while there are few", () => {
    assert.deepEqual(windowOf(rows(10), null), { start: 0, end: 10 });
    assert.deepEqual(windowOf(rows(10), "row5"), { start: 0, end: 10 });
    assert.deepEqual(windowOf([], null), { start: 0, end: 0 });
  });

  it("shows the last rows where nothing else is asked for", () => {
    assert.deepEqual(windowOf(rows(1_000), null), { start: 1_000 - WINDOW_ROWS, end: 1_000 });
  });

  it("shows the last rows where the asked one is gone", () => {
    assert.deepEqual(windowOf(rows(1_000), "row1001"), { start: 1_000 - WINDOW_ROWS, end: 1_000 });
  });

  it("never holds more than its bound, wherever it begins", () => {
    for (const top of [0, 1, 500, 839, 840, 999]) {
      const { start, end } = windowOf(rows(1_000), `row${top}`);
      assert.ok(end - start === WINDOW_ROWS && start <= top && end <= 1_000, `from ${top}`);
    }
  });

  it("moves by a step and stops at both ends", () => {
    assert.equal(moved(rows(1_000), 500, -STEP_ROWS), `row${500 - STEP_ROWS}`);
    assert.equal(moved(rows(1_000), 10, -STEP_ROWS), "row0");
    assert.equal(moved(rows(1_000), 830, STEP_ROWS), `row${1_000 - WINDOW_ROWS}`);
    assert.equal(moved([], 0, STEP_ROWS), null);
  });

  it("puts the row that was asked for inside", () => {
    for (const wanted of [0, 3, 500, 999]) {
      const { start, end } = windowOf(rows(1_000), around(rows(1_000), wanted));
      assert.ok(start <= wanted && wanted < end, `row ${wanted}`);
    }
  });
});

describe("addresses", () => {
  const id = "01990000-0000-7000-8000-000000000001";

  it("lead to rooms and to messages, all others home", () => {
    assert.deepEqual(parsePath(`/room/${id}`), { kind: "room", id });
    assert.deepEqual(parsePath(`/message/${id}/`), { kind: "message", id });
    for (const path of ["/", "/room/", "/rooms/1", `/room/${id}/x`, "/room/<b>", "//room/1"]) {
      assert.deepEqual(parsePath(path), { kind: "home" }, path);
    }
  });

  it("are kept over signing in", () => {
    assert.equal(signInPath(`/message/${id}`), `/sign-in?next=%2Fmessage%2F${id}`);
    assert.equal(signInPath("/"), "/sign-in");
    assert.equal(signInPath("/elsewhere"), "/sign-in");
  });
});

describe("an excerpt", () => {
  it("is one line without the marks of Markdown", () => {
    assert.equal(excerpt("**bold** and `code`\n\n> quoted\n- item"), "bold and code quoted item");
    assert.equal(excerpt("see [the notes](https://a.example/x)"), "see the notes");
    assert.equal(excerpt("```rust\nlet x = 1;\n```"), "let x = 1;");
    assert.equal(
      excerpt("*soft* _words_, 2 * 3 * 4, snake_case_name"),
      "soft words, 2 * 3 * 4, snake_case_name",
    );
  });

  it("is short", () => {
    assert.equal(excerpt("word ".repeat(1_000)).length, 201);
  });
});

describe("a refusal", () => {
  /** @param {string} detail @param {string | null} field */
  const refused = (detail, field) => Object.assign(new Error("x"), { detail, field });

  it("becomes a sentence that names its field", () => {
    const { text, field } = plainError(refused("is too long: 90 characters, the limit is 80", "name"));
    assert.equal(text, "The name is too long: 90 characters, the limit is 80.");
    assert.equal(field, "name");
  });

  it("keeps what is a sentence already", () => {
    assert.equal(
      plainError(refused("There is a room of this name already.", "name")).text,
      "There is a room of this name already.",
    );
    assert.equal(plainError(new Error("the server did not answer")).text, "The server did not answer.");
    assert.equal(plainError("odd").text, "That did not work. Try again.");
  });
});
