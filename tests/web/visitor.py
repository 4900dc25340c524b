"""A visitor of the real web app, the addresses in a mail, and what is in the ledger afterwards."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from accounts.ledger.engine import reading
from accounts.models import Signal, Stakeholder, Suppression
from flows import tokens
from tests.cast import NOW, World

#: For what only the web app answers for; the ledger has its own tests on both databases.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

SECRET = "a secret of the tests"
#: The last day of pages that a mail of NOW leads to.
NEXT_YEAR = (NOW + timedelta(days=400)).date()
ASSET = "https://www.lumenflow.example/pilot"
FIREFOX = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


class Clock:
    """Stands still until it is moved."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


class Browser:
    """A visitor of the real server, who follows no redirect and has no cookies."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.headers.update(FIREFOX)
        self.session.trust_env = False

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, self.root + path, allow_redirects=False, timeout=10, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.ask("POST", path, **more)


Serve = Callable[..., Browser]


def click_path(touch: int, link: int = 0) -> str:
    return f"/c/{tokens.sign_click(touch, link, SECRET)}"


def opt_out_path(touch: int) -> str:
    return f"/u/{tokens.sign(tokens.UNSUBSCRIBE, touch, SECRET)}"


def preferences_path(touch: int, last_day: date = NEXT_YEAR) -> str:
    return f"/p/{tokens.sign_until(tokens.PREFERENCES, last_day, SECRET, touch)}"


def asset_path(touch: int, link: int = 0, last_day: date = NEXT_YEAR) -> str:
    return f"/a/{tokens.sign_until(tokens.ASSET, last_day, SECRET, touch, link)}"


def pixel_path(touch: int) -> str:
    return f"/o/{tokens.sign(tokens.OPEN, touch, SECRET)}.gif"


def trap_path(touch: int) -> str:
    return f"/n/{tokens.sign(tokens.TRAP, touch, SECRET)}"


def signals(world: World) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(Signal.__table__).order_by(Signal.id)))


def everything_that_counts(world: World) -> tuple[Any, ...]:
    with reading(world.engine) as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (Signal, Suppression)]
        opted_out = connection.scalar(select(func.count()).where(Stakeholder.opted_out_at.is_not(None)))
    return (*counts, opted_out)
