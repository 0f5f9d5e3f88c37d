-- The search index: what is in it is made of `messages` and can be made again at any time. `words` are
-- those that the server makes of a message (core::search), with their places, and two that begin with
-- a colon: its room and its author. `edited_at` tells of which text they are.
CREATE TABLE search_words (
    seq       BIGINT   PRIMARY KEY,
    edited_at BIGINT,
    words     TSVECTOR NOT NULL
);

-- Few entries wait to be sorted in: every search has to look through those.
CREATE INDEX search_by_word ON search_words USING gin (words) WITH (gin_pending_list_limit = 256);

-- One row: of which log, by which rules and up to where there is an index. Whoever extends it holds its lock.
CREATE TABLE search_cursor (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    epoch  TEXT   NOT NULL,
    format BIGINT NOT NULL,
    seq    BIGINT NOT NULL
) WITH (fillfactor = 50);

INSERT INTO search_cursor (id, epoch, format, seq) VALUES (1, '', 0, 0);
