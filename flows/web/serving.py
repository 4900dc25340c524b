"""The server in front of the app: who finds a place, how long a request may take to arrive, and an answer to be read.

uvicorn itself waits for ever, for the rest of a request as for somebody who does not read: five hundred slow senders
would stay until the files of the process are used up.
"""

import asyncio
import gc
import resource
import socket
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import _TrustedHosts as TrustedHosts
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from accounts.errors import Refused
from flows.web.desk import network_of
from flows.web.pages import HEADERS
from flows.web.places import Places, Seat

#: Seconds from the first byte to the last of a request, and for which somebody may read nothing of an answer. A
#: telephone in a tunnel needs ten; an attacker wants hours.
PATIENCE = 15.0
#: Seconds an idle connection is kept for the next request.
KEEP_ALIVE = 5
#: Bytes of request line and headers.
MOST_HEADERS = 16_384
#: Files we ask for where the system sets no limit.
MOST_FILES = 65_536
#: Files of the process that are not connections: the database's, the program's own, and the last of those refused.
OTHER_FILES = 400
#: How many at a time are told why they are refused, others are cut off; for how many seconds they may listen, and who
#: has his answer may go on talking.
LISTENERS, FAREWELL = 200, 1.0
#: Octets of an answer that have to be read in the same time.
SLOWEST = 16_384
_TEXT, _LAST = (b"content-type", b"text/plain"), (b"connection", b"close")


def _refusal(status: bytes, why: bytes) -> bytes:
    """A whole answer, for those whom no app hears."""
    headers = (*HEADERS, _TEXT, _LAST, (b"retry-after", b"10"), (b"content-length", b"%d" % len(why)))
    return b"HTTP/1.1 %s\r\n%s\r\n%s" % (status, b"".join(b"%s: %s\r\n" % header for header in headers), why)


REFUSALS = {
    Seat.FULL: _refusal(b"503 Service Unavailable", b"busy, try again soon"),
    Seat.ENOUGH: _refusal(b"429 Too Many Requests", b"your network has enough connections, try again soon"),
}


class Punctual(H11Protocol):
    """Closes a connection whose request does not arrive in time or whose answers are not read, and refuses those that
    there is no place for. `proxies`: whose connections carry the requests of others, and so are no network's own."""

    patience = PATIENCE
    _deadline: asyncio.TimerHandle | None = None
    _reading_deadline: asyncio.TimerHandle | None = None
    _unread = 0
    #: What was answered before all of it had come.
    _answered: RequestResponseCycle | None = None

    def __init__(self, *anything: Any, places: Places, proxies: TrustedHosts, **more: Any) -> None:
        super().__init__(*anything, **more)
        self._places, self._proxies = places, proxies
        self._network: str | None = None
        self._seat = Seat.FULL

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that we hear of every octet that nobody takes
        host = self.client[0] if self.client else None
        self._network = None if host in self._proxies else network_of(host)
        self._seat = self._places.take(self._network)
        if self._seat is Seat.TAKEN:
            self._watch()
        elif self._places.standing > LISTENERS:
            transport.abort()
        else:
            self._refuse()

    def data_received(self, data: bytes) -> None:
        if self._seat is Seat.TAKEN:
            super().data_received(data)
            if self._answered and (self.cycle is not self._answered or self.conn.their_state is not h11.SEND_BODY):
                self._has_ended()
            if not (self.timeout_keep_alive_task and self.conn.their_state is h11.IDLE):
                self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._forget_reading()
        self._places.leave(self._network, self._seat)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Whoever has his answer and goes on talking is not listened to for long."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._answered = self.cycle
            self._forget()
            self._deadline = self.loop.call_later(min(FAREWELL, self.patience), self._too_late)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._reading_deadline = self.loop.call_later(self.patience, self._reads_nothing)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_reading()

    def send_400_response(self, msg: str) -> None:
        """With the headers that stand on every other answer."""
        answer = h11.Response(status_code=400, headers=[*HEADERS, _TEXT, _LAST], reason=b"Bad Request")
        for part in (answer, h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _refuse(self) -> None:
        """Says so and hangs up a moment later: to hang up on somebody who still talks would unsay it."""
        self.transport.write(REFUSALS[self._seat])
        self.transport.write_eof()
        self._deadline = self.loop.call_later(FAREWELL, self.transport.abort)

    def _watch(self) -> None:
        """A deadline from the first byte on, until the request is whole."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.patience, self._too_late)

    def _has_ended(self) -> None:
        """What was answered before it was whole is whole now. Where nothing follows, the line is idle."""
        self._answered = None
        self._forget()
        if self.conn.their_state is h11.IDLE:
            idle = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
            self.timeout_keep_alive_task = idle

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_reading(self) -> None:
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()
            self._reading_deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()

    def _reads_nothing(self) -> None:
        """Or too little: a long answer over a slow line takes its time, as long as it goes on."""
        unread = self.transport.get_write_buffer_size()
        if unread > self._unread - SLOWEST:
            self.transport.abort()
        else:
            self._unread = unread
            self._reading_deadline = self.loop.call_later(self.patience, self._reads_nothing)


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


def config_of(
    app: ASGIApp, places: Places | None = None, *, protocol: type[Punctual] = Punctual, **more: Any
) -> uvicorn.Config:
    """How the app is served. Tokens stand in paths, so there is no access log; `more`: as uvicorn.Config has it."""
    usual: dict[str, Any] = {
        "ws": "none", "lifespan": "off", "access_log": False, "server_header": False, "log_level": "warning",
        "timeout_keep_alive": KEEP_ALIVE, "h11_max_incomplete_event_size": MOST_HEADERS,
    }  # fmt: skip
    config = uvicorn.Config(cast(Any, app), **{**usual, **more})
    proxies = TrustedHosts(config.forwarded_allow_ips)
    config.http = cast(Any, partial(protocol, places=places or Places(), proxies=proxies))
    return config
