"""Killed at any moment and run by several at once, the intake loses nothing and does nothing twice."""

import os
import signal as signals
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from accounts.ledger.engagement import scores
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.signals.applying import apply_waiting, opt_out
from accounts.ledger.signals.recorded import count_waiting, record
from accounts.models import Hold, Signal
from flows.settings import Settings
from flows.signals import intake
from flows.signals.intake import collect, inbox_of
from tests.cast import NOW, World, address_of, on_postgresql
from tests.signals.post import RULES, person, play, send, signal

PEOPLE = [("alice", "acme"), ("bob", "acme"), ("gina", "globex"), ("judy", "initech")]


def rows(count: int) -> list[str]:
    dice = Random(3)
    lines = []
    for number in range(count):
        kind = dice.choice(["clicked", "visited", "downloaded", "replied"])
        email = address_of(*dice.choice(PEOPLE))
        at = NOW - timedelta(minutes=dice.randrange(40_000))
        lines.append(f"{number},{email},{kind},{at.isoformat()},{number}")
    return lines


def drop(settings: Settings, lines: list[str]) -> None:
    inbox = inbox_of(settings)
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "a.csv").write_text("signal,email,kind,occurred_at,url\n" + "\n".join(lines) + "\n")


def totals(engine: Engine) -> dict[str, Any]:
    with reading(engine) as connection:
        kinds = dict(connection.execute(select(Signal.kind, func.count()).group_by(Signal.kind)).tuples().all())
        waiting = count_waiting(connection)
        held = connection.scalar(select(func.count()).select_from(Hold))
        values = {account: score.value for account, score in scores.read_scores(connection, RULES, NOW).items()}
    return {"kinds": kinds, "waiting": waiting, "holds": held, "scores": values}


def anew(engine: Engine) -> dict[int, float]:
    """Scores as they come out of the signals alone."""
    with writing(engine) as connection:
        scores.recompute(connection)
        return {account: score.value for account, score in scores.read_scores(connection, RULES, NOW).items()}


def in_a_process(work: Callable[[], object]) -> int:
    """The id of a forked process that does the work and ends."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_killed_again_and_again_it_ends_where_it_would_have_ended(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BATCH", 40)
    settings = Settings(home=tmp_path)
    lines = rows(600)
    drop(settings, lines)
    url = world.engine.url.render_as_string(hide_password=False)
    world.engine.dispose()
    dice = Random(5)
    for _ in range(6):
        child = in_a_process(lambda: collect(open_ledger(url), settings, play(), NOW))
        time.sleep(dice.uniform(0.02, 0.25))
        os.kill(child, signals.SIGKILL)
        os.waitpid(child, 0)
    collect(world.engine, settings, play(), NOW)
    found = totals(world.engine)
    replies = sum(",replied," in line for line in lines)
    assert sum(found["kinds"].values()) == 600
    assert (found["waiting"], found["holds"]) == (0, replies)
    assert found["scores"] == pytest.approx(anew(world.engine))
    assert [path.name for path in inbox_of(settings).rglob("*.csv")] == ["a.csv"]


def test_four_collectors_at_once_apply_each_signal_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BATCH", 25)
    settings = Settings(home=tmp_path)
    drop(settings, rows(300))
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: collect(world.engine, settings, play(), NOW), range(4)))
    found = totals(world.engine)
    assert sum(one.applied for one in done) == sum(found["kinds"].values()) == 300
    assert found["waiting"] == 0
    assert found["scores"] == pytest.approx(anew(world.engine))


@on_postgresql
def test_an_opt_out_on_the_web_need_not_wait_for_a_collection_to_finish(world: World) -> None:
    """On PostgreSQL it does not wait at all; SQLite has one writer, and each of our transactions is short."""
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
        record(connection, [signal("clicked", "bob@acme.example")], NOW)
    with writing(world.engine) as collecting:
        apply_waiting(collecting, play(), NOW)  # not committed yet
        with writing(world.engine) as connection:
            assert opt_out(connection, signal("unsubscribed", touch_id=touch), NOW)
        assert person(world.engine, world, "alice").opted_out_at == NOW
