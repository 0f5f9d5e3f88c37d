/*
 * Somebody types in a room into which others write a hundred messages a second.
 */
import { traced } from "./trace.js";

const SENTENCE = "the quick brown fox types on while everybody else talks at once ";
/** A quick typist's pace. */
const KEY_MS = 90;

/**
 * @param {import("../kit/chat.js").Chat} chat in the room, at its end
 * @param {import("./voices.js").Voices} voices
 * @param {{ perS: number, lastingMs: number }} how
 */
export async function typing(chat, voices, { perS, lastingMs }) {
  const before = await newest(chat);
  await chat.page.evaluate(noteKeys);
  await chat.box.focus();
  const text = SENTENCE.repeat(Math.ceil(lastingMs / KEY_MS / SENTENCE.length)).slice(0, Math.ceil(lastingMs / KEY_MS));
  let posted = 0;
  const trace = await traced(chat.page, async () => {
    const end = voices.begin(perS);
    await chat.page.keyboard.type(text, { delay: KEY_MS });
    posted = await end();
  });
  const written = await chat.box.inputValue();
  if (written !== text) throw new Error(`typed ${text.length} characters, the box has ${written.length}`);
  const after = await newest(chat);
  if (after === before) throw new Error("none of the messages that came in were shown");
  const keys = await chat.page.evaluate(() => /** @type {{ measuredKeys: number[] }} */ (/** @type {unknown} */ (globalThis)).measuredKeys);
  if (keys.length !== text.length) throw new Error(`${text.length} keys were pressed, ${keys.length} were drawn`);
  await chat.box.fill("");
  const tasks = trace.tasksMs();
  return {
    posted,
    keys: text.length,
    key_ms_p50: at(keys, 0.5),
    key_ms_p99: at(keys, 0.99),
    /** What the trace tells: to the frame's being shown, of those keys whose frame was not dropped. */
    shown_keys_ms: trace.keysMs(),
    tasks_over_50_ms: tasks.filter((ms) => ms > 50).length,
    ...trace.longest(),
    busy_share: tasks.reduce((sum, ms) => sum + ms, 0) / (text.length * KEY_MS),
    ...trace.frames(),
  };
}

/**
 * Runs in the page: notes for each key how long it took from its press until the frame with it was drawn. The message comes
 * after the frame's style, layout and paint.
 */
function noteKeys() {
  /** @type {number[]} */
  const keys = [];
  Object.assign(globalThis, { measuredKeys: keys });
  document.addEventListener("keydown", ({ timeStamp }) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => keys.push(performance.now() - timeStamp);
      port2.postMessage(null);
    });
  }, true);
}

/** The newest message on the screen. @param {import("../kit/chat.js").Chat} chat */
function newest(chat) {
  return chat.log.locator("article[data-message-id]").last().getAttribute("data-message-id");
}

/** @param {number[]} values @param {number} part */
function at(values, part) {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * part) - 1)];
}
