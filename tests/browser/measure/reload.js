/*
 * A reload by somebody who is signed in: when something is painted, and when messages are.
 */
import { traced } from "./trace.js";

/**
 * @param {import("../kit/chat.js").Chat} chat in the room
 * @param {number} times
 */
export async function reload(chat, times) {
  await chat.page.addInitScript(noteMessages);
  const rounds = [];
  for (let round = 0; round < times; round++) {
    const trace = await traced(chat.page, async () => {
      await chat.page.reload({ waitUntil: "load" });
      await chat.page.waitForFunction(() => performance.getEntriesByName("messages").length > 0);
      await chat.live("websocket");
    });
    const messages = await chat.page.evaluate(() => performance.getEntriesByName("messages")[0]?.startTime ?? NaN);
    rounds.push({ paint_ms: trace.firstContentfulPaintMs(), messages_ms: messages, longest_task_ms: trace.tasksMs()[0] });
  }
  return rounds;
}

/** Runs in the page: marks the frame after the one that has the first message. */
function noteMessages() {
  const look = () => {
    if (document.querySelector("[role=log] article")) requestAnimationFrame(() => performance.mark("messages"));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
