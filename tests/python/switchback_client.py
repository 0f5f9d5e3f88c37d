"""A Switchback client in Python's standard library alone (3.9 or newer), from docs/PROTOCOL.md alone.

It is here to prove that the page suffices, and to be copied. One class, three ways in: `read` gives
the next frame and moves the cursor, `command` asks for something, `rest` speaks to /api/v1.
"""
import base64, collections, hashlib, http.client, itertools, json, os, socket, struct
from urllib.parse import urlencode, urlsplit

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
SILENCE_S = 35  # without any frame for this long the way is broken: come back at the cursor
BATCH_WAIT_S = 20
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Refused(Exception):
    """A command or request was not carried out: the error frame or problem."""


class Client:
    def __init__(self, url, token, transport="websocket", cursor=None):
        self.address, self.token = urlsplit(url), token
        self.cursor, self.epoch, self.seen = cursor, None, None
        self.ids, self.waiting = itertools.count(1), collections.deque()
        self.socket = None
        ways = {"websocket": self._websocket, "sse": self._stream, "batch": self._batches}
        self.texts = ways[transport]()
        self.waiting.append(json.loads(next(self.texts)))  # only a hello counts as open

    def close(self):
        self.texts.close()
        if self.socket:
            self.socket.close()

    def read(self):
        """The next frame. What it brings is behind us once the caller has it: the cursor moves."""
        frame = self.waiting.popleft() if self.waiting else json.loads(next(self.texts))
        self.epoch = frame.get("epoch", self.epoch)
        self.seen = frame.get("seen", self.seen)
        if "cursor" in frame:
            self.cursor = frame["cursor"]
        elif "seq" in frame and frame["type"] != "ack":
            self.cursor = f"{self.epoch}.{frame['seq']}"
        return frame

    def command(self, kind, **fields):
        """Carries out one command and returns its ack; raises Refused with the error."""
        command = {"id": next(self.ids), "type": kind, **fields}
        if self.socket is None:
            return self._request("POST", "/chat", command)
        self._send(TEXT, json.dumps(command).encode())
        while True:
            frame = json.loads(next(self.texts))
            if frame["type"] in ("ack", "error") and frame.get("id") == command["id"]:
                break
            self.waiting.append(frame)
        if frame["type"] == "error":
            raise Refused(frame)
        return frame

    def rest(self, method, path, body=None):
        return self._request(method, "/api/v1" + path, body)

    def _http(self, method, path, body=None, **headers):
        way = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=SILENCE_S)
        headers.update({"Authorization": f"Bearer {self.token}", "Connection": "close"})
        if body is not None:
            headers["Content-Type"] = "application/json"
        way.request(method, path, None if body is None else json.dumps(body), headers)
        answer = way.getresponse()
        if answer.status >= 400:
            raise Refused(json.loads(answer.read()))
        return answer

    def _request(self, method, path, body):
        text = self._http(method, path, body).read()
        return json.loads(text) if text else None

    def _path(self, **query):
        query["after"] = self.cursor
        return "/chat?" + urlencode({k: v for k, v in query.items() if v is not None})

    def _events(self, lines):
        """Server-Sent Events: each block's data is one frame; an empty line ends it."""
        data = []
        for line in (raw.decode().rstrip("\r\n") for raw in lines):
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []

    def _stream(self):
        yield from self._events(self._http("GET", self._path(), Accept="text/event-stream"))

    def _batches(self):
        for wait in itertools.chain([0], itertools.repeat(BATCH_WAIT_S)):
            path = self._path(mode="batch", wait=wait, seen=self.seen)
            yield from self._events(self._http("GET", path, Accept="text/event-stream"))

    def _websocket(self):
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket = socket.create_connection((self.address.hostname, self.address.port), SILENCE_S)
        head = [f"GET {self._path()} HTTP/1.1", f"Host: {self.address.netloc}", "Connection: Upgrade",
                "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
                "Sec-WebSocket-Protocol: switchback.v1", f"Authorization: Bearer {self.token}", "", ""]
        self.socket.sendall("\r\n".join(head).encode())
        self.bytes = self.socket.makefile("rb")
        status, *lines = (line.decode().strip() for line in iter(self.bytes.readline, b"\r\n"))
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if " 101 " not in status or headers.get("sec-websocket-accept") != accept:
            raise Refused(status)
        message = b""
        while True:
            first, length = self.bytes.read(2)
            if length >= 126:
                size, shape = (2, "!H") if length == 126 else (8, "!Q")
                (length,) = struct.unpack(shape, self.bytes.read(size))
            payload, opcode = self.bytes.read(length), first & 0x0F
            if opcode == CLOSE:
                return
            if opcode == PING:
                self._send(PONG, payload)
            elif opcode <= TEXT:  # 0 goes on with the message before
                message += payload
                if first & 0x80:
                    yield message.decode()
                    message = b""

    def _send(self, opcode, payload):
        mask, size = os.urandom(4), len(payload)
        length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)
