// What each event does to the state; once, in order, and with the proof that none is missing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { judge } from "../state/events.js";
import { initialState, reduce } from "../state/reduce.js";
import { message, room, roomInfo, T0, user } from "./kit/workspace.js";

/** @import { Action, State } from "../state/shape.js" */
/** @import { LogEvent, Snapshot } from "../types.js" */

/** @param {Partial<Snapshot>} [more] @returns {State} */
function loaded(more = {}) {
  const rooms = [room("general", { n: 5, last_seq: 10 }), room("random", { n: 2 })];
  const users = [user("ada"), user("bob"), user("eve")];
  const me = user("ada");
  const snapshot = { cursor: "k1.10", workspace: { name: "Engines" }, me, users, rooms, presence: [], ...more };
  return reduce(initialState(), { type: "snapshot", snapshot });
}

/** @param {State} state @param {...(Action | LogEvent)} steps @returns {State} */
function after(state, ...steps) {
  return steps.reduce((now, step) => reduce(now, "seq" in step && "at" in step ? { type: "event", event: step } : /** @type {Action} */ (step)), state);
}

/** @param {string} type @param {number} seq @param {number | null} n @param {object} body @param {string | null} [where] @returns {LogEvent} */
function event(type, seq, n, body, where = "general") {
  return /** @type {any} */ ({ type, seq, n, room: where, at: T0 + seq, actor: "bob", ...body });
}

/** @param {number} seq @param {number} n @param {object} [more] */
const posted = (seq, n, more = {}) => event("message.posted", seq, n, { message: message(seq, more) });

/** @param {import("../types.js").Message[]} messages @param {object} [more] @returns {Action} */
function page(messages, more = {}) {
  const shape = { messages, hasBefore: false, hasAfter: false };
  return { type: "history.loaded", room: "general", place: "replace", anchor: null, page: shape, since: [], ...more };
}

describe("which events count", () => {
  it("takes each once, whatever comes twice", () => {
    const state = after(loaded(), page([]), posted(11, 6), posted(11, 6), posted(10, 5));
    assert.deepEqual(state.timelines.general?.messages.map(({ seq }) => seq), [11]);
    assert.deepEqual([state.rooms.general?.n, state.rooms.general?.unread, state.cursor], [6, 1, "k1.11"]);
  });

  it("finds a hole in a room's count, and none between rooms", () => {
    const state = after(loaded(), posted(11, 6));
    assert.equal(judge(state, posted(13, 7)), "apply");
    assert.equal(judge(state, posted(13, 8)), "gap");
    assert.equal(judge(state, event("message.posted", 12, 3, { message: message(12, { room: "random" }) }, "random")), "apply");
    assert.equal(judge(state, posted(12, 6)), "duplicate");
  });

  it("finds a hole where an event comes from a room that nobody told of", () => {
    assert.equal(judge(loaded(), event("message.posted", 11, 3, { message: message(11) }, "secret")), "gap");
  });

  it("counts the events of a type that it does not know", () => {
    const state = after(loaded(), event("poll.opened", 11, 6, { poll: 1 }), posted(12, 7));
    assert.deepEqual([state.cursor, state.rooms.general?.n, state.rooms.general?.last_seq], ["k1.12", 7, 12]);
  });

  it("moves its cursor by heartbeats within one history, never back", () => {
    const state = after(loaded(), { type: "cursor", cursor: "k1.15" }, { type: "cursor", cursor: "k1.12" });
    assert.equal(state.cursor, "k1.15");
    assert.equal(after(state, { type: "cursor", cursor: "other.99" }).cursor, "k1.15");
  });

  it("does not change the state where there is nothing to change", () => {
    const state = loaded();
    assert.equal(after(state, posted(9, 4)), state);
    assert.equal(after(state, { type: "cursor", cursor: "k1.10" }), state);
  });
});

describe("messages", () => {
  it("appends to what is loaded, and not to a window in the past", () => {
    const past = after(loaded(), page([message(3)], { page: { messages: [message(3)], hasBefore: true, hasAfter: true } }), posted(11, 6));
    assert.deepEqual(past.timelines.general?.messages.map(({ seq }) => seq), [3]);
    assert.equal(past.rooms.general?.last_seq, 11);
    const end = after(loaded(), page([message(3)]), posted(11, 6));
    assert.deepEqual(end.timelines.general?.messages.map(({ seq }) => seq), [3, 11]);
  });

  it("changes a message and the quotes of it", () => {
    const quote = { id: "m3", author: "bob", excerpt: "message 3", deleted: false };
    const before = after(loaded(), page([message(3), message(4, { reply_to: quote })]));
    const edited = after(before, event("message.edited", 11, 6, { message: message(3, { body: "better", edited_at: T0 + 9 }) }));
    assert.deepEqual(edited.timelines.general?.messages.map((one) => one.reply_to?.excerpt ?? one.body), ["better", "better"]);
    const gone = after(edited, event("message.deleted", 12, 7, { message: message(3, { body: "", html: "", deleted: true }) }));
    assert.deepEqual(gone.timelines.general?.messages.map((one) => one.reply_to ?? one.deleted), [true, { ...quote, excerpt: "", deleted: true }]);
  });

  it("cuts a quote by characters, as the server does", () => {
    const quote = { id: "m3", author: "bob", excerpt: "", deleted: false };
    const before = after(loaded(), page([message(3), message(4, { reply_to: quote })]));
    const body = "😀".repeat(300);
    const state = after(before, event("message.edited", 11, 6, { message: message(3, { body }) }));
    assert.equal(state.timelines.general?.messages[1]?.reply_to?.excerpt, "😀".repeat(200));
  });

  it("does not bring back an old text or a deleted message by a late event", () => {
    const now = message(3, { body: "second edit", edited_at: T0 + 20 });
    const late = event("message.edited", 11, 6, { message: message(3, { body: "first edit", edited_at: T0 + 10 }) });
    assert.equal(after(loaded(), page([now]), late).timelines.general?.messages[0]?.body, "second edit");
    const gone = message(3, { body: "", deleted: true });
    assert.equal(after(loaded(), page([gone]), late).timelines.general?.messages[0]?.deleted, true);
  });

  it("adds and takes reactions, each once", () => {
    /** @param {"added" | "removed"} what @param {number} seq @param {string} who @param {string} emoji */
    const reaction = (what, seq, who, emoji) => event(`reaction.${what}`, seq, seq - 5, { message: "m3", user: who, emoji });
    const state = after(loaded(), page([message(3)]), reaction("added", 11, "bob", "👍"), reaction("added", 12, "eve", "👍"), reaction("added", 13, "bob", "🎉"));
    assert.deepEqual(state.timelines.general?.messages[0]?.reactions, [{ emoji: "👍", users: ["bob", "eve"] }, { emoji: "🎉", users: ["bob"] }]);
    const less = after(state, reaction("removed", 14, "bob", "🎉"), reaction("removed", 15, "bob", "👍"), reaction("removed", 16, "bob", "👍"));
    assert.deepEqual(less.timelines.general?.messages[0]?.reactions, [{ emoji: "👍", users: ["eve"] }]);
  });

  it("puts my pending message in its place by author and nonce", () => {
    const pending = { nonce: "mine", room: "general", body: "hi", reply_to: null, at: 1, status: /** @type {const} */ ("sending"), error: null };
    const waiting = after(loaded(), page([]), { type: "pending.put", pending });
    assert.deepEqual([waiting.pending.general?.length, waiting.status.waiting], [1, 1]);
    const other = after(waiting, posted(11, 6, { nonce: "mine" }));
    assert.equal(other.pending.general?.length, 1, "the nonce of somebody else");
    const state = after(other, posted(12, 7, { author: "ada", nonce: "mine" }));
    assert.deepEqual([state.pending, state.status.waiting], [{}, 0]);
    assert.deepEqual(state.timelines.general?.messages.map(({ seq }) => seq), [11, 12]);
  });

  it("is the same whether the ack or the event comes first", () => {
    const mine = message(12, { author: "ada", nonce: "mine" });
    const ack = /** @type {Action} */ ({ type: "ack", seq: 12, message: mine });
    const early = after(loaded(), page([]), ack, posted(11, 6), event("message.posted", 12, 7, { message: mine }));
    const late = after(loaded(), page([]), posted(11, 6), event("message.posted", 12, 7, { message: mine }), ack);
    assert.deepEqual(early.timelines.general?.messages, late.timelines.general?.messages);
    assert.deepEqual(early.timelines.general?.messages.map(({ seq }) => seq), [11, 12]);
  });

  it("does not let a late ack undo what came after it", () => {
    const mine = message(11, { author: "ada" });
    const ack = /** @type {Action} */ ({ type: "ack", seq: 11, message: mine });
    const liked = event("reaction.added", 12, 7, { message: "m11", user: "bob", emoji: "👍" });
    const state = after(loaded(), page([]), event("message.posted", 11, 6, { message: mine }), liked, ack);
    assert.equal(state.timelines.general?.messages[0]?.reactions.length, 1);
  });
});

describe("unread and mentions", () => {
  it("counts messages of others, and those that call me", () => {
    const state = after(loaded(), posted(11, 6), posted(12, 7, { mentions: ["ada"] }), posted(13, 8, { mentions_room: true }), posted(14, 9, { author: "ada" }));
    assert.deepEqual([state.rooms.general?.unread, state.rooms.general?.mentions], [3, 2]);
  });

  it("takes every message of a direct conversation for a call", () => {
    const direct = room("d", { kind: "direct", name: null, members: ["ada", "bob"], n: 1 });
    const state = after(loaded({ rooms: [room("general"), direct] }), event("message.posted", 11, 2, { message: message(11, { room: "d" }) }, "d"));
    assert.deepEqual([state.rooms.d?.unread, state.rooms.d?.mentions], [1, 1]);
  });

  it("follows the mark that another device has set, and ignores one that is behind", () => {
    const read = event("read.marked", 13, null, { read_seq: 12, unread: 1, mentions: 0 });
    const state = after(loaded(), posted(11, 6), posted(12, 7), read);
    assert.deepEqual([state.rooms.general?.unread, state.rooms.general?.read_seq], [1, 12]);
    const here = after(loaded(), posted(11, 6), posted(12, 7), { type: "read", room: "general", seq: 12 });
    assert.equal(here.rooms.general?.unread, 0);
    const behind = after(here, event("read.marked", 13, null, { read_seq: 11, unread: 1, mentions: 0 }));
    assert.deepEqual([behind.rooms.general?.unread, behind.rooms.general?.read_seq], [0, 12]);
  });

  it("takes a deleted message off the count, unless it was read", () => {
    const gone = event("message.deleted", 13, 8, { message: message(11, { deleted: true, mentions: ["ada"] }) });
    const state = after(loaded(), posted(11, 6, { mentions: ["ada"] }), posted(12, 7), gone);
    assert.deepEqual([state.rooms.general?.unread, state.rooms.general?.mentions], [1, 0]);
    const read = after(loaded(), posted(11, 6), posted(12, 7), { type: "read", room: "general", seq: 12 }, gone);
    assert.equal(read.rooms.general?.unread, 0);
  });

  it("stops counting at a thousand", () => {
    const many = loaded({ rooms: [room("general", { n: 5, unread: 999 })] });
    assert.equal(after(many, posted(11, 6), posted(12, 7)).rooms.general?.unread, 1_000);
  });

  it("draws the unread line where the room was left, and keeps it while it is open", () => {
    const opened = after(loaded(), posted(11, 6), { type: "view.room", room: "general" });
    assert.equal(opened.view.unreadAfter, 0);
    const read = after(opened, { type: "view.reading", reading: true }, { type: "read", room: "general", seq: 11 });
    assert.equal(read.view.unreadAfter, 0);
    const again = after(read, { type: "view.room", room: "random" }, { type: "view.room", room: "general" });
    assert.equal(again.view.unreadAfter, null);
  });

  it("draws it when something comes in while nobody looks, and takes it away when I write", () => {
    const away = after(loaded(), { type: "view.room", room: "general" }, { type: "read", room: "general", seq: 10 }, posted(11, 6));
    assert.equal(away.view.unreadAfter, 10);
    assert.equal(after(away, posted(12, 7, { author: "ada" })).view.unreadAfter, null);
  });
});

describe("rooms and members", () => {
  it("begins a room that is made with me in it, and counts on from there", () => {
    const info = roomInfo("plans");
    const created = event("room.created", 11, 1, { room_info: info }, "plans");
    const joined = event("member.joined", 12, 2, { user: "ada", room_info: info }, "plans");
    const theirs = event("member.joined", 13, 3, { user: "bob", room_info: { ...info, member_count: 3 } }, "plans");
    const state = after(loaded(), created, joined, theirs);
    assert.deepEqual([state.rooms.plans?.joined, state.rooms.plans?.n, state.rooms.plans?.member_count], [true, 3, 3]);
  });

  it("is the same when the answer to my request comes before the events", () => {
    const info = roomInfo("plans");
    const created = event("room.created", 11, 1, { room_info: info }, "plans");
    const joined = event("member.joined", 12, 2, { user: "ada", room_info: info }, "plans");
    const next = event("message.posted", 13, 3, { message: message(13, { room: "plans" }) }, "plans");
    const state = after(loaded(), { type: "room", room: room("plans", { n: 2 }) });
    assert.equal(judge(state, created), "apply");
    const end = after(state, created, joined, next);
    assert.deepEqual([end.rooms.plans?.n, end.rooms.plans?.unread], [3, 1]);
  });

  it("forgets a private room that I am taken out of, and keeps sight of a public one", () => {
    const rooms = [room("general"), room("secret", { kind: "private", n: 4 }), room("random", { n: 2 })];
    const state = after(loaded({ rooms }), { type: "view.room", room: "secret" });
    const out = after(state, event("member.left", 11, 5, { user: "ada", room_info: roomInfo("secret", { kind: "private" }) }, "secret"));
    assert.deepEqual([out.rooms.secret, out.view.room], [undefined, null]);
    const left = after(out, event("member.left", 12, 3, { user: "ada", room_info: roomInfo("random") }, "random"));
    assert.equal(left.rooms.random?.joined, false);
  });

  it("comes back to a room at another count without calling it a hole", () => {
    const left = after(loaded(), event("member.left", 11, 3, { user: "ada", room_info: roomInfo("random") }, "random"));
    const joined = event("member.joined", 20, 9, { user: "ada", room_info: roomInfo("random") }, "random");
    assert.equal(judge(left, joined), "apply");
    assert.equal(after(left, joined).rooms.random?.n, 9);
  });

  it("loads anew what was read as a guest", () => {
    const guest = after(loaded(), { type: "room", room: room("open", { joined: false }) });
    const read = after(guest, page([message(3, { room: "open" })], { room: "open" }));
    const state = after(read, event("member.joined", 11, 7, { user: "ada", room_info: roomInfo("open") }, "open"));
    assert.equal(state.timelines.open?.stale, true);
  });

  it("keeps a loaded list of members up to date", () => {
    const state = after(loaded(), { type: "members", room: "general", members: ["ada", "bob"] });
    const more = after(state, event("member.joined", 11, 6, { user: "eve", room_info: roomInfo("general", { member_count: 3 }) }));
    assert.deepEqual([more.members.general, more.rooms.general?.member_count], [["ada", "bob", "eve"], 3]);
    const less = after(more, event("member.left", 12, 7, { user: "bob", room_info: roomInfo("general", { member_count: 2 }) }));
    assert.deepEqual(less.members.general, ["ada", "eve"]);
  });

  it("renames, describes, archives and opens", () => {
    const steps = ["renamed", "topic_changed", "archived", "unarchived"].map((what, at) =>
      event(`room.${what}`, 11 + at, 6 + at, { room_info: roomInfo("general", { name: "all", topic: "t", archived: what === "archived" }) }),
    );
    const archived = after(loaded(), ...steps.slice(0, 3));
    assert.deepEqual([archived.rooms.general?.name, archived.rooms.general?.topic, archived.rooms.general?.archived], ["all", "t", true]);
    assert.equal(after(archived, ...steps.slice(3)).rooms.general?.archived, false);
    assert.equal(archived.rooms.general?.n, 8, "the counter is the events', not the room's");
  });

  it("does not let an answer that is older than the events undo them", () => {
    const renamed = after(loaded(), event("room.renamed", 11, 6, { room_info: roomInfo("general", { name: "new" }) }));
    assert.equal(after(renamed, { type: "room", room: room("general", { n: 5, name: "old" }) }).rooms.general?.name, "new");
    assert.equal(after(renamed, { type: "room", room: room("general", { n: 7, name: "newer" }) }).rooms.general?.n, 6);
  });
});

describe("people, the workspace, and what does not last", () => {
  it("knows new people and new names, also one's own", () => {
    const joined = after(loaded(), event("user.joined", 11, null, { user: user("kim") }, null));
    assert.equal(joined.users.kim?.name, "Kim");
    const renamed = after(joined, event("user.updated", 12, null, { user: user("ada", { name: "Ada L." }) }, null));
    assert.deepEqual([renamed.me?.name, renamed.users.ada?.name], ["Ada L.", "Ada L."]);
    const named = after(renamed, event("workspace.renamed", 13, null, { workspace: { name: "Looms" } }, null));
    assert.deepEqual([named.workspace?.name, named.cursor], ["Looms", "k1.13"]);
  });

  it("shows typing until it runs out or the message is there", () => {
    const typing = /** @param {string} who @param {number} now @returns {Action} */ (who, now) => ({ type: "typing", frame: { type: "typing", room: "general", user: who }, now });
    const state = after(loaded(), typing("bob", 1_000), typing("eve", 4_000), typing("ada", 4_000));
    assert.deepEqual(state.typing, { general: { bob: 7_000, eve: 10_000 } });
    assert.deepEqual(after(state, { type: "typing.expired", now: 7_000 }).typing, { general: { eve: 10_000 } });
    assert.deepEqual(after(state, posted(11, 6)).typing.general, { eve: 10_000 });
    assert.equal(state.cursor, "k1.10", "typing never moves the cursor");
  });

  it("knows who is there", () => {
    /** @param {boolean} full @param {...[string, "online" | "away" | "offline"]} changes @returns {Action} */
    const presence = (full, ...changes) => ({ type: "presence", frame: { type: "presence", full, changes: changes.map(([who, state]) => ({ user: who, state })) } });
    const state = after(loaded(), presence(true, ["ada", "online"], ["bob", "away"]), presence(false, ["bob", "offline"], ["eve", "online"]));
    assert.deepEqual(state.presence, { ada: "online", eve: "online" });
    assert.deepEqual(after(state, presence(true, ["bob", "online"])).presence, { bob: "online" });
  });
});

describe("a snapshot in place of everything", () => {
  it("keeps what is mine and what is in sight, and forgets the rest", () => {
    const pending = { nonce: "mine", room: "general", body: "hi", reply_to: null, at: 1, status: /** @type {const} */ ("waiting"), error: null };
    const before = after(
      loaded(),
      page([message(3)]),
      page([message(4, { room: "random" })], { room: "random" }),
      { type: "view.room", room: "general" },
      { type: "pending.put", pending },
      { type: "draft", room: "random", draft: { body: "half", reply_to: null } },
    );
    const snapshot = { cursor: "k2.3", workspace: { name: "Engines" }, me: user("ada"), users: [user("ada")], rooms: [room("general")], presence: [] };
    const state = after(before, { type: "snapshot", snapshot });
    assert.deepEqual([state.cursor, Object.keys(state.rooms), Object.keys(state.users)], ["k2.3", ["general"], ["ada"]]);
    assert.deepEqual(Object.keys(state.timelines), ["general"]);
    assert.equal(state.timelines.general?.stale, true);
    assert.deepEqual([state.pending.general?.length, state.drafts.random?.body, state.view.room], [1, "half", "general"]);
  });

  it("leaves a room that is not there any more", () => {
    const before = after(loaded(), { type: "view.room", room: "random" });
    const snapshot = { cursor: "k2.3", workspace: { name: "Engines" }, me: user("ada"), users: [], rooms: [room("general")], presence: [] };
    assert.equal(after(before, { type: "snapshot", snapshot }).view.room, null);
  });
});
