"""Prints what a workspace's SQLite file holds, as JSON. Reads it with another program than the product."""
import json
import sqlite3
import sys
import uuid

connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=30)


def rows(sql):
    return [[str(uuid.UUID(bytes=cell)) if isinstance(cell, bytes) else cell for cell in row]
            for row in connection.execute(sql)]


connection.execute("BEGIN")
json.dump({
    "events": rows("SELECT seq, kind, room_id, actor, subject, n, detail FROM events ORDER BY seq"),
    "messages": rows("SELECT seq, id, room_id, author_id, nonce, body, deleted_seq FROM messages ORDER BY seq"),
    "reactions": rows("SELECT message_id, emoji, user_id FROM reactions"),
    "reads": rows("SELECT room_id, user_id, read_seq FROM memberships"),
}, sys.stdout)
