"""Killed at any moment, read by several at once: each mail is one signal, and none is lost."""

import os
import signal as signals
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select

from accounts.ledger.engine import open_ledger, reading
from accounts.ledger.signals.recorded import count_waiting
from accounts.models import Hold, Signal
from flows.cli import tandem
from flows.mailbox import source
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.mailbox.dovecot import Postbox, needs_dovecot
from tests.mailbox.letters import letter
from tests.signals.post import play
from tests.signals.test_under_fire import in_a_process

pytestmark = needs_dovecot
COUNT = 40
WRITERS = ("alice@acme.example", "gina@globex.example", "ivan@initech.example", "x@elsewhere.example")


@pytest.fixture
def settings(postbox: Postbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A mailbox with many mails, read in small pieces."""
    monkeypatch.setattr(source, "AT_ONCE", 10)
    mails = (
        letter(f"mail {number}", From=WRITERS[number % 4], Message_ID=f"<{number}@mail.example>")
        for number in range(COUNT)
    )
    postbox.put(*mails, at=NOW - timedelta(hours=1))
    return Settings(home=tmp_path, mailbox=postbox.settings)


def kinds(engine: Engine) -> Counter[str]:
    with reading(engine) as connection:
        return Counter(connection.scalars(select(Signal.kind)))


def everything_is_there_once(engine: Engine) -> None:
    assert kinds(engine) == {"replied": COUNT * 3 // 4, "unknown": COUNT // 4}
    with reading(engine) as connection:
        assert len(connection.scalars(select(Hold.id)).all()) == COUNT * 3 // 4
        assert count_waiting(connection) == 0


def test_killed_again_and_again_it_loses_no_mail_and_tells_none_twice(world: World, settings: Settings) -> None:
    url = world.engine.url.render_as_string(hide_password=False)
    world.engine.dispose()
    dice = Random(7)
    for _ in range(6):
        child = in_a_process(lambda: collect(open_ledger(url), settings, play(), NOW))
        time.sleep(dice.uniform(0.05, 0.3))
        os.kill(child, signals.SIGKILL)
        os.waitpid(child, 0)
    while collect(world.engine, settings, play(), NOW).recorded:
        pass
    everything_is_there_once(world.engine)


def test_three_readers_at_once_tell_each_mail_once(world: World, settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: [collect(world.engine, settings, play(), NOW) for _ in range(2)], range(3)))
    everything_is_there_once(world.engine)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_waits_in_quarantine_can_be_seen_and_is_not_tried_in_vain(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(source, "understand", stumble)
        collect(world.engine, settings, play(), NOW)
    monkeypatch.setenv("TANDEM_HOME", str(settings.home))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    shown = CliRunner().invoke(tandem, ["quarantine", "show", "--most", "1"])
    assert "it could not be read: ValueError" in shown.output
    assert "INBOX" in shown.output
    retried = CliRunner().invoke(tandem, ["quarantine", "retry", "--json"])
    assert (retried.exit_code, '"passed": 0' in retried.output) == (0, True), retried.output
