"""The doors of the web app, killed: whatever was answered is in the ledger after the restart, and there once.

    callers, each as fast as it can  ->  an app of its own process  ->  after a drawn number of answers: SIGKILL
    ->  the next app over the same ledger  ->  judge

Half of the lives on PostgreSQL lose a process of the database as well, or all of them, before the app itself is killed.
Every request carries a name of its own that the ledger keeps, so nothing is compared by numbers alone.
"""

import json
import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Engine, select, update

from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.sending.links import Link, remember_links
from accounts.models import Signal, Stakeholder, Webhook
from accounts.playbook import Tracking
from flows import tokens
from flows.settings import Settings, Web
from flows.web.app import create_app
from flows.web.serving import config_of
from tests.cast import NOW, build_world
from tests.chaos import databases
from tests.chaos.board import Board
from tests.chaos.history import Database, Strike
from tests.chaos.processes import fork
from tests.plays import small_play
from tests.signals.post import send
from tests.web.visitor import SECRET, click_path, opt_out_path, pixel_path, trap_path
from tests.webhooks import senders
from tests.webhooks.samples import hubspot, sendgrid, ses

SITE = "https://www.lumenflow.example"
#: A life of the app ends so many answers and seconds after it began, at most.
MOST_ANSWERS, LONGEST = 60, 0.05
#: How long one may take to start, or to give up.
PATIENCE = 30.0
STRIKES = (Strike.KILL_BACKEND, Strike.KILL_POSTGRES)

Asked = tuple[str, str, bytes, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Life:
    """One life of an app and what became of what it had answered. `guilty`: sentences; empty: it is clean."""

    seed: int
    database: Database
    guilty: tuple[str, ...]
    answered: Counter[str] = field(default_factory=Counter)
    #: Kept although the answer was lost on its way, since the first life.
    unanswered: int = 0
    struck: str = ""

    def __str__(self) -> str:
        verdict = "GUILTY" if self.guilty else "clean"
        said = ", ".join(f"{number} {door}" for door, number in sorted(self.answered.items()))
        struck = f"; {self.struck}" if self.struck else ""
        return f"doors {self.seed} {self.database}: {verdict}; {said}; {self.unanswered} kept unanswered{struck}"


def serve(url: str, listener: socket.socket) -> None:
    """The product's app behind the product's server, at all doors of which one may knock."""
    web = Web(sites=["www.lumenflow.example"], requests_per_second=10**6, burst=10**6)
    senders.show(senders.amazon()[1])
    settings = Settings(secret_key=SECRET, base_url=senders.BASE_URL, web=web, webhooks=senders.secrets())
    play = small_play(tracking=Tracking(opens=True))
    app = create_app(open_ledger(url), settings, play, lambda: NOW)
    uvicorn.Server(config_of(app, log_level="critical")).run(sockets=[listener])


class Callers:
    """One thread a door; what was answered well is written down by name."""

    def __init__(self, touches: Mapping[str, int]) -> None:
        self._numbers = count()
        alice = touches["alice"]
        visit = tokens.sign_until(tokens.VISIT, (NOW + timedelta(days=1)).date(), SECRET, alice)
        self.doors: dict[str, Callable[[str], Asked]] = {
            "click": lambda name: ("GET", click_path(alice), b"", {"user-agent": name}),
            "pixel": lambda name: ("GET", pixel_path(alice), b"", {"user-agent": name}),
            "trap": lambda name: ("GET", trap_path(alice), b"", {"user-agent": name}),
            "opt-out": lambda name: ("POST", opt_out_path(touches["bob"]), b"", {"user-agent": name}),
            "visit": lambda name: _visit(visit, name),
            "sendgrid": lambda name: _posted(senders.sendgrid([sendgrid("delivered", sg_event_id=name)])),
            "postmark": lambda name: _posted(senders.postmark({"RecordType": "Open", "Tag": name})),
            "mailgun": lambda name: _posted(senders.mailgun({"event": "opened", "id": name}, token=name)),
            "resend": lambda name: _posted(senders.resend({"type": "email.opened", "data": {"x": name}}, id=name)),
            "hubspot": lambda name: _posted(senders.hubspot([hubspot("contact.creation", objectId=_number(name))])),
            "ses v1": lambda name: _posted(senders.ses(ses("Send", "send"), "1", MessageId=name)),
            "ses v2": lambda name: _posted(senders.ses(ses("Send", "send"), "2", MessageId=name)),
        }
        #: Door -> names of what was answered.
        self.answered: dict[str, set[str]] = {door: set() for door in self.doors}

    @property
    def total(self) -> int:
        return sum(map(len, self.answered.values()))

    def call(self, door: str, port: int, mark: str, over: threading.Event) -> None:
        """Until nobody is there any more."""
        while not over.is_set():
            name = f"{mark}-{door}-{next(self._numbers)}"
            method, path, body, headers = self.doors[door](name)
            with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as line:
                try:
                    line.request(method, path, body, dict(headers))
                    status = line.getresponse().status
                except (OSError, HTTPException):
                    return
            if status < 400:
                self.answered[door].add(sha256(body).hexdigest() if path.startswith("/hooks/") else name)


def _visit(token: str, name: str) -> Asked:
    headers = {"user-agent": name, "origin": SITE, "content-type": "text/plain"}
    return "POST", "/collect", json.dumps({"t": token, "u": f"{SITE}/{name}"}).encode(), headers


def _number(name: str) -> int:
    return int(sha256(name.encode()).hexdigest()[:12], 16)


def _posted(request: senders.Request) -> Asked:
    return "POST", f"/hooks/{request.provider}", request.body, request.headers


def lives(kind: Database, seeds: Sequence[int]) -> Iterator[Life]:
    """One after the other over one ledger, each judged when it has ended."""
    senders.sendgrid_public(), senders.amazon()  # keys of their own would prove nothing to an app that is forked later
    with tempfile.TemporaryDirectory(prefix="tandem-doors-") as made:
        folder = Path(made)
        house = databases.Sqlite(folder) if kind is Database.SQLITE else databases.Postgresql(folder, Board())
        try:
            url = house.fresh("doors", folder)
            callers = Callers(_furnish(url))
            for seed in seeds:
                yield _live(house, kind, url, seed, callers, folder / "log.txt")
        finally:
            house.close()


def _furnish(url: str) -> dict[str, int]:
    """The cast, who consented to being followed, and a mail to two of them."""
    with _opened(url) as engine:
        world = build_world(engine)
        with writing(engine) as connection:
            remember_links(connection, {"2" * 64: [Link(f"{SITE}/pilot")]})
            connection.execute(update(Stakeholder).values(consent_basis="consent"))
            return {name: send(connection, world, name) for name in ("alice", "bob")}


def _live(house: databases.Database, kind: Database, url: str, seed: int, callers: Callers, log: Path) -> Life:
    dice, before = random.Random(seed), {door: set(names) for door, names in callers.answered.items()}
    strike = dice.choice(STRIKES) if kind is Database.POSTGRESQL and dice.random() < 0.5 else None
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # without it, asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        app = fork(lambda: serve(url, listener), log)
    over = threading.Event()
    threads = [
        threading.Thread(target=callers.call, args=(door, port, str(seed), over), daemon=True) for door in callers.doors
    ]
    for thread in threads:
        thread.start()
    enough = callers.total + dice.randint(1, MOST_ANSWERS)
    _wait_until(lambda: callers.total >= enough)
    if strike:
        house.strike(strike, dice)
    time.sleep(dice.uniform(0, LONGEST))
    os.kill(app, signal.SIGKILL)
    over.set()
    for thread in threads:
        thread.join()
    os.waitpid(app, 0)
    house.tend()
    house.wait()
    answered = Counter({door: len(names - before[door]) for door, names in callers.answered.items()})
    kept = _kept(url)
    unanswered = len(kept.keys() - set().union(*callers.answered.values()))
    return Life(seed, kind, tuple(judge(callers.answered, kept)), answered, unanswered, strike.value if strike else "")


def judge(answered: Mapping[str, set[str]], kept: Counter[str]) -> list[str]:
    """What speaks against it, since the first life: in sentences."""
    lost = {door: sorted(names - kept.keys()) for door, names in answered.items()}
    guilty = [f"{door}: {len(names)} answered and lost, {names[0]} first" for door, names in lost.items() if names]
    return guilty + [f"{name} is there {number} times" for name, number in kept.items() if number > 1]


def _kept(url: str) -> Counter[str]:
    """By what each request was known: its program's name, or the digest of its body."""
    with _opened(url) as engine, reading(engine) as connection:
        web = connection.scalars(select(Signal.data).where(Signal.source == "web"))
        names = [data["user_agent"] for data in web]
        return Counter([*names, *connection.scalars(select(Webhook.digest))])


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """Nothing stays open: the next app is forked from here."""
    engine = open_ledger(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the app does not answer")
        time.sleep(0.001)
