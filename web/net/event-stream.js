// The second way in: one long response of Server-Sent Events. Commands go by POST.

import { isEventStream, readFrames, refusal } from "./sse.js";

/** @import { End, OpenWay } from "./shape.js" */

/** @type {OpenWay} */
export function openEventStream(env, cursor, handlers) {
  const url = new URL("/chat", env.origin);
  if (cursor !== null) url.searchParams.set("after", cursor);
  const given = new AbortController();
  const { signal } = given;

  /** @returns {Promise<End>} */
  const run = async () => {
    const headers = { accept: "text/event-stream" };
    const response = await env.fetch(url.href, { headers, signal, cache: "no-store", credentials: "same-origin" });
    if (!isEventStream(response)) return refusal(response);
    await readFrames(response, (frame) => {
      if (!signal.aborted) handlers.frame(frame);
    });
    return {};
  };

  let closed = false;
  /** @param {End} end */
  const end = (end) => {
    if (!closed) handlers.end(end);
    closed = true;
  };
  run().then(end, () => end({}));
  return {
    kind: "sse",
    send: () => false,
    close() {
      closed = true;
      given.abort();
    },
  };
}
