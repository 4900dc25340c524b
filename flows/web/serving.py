"""The server in front of the app: how long a request may take to arrive, and how many connections there may be."""

import asyncio
import gc
import resource
import socket
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from accounts.errors import Refused

#: Seconds from the first byte to the last of a request. A telephone in a tunnel needs ten; an attacker wants hours.
PATIENCE = 15.0
#: Seconds an idle connection is kept for the next request.
KEEP_ALIVE = 5
#: Bytes of request line and headers.
MOST_HEADERS = 16_384
#: Files we ask for where the system sets no limit.
MOST_FILES = 65_536
#: Files of the process that are not connections: the database's, the program's own, and the last of those refused.
OTHER_FILES = 400
#: How many at a time are told why they are refused, and for how many seconds they may listen; others are cut off.
LISTENERS, FAREWELL = 200, 1.0
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 20\r\n\r\nbusy, try again soon"
)


class Punctual(H11Protocol):
    """Closes a connection whose request does not arrive in time, and refuses those that there is no room for.

    uvicorn itself waits for ever for the rest of a request: five hundred slow senders would stay until the files of
    the process are used up.
    """

    patience = PATIENCE
    room = 10_000
    _deadline: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        beyond = len(self.connections) - self.room
        if beyond > LISTENERS:
            transport.abort()
        elif beyond > 0:
            self._refuse()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _refuse(self) -> None:
        """Says so and hangs up a moment later: to hang up on somebody who still talks would unsay it."""
        self._is_refused = True
        self.transport.write(REFUSAL)
        self.transport.write_eof()
        self._deadline = self.loop.call_later(FAREWELL, self.transport.abort)

    def _watch(self) -> None:
        """A deadline from the first byte on, until the request is whole."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.patience, self._too_late)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()


def make_room(most_connections: int) -> int:
    """Lets this process have as many files as it may; how many connections that leaves room for, of those wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return min(most_connections, max(most - OTHER_FILES, most // 2))


def settle() -> None:
    """What was made by now stays: the garbage collector need not walk through all modules while visitors wait."""
    gc.collect()
    gc.freeze()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one. Raises Refused where that cannot be."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]
        raise Refused(
            f"cannot listen there: {reason}", where=f"{host}:{port}", cure="choose another with --host and --port"
        ) from None


def config_of(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """How the app is served. Tokens stand in paths, so there is no access log; `more`: as uvicorn.Config has it."""
    usual: dict[str, Any] = {
        "http": Punctual, "ws": "none", "lifespan": "off", "access_log": False, "server_header": False,
        "log_level": "warning", "timeout_keep_alive": KEEP_ALIVE, "h11_max_incomplete_event_size": MOST_HEADERS,
    }  # fmt: skip
    return uvicorn.Config(cast(Any, app), **{**usual, **more})
