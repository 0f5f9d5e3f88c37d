// The web client's own state, driven by what clients wrote down: a snapshot and the events after it
// must come to the same as a fresh snapshot and its history.
//
// In: JSON on standard input, [{name, begun, told, rooms, fresh: {snapshot, messages}}].
// Out: a line for each difference; nothing where there is none.

import { isDeepStrictEqual } from "node:util";

import { judge } from "../../web/state/events.js";
import { initialState, reduce } from "../../web/state/reduce.js";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);

for (const { name, begun, told, fresh } of JSON.parse(Buffer.concat(chunks).toString())) {
  for (const difference of compare(replay(name, begun, told), opened(fresh.snapshot, fresh.messages))) {
    console.log(`${name}: ${difference}`);
  }
}

/** As a page that has just been opened and has looked at every room. */
function opened(snapshot, messages) {
  let state = reduce(initialState(), { type: "snapshot", snapshot });
  for (const { id: room } of snapshot.rooms) {
    const page = { messages: messages.filter((message) => message.room === room), hasBefore: false, hasAfter: false };
    state = reduce(state, { type: "history.loaded", room, place: "replace", anchor: null, page, since: [] });
  }
  return state;
}

function replay(name, begun, told) {
  let state = opened(begun, []);
  for (const event of told) {
    const verdict = judge(state, event);
    if (verdict !== "apply") console.log(`${name}: ${verdict} at ${event.seq}`);
    state = reduce(state, { type: "event", event });
  }
  return state;
}

function* compare(replayed, fresh) {
  for (const part of ["workspace", "me", "users", "rooms"]) {
    if (!isDeepStrictEqual(replayed[part], fresh[part])) {
      yield `${part}: replayed ${JSON.stringify(replayed[part])}, fresh ${JSON.stringify(fresh[part])}`;
    }
  }
  for (const room of Object.keys(fresh.timelines)) {
    // Of a room that is not in sight only the newest are kept.
    const kept = replayed.timelines[room].messages;
    const there = fresh.timelines[room].messages.slice(fresh.timelines[room].messages.length - kept.length);
    for (const [at, message] of kept.entries()) {
      if (!isDeepStrictEqual(settled(message), settled(there[at]))) {
        yield `message: replayed ${JSON.stringify(message)}, fresh ${JSON.stringify(there[at])}`;
      }
    }
  }
}

/** Who reacted first is told by the order of the events; two that crossed may stand either way. */
function settled(message) {
  return message && { ...message, reactions: message.reactions.toSorted((a, b) => a.emoji.localeCompare(b.emoji)) };
}
