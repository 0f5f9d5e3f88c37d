// What is shown: names, orders, counts, rows, and the line that says how the client is connected.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { initialState, reduce } from "../state/reduce.js";
import { dayLabel, timelineRows } from "../state/rows.js";
import {
  canAddMembers, canArchive, canDelete, canEdit, canLeave, canManageRoom, canPost, canRemoveMembers, canSetTopic, lastOwnMessage, messageById, roomMembers, roomName, sidebar, title, typingUsers, unreadTotal,
} from "../state/selectors.js";
import { statusLine } from "../state/status.js";
import { message, room, user } from "./kit/workspace.js";

/** @import { Action, State, Status } from "../state/shape.js" */
/** @import { Message } from "../types.js" */

const users = [user("ada", { role: "owner" }), user("bob"), user("eve"), user("kim"), user("lin"), user("max")];

/** @param {import("../types.js").RoomView[]} rooms @param {string} [me] @returns {State} */
function loaded(rooms, me = "ada") {
  const found = users.find(({ id }) => id === me) ?? user(me);
  const snapshot = { cursor: "k1.10", workspace: { name: "Engines" }, me: found, users, rooms, presence: [{ user: "bob", state: /** @type {const} */ ("away") }] };
  return reduce(initialState(), { type: "snapshot", snapshot });
}

/** @param {string} id @param {string[]} members @param {object} [more] */
const direct = (id, members, more = {}) => room(id, { kind: "direct", name: null, members, ...more });

/** @param {State} state @param {Message[]} messages @param {object} [shape] @returns {State} */
function withMessages(state, messages, shape = {}) {
  const page = { messages, hasBefore: false, hasAfter: false, ...shape };
  return reduce(state, { type: "history.loaded", room: "general", place: "replace", anchor: null, page, since: [] });
}

describe("the side bar", () => {
  it("has general first, then names, then what is archived; conversations by time", () => {
    const state = loaded([
      room("zoo"), room("old", { archived: true }), room("alps"), room("general"),
      room("seen", { joined: false }),
      direct("d1", ["ada", "bob"], { last_at: 1 }), direct("d2", ["ada", "eve"], { last_at: 5 }),
    ]);
    const { rooms, directs } = sidebar(state);
    assert.deepEqual([rooms.map(({ name }) => name), directs.map(({ name }) => name)], [["general", "alps", "zoo", "old"], ["Eve", "Bob"]]);
    assert.deepEqual(directs.map(({ presence }) => presence), ["offline", "away"]);
  });

  it("is the same object until something in it changes", () => {
    const state = loaded([room("general"), room("random")]);
    const typed = reduce(state, { type: "draft", room: "general", draft: { body: "x", reply_to: null } });
    assert.equal(sidebar(typed), sidebar(state));
    assert.notEqual(sidebar(reduce(state, { type: "view.room", room: "general" })), sidebar(typed));
  });

  it("names a conversation by the others in it", () => {
    const state = loaded([]);
    assert.equal(roomName(state, direct("d", ["ada"])), "Ada (you)");
    assert.equal(roomName(state, direct("d", ["ada", "bob", "eve"])), "Bob, Eve");
    assert.equal(roomName(state, direct("d", ["ada", "bob", "eve", "kim", "lin", "max"])), "Bob, Eve, Kim, Lin and 1 more");
    assert.equal(roomName(state, room("general")), "general");
  });

  it("counts for the title what calls, and marks what is only unread", () => {
    const quiet = reduce(loaded([room("general"), room("random")]), { type: "view.room", room: "general" });
    assert.equal(title(quiet), "general · Engines");
    assert.equal(title(loaded([room("general", { unread: 4 })])), "• Engines");
    const called = loaded([room("general", { unread: 4, mentions: 1 }), direct("d", ["ada", "bob"], { unread: 2, mentions: 2 })]);
    assert.deepEqual([title(called), unreadTotal(called)], ["(3) Engines", { unread: 6, mentions: 3 }]);
  });
});

describe("who may do what", () => {
  const mine = message(1, { author: "ada" });
  const theirs = message(2);

  it("lets authors edit, authors and admins delete", () => {
    const admin = loaded([room("general")]);
    const member = loaded([room("general")], "bob");
    assert.deepEqual([canEdit(admin, mine), canEdit(admin, theirs), canDelete(admin, theirs)], [true, false, true]);
    assert.deepEqual([canDelete(member, mine), canDelete(member, theirs)], [false, true]);
    assert.equal(canDelete(admin, message(3, { deleted: true })), false);
  });

  it("lets nobody write where it is archived or one is a guest", () => {
    const state = loaded([room("general", { archived: true }), room("open", { joined: false }), room("random")]);
    assert.deepEqual(["general", "open", "random", "unknown"].map((id) => canPost(state, id)), [false, false, true, false]);
    assert.equal(canEdit(state, mine), false);
    assert.deepEqual([room("general"), room("random"), direct("d", ["ada", "bob"])].map((one) => canLeave(state, one)), [false, true, false]);
  });

  it("lets members name a room, admins close it, and those in a private one send others away", () => {
    const rooms = [room("general"), room("random"), room("secret", { kind: "private" }), room("open", { joined: false }), direct("d", ["ada", "bob"])];
    /** @param {typeof canArchive} may @param {string} who */
    const where = (may, who) => rooms.filter((one) => may(loaded(rooms, who), one)).map(({ id }) => id);
    assert.deepEqual([where(canManageRoom, "bob"), where(canSetTopic, "bob")], [["random", "secret"], ["general", "random", "secret"]]);
    assert.deepEqual([where(canArchive, "bob"), where(canArchive, "ada")], [[], ["random", "secret", "open"]]);
    assert.deepEqual([where(canRemoveMembers, "bob"), where(canRemoveMembers, "ada")], [["secret"], ["random", "secret", "open"]]);
    assert.deepEqual(where(canAddMembers, "bob"), ["random", "secret"]);
  });

  it("finds the message that arrow-up edits", () => {
    const state = withMessages(loaded([room("general")]), [mine, message(3, { author: "ada", deleted: true }), message(4)]);
    assert.equal(lastOwnMessage(state, "general")?.id, "m1");
    assert.equal(messageById(state, "m4")?.seq, 4);
    assert.equal(lastOwnMessage(withMessages(state, [mine], { hasAfter: true }), "general"), null);
  });

  it("knows who is in a room, where that was loaded", () => {
    const state = loaded([room("general"), direct("d", ["ada", "bob"])]);
    assert.equal(roomMembers(state, "general"), null);
    assert.deepEqual(roomMembers(state, "d")?.map(({ id }) => id), ["ada", "bob"]);
  });

  it("shows others typing, for as long as it counts", () => {
    const typing = /** @type {Action} */ ({ type: "typing", frame: { type: "typing", room: "general", user: "bob" }, now: 0 });
    const state = reduce(loaded([room("general")]), typing);
    assert.deepEqual([typingUsers(state, "general", 5_999).length, typingUsers(state, "general", 6_000).length], [1, 0]);
  });
});

describe("rows of a timeline", () => {
  const minute = 60_000_000;
  /** @param {number} day @param {number} hour @param {number} minutes */
  const at = (day, hour, minutes) => new Date(2026, 2, day, hour, minutes).getTime() * 1_000;

  /** @param {State} state */
  const kinds = (state) => timelineRows(state, "general").map((row) => ("head" in row ? `${row.kind}${row.head ? "*" : ""}` : row.kind));

  it("group what one writes within five minutes, by day", () => {
    const start = at(2, 9, 0);
    const state = withMessages(loaded([room("general")]), [
      message(1, { at: start }), message(2, { at: start + 4 * minute }), message(3, { at: start + 8 * minute }),
      message(4, { at: start + 14 * minute }), message(5, { at: start + 15 * minute, author: "ada" }), message(6, { at: at(3, 9, 0) }),
    ]);
    assert.deepEqual(kinds(state), ["day", "message*", "message", "message", "message*", "message*", "day", "message*"]);
  });

  it("begin a group at a reply and after the unread line", () => {
    const quote = { id: "m1", author: "bob", excerpt: "x", deleted: false };
    const start = at(2, 9, 0);
    const messages = [message(1, { at: start }), message(2, { at: start, reply_to: quote }), message(3, { at: start }), message(4, { at: start })];
    const opened = reduce(loaded([room("general", { unread: 2, read_seq: 2, last_seq: 4 })]), { type: "view.room", room: "general" });
    assert.deepEqual(kinds(withMessages(opened, messages)), ["day", "message*", "message*", "unread", "message*", "message"]);
  });

  it("draw the unread line before the first message of somebody else", () => {
    const opened = reduce(loaded([room("general", { unread: 1, read_seq: 1, last_seq: 3 })]), { type: "view.room", room: "general" });
    const state = withMessages(opened, [message(1), message(2, { author: "ada" }), message(3)]);
    const rows = timelineRows(state, "general").map((row) => (row.kind === "message" ? row.message.id : row.kind));
    assert.deepEqual(rows, ["day", "m1", "m2", "unread", "m3"]);
  });

  it("keep the key of a pending message when it becomes a message", () => {
    const now = Date.now();
    const pending = { nonce: "mine", room: "general", body: "hi", reply_to: null, at: now, status: /** @type {const} */ ("sending"), error: null };
    const waiting = reduce(withMessages(loaded([room("general")]), []), { type: "pending.put", pending });
    const [, before] = timelineRows(waiting, "general");
    const event = { type: /** @type {const} */ ("message.posted"), seq: 11, n: 1, room: "general", at: now * 1_000, actor: "ada", message: message(11, { author: "ada", nonce: "mine", at: now * 1_000 }) };
    const [, after] = timelineRows(reduce(waiting, { type: "event", event }), "general");
    assert.deepEqual([before?.kind, after?.kind, before?.key], ["pending", "message", after?.key]);
  });

  it("show nothing pending in a window of the past", () => {
    const pending = { nonce: "mine", room: "general", body: "hi", reply_to: null, at: 1, status: /** @type {const} */ ("failed"), error: "No." };
    const state = reduce(withMessages(loaded([room("general")]), [message(1)], { hasAfter: true }), { type: "pending.put", pending });
    assert.deepEqual(kinds(state), ["day", "message*"]);
  });

  it("are the same objects while nothing has changed, and survive an unknown author", () => {
    const state = withMessages(loaded([room("general")]), [message(1, { author: "nobody" })]);
    assert.equal(timelineRows(state, "general"), timelineRows({ ...state, cursor: "k1.11" }, "general"));
    const row = timelineRows(state, "general")[1];
    assert.equal(row?.kind === "message" && row.author.name, "Unknown");
  });

  it("say which day it is", () => {
    const now = at(3, 12, 0) / 1_000;
    const label = /** @param {number} when */ (when) => dayLabel(when, now, "en-GB");
    assert.deepEqual([label(at(3, 0, 1)), label(at(2, 23, 59))], ["Today", "Yesterday"]);
    assert.match(label(at(1, 12, 0)), /^Sunday,? 1 March$/);
    assert.match(label(new Date(2025, 11, 31).getTime() * 1_000), /2025/);
  });
});

describe("the status line", () => {
  /** @param {Partial<Status>} status */
  const line = (status) => statusLine(reduce(initialState(), { type: "status", status }), 10_000).text;

  it("says in plain words how it is", () => {
    assert.equal(line({ phase: "connecting" }), "Connecting");
    assert.equal(line({ phase: "live", transport: "websocket" }), "Live by WebSocket");
    assert.equal(line({ phase: "live", transport: "sse", blocked: ["websocket"] }), "Live by event stream: your network blocks WebSocket");
    assert.equal(line({ phase: "live", transport: "batch", blocked: ["websocket", "sse"] }), "Live by short requests: your network blocks WebSocket and event stream");
    assert.equal(line({ phase: "reconnecting", retryAt: 12_100, waiting: 2 }), "Reconnecting in 3 s, 2 messages waiting");
    assert.equal(line({ phase: "reconnecting", retryAt: null, waiting: 1 }), "Reconnecting, 1 message waiting");
    assert.equal(line({ phase: "offline" }), "You are offline");
    assert.equal(line({ phase: "signed-out", reason: "deactivated" }), "Your account was deactivated");
  });
});
