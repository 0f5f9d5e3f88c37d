/*
 * Requests written by hand, byte for byte, for what `fetch` hides: whether `Upgrade` gets through
 * and when a response's bytes really arrive.
 */
import net from "node:net";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** Below those that Linux gives to connections on their way out (ip_local_port_range). */
const PORTS = { from: 20_000, to: 32_768 };

/**
 * A port that is free now, and that no connection takes while its server is away: only another who
 * chooses here could, and from some twelve thousand.
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    if (await isFree(port)) return port;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", (error) => {
      if ("code" in error && error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Whether something listens there. @param {number} port @returns {Promise<boolean>} */
export function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}

/**
 * Sends one request and resolves to what has arrived once that is enough, or the connection has
 * ended, or `waitMs` are over.
 *
 * @param {number} port
 * @param {string[]} lines request line and headers
 * @param {number} waitMs
 * @param {RegExp} [enough] nothing more is waited for once this is there
 * @returns {Promise<string>}
 */
export function rawRequest(port, lines, waitMs, enough) {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(finish, waitMs);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (enough?.test(text)) finish();
    });
    socket.on("end", finish);
    socket.on("error", finish);
  });
}

/** A WebSocket opening handshake (RFC 6455 1.3). @param {number} port @param {string} token */
export function handshakeLines(port, token) {
  return [
    "GET /chat HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${token}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Protocol: switchback.v1",
  ];
}

/** An event stream. @param {number} port @param {string} token @param {string} query */
export function streamLines(port, token, query = "") {
  return [
    `GET /chat${query} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${token}`,
    "Accept: text/event-stream",
  ];
}
