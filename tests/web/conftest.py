"""One real server for all tests of the web app, and whichever app a test puts behind it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.ledger.engine import writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.playbook import Play
from flows.settings import Settings
from flows.web.app import create_app
from flows.web.serving import config_of
from tests.cast import World
from tests.signals.post import play, send
from tests.web.visitor import ASSET, SECRET, Browser, Clock, Serve


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, secret_key=SECRET)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Switchboard:
    """One real server for all tests, and whichever app a test puts behind it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def board() -> Iterator[tuple[Switchboard, int]]:
    board = Switchboard()
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # without it, asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config_of(board, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield board, listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve(board: tuple[Switchboard, int], settings: Settings) -> Iterator[Serve]:
    """Puts an app over this engine behind the server and opens a browser on it."""
    switch, port = board
    browser = Browser(port)

    def serving(
        engine: Engine, clock: Callable[[], datetime], of_play: Play | None = None, ways: Settings | None = None
    ) -> Browser:
        switch.app = create_app(engine, ways or settings, of_play or play(), clock)
        return browser

    yield serving
    browser.session.close()


@pytest.fixture
def web(serve: Serve, world: World, clock: Clock) -> Browser:
    return serve(world.engine, clock)


@pytest.fixture
def touch(world: World) -> int:
    """A mail to Alice with three links; the last is a document's."""
    with writing(world.engine) as connection:
        document = Link("https://www.lumenflow.example/pilot.pdf", "The pilot, step by step")
        links = [Link(ASSET), Link("https://www.lumenflow.example/privacy"), document]
        remember_links(connection, {"2" * 64: links})
        return send(connection, world, "alice")
