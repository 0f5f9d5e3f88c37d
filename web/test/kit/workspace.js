// What the test server holds: people, rooms, messages and the log of their events, by the rules of
// the real one as far as the client can tell.

/** @import { Message, Request, RoomView } from "../../types.js" */

export const T0 = 1_772_440_000_000_000;

/** @param {string} id @param {Partial<import("../../types.js").User>} [more] @returns {import("../../types.js").User} */
export function user(id, more = {}) {
  const name = id[0]?.toUpperCase() + id.slice(1);
  return { id, handle: id, name, role: "member", active: true, created_at: T0, ...more };
}

/** @param {string} id @param {Partial<RoomView>} [more] @returns {RoomView} */
export function room(id, more = {}) {
  const info = { id, kind: /** @type {const} */ ("public"), name: id, topic: "", archived: false, general: id === "general" };
  const counters = { n: 0, last_seq: 0, last_at: T0, read_seq: 0, unread: 0, mentions: 0 };
  return { ...info, member_count: 2, created_at: T0, joined: true, ...counters, ...more };
}

/** @param {string} id @param {Partial<RoomView>} [more] @returns {import("../../types.js").Room} As events tell it. */
export function roomInfo(id, more = {}) {
  const { joined: _joined, n: _n, last_seq: _l, last_at: _a, read_seq: _r, unread: _u, mentions: _m, ...info } = room(id, more);
  return info;
}

/** @param {number} seq @param {Partial<Message>} [more] @returns {Message} */
export function message(seq, more = {}) {
  const body = more.body ?? `message ${seq}`;
  return {
    id: `m${seq}`,
    room: "general",
    author: "bob",
    seq,
    at: T0 + seq * 1_000_000,
    edited_at: null,
    body,
    html: `<p>${body}</p>`,
    nonce: `nonce-${seq}`,
    reply_to: null,
    reactions: [],
    mentions: [],
    mentions_room: false,
    deleted: false,
    ...more,
  };
}

export class World {
  epoch = "k1";
  seq = 0;
  /** @type {any[]} */
  log = [];
  users = [user("ada", { role: "owner" }), user("bob")];
  /** @type {Map<string, RoomView>} */
  rooms = new Map([["general", room("general")], ["random", room("random")]]);
  /** @type {Message[]} */
  messages = [];
  /** @type {(event: any) => void} */
  onEvent = () => undefined;

  get cursor() {
    return `${this.epoch}.${this.seq}`;
  }

  /** @param {string | null} cursor @returns {any[]} */
  after(cursor) {
    const seq = cursor === null ? this.seq : Number(cursor.split(".")[1]);
    return this.log.filter((event) => event.seq > seq);
  }

  /** @param {string} type @param {string | null} roomId @param {object} body @param {boolean} [counted] */
  event(type, roomId, body, counted = true) {
    const there = roomId === null ? undefined : this.rooms.get(roomId);
    if (there && counted) there.n += 1;
    this.seq += 1;
    const n = there && counted ? there.n : null;
    const event = { type, seq: this.seq, n, room: roomId, at: T0 + this.seq * 1_000_000, actor: "bob", ...body };
    this.log.push(event);
    this.onEvent(event);
    return event;
  }

  /** @param {string} body @param {Partial<Message>} [more] By bob, in general. @returns {Message} */
  post(body, more = {}) {
    const posted = message(this.seq + 1, { body, ...more });
    this.messages.push(posted);
    const there = this.rooms.get(posted.room);
    if (there) there.last_seq = posted.seq;
    this.event("message.posted", posted.room, { message: { ...posted } });
    return posted;
  }

  /** @param {string} id @param {string} body @param {number} [edited_at] @returns {Message | undefined} */
  edit(id, body, edited_at = T0 + (this.seq + 1) * 1_000_000) {
    const there = this.messages.find((one) => one.id === id);
    if (!there) return;
    Object.assign(there, { body, html: `<p>${body}</p>`, edited_at });
    this.event("message.edited", there.room, { message: { ...there } });
    return there;
  }

  /** @param {Request} command @returns {any} */
  run(command) {
    const { id } = command;
    if (command.type === "message.post") {
      const known = this.messages.find((one) => one.nonce === command.nonce && one.author === "ada");
      const { room: roomId, nonce, body } = command;
      const posted = known ?? this.post(body, { author: "ada", room: roomId, nonce });
      return { type: "ack", id, seq: posted.seq, message: { ...posted } };
    }
    if (command.type === "message.edit") {
      const edited = this.edit(command.message, command.body);
      return edited ? { type: "ack", id, seq: this.seq, message: { ...edited } } : { type: "error", id, status: 404, code: "not_found", retry: false };
    }
    if (command.type === "read.mark") {
      const there = this.rooms.get(command.room);
      if (there) there.read_seq = Math.max(there.read_seq, command.seq);
      const { seq } = this.event("read.marked", command.room, { read_seq: command.seq, unread: 0, mentions: 0 }, false);
      return { type: "ack", id, seq };
    }
    return { type: "ack", id, seq: null };
  }

  /** @param {string} method @param {URL} url @param {any} body @returns {Response} */
  rest(method, url, body) {
    const path = url.pathname.replace("/api/v1", "");
    if (path === "/snapshot") return Response.json(this.snapshot());
    const history = /^\/rooms\/([^/]+)\/messages$/.exec(path);
    if (history) return Response.json(this.history(history[1] ?? "", url.searchParams));
    const one = /^\/messages\/([^/]+)$/.exec(path);
    const found = one ? this.messages.find(({ id }) => id === one[1]) : this.rooms.get(path.slice("/rooms/".length));
    if (method === "GET" && found) return Response.json(found);
    if (method === "POST" && path === "/rooms") return Response.json(this.create(body), { status: 201 });
    if (method === "DELETE" || method === "PUT") return new Response(null, { status: 204 });
    const problem = { type: "urn:switchback:error:not_found", title: "", status: 404, detail: "There is no such thing.", code: "not_found", retry: false };
    return Response.json(problem, { status: 404 });
  }

  snapshot() {
    const rooms = [...this.rooms.values()].map((one) => ({ ...one, ...this.unread(one) }));
    const [me] = this.users;
    return { cursor: this.cursor, workspace: { name: "Engines" }, me, users: this.users, rooms, presence: [] };
  }

  /** @param {RoomView} there */
  unread(there) {
    const unread = this.messages.filter((one) => one.room === there.id && one.author !== "ada" && one.seq > there.read_seq);
    return { unread: unread.length, mentions: unread.filter((one) => one.mentions.includes("ada")).length };
  }

  /** @param {{ name: string }} request */
  create({ name }) {
    const made = room(name);
    this.rooms.set(name, made);
    this.event("room.created", name, { room_info: roomInfo(name) });
    this.event("member.joined", name, { user: "ada", room_info: roomInfo(name) });
    return { ...made };
  }

  /** @param {string} roomId @param {URLSearchParams} query */
  history(roomId, query) {
    const limit = Number(query.get("limit"));
    const all = this.messages.filter((one) => one.room === roomId);
    const before = Number(query.get("before") ?? Infinity);
    let from = Math.max(0, all.filter((one) => one.seq < before).length - limit);
    if (query.has("after")) from = all.filter((one) => one.seq <= Number(query.get("after"))).length;
    if (query.has("around")) {
      from = Math.max(0, all.filter((one) => one.seq < Number(query.get("around"))).length - Math.floor(limit / 2));
    }
    const page = all.filter((one) => one.seq < before).slice(from, from + limit);
    const messages = page.map((one) => ({ ...one }));
    const last = messages.at(-1)?.seq ?? 0;
    return { messages, has_before: from > 0, has_after: all.some((one) => one.seq > last) };
  }
}
