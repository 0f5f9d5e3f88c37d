-- Switchback's schema on SQLite. Ids are UUIDs as 16 bytes, times integer microseconds since 1970
-- UTC, `seq` a position in the log. Migrations only add within a major version.

-- One row: how far the log has come, and which history it tells. Every write transaction reads it
-- first and moves it last; nobody caches it, because a second process (an admin command) writes too.
CREATE TABLE log_head (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

-- The log. Rows are thin: what happened to which ids. Replay renders today's state, so that what
-- was edited or deleted is not kept here. `detail` is an emoji or a read position, nothing else.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    room_id BLOB,
    actor   BLOB,
    subject BLOB,
    n       INTEGER,
    detail  TEXT
) STRICT;

-- `n` counts the events of one room without gaps.
CREATE UNIQUE INDEX events_by_room ON events (room_id, n) WHERE n IS NOT NULL;

-- One row: the workspace. `setup_hash` is the hash of the one-time set-up secret, until it is used.
CREATE TABLE workspace (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    name       TEXT NOT NULL,
    setup_hash BLOB
) STRICT;

CREATE TABLE users (
    id            BLOB    PRIMARY KEY NOT NULL,
    handle        TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    active        INTEGER NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX users_owning ON users (id) WHERE role = 'owner' AND active;

-- `name_key` is the name in ASCII lower case; `direct_key` a hash of the sorted ids of the people
-- in a direct conversation, so that the same people always share one. `last_seq` and `last_at` are
-- the newest message's (or 0 and the creation's time).
CREATE TABLE rooms (
    id         BLOB    PRIMARY KEY NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
    name       TEXT,
    name_key   TEXT    UNIQUE,
    topic      TEXT    NOT NULL,
    archived   INTEGER NOT NULL,
    general    INTEGER NOT NULL,
    direct_key BLOB    UNIQUE,
    n          INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CHECK ((kind = 'direct') = (name IS NULL)),
    CHECK ((kind = 'direct') = (direct_key IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX rooms_general ON rooms (general) WHERE general;

-- `joined_seq`: earlier events are not delivered live. `read_seq`: read up to here.
CREATE TABLE memberships (
    room_id    BLOB    NOT NULL REFERENCES rooms (id),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    joined_seq INTEGER NOT NULL,
    read_seq   INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_user ON memberships (user_id, room_id);

-- A message's `seq` is that of its `message.posted` event. `nonce` makes a post idempotent for
-- ever; `digest` is of the post as it was sent, so that a retry can be told from a misuse.
-- Deleting empties the texts and the digest and leaves a tombstone with `deleted_seq`.
CREATE TABLE messages (
    seq           INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    room_id       BLOB    NOT NULL REFERENCES rooms (id),
    author_id     BLOB    NOT NULL REFERENCES users (id),
    nonce         BLOB    NOT NULL,
    digest        BLOB,
    at            INTEGER NOT NULL,
    edited_at     INTEGER,
    body          TEXT    NOT NULL,
    html          TEXT    NOT NULL,
    reply_to      BLOB,
    mentions_room INTEGER NOT NULL,
    deleted_seq   INTEGER,
    UNIQUE (author_id, nonce)
) STRICT;

-- Pages of history, and (without touching the table) counts of unread messages.
CREATE INDEX messages_by_room ON messages (room_id, seq, author_id, deleted_seq);
CREATE INDEX messages_to_room ON messages (room_id, seq) WHERE mentions_room;

-- Kept when the message is deleted: counts as of an earlier event still need them. `room_id` and
-- `seq` are the message's, repeated here for the index that counts.
CREATE TABLE mentions (
    user_id    BLOB    NOT NULL REFERENCES users (id),
    room_id    BLOB    NOT NULL,
    seq        INTEGER NOT NULL REFERENCES messages (seq),
    PRIMARY KEY (user_id, room_id, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX mentions_by_message ON mentions (seq);

-- `seq` is that of the `reaction.added` event: the order in which they are shown.
CREATE TABLE reactions (
    message_id BLOB    NOT NULL REFERENCES messages (id),
    emoji      TEXT    NOT NULL,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    seq        INTEGER NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
) STRICT, WITHOUT ROWID;

-- Secrets are kept as SHA-256 alone.
CREATE TABLE sessions (
    id           BLOB    PRIMARY KEY NOT NULL,
    user_id      BLOB    NOT NULL REFERENCES users (id),
    secret_hash  BLOB    NOT NULL UNIQUE,
    label        TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
    id           BLOB    PRIMARY KEY NOT NULL,
    user_id      BLOB    NOT NULL REFERENCES users (id),
    secret_hash  BLOB    NOT NULL UNIQUE,
    label        TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE invitations (
    id          BLOB    PRIMARY KEY NOT NULL,
    secret_hash BLOB    NOT NULL UNIQUE,
    created_by  BLOB    NOT NULL REFERENCES users (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    max_uses    INTEGER,
    uses        INTEGER NOT NULL,
    revoked     INTEGER NOT NULL
) STRICT;
