// Every bound of the client's state, with its unit in its name. Those of the wire are in
// `core::limits` of the server; where both need one, the number is the same.

/** Unread messages are counted up to here, then shown as "many". */
export const UNREAD_COUNT_MAX = 1_000;
/** How long somebody counts as typing after a `typing` frame. */
export const TYPING_SHOWN_MS = 6_000;
/** Characters of a quoted message shown with a reply. */
export const REPLY_EXCERPT_CHARS = 200;

/** Messages kept of the room in sight; beyond it the far end is let go and loaded again on demand. */
export const TIMELINE_MESSAGES_MAX = 600;
/** The same while somebody reads far from the end: nothing is taken away under their eyes so soon. */
export const TIMELINE_MESSAGES_HARD_MAX = 2 * TIMELINE_MESSAGES_MAX;
/** Messages kept of a room that is not in sight. */
export const TIMELINE_HIDDEN_MESSAGES = 100;
/** Rooms whose messages are kept at all. */
export const TIMELINES_MAX = 20;

/** Messages of one author this close together are drawn as one group. */
export const GROUP_MS = 5 * 60_000;
/** Names spelt out in the name of a direct conversation. */
export const DIRECT_NAMES_MAX = 4;

/** Suggestions of a completion. */
export const COMPLETION_ITEMS_MAX = 8;
/** Characters typed after `@` or `:` that are still looked at. */
export const COMPLETION_QUERY_CHARS = 40;
/** Emoji found by one search. */
export const EMOJI_FOUND_MAX = 40;
/** Entries of the quick switcher. */
export const SWITCHER_ITEMS_MAX = 12;
/** Characters shown of a message that was found. */
export const SEARCH_SNIPPET_CHARS = 240;
/** What could be typed next, at most. */
export const SEARCH_HINTS_MAX = 6;
/** Characters of a name that fuzzy matching looks at. */
export const FUZZY_CHARS = 120;
