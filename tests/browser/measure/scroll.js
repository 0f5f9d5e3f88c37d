/*
 * Up through a long room by the wheel: what it does to frames, to the document and to memory.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../kit/wait.js";
import { traced } from "./trace.js";

/** One notch of a wheel, and the time between two: a reader in a hurry. */
const WHEEL_PX = 120;
const WHEEL_MS = 16;
/** Nothing comes for this long though the wheel is turned. */
const STUCK_MS = 20_000;
/** Memory is looked at when so much of the whole was read. */
const PARTS = [0, 0.25, 0.5, 1];
const BYTES_PER_MIB = 1024 * 1024;

/**
 * @param {import("../kit/chat.js").Chat} chat in the room, at its end
 * @param {number} messages how many are scrolled past
 * @param {number} page messages in one page of history
 */
export async function scroll(chat, messages, page) {
  const session = await chat.window.context.newCDPSession(chat.page);
  await session.send("Performance.enable");
  let loaded = 0;
  chat.page.on("requestfinished", (request) => {
    if (/\/messages\?.*before=/.test(request.url())) loaded += page;
  });
  const box = await chat.log.boundingBox();
  if (!box) throw new Error("there is no list of messages");
  await chat.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const samples = [];
  const stretches = [];
  const tasks = [];
  for (const part of PARTS) {
    const wanted = messages * part;
    if (wanted > loaded) {
      const begun = performance.now();
      const trace = await traced(chat.page, () => turn(chat, () => loaded >= wanted));
      const { shown, dropped } = trace.frames();
      tasks.push(...trace.tasksMs());
      const seconds = (performance.now() - begun) / 1_000;
      stretches.push({ through: loaded, seconds, shown, dropped, ...trace.longest() });
    }
    samples.push({ messages: loaded, ...(await memory(chat, session)) });
  }
  return { samples, stretches, tasks_over_50_ms: tasks.filter((ms) => ms > 50).length, tasks: tasks.length };
}

/** @param {import("../kit/chat.js").Chat} chat @param {() => boolean} enough */
async function turn(chat, enough) {
  const deadline = performance.now() + STUCK_MS * 30;
  while (!enough()) {
    if (performance.now() > deadline) throw new Error("the wheel brings nothing more");
    await chat.page.mouse.wheel(0, -WHEEL_PX);
    await sleep(WHEEL_MS);
  }
}

/** After whatever can be thrown away was. @param {import("../kit/chat.js").Chat} chat @param {import("playwright-core").CDPSession} session */
async function memory(chat, session) {
  await until("everything that was asked for is there", STUCK_MS, async () => chat.page.evaluate(() => document.querySelector("[aria-busy=true]") === null));
  await sleep(500);
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (/** @type {string} */ name) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  const elements = await chat.page.evaluate(() => document.querySelectorAll("*").length);
  const rows = await chat.log.locator("[data-key]").count();
  return { heap_mib: of("JSHeapUsedSize") / BYTES_PER_MIB, elements, rows, nodes: of("Nodes"), listeners: of("JSEventListeners") };
}
