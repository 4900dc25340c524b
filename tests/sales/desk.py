"""Reps who answer, and what the ledger says of it."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from accounts.answers import AnswerKind, Said, Told, Via
from accounts.ledger.audit import read_audit, verify
from accounts.ledger.engine import reading
from accounts.models import Decision, RepAnswer, Touch
from flows.sales import answers
from tests.cast import NOW, PLAY, World
from tests.sending.desk import open_play

PLAY_IN_USE = open_play()
#: For what no database has a say in.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PILOT = f"{PLAY}/evaluation/pilot"
NUMBERS = f"{PLAY}/evaluation/three-numbers"


def say(
    world: World, kind: str, account: str = "acme", person: str | None = None, *, by: str | None = "ravi",
    now: datetime = NOW, via: Via = Via.WEB, signed: str = "", **more: Any,
) -> Told:  # fmt: skip
    """A rep of the cast answers; with `by` None, somebody who is no rep and signs as `signed`."""
    about = world.people[person] if person else None
    said = Said(AnswerKind(kind), world.accounts[account], about, **more)
    rep = world.reps[by] if by else None
    return answers.answer(world.engine, PLAY_IN_USE, said, by=signed, rep_id=rep, via=via, now=now)


def kept(world: World) -> list[Any]:
    """The answers as they were kept, in their order."""
    with reading(world.engine) as connection:
        return list(connection.execute(select(RepAnswer.__table__).order_by(RepAnswer.id)))


def audited(world: World) -> list[tuple[str, str, str]]:
    with reading(world.engine) as connection:
        assert verify(connection).is_whole
        return [(row.actor, row.action, row.subject) for row in reversed(read_audit(connection))]


def decided(world: World, person: str) -> tuple[str, str | None]:
    """What planning says of somebody, as it is stored."""
    with reading(world.engine) as connection:
        row = select(Decision.answer, Decision.reason).where(Decision.stakeholder_id == world.people[person])
        answer, reason = connection.execute(row).one()
        return answer, reason


def touches(world: World, person: str) -> list[tuple[str, str, str | None]]:
    """Content, state and reason of each touch of somebody."""
    with reading(world.engine) as connection:
        theirs = select(Touch.content, Touch.state, Touch.reason).where(Touch.stakeholder_id == world.people[person])
        return list(connection.execute(theirs.order_by(Touch.id)).tuples())


__all__ = ["NUMBERS", "PILOT", "PLAY_IN_USE", "audited", "decided", "kept", "on_sqlite", "say", "touches"]
