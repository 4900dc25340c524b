"""Providers on loopback, written from their public documentation: real HTTP servers, which take what is documented,
refuse everything else, keep what they took, and can be told to answer with any error.
"""

import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, message_from_string, policy
from email.headerregistry import Address
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, ClassVar, TypeVar

from jsonschema import Draft202012Validator, FormatChecker

from flows.channels.email.compose import Mailbox


@dataclass(frozen=True)
class Asked:
    """One request. Header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """One answer: a status, something for JSON (or bytes as they are), headers."""

    status: int
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Hangs up in the middle of it.
    cut: bool = False


class Trouble(Enum):
    """What can happen to an answer."""

    LOST = "takes the message, then hangs up without a word"
    SILENT = "takes the message, then says nothing"
    CUT = "takes the message, then hangs up in the middle of the answer"


@dataclass(frozen=True)
class Arrived:
    """A message as its reader has it, and our name for it as the provider keeps it."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]
    key: str | None


#: Asked before the server answers by itself: an answer of its own, a trouble, or None to be content.
Mood = Callable[[Asked], Said | Trouble | None]


class Api:
    """A provider. Subclasses say what they take and how they answer; `refused` is what was not as documented."""

    #: The errors of the documentation: name -> answer.
    errors: ClassVar[Mapping[str, Said]]

    def __init__(self) -> None:
        self.mood: Mood = lambda asked: None
        #: Hangs up when it has read the head of a request, and not the message.
        self.deaf = False
        #: Closes a connection after each answer, without saying so, as providers do with idle ones.
        self.keeps_connections = True
        self.arrived: list[Arrived] = []
        self.refused: list[str] = []
        self.asked: list[Asked] = []
        self.connections = self.open_connections = 0
        self.url = ""
        self.lock = Lock()

    def answer(self, asked: Asked) -> Said:
        raise NotImplementedError

    def refuse_address(self, asked: Asked, address: str) -> Said | None:
        """How this provider says that it writes to nobody by that address, if the request is about it."""
        raise NotImplementedError

    def say_no(self, why: str, answer: Said) -> Said:
        self.refused.append(why)
        return answer


def faults(schema: Mapping[str, Any], value: object) -> str | None:
    """What is not as the schema says, in one line; None if all is."""
    found = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(value)  # type: ignore[arg-type]
    lines = [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:120]}" for error in found]
    return "; ".join(lines) or None


def strict(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def read_box(written: str) -> Mailbox:
    """``"Müller, Jürgen" <j@acme.example>`` as the standard library reads it."""
    head = message_from_string(f"To: {written}\n\n", policy=policy.default)
    (address,) = head["to"].addresses
    return box_of(address)


def box_of(address: Address) -> Mailbox:
    return Mailbox(address.display_name, address.addr_spec)


def read_message(content: bytes, key: str | None = None) -> Arrived:
    """A finished message, as a mail program reads it."""
    message = message_from_bytes(content, policy=policy.default)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    text, html = (str(part.get_content()) if part else "" for part in parts.values())
    boxes = [box_of(message[name].addresses[0]) for name in ("from", "to", "reply-to")]
    known = ("from", "to", "reply-to", "subject", "date", "mime-version", "content-type", "content-transfer-encoding")
    headers = {name: str(value) for name, value in message.items() if name.lower() not in known}
    return Arrived(boxes[0], boxes[1], boxes[2], str(message["subject"]), text, html, headers, key)


A = TypeVar("A", bound=Api)


@contextmanager
def at_work(api: A, tls: ssl.SSLContext | None = None) -> Iterator[A]:
    """Open on a port of its own while the block runs."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = api
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: Api

    def shutdown_request(self, request: Any) -> None:
        """Counted when it is closed, so that whoever waits for it can rely on it."""
        super().shutdown_request(request)
        with self.api.lock:
            self.api.open_connections -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.api.lock:
            self.server.api.connections += 1
            self.server.api.open_connections += 1

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        api, headers = self.server.api, {name.lower(): value for name, value in self.headers.items()}
        if api.deaf:
            return self._hang_up()
        asked = Asked(self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
        mood = api.mood(asked)
        with api.lock:
            api.asked.append(asked)
            said = mood if isinstance(mood, Said) else api.answer(asked)
        if mood is Trouble.LOST:
            return self._hang_up()
        if mood is Trouble.SILENT:
            time.sleep(1)
            return self._hang_up()
        return self._say(said, cut=said.cut or mood is Trouble.CUT)

    def _say(self, said: Said, *, cut: bool) -> None:
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        if not isinstance(said.body, bytes):
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) or (10 if cut else 0)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut or not self.server.api.keeps_connections

    def _hang_up(self) -> None:
        """At once, and so that the other side notices."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""
