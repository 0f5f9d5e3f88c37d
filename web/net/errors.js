// Why a request or command was not carried out, in one form for every transport.

/** @import { ErrorFrame, Problem } from "../types.js" */

export class ApiError extends Error {
  /** @type {string} One of the server's codes, or `network`: no answer at all. */
  code;
  /** @type {string} For people. */
  detail;
  /** @type {string | null} The field at fault. */
  field;
  /** @type {boolean} The same may succeed later. */
  retry;
  /** @type {number} The HTTP status, 0 without any. */
  status;
  /** @type {number | null} */
  retryAfterMs;

  /** @param {Partial<Omit<ApiError, "name" | "message">> & { code: string, detail: string }} what */
  constructor({ code, detail, field = null, retry = false, status = 0, retryAfterMs = null }) {
    super(detail);
    this.name = "ApiError";
    this.code = code;
    this.detail = detail;
    this.field = field;
    this.retry = retry;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** @returns {ApiError} Nothing came back. */
export function networkError() {
  return new ApiError({ code: "network", detail: "The server cannot be reached.", retry: true });
}

/** @param {ErrorFrame} frame @returns {ApiError} */
export function frameError({ code, detail, field, retry, retry_after_ms }) {
  return new ApiError({ code, detail, field: field ?? null, retry, retryAfterMs: retry_after_ms ?? null });
}

/**
 * @param {Response} response One that is not a success.
 * @returns {Promise<ApiError>}
 */
export async function responseError(response) {
  const { status } = response;
  const problem = await readProblem(response);
  if (problem) {
    const { code, detail, field = null, retry, retry_after_ms: retryAfterMs = null } = problem;
    return new ApiError({ code, detail, field, retry, status, retryAfterMs });
  }
  // Somebody in between answered: a proxy, a captive portal. 401 is taken as the server's own word.
  if (status === 401) return new ApiError({ code: "unauthorized", detail: "You are signed out.", status });
  if (status === 413) return new ApiError({ code: "too_long", detail: "The network refuses to pass on so much.", status });
  const detail = `The network answered ${status} in place of the server.`;
  return new ApiError({ code: "network", detail, retry: true, status });
}

/** @param {Response} response @returns {Promise<Problem | null>} */
async function readProblem(response) {
  try {
    const problem = await response.json();
    return typeof problem?.code === "string" && typeof problem.detail === "string" ? problem : null;
  } catch {
    return null;
  }
}
