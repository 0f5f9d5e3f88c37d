// What a user can do. Each method is one intention: it asks the server, and brings the answer into
// the state. What cannot be done rejects with an `ApiError`; what is only late is tried again by
// those who keep it (outbox, read marks).

import { canPost, messageById } from "../state/selectors.js";
import { ApiError } from "./errors.js";
import { MESSAGE_BODY_BYTES, TYPING_EVERY_MS } from "./limits.js";
import { uuidMaker } from "./uuid.js";

/**
 * @import { Ack, Command, CreateInvitationRequest, CreateRoomRequest, InvitationId, MessageId, Nonce, RoomId,
 *   RoomView, Seq, SessionId, TokenId, UpdateRoomRequest, UpdateUserRequest, User, UserId } from "../types.js"
 * @import { Store } from "../state/store.js"
 * @import { Account } from "./account.js"
 * @import { Api } from "./api.js"
 * @import { Commands } from "./commands.js"
 * @import { HistoryLoader } from "./history.js"
 * @import { ReadMarks } from "./read-marks.js"
 * @import { Env } from "./shape.js"
 */

/**
 * @typedef {object} Parts
 * @property {Env} env
 * @property {Store} store
 * @property {Api} api
 * @property {Commands} commands
 * @property {HistoryLoader} history
 * @property {ReadMarks} reads
 * @property {Promise<Account>} account Known after the first snapshot.
 */

export class Actions {
  #parts;
  #store;
  #api;
  #history;
  #uuid;
  /** @type {Account | null} */
  #account = null;
  /** @type {Map<RoomId, number>} */
  #typedMs = new Map();

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#api = parts.api;
    this.#history = parts.history;
    this.#uuid = uuidMaker(parts.env);
    void parts.account.then((account) => (this.#account = account));
  }

  // --- Messages ---------------------------------------------------------------------------------

  /**
   * @param {RoomId} room
   * @param {string} body
   * @param {MessageId | null} [replyTo]
   * @returns {Promise<Nonce>} Once it is kept; it is sent from then on.
   */
  async post(room, body, replyTo = null) {
    checkBody(body);
    const { outbox, drafts } = await this.#parts.account;
    const user = this.#store.state.me?.id ?? "";
    const nonce = this.#uuid();
    await outbox.add({ nonce, user, room, body, reply_to: replyTo, at: this.#parts.env.now(), failed: null });
    drafts.set(room, { body: "", reply_to: null });
    this.#typedMs.delete(room);
    if (this.#store.state.timelines[room]?.hasAfter) void this.#history.latest(room);
    return nonce;
  }

  /** @param {Nonce} nonce Sends again what failed. */
  async retry(nonce) {
    await (await this.#parts.account).outbox.retry(nonce);
  }

  /** @param {Nonce} nonce Gives up what has not been sent. */
  async discard(nonce) {
    await (await this.#parts.account).outbox.drop(nonce);
  }

  /** @param {MessageId} message @param {string} body */
  async edit(message, body) {
    checkBody(body);
    await this.#change({ type: "message.edit", message, body });
  }

  /** @param {MessageId} message */
  async remove(message) {
    await this.#change({ type: "message.delete", message });
  }

  /** @param {MessageId} message @param {string} emoji @param {boolean} present */
  async react(message, emoji, present) {
    await this.#change({ type: present ? "reaction.add" : "reaction.remove", message, emoji });
  }

  /** @param {MessageId} message @param {string} emoji */
  async toggleReaction(message, emoji) {
    const { state } = this.#store;
    const there = messageById(state, message)?.reactions.find((reaction) => reaction.emoji === emoji);
    await this.react(message, emoji, !there?.users.includes(state.me?.id ?? ""));
  }

  /** @param {Command} command @returns {Promise<Ack>} */
  async #change(command) {
    const ack = await this.#parts.commands.send(command);
    if (ack.message) this.#store.dispatch({ type: "ack", seq: ack.seq, message: ack.message });
    return ack;
  }

  // --- Reading ----------------------------------------------------------------------------------

  /** @param {RoomId} room Brings it into sight; its newest page is loaded by itself. */
  async openRoom(room) {
    await this.#known(room);
    this.#store.dispatch({ type: "view.room", room });
  }

  closeRoom() {
    this.#store.dispatch({ type: "view.room", room: null });
  }

  /** @param {RoomId} room */
  async loadOlder(room) {
    await this.#history.older(room);
  }

  /** @param {RoomId} room */
  async loadNewer(room) {
    await this.#history.newer(room);
  }

  /** @param {RoomId} room */
  async jumpToLatest(room) {
    if (this.#store.state.timelines[room]?.hasAfter) await this.#history.latest(room);
  }

  /** @param {MessageId} id @returns {Promise<RoomId>} Where it is. */
  async jumpToMessage(id) {
    await this.#parts.account;
    const message = messageById(this.#store.state, id) ?? (await this.#api.message(id));
    const { room, seq } = message;
    await this.#known(room);
    const timeline = this.#store.state.timelines[room];
    const loaded = timeline && !timeline.stale && timeline.messages.some((other) => other.id === id);
    // Begun before the room is in sight, so that its newest page is not loaded as well.
    const loading = loaded ? undefined : this.#history.around(room, seq);
    this.#store.dispatch({ type: "view.room", room });
    this.#store.dispatch({ type: "view.focus", message: id });
    await loading;
    return room;
  }

  /** @param {string} text @param {Seq | null} before Older ones than those found so far. */
  search(text, before) {
    return this.#api.search(text, before);
  }

  /** @param {RoomId} room As it is, without bringing it into the state. */
  lookAtRoom(room) {
    return this.#api.room(room);
  }

  clearFocus() {
    this.#store.dispatch({ type: "view.focus", message: null });
  }

  /** @param {boolean} reading The room is in sight up to its end, and somebody looks. */
  setReading(reading) {
    this.#store.dispatch({ type: "view.reading", reading });
  }

  /** @param {RoomId} room @param {Seq} [seq] */
  markRead(room, seq = this.#store.state.rooms[room]?.last_seq ?? 0) {
    this.#parts.reads.mark(room, seq);
  }

  /** @param {RoomId} room @returns {Promise<void>} */
  async #known(room) {
    await this.#parts.account;
    if (!this.#store.state.rooms[room]) this.#store.dispatch({ type: "room", room: await this.#api.room(room) });
  }

  // --- Writing ----------------------------------------------------------------------------------

  /** @param {RoomId} room @param {string} body @param {MessageId | null} [replyTo] Kept over reloads. */
  setDraft(room, body, replyTo = null) {
    this.#account?.drafts.set(room, { body, reply_to: replyTo });
  }

  /** @param {RoomId} room A key was pressed there. */
  typing(room) {
    const now = this.#parts.env.now();
    if (now - (this.#typedMs.get(room) ?? -Infinity) < TYPING_EVERY_MS) return;
    if (this.#store.state.status.phase !== "live" || !canPost(this.#store.state, room)) return;
    this.#typedMs.set(room, now);
    // Late is worthless: not tried again.
    this.#parts.commands.send({ type: "typing", room }).catch(() => undefined);
  }

  // --- Rooms ------------------------------------------------------------------------------------

  /** @returns {Promise<RoomView[]>} Public ones and one's own. */
  async listRooms() {
    return (await this.#api.rooms()).rooms;
  }

  /** @param {CreateRoomRequest} request @returns {Promise<RoomView>} */
  async createRoom(request) {
    return this.#room(await this.#api.createRoom(request));
  }

  /** @param {RoomId} room @param {UpdateRoomRequest} change @returns {Promise<RoomView>} */
  async updateRoom(room, change) {
    return this.#room(await this.#api.updateRoom(room, change));
  }

  /** @param {RoomId} room @param {boolean} archived @returns {Promise<RoomView>} */
  archive(room, archived) {
    return this.updateRoom(room, { archived });
  }

  /** @param {UserId[]} users @returns {Promise<RoomView>} */
  async openDirect(users) {
    return this.#room(await this.#api.openDirect(users));
  }

  /** @param {RoomId} room @returns {Promise<RoomView>} */
  async join(room) {
    await this.#api.addMember(room, "me");
    return this.#room(await this.#api.room(room));
  }

  /** @param {RoomId} room It goes from the state with the event that says so. */
  async leave(room) {
    await this.#api.removeMember(room, "me");
  }

  /** @param {RoomId} room @param {UserId} user */
  async addMember(room, user) {
    await this.#api.addMember(room, user);
    await this.loadMembers(room);
  }

  /** @param {RoomId} room @param {UserId} user */
  async removeMember(room, user) {
    await this.#api.removeMember(room, user);
    await this.loadMembers(room);
  }

  /** @param {RoomId} room @returns {Promise<UserId[]>} */
  async loadMembers(room) {
    const { members } = await this.#api.members(room);
    this.#store.dispatch({ type: "members", room, members });
    return members;
  }

  /** @param {RoomView} room */
  #room(room) {
    this.#store.dispatch({ type: "room", room });
    return room;
  }

  // --- People and the workspace -----------------------------------------------------------------

  /** @param {UserId | "me"} id @param {UpdateUserRequest} change @returns {Promise<User>} */
  async updateUser(id, change) {
    const user = await this.#api.updateUser(id, change);
    this.#store.dispatch({ type: "user", user });
    return user;
  }

  /** @param {{ name: string }} change @returns {Promise<User>} */
  updateMe(change) {
    return this.updateUser("me", change);
  }

  /** @param {string} current @param {string} password Ends one's other sessions. */
  async changePassword(current, password) {
    await this.#api.changePassword(current, password);
  }

  /** @param {string} name */
  async renameWorkspace(name) {
    this.#store.dispatch({ type: "workspace", workspace: await this.#api.renameWorkspace(name) });
  }

  async listInvitations() {
    return (await this.#api.invitations()).invitations;
  }

  /** @param {CreateInvitationRequest} [request] */
  createInvitation(request = {}) {
    return this.#api.createInvitation(request);
  }

  /** @param {InvitationId} id */
  revokeInvitation(id) {
    return this.#api.revokeInvitation(id);
  }

  // --- One's own account ------------------------------------------------------------------------

  async listSessions() {
    return (await this.#api.sessions()).sessions;
  }

  /** @param {SessionId} id */
  endSession(id) {
    return this.#api.endSession(id);
  }

  async listTokens() {
    return (await this.#api.tokens()).tokens;
  }

  /** @param {string} label */
  createToken(label) {
    return this.#api.createToken(label);
  }

  /** @param {TokenId} id */
  deleteToken(id) {
    return this.#api.deleteToken(id);
  }

  /** Ends this session, and forgets what this browser keeps of the account. */
  async signOut() {
    await this.#api.signOut().catch((error) => {
      if (error.status !== 401) throw error;
    });
    const account = this.#account;
    await account?.outbox.clear();
    account?.drafts.clear();
    account?.signedOut("signed_out");
  }

  /** Tries to connect now. */
  reconnect() {
    this.#account?.reconnect();
  }
}

/** @param {string} body */
function checkBody(body) {
  if (body.trim() === "") {
    throw new ApiError({ code: "bad_request", detail: "A message must not be empty.", field: "body" });
  }
  const bytes = new TextEncoder().encode(body.trimEnd()).length;
  if (bytes <= MESSAGE_BODY_BYTES) return;
  const detail = `The message is too long: ${bytes} bytes, the limit is ${MESSAGE_BODY_BYTES}.`;
  throw new ApiError({ code: "too_long", detail, field: "body" });
}
