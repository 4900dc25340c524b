"""What a mail server says of a reader's address while we talk to it counts like a bounce that comes back later."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from accounts.ledger.engine import reading, writing
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.models import Signal, Stakeholder, Suppression, Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import EmailStatus, TouchState
from flows.channels.email.smtp import Smtp
from flows.sending.leaving import despatch
from flows.settings import Settings
from flows.settings import Smtp as SmtpSettings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.plays import small_play
from tests.sending.crowd import plan_for_many
from tests.sending.nurse import mailroom
from tests.sending.rude_server import rude_server

PEOPLE = 4
LATER = NOW + timedelta(minutes=5)


def send_to_server_that_says(world: World, said: bytes) -> int:
    """The first of four readers is refused so; the plan."""
    plan_id = plan_for_many(world, PEOPLE)
    refusals = {"RCPT": [said], "DATA": [b"503 5.5.1 nobody to send it to\r\n"]}
    with rude_server(**refusals) as server:
        settings = SmtpSettings(host="127.0.0.1", port=server.port, security="none", connections=1)
        with Smtp(settings, "mail.example") as smtp:
            despatch(world.engine, mailroom(), plan_id, NOW, smtp)
    return plan_id


def told(world: World) -> list[dict[str, Any]]:
    with reading(world.engine) as connection:
        query = select(Signal.kind, Signal.source, Signal.data["bounce"].as_string().label("bounce"))
        return [dict(row._mapping) for row in connection.execute(query)]


def reader(world: World) -> Any:
    """The first reader and their touch."""
    with reading(world.engine) as connection:
        query = select(Stakeholder, Touch.state, Touch.reason, Touch.error)
        query = query.join(Touch, Touch.stakeholder_id == Stakeholder.id).order_by(Touch.id).limit(1)
        return connection.execute(query).one()


def test_a_mailbox_that_does_not_exist_is_a_bounce_and_nobody_writes_to_it_again(world: World, tmp_path: Path) -> None:
    send_to_server_that_says(world, b"550 5.1.1 The account does not exist\r\n")
    first = reader(world)
    assert (first.state, first.reason) == (TouchState.FAILED, Refusal.NO_SUCH_MAILBOX)
    assert "550 5.1.1 The account does not exist" in first.error
    assert told(world) == [{"kind": "bounced", "source": "smtp", "bounce": "hard"}]
    collected = collect(world.engine, Settings(home=tmp_path), small_play(), LATER)
    assert collected.bounces == 1
    first = reader(world)
    assert first.email_status == EmailStatus.BOUNCED
    assert first.state == TouchState.FAILED, "it did not leave, whatever its bounce says of others"
    with reading(world.engine) as connection:
        suppressed = select(Suppression.reason).where(Suppression.email_hash == first.email_hash)
        assert connection.scalars(suppressed).all() == ["bounced"]
        others = select(func.count()).where(Touch.state == TouchState.SENT)
        assert connection.scalar(others) == PEOPLE - 1


def test_a_full_mailbox_pauses_the_person_and_closes_nothing(world: World, tmp_path: Path) -> None:
    send_to_server_that_says(world, b"552 5.2.2 over quota\r\n")
    collect(world.engine, Settings(home=tmp_path), small_play(), LATER)
    first = reader(world)
    assert (first.state, first.reason) == (TouchState.FAILED, Refusal.MAILBOX_FULL)
    assert first.email_status == EmailStatus.OK
    assert first.paused_until > LATER


@pytest.mark.parametrize(
    "said", [b"450 4.1.1 cannot verify the user\r\n", b"554 5.7.1 Client blocked using bl.example\r\n", b"550 no\r\n"]
)
def test_what_is_not_about_the_address_or_not_for_good_tells_the_intake_nothing(world: World, said: bytes) -> None:
    send_to_server_that_says(world, said)
    assert told(world) == []


def test_an_outcome_told_twice_is_one_bounce(world: World) -> None:
    """A journal that was kept, and read once more after a second crash."""
    plan_for_many(world, 1)
    with reading(world.engine) as connection:
        touch_id = connection.scalars(select(Touch.id)).one()
    refused = Outcome(touch_id, TouchState.FAILED, Refusal.NO_SUCH_MAILBOX, "550 5.1.1 nobody", "smtp")
    for _ in range(2):
        with writing(world.engine) as connection:
            claims.record(connection, [refused], NOW)
    assert len(told(world)) == 1
