"""A certified plan leaves through each provider, and the ledger knows what became of every touch."""

from datetime import timedelta
from functools import cache

import pytest
from sqlalchemy import select

from accounts.ledger.engine import reading
from accounts.models import Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.sending.leaving import despatch
from tests.cast import NOW, World
from tests.channels.roads import OVER_HTTP, Road
from tests.channels.servers import Said, Trouble
from tests.sending import nurse
from tests.sending.crowd import plan_for_many

T = TouchState
over_http = pytest.mark.parametrize("road", OVER_HTTP, indirect=True)
PEOPLE = 7
#: Compiled once.
mailroom = cache(nurse.mailroom)


def touches(world: World) -> list[Touch]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(Touch.__table__).order_by(Touch.id)).all())  # type: ignore[arg-type]


@over_http
def test_everybody_of_the_plan_gets_one_mail_that_names_its_touch(world: World, road: Road) -> None:
    plan_id = plan_for_many(world, PEOPLE)
    with road.open() as channel:
        done = despatch(world.engine, mailroom(), plan_id, NOW, channel)
    assert (done.outcomes, done.stopped) == ({T.SENT: PEOPLE}, None)
    kept = touches(world)
    by_key = {one.key: one for one in road.arrived()}
    assert by_key.keys() == {f"touch-{touch.id}" for touch in kept}
    assert len(road.arrived()) == PEOPLE
    for touch in kept:
        arrived = by_key[f"touch-{touch.id}"]
        assert arrived.headers["Message-ID"] == touch.message_id
        assert arrived.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert arrived.sender.address == "ravi@mail.example"
        assert "Globex" in arrived.text + arrived.html + arrived.subject
        assert (touch.provider, bool(touch.provider_id)) == (road.name, True)


@pytest.mark.parametrize("road", ["postmark", "resend"], indirect=True)
def test_one_whom_the_provider_does_not_write_to_fails_alone(world: World, road: Road) -> None:
    plan_id = plan_for_many(world, PEOPLE)
    road.refuse("p3@globex.example", True)
    with road.open() as channel:
        done = despatch(world.engine, mailroom(), plan_id, NOW, channel)
    assert done.outcomes == {T.SENT: PEOPLE - 1, T.FAILED: 1}
    (failed,) = [touch for touch in touches(world) if touch.state == T.FAILED]
    dropped = Refusal.DROPPED_BY_PROVIDER if road.name == "postmark" else Refusal.REFUSED_BY_SERVER
    assert failed.reason == dropped
    assert "p3@" not in failed.error


@pytest.mark.parametrize("road", ["postmark"], indirect=True)
def test_patience_that_a_provider_asks_for_is_kept(world: World, road: Road) -> None:
    assert road.api is not None
    plan_id = plan_for_many(world, PEOPLE)
    road.api.mood = lambda asked: Said(429, b"", {"Retry-After": "36000"})
    with road.open() as channel:
        done = despatch(world.engine, mailroom(), plan_id, NOW, channel)
    assert done.outcomes == {T.CERTIFIED: PEOPLE}
    assert {touch.retry_at for touch in touches(world)} == {NOW + timedelta(hours=10)}


@over_http
def test_a_wrong_key_fails_nobody(world: World, road: Road) -> None:
    assert road.api is not None
    plan_id = plan_for_many(world, PEOPLE)
    with road.open(**road.wrong_key) as channel:
        done = despatch(world.engine, mailroom(), plan_id, NOW, channel)
    assert done.stopped is not None
    assert road.name in done.stopped
    assert {touch.state for touch in touches(world)} == {T.CERTIFIED}
    assert len(road.api.asked) <= channel.lanes
    road.api.refused.clear()


@pytest.mark.parametrize("road", ["postmark", "mailgun"], indirect=True)
def test_a_lost_answer_is_unknown_and_never_sent_again(world: World, road: Road) -> None:
    assert road.api is not None
    plan_id = plan_for_many(world, PEOPLE)
    left = [Trouble.LOST]
    road.api.mood = lambda asked: left.pop() if left else None
    with road.open() as channel:
        despatch(world.engine, mailroom(), plan_id, NOW, channel)
        despatch(world.engine, mailroom(), plan_id, NOW + timedelta(days=1), channel)
    unknown = [touch for touch in touches(world) if touch.state == T.UNKNOWN]
    assert len(unknown) == (PEOPLE if channel.most > 1 else 1)
    assert len(road.arrived()) == PEOPLE
