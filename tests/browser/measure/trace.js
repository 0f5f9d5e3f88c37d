/*
 * Chromium's own tracing: what the page's main thread did while something happened in it.
 *
 * Why the trace and not the page's clock: a page that is busy cannot tell how long it was, and a
 * frame that never came has nobody to report it.
 */

/** Few on purpose: every category that is on costs the page something. */
const CATEGORIES = [
  "devtools.timeline",
  "loading",
  "blink.user_timing",
  "disabled-by-default-devtools.timeline",
  "disabled-by-default-devtools.timeline.frame",
];
const MICROS_PER_MS = 1_000;

/** @typedef {{ name: string, ph: string, ts: number, dur?: number, tdur?: number, pid: number, tid: number, args?: any, cat?: string, id?: string, id2?: any }} TraceEvent */

/**
 * Traces a page while something is done to it.
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<void>} doing
 */
export async function traced(page, doing) {
  const browser = page.context().browser();
  if (!browser) throw new Error("a page without a browser");
  await browser.startTracing(page, { categories: CATEGORIES });
  let failure = null;
  await doing().catch((error) => (failure = error));
  const bytes = await browser.stopTracing();
  if (failure) throw failure;
  return new Trace(JSON.parse(bytes.toString("utf8")).traceEvents);
}

/** What was recorded of one page. */
export class Trace {
  #events;
  #main;

  /** @param {TraceEvent[]} events */
  constructor(events) {
    this.#events = events;
    this.#main = mainThread(events);
  }

  /** Times of the main thread's tasks, in milliseconds, longest first. */
  tasksMs() {
    const tasks = this.#events.filter((event) => event.name === "RunTask" && this.#isMain(event) && event.dur !== undefined);
    if (tasks.length === 0) throw new Error("the trace has no tasks of the page's main thread");
    return tasks.map(({ dur }) => (dur ?? 0) / MICROS_PER_MS).toSorted((a, b) => b - a);
  }

  /**
   * The longest task: how long it was, how long it had a processor (of all, the most), and the names and
   * times of what took most in it.
   */
  longest() {
    const tasks = this.#events.filter((event) => event.name === "RunTask" && this.#isMain(event));
    const task = tasks.reduce((most, one) => ((one.dur ?? 0) > (most.dur ?? 0) ? one : most));
    const end = task.ts + (task.dur ?? 0);
    const within = this.#events.filter(
      (event) => this.#isMain(event) && event.name !== "RunTask" && (event.dur ?? 0) > 0 && event.ts >= task.ts && event.ts < end,
    );
    const parts = new Map();
    for (const { name, dur } of within) parts.set(name, (parts.get(name) ?? 0) + (dur ?? 0) / MICROS_PER_MS);
    const most = [...parts].toSorted((a, b) => b[1] - a[1]).slice(0, 6);
    return {
      longest_task_ms: (task.dur ?? 0) / MICROS_PER_MS,
      longest_task_cpu_ms: Math.max(...tasks.map(({ tdur }) => tdur ?? 0)) / MICROS_PER_MS,
      longest_task: most.map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(", "),
    };
  }

  /** From the start of a navigation to the first paint that shows something, in milliseconds. */
  firstContentfulPaintMs() {
    const paint = this.#events.find((event) => event.name === "firstContentfulPaint" && this.#isMain(event));
    if (!paint) throw new Error("the trace has no first paint");
    const starts = this.#events.filter(
      (event) => event.name === "navigationStart" && event.pid === paint.pid && event.ts <= paint.ts && event.args?.frame === paint.args?.frame,
    );
    const start = starts.at(-1);
    if (!start) throw new Error("the trace has no start of the navigation");
    return (paint.ts - start.ts) / MICROS_PER_MS;
  }

  /** How many frames were shown, and how many were due that somebody would have seen and were not. */
  frames() {
    const reports = this.#events.filter((event) => event.name === "PipelineReporter" && event.pid === this.#main.pid);
    const frames = reports.flatMap(({ args }) => args?.frame_reporter ?? []);
    const shown = frames.filter(({ state }) => state === "STATE_PRESENTED_ALL" || state === "STATE_PRESENTED_PARTIAL");
    const dropped = frames.filter(({ state, affects_smoothness: seen }) => state === "STATE_DROPPED" && seen);
    return { shown: shown.length, dropped: dropped.length };
  }

  /** Of each key, from its press to the next paint, in milliseconds. */
  keysMs() {
    const keys = this.#events.filter((event) => event.name === "EventTiming" && event.args?.data?.type === "keydown" && this.#isMain(event));
    return keys.map(({ args }) => /** @type {number} */ (args.data.duration));
  }

  /** @param {TraceEvent} event */
  #isMain(event) {
    return event.pid === this.#main.pid && event.tid === this.#main.tid;
  }
}

/**
 * The main thread of the page: of all renderers the one that has done most.
 * @param {TraceEvent[]} events
 */
function mainThread(events) {
  const threads = events.filter((event) => event.name === "thread_name" && event.args?.name === "CrRendererMain");
  const busy = threads.map(({ pid, tid }) => {
    const tasks = events.filter((event) => event.name === "RunTask" && event.pid === pid && event.tid === tid);
    return { pid, tid, us: tasks.reduce((sum, { dur }) => sum + (dur ?? 0), 0) };
  });
  const most = busy.toSorted((a, b) => b.us - a.us)[0];
  if (!most) throw new Error("the trace has no page");
  return most;
}
