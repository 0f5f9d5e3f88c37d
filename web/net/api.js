// The REST interface: one method for each call the client makes. Answers with the parsed body, or
// rejects with an `ApiError` that says what was wrong.

import { networkError, responseError } from "./errors.js";
import { COMMAND_TIMEOUT_MS, HISTORY_PAGE_MESSAGES, REQUEST_TIMEOUT_MS } from "./limits.js";
import { Timer } from "./timer.js";

/**
 * @import { Ack, CreateInvitationRequest, CreateRoomRequest, CreateTokenResponse, History, Invitation,
 *   InvitationList, InvitationId, MemberList, Message, MessageId, Request, RoomId, RoomList, RoomView, SearchResults, Seq,
 *   SessionId, SessionList, Snapshot, TokenId, TokenList, UpdateRoomRequest, UpdateUserRequest, User,
 *   UserId, Workspace } from "../types.js"
 * @import { Env } from "./shape.js"
 */

const BASE = "/api/v1";

export class Api {
  #env;
  #signedOut;

  /** @param {Env} env @param {() => void} signedOut Told when the server knows nobody by the cookie. */
  constructor(env, signedOut) {
    this.#env = env;
    this.#signedOut = signedOut;
  }

  /** @param {Request} request @returns {Promise<Ack>} */
  command(request) {
    return this.#call("POST", "/chat", request, COMMAND_TIMEOUT_MS);
  }

  /** @returns {Promise<Snapshot>} */
  snapshot() {
    return this.#get("/snapshot");
  }

  /**
   * @param {RoomId} room
   * @param {{ before?: Seq, after?: Seq, around?: Seq }} where Without any: the newest.
   * @returns {Promise<History>}
   */
  history(room, where) {
    const query = new URLSearchParams({ limit: String(HISTORY_PAGE_MESSAGES) });
    for (const [name, seq] of Object.entries(where)) query.set(name, String(seq));
    return this.#get(`/rooms/${room}/messages?${query}`);
  }

  /** @param {MessageId} id @returns {Promise<Message>} */
  message(id) {
    return this.#get(`/messages/${encodeURIComponent(id)}`);
  }

  /** @param {string} text @param {Seq | null} before @returns {Promise<SearchResults>} */
  search(text, before) {
    const query = new URLSearchParams({ q: text });
    if (before !== null) query.set("before", String(before));
    return this.#get(`/search?${query}`);
  }

  /** @returns {Promise<RoomList>} */
  rooms() {
    return this.#get("/rooms");
  }

  /** @param {RoomId} id @returns {Promise<RoomView>} */
  room(id) {
    return this.#get(`/rooms/${encodeURIComponent(id)}`);
  }

  /** @param {CreateRoomRequest} request @returns {Promise<RoomView>} */
  createRoom(request) {
    return this.#send("POST", "/rooms", request);
  }

  /** @param {RoomId} id @param {UpdateRoomRequest} change @returns {Promise<RoomView>} */
  updateRoom(id, change) {
    return this.#send("PATCH", `/rooms/${id}`, change);
  }

  /** @param {RoomId} id @returns {Promise<MemberList>} */
  members(id) {
    return this.#get(`/rooms/${id}/members`);
  }

  /** @param {RoomId} id @param {UserId | "me"} user @returns {Promise<void>} */
  addMember(id, user) {
    return this.#send("PUT", `/rooms/${id}/members/${user}`);
  }

  /** @param {RoomId} id @param {UserId | "me"} user @returns {Promise<void>} */
  removeMember(id, user) {
    return this.#send("DELETE", `/rooms/${id}/members/${user}`);
  }

  /** @param {UserId[]} users @returns {Promise<RoomView>} */
  openDirect(users) {
    return this.#send("POST", "/direct", { users });
  }

  /** @param {UserId | "me"} id @param {UpdateUserRequest} change @returns {Promise<User>} */
  updateUser(id, change) {
    return this.#send("PATCH", `/users/${id}`, change);
  }

  /** @param {string} current @param {string} password @returns {Promise<void>} */
  changePassword(current, password) {
    return this.#send("PUT", "/users/me/password", { current, new: password });
  }

  /** @param {string} name @returns {Promise<Workspace>} */
  renameWorkspace(name) {
    return this.#send("PATCH", "/workspace", { name });
  }

  /** @returns {Promise<InvitationList>} */
  invitations() {
    return this.#get("/invitations");
  }

  /** @param {CreateInvitationRequest} request @returns {Promise<Invitation>} With its link. */
  createInvitation(request) {
    return this.#send("POST", "/invitations", request);
  }

  /** @param {InvitationId} id @returns {Promise<void>} */
  revokeInvitation(id) {
    return this.#send("DELETE", `/invitations/${id}`);
  }

  /** @returns {Promise<SessionList>} */
  sessions() {
    return this.#get("/sessions");
  }

  /** @param {SessionId} id @returns {Promise<void>} */
  endSession(id) {
    return this.#send("DELETE", `/sessions/${id}`);
  }

  /** @returns {Promise<TokenList>} */
  tokens() {
    return this.#get("/tokens");
  }

  /** @param {string} label @returns {Promise<CreateTokenResponse>} With the secret, this once. */
  createToken(label) {
    return this.#send("POST", "/tokens", { label });
  }

  /** @param {TokenId} id @returns {Promise<void>} */
  deleteToken(id) {
    return this.#send("DELETE", `/tokens/${id}`);
  }

  /** @returns {Promise<void>} */
  signOut() {
    return this.#send("DELETE", "/session");
  }

  /** @param {string} path @returns {Promise<any>} */
  #get(path) {
    return this.#call("GET", BASE + path, undefined, REQUEST_TIMEOUT_MS);
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  #send(method, path, body) {
    return this.#call(method, BASE + path, body, REQUEST_TIMEOUT_MS);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object | undefined} body
   * @param {number} timeoutMs
   * @returns {Promise<any>}
   */
  async #call(method, path, body, timeoutMs) {
    const given = new AbortController();
    const timeout = new Timer(this.#env);
    timeout.set(timeoutMs, () => given.abort());
    try {
      const response = await this.#request(method, path, body, given.signal);
      if (!response.ok) throw await responseError(response);
      if (response.status === 204) return undefined;
      return await response.json().catch(() => Promise.reject(networkError()));
    } catch (error) {
      if (/** @type {{ status?: number }} */ (error).status === 401) this.#signedOut();
      throw error;
    } finally {
      timeout.clear();
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object | undefined} body
   * @param {AbortSignal} signal
   */
  #request(method, path, body, signal) {
    /** @type {Record<string, string>} */
    const headers = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    /** @type {RequestInit} */
    const init = { method, headers, signal, cache: "no-store", credentials: "same-origin" };
    if (body !== undefined) init.body = JSON.stringify(body);
    return this.#env.fetch(new URL(path, this.#env.origin).href, init).catch(() => Promise.reject(networkError()));
  }
}
