"""The Python client against the release build: three ways in, one conversation, one list of events."""
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

from switchback_client import Client, Refused

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = os.environ.get("SWITCHBACK_BINARY", str(TARGET / "release" / "switchback"))
WAYS = ["websocket", "sse", "batch"]
START_S = 15
PEOPLE = ["ada", "bob", "cy"]
# What one `converse` adds to the log of its room.
CONVERSATION_EVENTS = 9


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def uuid7():
    """A UUIDv7 (RFC 9562 5.7): milliseconds, then chance. The standard library has it from 3.14 on."""
    millis = time.time_ns() // 1_000_000
    number = millis << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(10), "big") & ~(0xF << 76 | 3 << 62)
    return str(uuid.UUID(int=number))


class Server:
    """`switchback serve` on a temporary directory, with an account and a token for each of PEOPLE."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="switchback-python-")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = open(pathlib.Path(self.dir) / "log", "w+b")
        data = str(pathlib.Path(self.dir) / "data")
        args = [BINARY, "serve", "--data-dir", data, "--listen", self.url.removeprefix("http://")]
        self.process = subprocess.Popen(args, stdout=self.log, stderr=self.log)
        self.wait_for_listening()
        self.tokens = {handle: self.account(data, handle) for handle in PEOPLE}

    def wait_for_listening(self):
        deadline = time.monotonic() + START_S
        while b"listening on http" not in pathlib.Path(self.log.name).read_bytes():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(pathlib.Path(self.log.name).read_text())
            time.sleep(0.02)

    @staticmethod
    def account(data, handle):
        role = "owner" if handle == PEOPLE[0] else "member"
        made = ["--handle", handle, "--name", handle.title(), "--role", role, "--password-stdin"]
        admin = [BINARY, "admin"]
        subprocess.run([*admin, "create-user", "--data-dir", data, *made],
                       input=b"correct horse battery\n", check=True, capture_output=True)
        printed = subprocess.run([*admin, "create-token", "--data-dir", data, "--user", handle, "--label", "test"],
                                 check=True, capture_output=True, text=True).stdout
        return printed.strip().splitlines()[-1]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=15)
        self.log.close()
        shutil.rmtree(self.dir)


def log_events(client, up_to_seq):
    """What the client is told of the log up to an event: (seq, event) without private or fleeting ones."""
    events = []
    while True:
        frame = client.read()
        if frame["type"] == "ack" or "seq" not in frame:
            continue
        if frame["n"] is not None:
            events.append(frame)
        if frame["seq"] >= up_to_seq:
            return events


def plain(events):
    """Events without what differs from one conversation to the next: names for ids, no times, no seq."""
    names, result = {}, []

    def known(match):
        return names.setdefault(match.group(0), f"id-{len(names)}")

    for event in events:
        text = repr({key: value for key, value in sorted(event.items()) if key not in ("seq", "at")})
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", known, text)
        text = re.sub(r"'(at|edited_at|created_at|last_at|seq)': \d+", r"'\1': 0", text)
        result.append(text)
    return result


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def open(self, handle, way, cursor=None):
        client = Client(self.server.url, self.server.tokens[handle], way, cursor)
        self.addCleanup(client.close)
        return client

    def room(self, name):
        """A new room with all of PEOPLE in it."""
        owner = self.open("ada", "batch")
        room = owner.rest("POST", "/rooms", {"kind": "public", "name": name})["id"]
        for handle in PEOPLE[1:]:
            user = next(u for u in owner.rest("GET", "/users")["users"] if u["handle"] == handle)
            owner.rest("PUT", f"/rooms/{room}/members/{user['id']}")
        return room

    def converse(self, room, first, second):
        """Two people post, react, edit and delete, and both read each step before the next: an event
        shows its message as it stands when it is sent. Returns what each was told."""
        told = [[], []]

        def step(client, kind, **fields):
            ack = client.command(kind, **fields)
            for events, reader in zip(told, (first, second)):
                events.extend(log_events(reader, ack["seq"]))
            return ack.get("message")

        def post(client, body, **more):
            return step(client, "message.post", room=room, nonce=uuid7(), body=body, **more)

        hello = post(first, "Hello, **you**")
        answer = post(second, "Hello back", reply_to=hello["id"])
        step(second, "reaction.add", message=hello["id"], emoji="👋")
        step(first, "message.edit", message=hello["id"], body="Hello, _you two_")
        doomed = post(second, "This goes away")
        step(second, "message.delete", message=doomed["id"])
        step(first, "reaction.add", message=answer["id"], emoji="🎉")
        step(first, "reaction.remove", message=answer["id"], emoji="🎉")
        post(first, "Bye")
        return told

    def test_each_way_in_says_which_it_is(self):
        for way in WAYS:
            hello = self.open("bob", way).read()
            self.assertEqual((hello["type"], hello["transport"]), ("hello", way))

    def test_the_same_conversation_on_each_pair_of_ways_gives_the_same_list(self):
        seen = []
        for number, (one, other) in enumerate(itertools.product(WAYS, WAYS)):
            room = self.room(f"pair-{number}")
            told = self.converse(room, self.open("ada", one), self.open("bob", other))
            self.assertEqual(told[0], told[1])
            seen.append(plain(told[0]))
        self.assertEqual(len(seen[0]), CONVERSATION_EVENTS)
        for events in seen[1:]:
            self.assertEqual(events, seen[0])

    def test_three_people_on_three_ways_end_at_the_same_cursor(self):
        room = self.room("three-ways")
        ada, bob, cy = clients = [self.open(handle, way) for handle, way in zip(PEOPLE, WAYS)]
        self.converse(room, ada, bob)
        log_events(cy, ada.command("message.post", room=room, nonce=uuid7(), body="And Cy?")["seq"])
        last = cy.command("message.post", room=room, nonce=uuid7(), body="Here.")["seq"]
        for client in clients:
            log_events(client, last)
            self.assertEqual(client.cursor, f"{client.epoch}.{last}")

    def test_who_was_away_reads_on_at_the_cursor_on_any_way(self):
        room = self.room("away")
        ada, bob, cy = self.open("ada", "websocket"), self.open("bob", "sse"), self.open("cy", "batch")
        before = self.converse(room, ada, bob)[1]
        left = bob.cursor
        bob.close()
        last = self.converse(room, ada, cy)[0][-1]
        missed = [log_events(self.open("bob", way, left), last["seq"]) for way in WAYS]
        self.assertEqual(missed[0], missed[1])
        self.assertEqual(missed[0], missed[2])
        n = before[-1]["n"]
        self.assertEqual([event["n"] for event in missed[0]], list(range(n + 1, n + 1 + CONVERSATION_EVENTS)))

    def test_the_log_keeps_no_deleted_text(self):
        room = self.room("deleted")
        ada = self.open("ada", "websocket")
        start = ada.waiting[0]["cursor"]
        last = self.converse(room, ada, self.open("bob", "sse"))[0][-1]
        for way in WAYS:
            again = repr(log_events(self.open("cy", way, start), last["seq"]))
            self.assertNotIn("This goes away", again)
            self.assertIn("Hello, _you two_", again)
            self.assertNotIn("Hello, **you**", again)

    def test_a_retry_with_the_same_nonce_posts_once_on_any_way(self):
        room, nonce = self.room("once"), uuid7()
        acks = []
        for way in WAYS:
            client = self.open("bob", way)
            acks.append(client.command("message.post", room=room, nonce=nonce, body="Only once"))
            with self.assertRaises(Refused) as refused:
                client.command("message.post", room=room, nonce=nonce, body="Something else")
            self.assertIn("conflict", repr(refused.exception))
        self.assertEqual({ack["seq"] for ack in acks}, {acks[0]["seq"]})
        history = self.open("ada", "batch").rest("GET", f"/rooms/{room}/messages")["messages"]
        self.assertEqual([message["body"] for message in history], ["Only once"])

    def test_a_foreign_cursor_is_told_to_load_a_snapshot(self):
        for way in WAYS:
            client = self.open("ada", way, "elsewhere.7")
            self.assertEqual(client.read()["type"], "hello")
            reset = client.read()
            self.assertEqual((reset["type"], reset["reason"]), ("reset", "foreign_epoch"))
            self.assertEqual(client.cursor, reset["cursor"])


if __name__ == "__main__":
    unittest.main()
