"""Runs the demo: a Prefect server of its own, the story through the real flows, and what to open at the end."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from accounts.errors import Refused
from accounts.ledger.engine import open_ledger
from accounts.ledger.schema import upgrade
from flows.cli.run import run_in_prefect
from flows.demo.ending import Ending, look_back, write_index
from flows.demo.story import START, Teller
from flows.demo.world import VENDOR_DOMAIN, build_world
from flows.house import open_house
from flows.operating.prefect_server import running_server
from flows.settings import load_settings

PLAY = "new-business"
HOME = Path(".tandem/demo")
MARKER = ".made-by-tandem-demo"


def run_demo(seed: int, tell: TextIO | None = None, home: Path = HOME) -> Ending:
    """Make the world anew, tell its story, say how it ended. `tell`: where progress is shown."""
    began = time.monotonic()
    with only_demo(home), living_in(home):
        make_room(home)
        make_ledger(load_settings().ledger_url)
        with open_house(PLAY) as house:
            teller = Teller(house, build_world(seed, START), flow_of)
            with watched_by_prefect(home, teller, tell):
                tell_story(teller, tell)
            ending = look_back(house, teller, seconds=time.monotonic() - began)
            write_index(house, ending)
    return ending


@contextmanager
def only_demo(home: Path) -> Iterator[None]:
    """Two demos in one folder would pull the floor from under each other. Raises Refused for the second."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("a demo is running here already", where=str(home), cure="let it finish") from None
        yield


def make_ledger(url: str) -> None:
    engine = open_ledger(url)
    upgrade(engine)
    engine.dispose()


def make_room(home: Path) -> None:
    """Start clean; refuses to empty a folder that is not the demo's own."""
    if home.exists() and any(home.iterdir()) and not (home / MARKER).exists():
        raise Refused("this folder was not made by the demo", where=str(home), cure="move it away")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / MARKER).touch()


@contextmanager
def living_in(home: Path) -> Iterator[None]:
    """Settings of the demo's own for this process, whatever tandem.toml says: its folder, no mail server."""
    own = {
        "TANDEM_HOME": str(home),
        "TANDEM_DATABASE_URL": f"sqlite:///{home / 'tandem.db'}",
        "TANDEM_CHANNEL": "outbox",
        "TANDEM_SENDING_DOMAIN": f"mail.{VENDOR_DOMAIN}",
    }
    with environment(own):
        yield


@contextmanager
def watched_by_prefect(home: Path, teller: Teller, tell: TextIO | None) -> Iterator[None]:
    """A Prefect server for the story; while it starts, the first import is made."""
    say(tell, "Starting a Prefect server and importing the CRM's first export …")
    with ThreadPoolExecutor(1) as beside:
        first_import = beside.submit(teller.begin)
        with running_server(home / "prefect") as server, environment(server.env):
            first_import.result()
            with without_heartbeat():
                yield


@contextmanager
def without_heartbeat() -> Iterator[None]:
    """A run that ends waits a second for its heartbeat; sixty short runs in one process need none."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def flow_of(flow: str, play: str, now: datetime, **more: bool) -> dict[str, Any]:
    return run_in_prefect(flow, play, now, os.environ["PREFECT_API_URL"], **more)


def tell_story(teller: Teller, tell: TextIO | None) -> None:
    chores = list(teller.chores())
    if tell is None:
        for chore in chores:
            chore.run(chore.at)
        return
    with click.progressbar(chores, label="Three weeks", file=tell, item_show_func=_said, width=30) as bar:
        for chore in bar:
            chore.run(chore.at)


def say(tell: TextIO | None, line: str) -> None:
    if tell is not None:
        click.echo(line, file=tell)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables for the length of the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _said(chore: Any) -> str:
    return chore.says if chore else ""
