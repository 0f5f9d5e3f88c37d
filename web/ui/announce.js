/*
 * Says what comes in to people who use a screen reader.
 *
 * Why not the timeline's own live region: history that is loaded on scrolling up would be read out
 * as if it were new. So the log is silent, and this region beside it says new messages of others in
 * the room that is open, politely, and only a number when many come at once. Nobody can listen to a
 * hundred messages a second, so what comes within a second is said together.
 */

import { excerpt } from "./excerpt.js";
import { isAway } from "./focus.js";

/** @import { Message, Seq, RoomId } from "../types.js" */
/** @import { State } from "../state/shape.js" */

const SPOKEN_AT_ONCE = 3;
const CLEAR_MS = 5_000;
const GATHER_MS = 1_000;

/** The region lives outside of what Lit draws: a redraw must not make it speak. */
export function createAnnouncer() {
  const region = document.createElement("div");
  region.className = "visually-hidden";
  region.setAttribute("role", "status");
  region.setAttribute("aria-label", "New messages");
  document.body.append(region);
  /** @type {Message[]} not said yet */
  let gathered = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} something was said just now */
  let pause;
  /** @type {RoomId | null} */
  let room = null;
  /** @type {Seq | null} the newest message that was there already */
  let newest = null;
  /** @type {State["status"]["phase"]} */
  let phase = "connecting";

  /** @param {string} text */
  function say(text) {
    const line = document.createElement("p");
    line.textContent = text;
    region.append(line);
    setTimeout(() => line.remove(), CLEAR_MS);
  }

  /** @param {State} state */
  function follow(state) {
    sayConnection(state.status.phase);
    const timeline = state.view.room === null ? undefined : state.timelines[state.view.room];
    const last = timeline?.messages.at(-1)?.seq ?? null;
    if (state.view.room === room && newest !== null && timeline && !timeline.hasAfter) {
      const since = newest;
      gathered.push(...timeline.messages.filter((message) => message.seq > since));
      if (pause === undefined) sayGathered(state);
    }
    if (state.view.room !== room) gathered = [];
    room = state.view.room;
    newest = timeline && !timeline.loading ? (last ?? 0) : null;
  }

  /** @param {State["status"]["phase"]} now */
  function sayConnection(now) {
    if (phase === "live" && now !== "live") say("Connection lost. Messages are kept and sent later.");
    if ((phase === "reconnecting" || phase === "offline") && now === "live") say("Connected again.");
    phase = now;
  }

  /** @param {State} state */
  function sayGathered(state) {
    const others = gathered.filter((message) => message.author !== state.me?.id && !message.deleted);
    gathered = [];
    pause = undefined;
    if (others.length === 0) return;
    pause = setTimeout(() => sayGathered(state), GATHER_MS);
    if (others.length > SPOKEN_AT_ONCE) say(`${others.length} new messages`);
    else for (const message of others) say(spoken(state, message));
  }

  return { say, follow };
}

/**
 * @param {State} state
 * @param {Message} message
 */
function spoken(state, message) {
  const author = state.users[message.author]?.name ?? "Somebody";
  return isAway() ? `New message from ${author}` : `${author}: ${excerpt(message.body)}`;
}
