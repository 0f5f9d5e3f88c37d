-- Switchback's schema on PostgreSQL. Ids are UUIDs, times integer microseconds since 1970 UTC, `seq`
-- a position in the log. Migrations only add within a major version. What is compared or put in
-- order as text is so byte by byte (COLLATE "C"), as on SQLite, whatever the database's language.

-- One row: how far the log has come, and which history it tells. Every write transaction locks it
-- first and moves it last, so that commit order is `seq` order however many nodes write. Half of
-- its page stays free: the row is rewritten with every commit, in place and without an index.
CREATE TABLE log_head (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    epoch TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    at    BIGINT NOT NULL
) WITH (fillfactor = 50);

-- The log. Rows are thin: what happened to which ids. Replay renders today's state, so that what
-- was edited or deleted is not kept here. `detail` is an emoji or a read position, nothing else.
CREATE TABLE events (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    room_id UUID,
    actor   UUID,
    subject UUID,
    n       BIGINT,
    detail  TEXT
);

-- `n` counts the events of one room without gaps.
CREATE UNIQUE INDEX events_by_room ON events (room_id, n) WHERE n IS NOT NULL;

-- One row: the workspace. `setup_hash` is the hash of the one-time set-up secret, until it is used.
CREATE TABLE workspace (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    name       TEXT   NOT NULL,
    setup_hash BYTEA
);

CREATE TABLE users (
    id            UUID    PRIMARY KEY,
    handle        TEXT COLLATE "C" NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    active        BOOLEAN NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL
);

CREATE INDEX users_owning ON users (id) WHERE role = 'owner' AND active;

-- `name_key` is the name in ASCII lower case; `direct_key` a hash of the sorted ids of the people
-- in a direct conversation, so that the same people always share one. `last_seq` and `last_at` are
-- the newest message's (or 0 and the creation's time).
CREATE TABLE rooms (
    id         UUID    PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
    name       TEXT,
    name_key   TEXT COLLATE "C" UNIQUE,
    topic      TEXT    NOT NULL,
    archived   BOOLEAN NOT NULL,
    general    BOOLEAN NOT NULL,
    direct_key BYTEA   UNIQUE,
    n          BIGINT  NOT NULL,
    last_seq   BIGINT  NOT NULL,
    last_at    BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    CHECK ((kind = 'direct') = (name IS NULL)),
    CHECK ((kind = 'direct') = (direct_key IS NOT NULL))
);

CREATE UNIQUE INDEX rooms_general ON rooms (general) WHERE general;

-- `joined_seq`: earlier events are not delivered live. `read_seq`: read up to here.
CREATE TABLE memberships (
    room_id    UUID   NOT NULL REFERENCES rooms (id),
    user_id    UUID   NOT NULL REFERENCES users (id),
    joined_seq BIGINT NOT NULL,
    read_seq   BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

CREATE INDEX memberships_by_user ON memberships (user_id, room_id);

-- A message's `seq` is that of its `message.posted` event. `nonce` makes a post idempotent for
-- ever; `digest` is of the post as it was sent, so that a retry can be told from a misuse.
-- Deleting empties the texts and the digest and leaves a tombstone with `deleted_seq`. Room and
-- author are no foreign keys: the statement that writes a message has just read both under the
-- head's lock, neither is ever deleted, and checking each row again takes as long as writing it.
CREATE TABLE messages (
    seq           BIGINT  PRIMARY KEY,
    id            UUID    NOT NULL UNIQUE,
    room_id       UUID    NOT NULL,
    author_id     UUID    NOT NULL,
    nonce         UUID    NOT NULL,
    digest        BYTEA,
    at            BIGINT  NOT NULL,
    edited_at     BIGINT,
    body          TEXT    NOT NULL,
    html          TEXT    NOT NULL,
    reply_to      UUID,
    mentions_room BOOLEAN NOT NULL,
    deleted_seq   BIGINT,
    UNIQUE (author_id, nonce)
);

-- Pages of history, and (without touching the table) counts of unread messages.
CREATE INDEX messages_by_room ON messages (room_id, seq, author_id, deleted_seq);
CREATE INDEX messages_to_room ON messages (room_id, seq) WHERE mentions_room;

-- Kept when the message is deleted: counts as of an earlier event still need them. `room_id` and
-- `seq` are the message's, repeated here for the index that counts.
CREATE TABLE mentions (
    user_id UUID   NOT NULL REFERENCES users (id),
    room_id UUID   NOT NULL,
    seq     BIGINT NOT NULL REFERENCES messages (seq),
    PRIMARY KEY (user_id, room_id, seq)
);

CREATE INDEX mentions_by_message ON mentions (seq);

-- `seq` is that of the `reaction.added` event: the order in which they are shown.
CREATE TABLE reactions (
    message_id UUID   NOT NULL REFERENCES messages (id),
    emoji      TEXT COLLATE "C" NOT NULL,
    user_id    UUID   NOT NULL REFERENCES users (id),
    seq        BIGINT NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
);

-- Secrets are kept as SHA-256 alone.
CREATE TABLE sessions (
    id           UUID   PRIMARY KEY,
    user_id      UUID   NOT NULL REFERENCES users (id),
    secret_hash  BYTEA  NOT NULL UNIQUE,
    label        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE tokens (
    id           UUID   PRIMARY KEY,
    user_id      UUID   NOT NULL REFERENCES users (id),
    secret_hash  BYTEA  NOT NULL UNIQUE,
    label        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);

CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE invitations (
    id          UUID    PRIMARY KEY,
    secret_hash BYTEA   NOT NULL UNIQUE,
    created_by  UUID    NOT NULL REFERENCES users (id),
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT,
    max_uses    BIGINT,
    uses        BIGINT  NOT NULL,
    revoked     BOOLEAN NOT NULL
);
