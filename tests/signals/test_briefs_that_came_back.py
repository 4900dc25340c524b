"""A brief that did not reach its rep: it has failed, the doctor says whose it was, and no buyer is touched by it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from accounts.ledger.briefs.bounces import unreached_reps
from accounts.ledger.briefs.written import read_looks
from accounts.ledger.engine import reading, writing
from accounts.models import Brief, BriefDelivery, Rep, Suppression
from accounts.vocabulary import BriefState
from flows.doctor.finding import Finding, Patient
from flows.doctor.reps import briefs
from flows.settings import Settings
from tests.cast import NOW, World
from tests.signals.post import signal, tell

WORDS = "550 5.1.1 no such user"


def delivered(world: World, *roads: str, hours: int = 1) -> int:
    """A brief to Ravi that left by these roads."""
    at = NOW - timedelta(hours=hours)
    with writing(world.engine) as connection:
        rep = connection.scalar(select(Rep.id).where(Rep.email.startswith("ravi")))
        values: dict[str, Any] = {"rep_id": rep, "as_of": at, "words": 90, "payload": {}, "state": "delivered"}
        row = insert(Brief).values(**values, delivered_at=at, channel=roads[-1]).returning(Brief.id)
        brief = int(connection.execute(row).scalar_one())
        for road in roads:
            taken = {"brief_id": brief, "channel": road, "state": "delivered", "delivered_at": at}
            connection.execute(insert(BriefDelivery).values(**taken))
    return brief


def came_back(world: World, brief: int) -> None:
    tell(world.engine, signal("brief_bounced", data={"brief": brief, "reply": WORDS}))


def state_of(engine: Engine, brief: int) -> tuple[str, Any, str | None]:
    with reading(engine) as connection:
        row = connection.execute(select(Brief.state, Brief.delivered_at, Brief.error).where(Brief.id == brief)).one()
        return row.state, row.delivered_at, row.error


def test_it_has_failed_with_the_servers_words_however_often_that_is_told(world: World) -> None:
    brief, other = delivered(world, "email"), delivered(world, "email", hours=30)
    came_back(world, brief)
    came_back(world, brief)
    assert state_of(world.engine, brief) == (BriefState.FAILED, None, WORDS)
    assert state_of(world.engine, other)[0] == BriefState.DELIVERED
    with reading(world.engine) as connection:
        assert list(connection.scalars(select(BriefDelivery.state).order_by(BriefDelivery.id))) == [
            "failed",
            "delivered",
        ]
        assert list(connection.scalars(select(Suppression.email_hash))) == []


def test_the_next_brief_tells_its_news_again(world: World) -> None:
    brief = delivered(world, "email")
    with reading(world.engine) as connection:
        before = {look.email: look.since for look in read_looks(connection, NOW)}
    came_back(world, brief)
    with reading(world.engine) as connection:
        after = {look.email: look.since for look in read_looks(connection, NOW)}
    ravi = next(email for email in before if email.startswith("ravi"))
    assert after[ravi] < before[ravi]


def test_one_that_another_road_delivered_was_told(world: World) -> None:
    brief = delivered(world, "email", "slack")
    came_back(world, brief)
    assert state_of(world.engine, brief)[0] == BriefState.DELIVERED


def test_a_brief_nobody_sent_and_one_that_never_was_change_nothing(world: World) -> None:
    with writing(world.engine) as connection:
        rep = connection.scalar(select(Rep.id).where(Rep.email.startswith("ravi")))
        planned = insert(Brief).values(rep_id=rep, as_of=NOW, words=9, payload={}, state="planned").returning(Brief.id)
        brief = int(connection.execute(planned).scalar_one())
    came_back(world, brief)
    came_back(world, 4711)
    assert state_of(world.engine, brief)[0] == BriefState.PLANNED


def test_a_rep_is_unreached_until_a_later_brief_arrives(world: World) -> None:
    brief = delivered(world, "email")
    came_back(world, brief)
    with reading(world.engine) as connection:
        (rep,) = unreached_reps(connection)
    assert (rep.email.partition("@")[0], rep.error) == ("ravi", WORDS)
    delivered(world, "email", hours=0)
    with reading(world.engine) as connection:
        assert unreached_reps(connection) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_doctor_says_it(world: World, tmp_path: Path) -> None:
    patient = Patient(Settings(database_url=world.engine.url.render_as_string(hide_password=False)), NOW)
    brief = delivered(world, "email")
    found = briefs(patient)
    assert isinstance(found, Finding)
    assert found.state == "ok"
    came_back(world, brief)
    found = briefs(patient)
    assert isinstance(found, Finding)
    assert (found.state, "no such user" in found.says, "ravi@" in found.says) == ("warn", True, False)
