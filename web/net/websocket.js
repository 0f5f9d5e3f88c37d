// The first way in: a WebSocket (RFC 6455). Commands go the same way, as frames.
//
// A browser does not say why a handshake failed (426, 400, a proxy's HTML page, nobody there): it is
// a close with code 1006 for all of them. What it was, the next way in will find out.

/** @import { Frame } from "../types.js" */
/** @import { OpenWay } from "./shape.js" */

const SUBPROTOCOL = "switchback.v1";
/** RFC 6455 7.1.5: closed without a close frame. */
const ABNORMAL = 1006;
/** RFC 6455 7.4.1: what came is not what was agreed on. */
const INVALID_PAYLOAD = 1007;
/** `WebSocket.OPEN` */
const OPEN = 1;

/** @type {OpenWay} */
export function openWebSocket(env, cursor, handlers) {
  const url = new URL("/chat", env.origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (cursor !== null) url.searchParams.set("after", cursor);
  let ended = false;
  /** @param {number} code */
  const end = (code) => {
    if (ended) return;
    ended = true;
    handlers.end({ code });
  };
  /** @type {WebSocket | null} */
  let socket = null;
  try {
    socket = env.openSocket(url.href, SUBPROTOCOL);
  } catch {
    // The page's own policy forbids it. Later, as every other failure comes.
    env.setTimeout(() => end(ABNORMAL), 0);
  }
  socket?.addEventListener("message", ({ data }) => {
    if (ended) return;
    const frame = readFrame(data);
    if (frame) return handlers.frame(frame);
    socket?.close();
    end(INVALID_PAYLOAD);
  });
  socket?.addEventListener("close", ({ code }) => end(code));
  return {
    kind: "websocket",
    send(text) {
      if (ended || socket?.readyState !== OPEN) return false;
      socket.send(text);
      return true;
    },
    close() {
      ended = true;
      socket?.close();
    },
  };
}

/** @param {unknown} data @returns {Frame | null} Not JSON: a proxy of sorts speaks, not the server. */
function readFrame(data) {
  try {
    return typeof data === "string" ? JSON.parse(data) : null;
  } catch {
    return null;
  }
}
