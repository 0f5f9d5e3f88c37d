// The quiet line that says how the client is connected, in plain words.

/** @import { TransportKind } from "../types.js" */
/** @import { State, Status } from "./shape.js" */

/** @type {Record<TransportKind, string>} */
const NAMES = { websocket: "WebSocket", sse: "event stream", batch: "short requests" };

/** @type {Record<string, string>} */
const STOPPED = {
  signed_out: "You are signed out",
  deactivated: "Your account was deactivated",
  other_user: "Somebody else signed in here: reload the page",
  bad_command_stream: "The server closed the connection: reload the page",
  too_big: "The server closed the connection: reload the page",
  unsupported: "The server closed the connection: reload the page",
  too_many_connections: "Too many open windows of this account: close some and reload",
};

/**
 * @param {State} state
 * @param {number} nowMs
 * @returns {{ text: string, tone: "ok" | "warn" | "bad" }}
 */
export function statusLine(state, nowMs) {
  const { status } = state;
  const { text, tone } = connection(status, state.failure, nowMs);
  const { waiting } = status;
  if (waiting === 0 || status.phase === "live") return { text, tone };
  return { text: `${text}, ${waiting} ${waiting === 1 ? "message" : "messages"} waiting`, tone };
}

/**
 * @param {Status} status
 * @param {string | null} failure
 * @param {number} nowMs
 * @returns {{ text: string, tone: "ok" | "warn" | "bad" }}
 */
function connection(status, failure, nowMs) {
  switch (status.phase) {
    case "live":
      return { text: live(status), tone: "ok" };
    case "connecting":
      return { text: failure === null ? "Connecting" : `Connecting: ${failure}`, tone: "warn" };
    case "reconnecting":
      return { text: reconnecting(status.retryAt, nowMs), tone: "warn" };
    case "offline":
      return { text: "You are offline", tone: "bad" };
    case "signed-out":
      return { text: STOPPED[status.reason ?? "signed_out"] ?? "Disconnected: reload the page", tone: "bad" };
  }
}

/** @param {Status} status @returns {string} */
function live({ transport, blocked }) {
  const how = `Live by ${NAMES[transport ?? "websocket"]}`;
  if (blocked.length === 0) return how;
  return `${how}: your network blocks ${blocked.map((kind) => NAMES[kind]).join(" and ")}`;
}

/** @param {number | null} retryAt @param {number} nowMs @returns {string} */
function reconnecting(retryAt, nowMs) {
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - nowMs) / 1_000);
  return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting";
}
