"""An import that is killed or interrupted at any moment leaves a ledger that the next one continues from."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from accounts.errors import Refused
from accounts.ledger.engine import open_ledger
from accounts.ledger.importing import waiting_room
from flows.importing import import_paths
from tests.cast import NOW
from tests.importing.files import known_world, person, stored, take, write
from tests.nursery import NURSERY
from tests.plays import small_play

PEOPLE = [person(f"p{number}", "acme" if number % 2 else "globex") for number in range(1_500)]


@pytest.mark.parametrize(
    ("moment", "blow"),
    [("reading", signal.SIGKILL), ("reading", signal.SIGINT), ("judging", signal.SIGKILL)],
    ids=["killed while reading", "interrupted while reading", "killed when all is written and nothing committed"],
)
def test_the_next_import_continues(database: Engine, tmp_path: Path, moment: str, blow: signal.Signals) -> None:
    known_world(database)
    people = write(tmp_path / "stakeholders.csv", [*PEOPLE, person("kim", "nowhere")])
    url = database.url.render_as_string(hide_password=False)
    here, there = NURSERY.Pipe(duplex=False)
    child = NURSERY.Process(target=import_and_stop, args=(url, people, moment, there))
    child.start()
    there.close()  # so that we hear when the child ends before its time
    assert here.recv() == "now"
    os.kill(child.pid or 0, blow)
    child.join(30)
    assert child.exitcode not in (None, 0)
    _until_the_database_has_noticed(database)
    assert stored(database, "stakeholders") == []
    taken = take(database, people).of("stakeholders")
    assert (taken.added, taken.quarantined) == (1_500, 1)
    assert len(stored(database, "stakeholders")) == 1_500
    assert not [name for name in inspect(database).get_table_names() if name.startswith("incoming")]
    assert not list(tmp_path.glob("*-incoming*"))


def import_and_stop(url: str, people: Path, moment: str, told: Any) -> None:
    """A process of its own: imports the people, and stops dead when it is told that a step begins."""

    def tell(what: str, done: int, of: int) -> None:
        if what.startswith(moment):
            told.send("now")
            time.sleep(60)

    import_paths(open_ledger(url), [people], now=NOW, play=small_play(), progress=tell)


def _until_the_database_has_noticed(database: Engine) -> None:
    """PostgreSQL lets go of the lock of a killed import when it next looks at the line, not at once."""
    for _ in range(100):
        try:
            with waiting_room.one_at_a_time(database):
                return
        except Refused:
            time.sleep(0.1)
