// Finding what is meant by a few letters: mentions, emoji, the quick switcher.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { applyCompletion, completeAt } from "../state/completion.js";
import { COMMON_REACTIONS, EMOJI, replaceShortcodes, searchEmoji } from "../state/emoji.js";
import { fuzzyMatch, quickSwitch } from "../state/fuzzy.js";
import { initialState, reduce } from "../state/reduce.js";
import { room, user } from "./kit/workspace.js";

const people = [
  user("ada", { name: "Ada Lovelace" }), user("grace", { name: "Grace Hopper" }), user("alan", { name: "Alan Turing" }),
  user("gone", { name: "Grant Gone", active: false }), user("ana", { name: "Ána Å" }),
];
const rooms = [
  room("general"), room("graphics", { topic: "Pixels" }), room("random", { unread: 3 }),
  room("d", { kind: "direct", name: null, members: ["ada", "alan"], last_at: 9e15 }),
];
const snapshot = { cursor: "k1.1", workspace: { name: "E" }, me: people[0] ?? user("ada"), users: people, rooms, presence: [] };
const state = reduce(initialState(), { type: "snapshot", snapshot });

/** @param {string} text A bar stands for the caret. @param {string} [where] */
function complete(text, where = "general") {
  return completeAt(state, where, text.replace("|", ""), text.indexOf("|"));
}

/** @param {string} text @param {string} [where] */
const labels = (text, where) => complete(text, where)?.items.map(({ insert }) => insert) ?? null;

describe("completion", () => {
  it("finds people by handle and by name, never oneself and nobody deactivated", () => {
    assert.deepEqual(labels("hi @gr|"), ["@grace"]);
    assert.deepEqual(labels("@hop|"), ["@grace"]);
    assert.deepEqual(labels("@tur|"), ["@alan"]);
    assert.ok(!labels("@a|")?.includes("@ada"));
    assert.deepEqual(labels("@ána|"), ["@ana"]);
  });

  it("offers everybody, last among all and first when it is meant", () => {
    assert.equal(labels("@|")?.at(-1), "@room");
    assert.equal(labels("@ro|")?.[0], "@room");
  });

  it("offers only those who are there in a direct conversation", () => {
    assert.deepEqual(labels("@|", "d"), ["@alan", "@room"]);
  });

  it("puts members of the room first, where they are known", () => {
    const known = reduce(state, { type: "members", room: "general", members: ["ada", "grace"] });
    assert.equal(completeAt(known, "general", "@", 1)?.items[0]?.insert, "@grace");
  });

  it("begins only at the beginning of a word", () => {
    assert.deepEqual(["mail@gr|", "10:30|", "std::fm|", "a : b|", ":)|", "x|"].map((text) => labels(text)), [null, null, null, null, null, null]);
    assert.ok(labels("(@gr|"));
    assert.ok(labels("**@gr|"));
  });

  it("finds emoji by the beginnings of their names first", () => {
    assert.equal(complete("yes :tad|")?.items[0]?.emoji, "🎉");
    assert.equal(complete(":+1|")?.items[0]?.emoji, "👍");
    assert.equal(labels(":t|"), null);
  });

  it("puts what was chosen in the place of what was typed", () => {
    const text = "hi @gra and more";
    const completion = completeAt(state, "general", text, 7);
    const item = completion?.items[0];
    assert.ok(completion && item);
    assert.deepEqual(applyCompletion(text, completion, item), { text: "hi @grace and more", caret: 10 });
    const end = completeAt(state, "general", "@gra", 4);
    assert.deepEqual(end && applyCompletion("@gra", end, item), { text: "@grace ", caret: 7 });
  });
});

describe("emoji", () => {
  it("are one each, by one name each", () => {
    assert.ok(EMOJI.length >= 300);
    assert.equal(new Set(EMOJI.map(({ char }) => char)).size, EMOJI.length);
    assert.equal(new Set(EMOJI.map(({ name }) => name)).size, EMOJI.length);
    for (const { char, name } of EMOJI) {
      assert.match(char, /\p{Emoji}/u, name);
      assert.ok(new TextEncoder().encode(char).length <= 64, name);
      assert.match(name, /^[a-z0-9_+-]+$/);
    }
    assert.ok(COMMON_REACTIONS.every((char) => EMOJI.some((emoji) => emoji.char === char)));
  });

  it("are found by name, by other words, by a part", () => {
    assert.equal(searchEmoji("rocket")[0]?.char, "🚀");
    assert.ok(searchEmoji("deploy").some(({ char }) => char === "🚀"));
    assert.ok(searchEmoji("hearts", 10).length > 1);
    assert.deepEqual(searchEmoji("nothing like it"), []);
    assert.equal(searchEmoji("", 5).length, 5);
  });

  it("take the place of their names, but not in code", () => {
    assert.equal(replaceShortcodes("well done :tada: at 10:30:45 `:tada:` :unknown:"), "well done 🎉 at 10:30:45 `:tada:` :unknown:");
    assert.equal(replaceShortcodes("```\n:tada:\n``` :tada:"), "```\n:tada:\n``` 🎉");
  });
});

describe("fuzzy matching", () => {
  it("finds letters in order, and tells where", () => {
    assert.deepEqual(fuzzyMatch("gnr", "general")?.ranges, [[0, 1], [2, 3], [4, 5]]);
    assert.equal(fuzzyMatch("gx", "general"), null);
    assert.deepEqual(fuzzyMatch("éa", "Ána Ëa")?.ranges, [[4, 6]]);
  });

  it("prefers beginnings, whole pieces and short texts", () => {
    /** @param {string} query @param {string} text */
    const score = (query, text) => fuzzyMatch(query, text)?.score ?? -Infinity;
    assert.ok(score("gen", "general") > score("gen", "agent"));
    assert.ok(score("ran", "random") > score("ran", "r-a-n"));
    assert.ok(score("dev", "dev") > score("dev", "dev-operations"));
    assert.ok(score("hop", "grace hopper") > score("hop", "a chopper"));
  });

  it("takes no time for hostile texts", () => {
    const started = performance.now();
    fuzzyMatch("a".repeat(100), "a".repeat(100_000) + "b");
    assert.ok(performance.now() - started < 100);
  });
});

describe("the quick switcher", () => {
  it("shows first what calls, then what is unread, then the latest", () => {
    assert.deepEqual(quickSwitch(state, "").map(({ label }) => label), ["random", "Alan Turing", "general", "graphics"]);
  });

  it("finds rooms and people, and only one kind where the mark says so", () => {
    assert.deepEqual(quickSwitch(state, "gra").map(({ label }) => label), ["graphics", "Grace Hopper", "general"]);
    assert.deepEqual(quickSwitch(state, "@gra").map(({ kind }) => kind), ["user"]);
    assert.deepEqual(quickSwitch(state, "#grap").map(({ label }) => label), ["graphics"]);
    assert.equal(quickSwitch(state, "a", 2).length, 2);
  });
});
