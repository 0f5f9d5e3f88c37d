// The browser, as the rest of `net/` sees it: the one place that touches its globals, so that tests
// can bring a world of their own with a clock of their own.

/** @import { Env, PageEvent } from "./shape.js" */

/** @returns {Env} */
export function browserEnv() {
  return {
    origin: location.origin,
    now: () => Date.now(),
    random: () => Math.random(),
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    setTimeout: (run, delayMs) => setTimeout(run, delayMs),
    clearTimeout: (timer) => clearTimeout(/** @type {number} */ (timer)),
    fetch: (url, init) => fetch(url, init),
    openSocket: (url, protocol) => new WebSocket(url, protocol),
    storage: allowed(() => localStorage),
    indexedDB: allowed(() => indexedDB),
    // Web Locks exist only where the page came over https or from this machine.
    locks: allowed(() => navigator.locks),
    openChannel: typeof BroadcastChannel === "undefined" ? null : (name) => new BroadcastChannel(name),
    online: () => navigator.onLine,
    visible: () => document.visibilityState === "visible",
    listen,
    report: (message, details) => console.error(`switchback: ${message}`, details),
  };
}

/**
 * @template Value
 * @param {() => Value | undefined} get Throws where the user forbids storage.
 * @returns {Value | null}
 */
function allowed(get) {
  try {
    return get() ?? null;
  } catch {
    return null;
  }
}

/** @type {Env["listen"]} */
function listen(listener) {
  const ended = new AbortController();
  const { signal } = ended;
  /** @param {EventTarget | null | undefined} target @param {string} name @param {() => PageEvent} event */
  const on = (target, name, event) =>
    target?.addEventListener(name, () => listener(event()), { signal, passive: true });
  on(window, "online", () => "online");
  on(window, "offline", () => "offline");
  on(window, "pageshow", () => "pageshow");
  on(window, "pagehide", () => "pagehide");
  on(window, "focus", () => "activity");
  on(document, "visibilitychange", () => (document.visibilityState === "visible" ? "visible" : "hidden"));
  for (const name of ["pointerdown", "pointermove", "keydown", "wheel"]) on(document, name, () => "activity");
  // Not in every browser, and not in the type checker's library.
  const { connection } = /** @type {{ connection?: EventTarget }} */ (navigator);
  on(connection, "change", () => "network");
  return () => ended.abort();
}
