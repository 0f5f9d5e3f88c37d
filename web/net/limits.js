// Every bound of the client's side of a connection, with its unit in its name. The first group is in
// `core::limits` of the server as well, with the same values.

export const HELLO_WEBSOCKET_MS = 1_500;
export const HELLO_SSE_MS = 4_000;
export const WATCHDOG_MS = 35_000;
export const TRANSPORT_MEMORY_MS = 30 * 60_000;
export const RECONNECT_BASE_MS = 500;
export const RECONNECT_MAX_MS = 30_000;
export const TYPING_EVERY_MS = 3_000;
export const MESSAGE_BODY_BYTES = 16_000;
export const BATCH_WAIT_MAX_S = 25;
export const HISTORY_PAGE_MESSAGES = 50;

/** How long the last way in may take to say hello before the attempt counts as failed. */
export const HELLO_BATCH_MS = 10_000;
/** A connection that has lived this long was good: the next loss starts the backoff anew. */
export const STABLE_MS = 10_000;
/** While on a worse way, how often a better one is tried. */
export const PROBE_EVERY_MS = 3 * 60_000;
/** The first such try after a reconnect: the better ways may have failed only because the server was still away. */
export const PROBE_SOON_MS = 5_000;
/** After a check, how soon a sign of life must come. */
export const CHECK_MS = 4_000;
/** Silence that is longer than a heartbeat's latest time: on waking up, worth a new connection. */
export const SILENCE_MS = 25_000;

/** Wait of a batch request, and how far it is shortened where the network cuts long waits. */
export const BATCH_WAIT_S = 20;
export const BATCH_WAIT_MIN_S = 2;
/** Pause after a batch that brought nothing and did not wait either. */
export const BATCH_PAUSE_MS = 1_000;
/** One block of an event stream, in UTF-16 units. */
export const SSE_BLOCK_CHARS = 4 * 1024 * 1024;

/** A command without an answer for this long is tried another way, or given up for now. */
export const COMMAND_TIMEOUT_MS = 10_000;
/** Frames came, and this long after the first of them still no answer: nobody hears us there. */
export const DEAF_MS = 2_000;
/** WebSockets in a row that open and then say nothing, until another way is taken. */
export const MUTE_MAX = 2;
/** The same for a call of the REST interface. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** Commands of one tab that wait for their answers on the WebSocket. */
export const COMMANDS_IN_FLIGHT_MAX = 256;

/** Unsent messages that are kept; more cannot be written until some are sent. */
export const OUTBOX_MESSAGES_MAX = 200;
/** Recent events kept, so that a page of history or a new tab can be brought up to date. */
export const RECENT_EVENTS_MAX = 1_000;
/** Frames kept while a snapshot is loading. */
export const HELD_FRAMES_MAX = 5_000;
/** After this long without a reload, the next one need not wait. */
export const RELOAD_CALM_MS = 60_000;
/** Attempts to load one page of history while the state is being reloaded under it. */
export const HISTORY_ATTEMPTS_MAX = 4;

/** Delay before read marks are sent: reading on marks several messages by one command. */
export const READ_DELAY_MS = 400;
/** A draft's longest text that is kept over a reload, in UTF-16 units. */
export const DRAFT_CHARS = 32_000;
/** Typing in a row that is written to storage at once, not key by key. */
export const DRAFT_DELAY_MS = 400;

/** Without input for this long one is away. */
export const IDLE_MS = 5 * 60_000;
/** How often a tab says again that somebody is at it, and how long that counts. */
export const ACTIVITY_EVERY_MS = 60_000;
export const ACTIVITY_SHOWN_MS = 3 * 60_000;

/** How long the tab that holds the connection may take to answer another tab. */
export const LEADER_ANSWER_MS = 1_500;
