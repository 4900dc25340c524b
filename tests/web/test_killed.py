"""Whatever the web app has answered is in the ledger, although it is killed at any moment."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from sqlalchemy import select
from sqlalchemy.engine import URL

from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.models import Signal
from tests.cast import World
from tests.nursery import NURSERY
from tests.signals.post import person, send
from tests.web.visitor import SECRET, click_path, opt_out_path, preferences_path

ROUNDS = 4
#: A round ends so many answers and seconds after it began, at most.
MOST_ANSWERS, LONGEST = 12, 0.02


def serve(url: str, listener: socket.socket) -> None:
    """A process of its own: the product's app behind the product's server."""
    import uvicorn

    from flows.settings import Settings, Web
    from flows.web.app import create_app
    from flows.web.serving import config_of
    from tests.plays import small_play

    settings = Settings(secret_key=SECRET, web=Web(requests_per_second=10**6, burst=10**6))
    app = create_app(open_ledger(url), settings, small_play())
    uvicorn.Server(config_of(app, log_level="critical")).run(sockets=[listener])


@contextmanager
def short_lived(url: URL) -> Iterator[tuple[int, Callable[[], None]]]:
    """A server; its port, and what kills it (SIGKILL)."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # without it, asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        process = NURSERY.Process(target=serve, args=(url.render_as_string(hide_password=False), listener))
        process.start()
    while True:
        try:
            requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
            break
        except requests.ConnectionError:
            time.sleep(0.01)
    yield port, process.kill
    process.join(10)


class Visitors:
    """Three people who ask as fast as they can until the app dies under them, each for another thing."""

    def __init__(self, touches: dict[str, int]) -> None:
        self.asks = {
            "clicked": ("GET", click_path(touches["alice"]), {}),
            "unsubscribed": ("POST", opt_out_path(touches["bob"]), {}),
            "preferred": ("POST", preferences_path(touches["charlie"]), {"choice": "fewer"}),
        }
        self.answered: Counter[str] = Counter()

    def visit(self, port: int, kill: Callable[[], None], answers: int, moment: float) -> None:
        """One life of the app; it ends so many answers and a moment after its beginning."""
        enough = self.answered.total() + answers
        threads = [threading.Thread(target=self._ask, args=(kind, port)) for kind in self.asks]
        for thread in threads:
            thread.start()
        while self.answered.total() < enough:
            time.sleep(0.001)
        time.sleep(moment)
        kill()
        for thread in threads:
            thread.join()

    def _ask(self, kind: str, port: int) -> None:
        method, path, form = self.asks[kind]
        while True:
            try:
                answer = requests.request(
                    method, f"http://127.0.0.1:{port}{path}", data=form, allow_redirects=False, timeout=10
                )
            except requests.RequestException:
                return
            assert answer.status_code in (200, 302)
            self.answered[kind] += 1


def test_what_was_answered_is_in_the_ledger_whenever_the_app_is_killed(world: World) -> None:
    luck = random.Random(7)
    with writing(world.engine) as connection:
        remember_links(connection, {"2" * 64: [Link("https://www.lumenflow.example/pilot")]})
        touches = {name: send(connection, world, name) for name in ("alice", "bob", "charlie")}
    visitors = Visitors(touches)
    for _ in range(ROUNDS):
        with short_lived(world.engine.url) as (port, kill):
            visitors.visit(port, kill, luck.randint(1, MOST_ANSWERS), luck.uniform(0, LONGEST))
    with reading(world.engine) as connection:
        kept = Counter(connection.scalars(select(Signal.kind)))
    assert visitors.answered.total() >= ROUNDS
    for kind in visitors.asks:  # what was kept without an answer died on its way back: one a round at most
        assert visitors.answered[kind] <= kept[kind] <= visitors.answered[kind] + ROUNDS, kind
    assert (person(world.engine, world, "bob").opted_out_at is not None) == (kept["unsubscribed"] > 0)
    assert (person(world.engine, world, "charlie").mail_every_days == 14) == (kept["preferred"] > 0)
