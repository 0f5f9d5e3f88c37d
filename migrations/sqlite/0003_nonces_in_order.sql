-- A nonce begins with its time (UUIDv7), so posts of one moment stand together in an index that begins with
-- it, whoever wrote them: one page for a whole group instead of one for each author. SQLite cannot change a
-- table's constraints, so the table is made anew. References are looked at when this is done.
CREATE TABLE messages_anew (
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
    UNIQUE (nonce, author_id)
) STRICT;

INSERT INTO messages_anew
SELECT seq, id, room_id, author_id, nonce, digest, at, edited_at, body, html, reply_to, mentions_room, deleted_seq
FROM messages ORDER BY seq;

DROP TABLE messages;

ALTER TABLE messages_anew RENAME TO messages;

CREATE INDEX messages_by_room ON messages (room_id, seq, author_id, deleted_seq);
CREATE INDEX messages_to_room ON messages (room_id, seq) WHERE mentions_room;
