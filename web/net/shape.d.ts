// What the modules of `net/` share. Types only.

import type { Cursor, Frame, Nonce, RoomId, MessageId, TransportKind, UserId } from "../types.js";

/** What happens to the page that matters to a connection. */
export type PageEvent =
  | "online"
  | "offline"
  | "network"
  | "visible"
  | "hidden"
  | "pageshow"
  | "pagehide"
  | "activity";

export type TimerId = unknown;

/** The world as the client sees it; tests bring their own. */
export interface Env {
  /** `https://chat.example` */
  origin: string;
  now(): number;
  /** In [0, 1). */
  random(): number;
  randomBytes(count: number): Uint8Array;
  setTimeout(run: () => void, delayMs: number): TimerId;
  clearTimeout(timer: TimerId): void;
  fetch(url: string, init: RequestInit): Promise<Response>;
  openSocket(url: string, protocol: string): WebSocket;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length"> | null;
  indexedDB: IDBFactory | null;
  locks: LockManager | null;
  openChannel: ((name: string) => BroadcastChannel) | null;
  online(): boolean;
  visible(): boolean;
  /** Answers with what ends the listening. */
  listen(listener: (event: PageEvent) => void): () => void;
  /** A defect, for whoever looks at the console. */
  report(message: string, details: unknown): void;
}

/** Why a way in has ended, as far as a browser is told. */
export interface End {
  /** The HTTP status, if there was an answer. */
  status?: number;
  /** The WebSocket close code. */
  code?: number;
  /** The server asks for this much time before the next attempt. */
  retryAfterMs?: number;
}

export interface WayHandlers {
  frame(frame: Frame): void;
  /** At most once, and not after `close()`. */
  end(end: End): void;
}

/** One open connection to `/chat`, however it is framed. */
export interface Way {
  kind: TransportKind;
  /** `false`: not by this way, or not now. */
  send(text: string): boolean;
  close(): void;
}

export type OpenWay = (env: Env, cursor: Cursor | null, handlers: WayHandlers) => Way;

/** An unsent message. */
export interface OutboxItem {
  nonce: Nonce;
  user: UserId;
  room: RoomId;
  body: string;
  reply_to: MessageId | null;
  /** When it was written, in milliseconds since 1970. */
  at: number;
  /** Why it cannot be sent; `null`: it is still to be sent. */
  failed: string | null;
}

/** Where unsent messages survive a reload. */
export interface OutboxStore {
  all(): Promise<OutboxItem[]>;
  put(item: OutboxItem): Promise<void>;
  remove(nonce: Nonce): Promise<void>;
}
