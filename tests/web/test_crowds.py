"""Many at once, slow ones and large ones: others are served meanwhile, and nobody stays for ever."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psutil
import pytest
import requests
import uvicorn

from flows.settings import Settings, Web
from flows.web.app import create_app
from flows.web.places import Places
from flows.web.serving import MOST_FILES, Punctual, config_of, make_room
from tests.cast import World
from tests.signals.post import play
from tests.web.crowd import Crowd
from tests.web.test_killed import NURSERY

#: Instead of the product's fifteen seconds.
PATIENCE = 0.6
#: Of the thousand, so many find room.
CROWD, ROOM = 1_000, 850
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Impatient(Punctual):
    patience = PATIENCE


@contextmanager
def served(
    world: World, settings: Settings, places: Places | None = None, protocol: type[Punctual] = Impatient,
    connections: int = 20_000, **more: Any,
) -> Iterator[int]:  # fmt: skip
    """The app behind a server of its own; its port. What it shares out it shares out of so many `connections`."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # without it, asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        wide = settings.model_copy(update={"web": Web(burst=10_000, connections=connections)})
        app = create_app(world.engine, wide, play())
        config = config_of(app, places, protocol=protocol, log_level="critical", **more)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def is_served(port: int) -> bool:
    return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=20).status_code == 200


def crowd(port: int, number: int, first: bytes, drip: bytes, seconds: float) -> int:
    """So many connections that send `first` and then a drip at a time; how many are closed on them in time."""
    with ExitStack() as stack:
        lines = {stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(number)}
        for line in lines:
            line.sendall(first)
            line.setblocking(False)
        end = time.monotonic() + seconds
        while lines and time.monotonic() < end:
            time.sleep(0.1)
            lines = {line for line in lines if not is_closed(line, drip)}
        return number - len(lines)


def is_closed(line: socket.socket, drip: bytes) -> bool:
    try:
        line.send(drip)
        return line.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X-a: b\r\n"),
        (b"POST /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n", b"a"),
        (b"", b""),
    ],
    ids=["slow headers", "slow body", "silence"],
)
def test_five_hundred_slow_senders_are_let_go_and_others_served_meanwhile(
    world: World, settings: Settings, first: bytes, drip: bytes
) -> None:
    closed: list[int] = []
    with served(world, settings) as port:
        slow = threading.Thread(target=lambda: closed.append(crowd(port, 500, first, drip, 10 * PATIENCE)))
        slow.start()
        time.sleep(0.3 * PATIENCE)
        assert is_served(port)
        slow.join()
        assert closed == [500]


def test_more_connections_than_there_is_room_for_are_told_to_come_later(world: World, settings: Settings) -> None:
    with served(world, settings, Places(20, 20)) as port:
        lines = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(60)]
        for line in lines[20:]:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")  # somebody who is still talking hears it too
        for line in lines[20:]:
            answer = everything(line)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 10\r\n" in answer
        for line in lines[:20]:
            assert everything(line) == b"", "let go in time"
        assert is_served(port)


def everything(line: socket.socket) -> bytes:
    with closing(line):
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_there_is_room_for_as_many_as_are_wanted_and_the_system_has_files(world: World) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert make_room(500) == 500
    assert 500 <= make_room(10**9) < (MOST_FILES if files == resource.RLIM_INFINITY else files)


def serve_small(url: str, listener: socket.socket) -> None:
    """A process of its own, with room for most of the crowd and more patience than that has."""
    import uvicorn

    from accounts.ledger.engine import open_ledger
    from tests.plays import small_play

    class Patient(Punctual):
        patience = 600.0

    wide = Settings(web=Web(requests_per_second=10**6, burst=10**6))  # places are tried here, not the rate
    app = create_app(open_ledger(url), wide, small_play())
    config = config_of(app, Places(make_room(ROOM)), protocol=Patient, log_level="critical")
    uvicorn.Server(config).run(sockets=[listener])


def test_a_thousand_at_once_leave_the_app_alive_small_and_open_for_others(world: World) -> None:
    """Ten thousand: python -m benchmarks.connections."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1_024)
        port, url = listener.getsockname()[1], world.engine.url.render_as_string(hide_password=False)
        process = NURSERY.Process(target=serve_small, args=(url, listener))
        process.start()
    try:
        assert is_served(port)
        before = psutil.Process(process.pid).memory_info().rss
        crowd = Crowd(port, CROWD)
        crowd.come()
        crowd.listen(120, until=CROWD - ROOM)
        assert (crowd.inside, crowd.refused) == (ROOM, CROWD - ROOM)
        assert psutil.Process(process.pid).memory_info().rss - before < 50 * 2**20
        crowd.leave()
        assert is_served(port)
    finally:
        process.kill()
        process.join(10)
