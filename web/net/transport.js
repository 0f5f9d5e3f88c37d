// Keeps one connection to `/chat`: opens it by the best way that gets through, notices when it is
// gone, comes back at the cursor, and changes to a better way in mid-flight.
//
// Every way in is a cursor over the same log, so changing is: open the new one at the cursor, close
// the old one when the new one has said hello. What comes twice in between, the reader drops by its
// `seq`; here nothing looks into events.

import { backoffMs } from "./backoff.js";
import {
  CHECK_MS, DEAF_MS, MUTE_MAX, PROBE_EVERY_MS, PROBE_SOON_MS, SILENCE_MS, STABLE_MS, TRANSPORT_MEMORY_MS, WATCHDOG_MS,
} from "./limits.js";
import { kindsToTry, rememberWinner } from "./memory.js";
import { KINDS, Race } from "./race.js";
import { Timer } from "./timer.js";

/** @import { ByeFrame, Cursor, Frame, TransportKind } from "../types.js" */
/** @import { Status } from "../state/shape.js" */
/** @import { End, Env, Way } from "./shape.js" */

/** Close codes after which a client stays away, and what they mean where no `bye` came before. */
const FINAL_CODES = new Map([
  [1008, "signed_out"],
  [4000, "bad_command_stream"],
]);

/**
 * @typedef {object} TransportHandlers
 * @property {() => Cursor | null} cursor Where to go on.
 * @property {(frame: Frame) => void} frame
 * @property {(status: Partial<Status>) => void} status
 * @property {() => void} lost The way in use is gone: what was sent on it may not have arrived.
 */

export class Transport {
  #env;
  #handlers;
  #running = false;
  #halted = false;
  /** @type {Way | null} */
  #way = null;
  /** @type {Race | null} For a connection while there is none. */
  #race = null;
  /** @type {Race | null} For a better connection than the one in use. */
  #probe = null;
  #attempt = 0;
  #opened = false;
  #lastFrameMs = 0;
  /** When the best way was last tried. */
  #triedBestMs = 0;
  /** The way in use won after a loss: the better ones may just have been too early for the server. */
  #doubtful = false;
  #adoptedMs = 0;
  /** A WebSocket opened and was of no use: no other one before this time. */
  #distrustUntilMs = 0;
  /** A command got no answer on the WebSocket, and from when on frames came all the same. */
  #unanswered = false;
  #heardMs = 0;
  /** WebSockets in a row on which nothing came after their opening. */
  #mute = 0;
  #retry;
  #watchdog;
  #stable;
  #probing;
  #checking;

  /** @param {Env} env @param {TransportHandlers} handlers */
  constructor(env, handlers) {
    this.#env = env;
    this.#handlers = handlers;
    this.#retry = new Timer(env);
    this.#watchdog = new Timer(env);
    this.#stable = new Timer(env);
    this.#probing = new Timer(env);
    this.#checking = new Timer(env);
  }

  start() {
    this.#running = true;
    this.#halted = false;
    // What is remembered stands for a try.
    this.#triedBestMs = this.#env.now();
    this.#connect();
  }

  stop() {
    this.#running = false;
    this.#drop();
  }

  /** @param {string} text @returns {boolean} `false`: send it by POST. */
  send(text) {
    return this.#way?.send(text) ?? false;
  }

  /**
   * A command on the WebSocket got no answer in time. That may be the server's; but where frames
   * keep coming and the answer does not, somebody lets pass what it says and not what we say.
   */
  unanswered() {
    if (this.#way?.kind !== "websocket" || this.#unanswered) return;
    this.#unanswered = true;
    this.#heardMs = 0;
  }

  /** The page has come back to life, or the user asks: is the connection still good? */
  check() {
    if (!this.#running || this.#halted || this.#race) return;
    if (!this.#way || this.#env.now() - this.#lastFrameMs > SILENCE_MS) return this.reconnect();
    // A stream says nothing when asked; its heartbeats and the watchdog have to do.
    if (!this.send(JSON.stringify({ id: "check", type: "ping" }))) return;
    this.#checking.set(CHECK_MS, () => this.reconnect());
  }

  /** The network is another one: what did not get through may do so now, and the reverse. */
  networkChanged() {
    this.#distrustUntilMs = 0;
    if (!this.#running || this.#halted || this.#race) return;
    if (!this.#way) return this.reconnect();
    if (this.#way.kind === "websocket") return this.check();
    this.#startProbe(KINDS.slice(0, KINDS.indexOf(this.#way.kind) + 1));
  }

  /** The browser says that there is no network. It may be wrong, so attempts go on. */
  networkGone() {
    if (!this.#running || this.#halted) return;
    this.#attempt = 0;
    this.#retryLater(backoffMs(this.#env, this.#attempt));
  }

  /** Lets go of what there is and opens a new connection at the cursor, now. */
  reconnect() {
    if (!this.#running) return;
    this.#halted = false;
    this.#drop();
    this.#connect();
  }

  /** @param {string} reason Nobody comes back by themselves from this. */
  halt(reason) {
    if (this.#halted) return;
    this.#halted = true;
    this.#drop();
    this.#handlers.status({ phase: "signed-out", reason, retryAt: null });
  }

  #connect() {
    this.#retry.clear();
    const phase = !this.#env.online() ? "offline" : this.#opened ? "reconnecting" : "connecting";
    this.#handlers.status({ phase, retryAt: null, reason: null });
    // What is remembered may be wrong by now: a second attempt tries everything.
    const kinds = this.#trusted(this.#attempt === 0 ? kindsToTry(this.#env) : KINDS);
    this.#tries(kinds);
    this.#race = new Race(this.#env, kinds, this.#handlers.cursor(), {
      won: (way) => this.#adopt(way),
      lost: ({ refused, retryAfterMs }) => {
        this.#race = null;
        if (refused) this.halt("signed_out");
        else this.#backOff(retryAfterMs);
      },
      frame: (way, frame) => this.#frame(way, frame),
      end: (way, end) => this.#end(way, end),
    });
  }

  /** @param {Way} way It has said hello. */
  #adopt(way) {
    const old = this.#way;
    this.#doubtful = this.#race !== null && (this.#opened || this.#attempt > 0);
    this.#race?.cancel();
    this.#race = null;
    if (this.#probe) this.#probe.cancel();
    this.#probe = null;
    this.#way = way;
    this.#opened = true;
    this.#unanswered = false;
    this.#adoptedMs = this.#env.now();
    this.#retry.clear();
    this.#checking.clear();
    // Never a WebSocket, for there is no better way: no command is in flight on it.
    old?.close();
    rememberWinner(this.#env, way.kind);
    this.#stable.set(STABLE_MS, () => (this.#attempt = 0));
    this.#probeLater();
    const blocked = KINDS.slice(0, KINDS.indexOf(way.kind));
    this.#handlers.status({ phase: "live", transport: way.kind, blocked, retryAt: null, reason: null });
  }

  /** @param {Way} way @param {Frame} frame */
  #frame(way, frame) {
    if (frame.type === "bye") return this.#bye(way, frame);
    if (way !== this.#way) return;
    this.#lastFrameMs = this.#env.now();
    this.#checking.clear();
    this.#watchdog.set(WATCHDOG_MS, () => this.#silent());
    if (this.#isDeaf(frame)) return this.#distrust();
    this.#handlers.frame(frame);
  }

  /** @param {Frame} frame */
  #isDeaf({ type }) {
    if (type === "ack" || type === "error") this.#unanswered = false;
    if (!this.#unanswered) return false;
    this.#heardMs ||= this.#lastFrameMs;
    return this.#lastFrameMs - this.#heardMs >= DEAF_MS;
  }

  /** Nothing has come for too long. Where that began right after the opening, twice in a row, it will be so again. */
  #silent() {
    const neverSpoke = this.#way?.kind === "websocket" && this.#lastFrameMs - this.#adoptedMs < STABLE_MS;
    this.#mute = neverSpoke ? this.#mute + 1 : 0;
    if (this.#mute >= MUTE_MAX) this.#distrust();
    else this.reconnect();
  }

  /** Comes back by another way than the WebSocket. */
  #distrust() {
    this.#distrustUntilMs = this.#env.now() + TRANSPORT_MEMORY_MS;
    this.#mute = 0;
    this.reconnect();
  }

  /** @param {readonly TransportKind[]} kinds */
  #trusted(kinds) {
    return this.#env.now() < this.#distrustUntilMs ? kinds.filter((kind) => kind !== "websocket") : kinds;
  }

  /** @param {Way} way @param {ByeFrame} bye */
  #bye(way, { reason, retry_ms }) {
    // One that is not in use any more, or not yet: only its refusal means something.
    if (retry_ms === null) this.halt(reason);
    else if (way === this.#way || this.#race) this.#retryLater(retry_ms);
  }

  /** @param {Way} way @param {End} end */
  #end(way, end) {
    if (way !== this.#way) return;
    const final = FINAL_CODES.get(end.code ?? 0) ?? (end.status === 401 ? "signed_out" : null);
    if (final) this.halt(final);
    else this.#backOff(end.retryAfterMs ?? 0);
  }

  /** @param {number} leastMs */
  #backOff(leastMs) {
    const delayMs = Math.max(leastMs, backoffMs(this.#env, this.#attempt));
    this.#attempt += 1;
    this.#retryLater(delayMs);
  }

  /** @param {number} delayMs */
  #retryLater(delayMs) {
    this.#drop();
    this.#retry.set(delayMs, () => this.#connect());
    const phase = this.#env.online() ? "reconnecting" : "offline";
    this.#handlers.status({ phase, retryAt: this.#env.now() + delayMs });
  }

  /** Lets go of everything under way. */
  #drop() {
    for (const timer of [this.#retry, this.#watchdog, this.#stable, this.#probing, this.#checking]) timer.clear();
    this.#race?.cancel();
    this.#probe?.cancel();
    const way = this.#way;
    this.#race = this.#probe = this.#way = null;
    way?.close();
    if (way) this.#handlers.lost();
  }

  #probeLater() {
    this.#probing.clear();
    if (this.#way?.kind === "websocket") return;
    // Counted from the last try, not from here: a way that keeps breaking must not put it off.
    const often = Math.max(this.#triedBestMs + PROBE_EVERY_MS, this.#distrustUntilMs);
    const next = this.#doubtful ? this.#triedBestMs + PROBE_SOON_MS : often;
    this.#probing.set(Math.max(0, next - this.#env.now()), () => {
      this.#startProbe(this.#trusted(KINDS.slice(0, KINDS.indexOf(this.#way?.kind ?? "websocket"))));
    });
  }

  /** @param {readonly TransportKind[]} kinds Tries them beside the connection in use. */
  #startProbe(kinds) {
    if (this.#probe) return;
    this.#doubtful = false;
    if (kinds.length === 0) return this.#probeLater();
    this.#probing.clear();
    this.#tries(kinds);
    this.#probe = new Race(this.#env, kinds, this.#handlers.cursor(), {
      won: (way) => this.#adopt(way),
      lost: () => {
        this.#probe = null;
        if (this.#way) this.#probeLater();
      },
      frame: (way, frame) => this.#frame(way, frame),
      end: (way, end) => this.#end(way, end),
    });
  }

  /** @param {readonly TransportKind[]} kinds */
  #tries(kinds) {
    if (kinds[0] === KINDS[0]) this.#triedBestMs = this.#env.now();
  }
}
