"""A no that a provider tells of is heard at the door: the claim refuses the person a moment after the answer."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.ledger.engine import reading
from accounts.models import Hold, Signal, Stakeholder
from accounts.vocabulary import Reason
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.sending.desk import certified, claim, touch_of
from tests.signals.post import play
from tests.web.visitor import Browser
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid
from tests.webhooks.test_doors import deliver

ALICE = {"alice": "evaluation/pilot"}
NOES = {
    "opt-out": (sendgrid("unsubscribe"), Reason.OPTED_OUT),
    "complaint": (sendgrid("spamreport"), Reason.OPTED_OUT),
    "bounce": (sendgrid("bounce", type="bounce"), Reason.BOUNCED),
}


def wait_for(world: World, seconds: float = 30.0) -> None:
    """Until Alice's row says no. How soon that is, benchmarks measure; here it is never, or in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with reading(world.engine) as connection:
            row = connection.execute(select(Stakeholder).where(Stakeholder.id == world.people["alice"])).one()
        if row.opted_out_at is not None or row.email_status != "ok":
            return
        time.sleep(0.005)
    raise AssertionError("the no was not heard")


@pytest.mark.parametrize(("event", "reason"), NOES.values(), ids=NOES)
def test_the_claim_refuses_before_anything_was_collected(
    event: dict[str, Any], reason: Reason, web: Browser, world: World
) -> None:
    plan_id = certified(world, ALICE)
    event = {**event, "tandem": f"touch-{touch_of(world, 'alice')}"}
    assert deliver(web, senders.sendgrid([sendgrid("delivered"), event])) == 200
    wait_for(world)
    answer = claim(world, plan_id)
    assert answer.touches == ()
    assert set(answer.refused.values()) <= {reason, Reason.SUPPRESSED, Reason.BOUNCED, Reason.ACCOUNT_HELD}


def test_what_was_heard_at_the_door_is_not_done_twice(web: Browser, world: World, tmp_path: Any) -> None:
    """The complaint's hold belongs to its signal, whoever performs it."""
    assert deliver(web, senders.sendgrid([sendgrid("spamreport"), sendgrid("open")])) == 200
    wait_for(world)
    for _ in range(2):
        collect(world.engine, Settings(home=tmp_path), play(), NOW + timedelta(minutes=1))
    with reading(world.engine) as connection:
        assert len(connection.execute(select(Hold)).all()) == 1
        assert len(connection.execute(select(Signal)).all()) == 2


def test_a_no_that_the_door_could_not_hear_is_heard_by_the_next_collection(
    web: Browser, world: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("killed right after the answer")

    monkeypatch.setattr("flows.webhooks.reception.act_on_noes", broken)
    assert deliver(web, senders.sendgrid([sendgrid("unsubscribe")])) == 200
    collect(world.engine, Settings(home=tmp_path), play(), NOW)
    wait_for(world, 0.1)


def test_one_persons_no_does_not_stop_the_group(web: Browser, world: World) -> None:
    plan_id = certified(world)
    assert deliver(web, senders.sendgrid([sendgrid("unsubscribe", tandem="")])) == 200
    wait_for(world)
    assert {touch.address for touch in claim(world, plan_id).touches} == {"bob@acme.example", "ivan@initech.example"}


def test_a_blocked_mail_is_no_reason_to_give_the_person_up(web: Browser, world: World, tmp_path: Any) -> None:
    words = "550 5.7.1 rejected: your server is on a blocklist"
    event = sendgrid("bounce", type="blocked", status="5.7.1", reason=words)
    assert deliver(web, senders.sendgrid([event])) == 200
    collect(world.engine, Settings(home=tmp_path), play(), NOW)
    with reading(world.engine) as connection:
        row = connection.execute(select(Stakeholder).where(Stakeholder.id == world.people["alice"])).one()
    assert (row.email_status, row.opted_out_at) == ("ok", None)
