"""One source takes its share and no more: of the connections, of the requests under way, of the bodies that are read;
and nobody keeps a place by reading nothing or by talking on."""

import asyncio
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import _TrustedHosts as TrustedHosts
from uvicorn.server import ServerState

from flows.settings import Settings
from flows.web.desk import Shelf
from flows.web.places import LEAST, Places, Seat, share_of
from flows.web.serving import FAREWELL, LISTENERS, SLOWEST, Punctual, config_of
from tests.cast import World
from tests.web.test_crowds import everything, served
from tests.web.visitor import on_sqlite

#: A source that asks slowly, somebody else in its network, and others.
SLOW, NEIGHBOUR, OTHERS = "127.7.7.1", "127.7.7.2", "127.8.8.1"
#: Longer than any test takes: what is let go in time is tried in test_crowds.py.
FOR_EVER = 3_600.0


class Patient(Punctual):
    patience = FOR_EVER


def call(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))


def asked(port: int, source: str, **headers: str) -> int:
    """The status of a whole request from there."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))) as line:
        line.request("GET", "/healthz", headers=headers)
        return line.getresponse().status


def test_a_network_holds_its_share_of_the_places_and_gets_them_back() -> None:
    places = Places(most=6, share=3)
    assert [places.take("a") for _ in range(4)] == [Seat.TAKEN] * 3 + [Seat.ENOUGH]
    assert [places.take("b") for _ in range(4)] == [Seat.TAKEN] * 3 + [Seat.FULL]
    assert places.standing == 2
    places.leave("a", Seat.ENOUGH)
    places.leave("b", Seat.FULL)
    places.leave("b", Seat.TAKEN)
    assert (places.take("a"), places.take("c"), places.standing) == (Seat.ENOUGH, Seat.TAKEN, 1)


def test_a_proxy_holds_as_many_as_there_are() -> None:
    places = Places(most=4, share=1)
    assert [places.take(None) for _ in range(5)] == [Seat.TAKEN] * 4 + [Seat.FULL]


def test_the_share_of_a_network_is_a_twentieth_but_enough_for_an_office() -> None:
    assert [share_of(most) for most in (10_000, 500, 20)] == [500, LEAST, 20]


@on_sqlite
def test_whoever_asks_slowly_from_one_network_leaves_places_for_others(world: World, settings: Settings) -> None:
    """Ten thousand from one network: python -m benchmarks.connections --from-one 10000"""
    with served(world, settings, Places(100, 10), Patient) as port, ExitStack() as stack:
        inside = [stack.enter_context(call(port, SLOW)) for _ in range(10)]
        for line in inside:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        for source in (SLOW, NEIGHBOUR):
            told = everything(call(port, source))
            assert told.startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: 10" in told
            assert b"content-security-policy: default-src 'none'" in told
        assert asked(port, OTHERS) == 200
        for line in inside:
            line.sendall(b"Connection: close\r\n\r\n")
            assert everything(line).startswith(b"HTTP/1.1 200 "), "whoever was let in is served"
        assert asked(port, SLOW) == 200


@pytest.fixture
def behind_a_proxy(world: World, settings: Settings) -> Iterator[int]:
    """The app, to which requests come by a proxy on this machine; each network may have LEAST of them under way."""
    with served(world, settings, Places(10 * LEAST), Patient, connections=LEAST) as port:
        yield port


def begin(port: int, client: str) -> socket.socket:
    """A request of that client whose body does not come, as soon as the app waits for it."""
    line = call(port, "127.0.0.1")
    line.sendall(
        b"POST /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\nX-Forwarded-For: %s\r\n\r\n"
        % client.encode()
    )
    return line


@on_sqlite
def test_behind_a_proxy_it_is_the_clients_that_share(behind_a_proxy: int) -> None:
    port = behind_a_proxy
    with ExitStack() as stack:
        for number in range(LEAST):
            line = stack.enter_context(begin(port, f"203.0.113.{number}"))
            assert line.recv(100).startswith(b"HTTP/1.1 100 ")
        with begin(port, "203.0.113.200") as line:
            assert line.recv(100).startswith(b"HTTP/1.1 429 ")
        assert asked(port, "127.0.0.1", **{"x-forwarded-for": "198.51.100.1"}) == 200
        assert asked(port, "127.0.0.1", **{"x-forwarded-for": "unknown"}) == 200
        assert asked(port, "127.0.0.1", **{"x-forwarded-for": "203.0.113.200"}) == 429
    while asked(port, "127.0.0.1", **{"x-forwarded-for": "203.0.113.200"}) != 200:
        pass  # until the ends of all these have been heard


@on_sqlite
def test_whoever_does_not_read_is_let_go(world: World, settings: Settings) -> None:
    """Many requests on one line, and not an answer taken: the system's own buffers are full at some time."""
    with served(world, settings) as port, closing(socket.socket()) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        line.connect(("127.0.0.1", port))
        line.setblocking(False)
        gone = select.poll()
        gone.register(line, 0)
        requests = b"GET /pages.css HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000
        while requests and not gone.poll(10):
            try:
                requests = requests[line.send(requests) :]
            except BlockingIOError:
                break
        assert gone.poll(60_000), "hung up on, although it never said that it would go"


@on_sqlite
def test_whoever_has_an_answer_and_talks_on_is_let_go(world: World, settings: Settings) -> None:
    """The body of an opt-out is not read: it could be as long as its sender likes, and come as slowly."""
    with served(world, settings, protocol=Patient, timeout_keep_alive=FOR_EVER) as port:
        with call(port, SLOW) as line:
            line.sendall(b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n a beginning")
            said = b""
            try:
                while piece := line.recv(4_096):
                    said += piece
            except ConnectionResetError:
                pass
        assert said.startswith(b"HTTP/1.1 404 "), f"heard whole, {FAREWELL} s before the end"
        assert said.rstrip().endswith(b"</html>")


def test_bodies_of_one_network_leave_room_for_those_of_others() -> None:
    shelf = Shelf(most=100, share=25)
    with shelf.place("a") as take, shelf.place("a") as take_more:
        take(15)
        take_more(10)
        with pytest.raises(HTTPException):
            take(1)
        with shelf.place("b") as take_other:
            take_other(25)
    with shelf.place("a") as take:
        take(25)


class Line(asyncio.Transport):
    """To somebody who reads as much as the test says."""

    unread, is_cut, said = 0, False, b""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def write(self, data: Any) -> None:
        self.said += data

    def write_eof(self) -> None:
        """Nothing more is said."""

    def resume_reading(self) -> None:
        """There is nobody who reads."""

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True

    close = abort


class Hours:
    """A loop whose time passes when the test says so."""

    def __init__(self) -> None:
        self._due: list[Callable[[], None]] = []

    def call_later(self, seconds: float, do: Callable[[], None]) -> "Hours":
        self._due.append(do)
        return self

    def cancel(self) -> None:
        self._due.clear()

    def pass_by(self) -> None:
        due, self._due = self._due, []
        for do in due:
            do()


def protocol(app: Any, loop: Any, line: Line, places: Places | None = None) -> Punctual:
    """With a line to somebody, as the server makes it."""
    made = Patient(
        config_of(app), ServerState(), {}, loop, places=places or Places(), proxies=TrustedHosts("127.0.0.1")
    )
    made.connection_made(line)
    return made


def test_a_long_answer_may_be_read_slowly_as_long_as_it_is_read() -> None:
    line, time = Line(), Hours()
    answering = protocol(None, time, line)
    time.cancel()  # how long the request may take is tried elsewhere
    line.unread = 4 * SLOWEST
    answering.pause_writing()
    for left in (3, 2, 1):
        line.unread = left * SLOWEST
        time.pass_by()
        assert not line.is_cut
    line.unread = 1
    time.pass_by()
    assert line.is_cut, "too little came in that time"


def test_of_those_who_find_no_place_some_are_told_why_and_the_others_are_cut_off() -> None:
    lines, places = [Line() for _ in range(LISTENERS + 2)], Places(most=0)
    for line in lines:
        protocol(None, Hours(), line, places)
    assert all(line.said.startswith(b"HTTP/1.1 503 ") and not line.is_cut for line in lines[:LISTENERS])
    assert [(line.said, line.is_cut) for line in lines[LISTENERS:]] == [(b"", True)] * 2


async def ready(scope: Scope, receive: Receive, send: Send) -> None:
    """Says so, and reads nothing of what was sent."""
    await Response()(scope, receive, send)


BEGUN, ENDED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab", b"cd"


@pytest.mark.parametrize("pieces", [(ENDED, BEGUN), (ENDED + BEGUN,)], ids=["after a while", "at once"])
def test_after_an_answer_that_came_before_the_end_the_next_request_has_all_its_time(pieces: tuple[bytes]) -> None:
    async def talk() -> None:
        line, loop = Line(), asyncio.get_running_loop()
        answering = protocol(ready, loop, line)
        answering.data_received(BEGUN)
        while not line.said.endswith(b"\r\n\r\n"):
            await asyncio.sleep(0)
        assert left(answering, loop) <= FAREWELL
        for piece in pieces:
            answering.data_received(piece)
        assert left(answering, loop) > FAREWELL
        line.abort()
        answering.connection_lost(None)

    def left(answering: Punctual, loop: asyncio.AbstractEventLoop) -> float:
        deadline = answering._deadline
        assert deadline
        return deadline.when() - loop.time()

    asyncio.run(talk())
