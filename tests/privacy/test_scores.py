"""An erasure and whoever adds to scores take turns: nothing of the person is written after they are gone."""

from pathlib import Path

import pytest
from sqlalchemy import select

from accounts.engagement import NOBODY
from accounts.ledger.engagement import scores
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.applying import apply_waiting
from accounts.ledger.signals.recorded import record
from accounts.models import Score
from flows.forgetting import forget_person
from flows.settings import Settings
from tests.cast import NOW, World
from tests.sales.test_races import Meanwhile
from tests.signals.post import RULES, play, signal

ALICE = "alice@acme.example"


def test_somebody_who_is_erased_while_what_they_did_is_being_counted_leaves_no_score(
    world: World, tmp_path: Path
) -> None:
    with writing(world.engine) as connection:
        record(connection, [signal("visited", ALICE)], NOW)
    erasure = Meanwhile(
        world.engine, lambda: forget_person(world.engine, Settings(home=tmp_path), ALICE, by="ravi", now=NOW)
    )
    with writing(world.engine) as connection:
        apply_waiting(connection, play(), NOW)
        erasure.begin()
    erasure.end()
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        assert connection.execute(select(Score.account_id, Score.person)).all() == [(acme, NOBODY)]
        told = scores.read_engagement(connection, [acme], RULES, NOW)[acme].score.value
        assert scores.standings(connection, NOW)[acme].value == pytest.approx(told)
        assert told > 0
