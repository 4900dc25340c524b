"""The members of a send plan and their seals, read a page at a time: a plan of any size takes the same memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, exists, insert, select

from accounts.errors import PlanRefused
from accounts.identity import domain_hash, domain_of, email_hash
from accounts.ledger.bulk import as_list, in_one_piece, listed, pieces
from accounts.models import Certificate, PlanMember, Touch
from accounts.seals import Roll, Sealed
from accounts.types import Key
from accounts.vocabulary import TouchState

#: Members read at once.
PAGE = 2_000

_FACTS = (
    Touch.id, Touch.stakeholder_id, Touch.address, Touch.content, Touch.content_digest, Touch.stage,
    Touch.play_version,
)  # fmt: skip


def enrol(connection: Connection, plan_id: int) -> Roll:
    """Every planned touch of the plan becomes a member, with the seal it has now."""
    roll = Roll()
    for page in _pages(connection, _planned(plan_id), Touch.id):
        members = [Sealed(*row) for row in page]
        connection.execute(insert(PlanMember), [_member(plan_id, member) for member in members])
        for member in members:
            roll.add(member.touch_id, member.seal)
    return roll


def leave_out_all_but_planned(connection: Connection, plan_id: int) -> None:
    """Who was cancelled since the freezing is no member any more."""
    stays = select(Touch.id).where(Touch.plan_id == plan_id, Touch.state == TouchState.PLANNED)
    connection.execute(delete(PlanMember).where(PlanMember.plan_id == plan_id, PlanMember.touch_id.not_in(stays)))


def call_roll(connection: Connection, plan_id: int) -> Roll:
    """The planned touches of the plan, each of which must be a member and as it was enrolled.

    Raises PlanRefused when one is not.
    """
    is_member = and_(PlanMember.plan_id == plan_id, PlanMember.touch_id == Touch.id)
    planned = _planned(plan_id).add_columns(PlanMember.seal).outerjoin(PlanMember, is_member)
    roll = Roll()
    for page in _pages(connection, planned, Touch.id):
        for *facts, enrolled in page:
            seal = Sealed(*facts).seal
            if seal != enrolled:
                raise PlanRefused("it was altered since it was frozen", where=f"plan {plan_id}")
            roll.add(facts[0], seal)
    return roll


def prove(connection: Connection, plan_id: int, now: datetime) -> None:
    """That the plan has a live certificate, and its members are the ones it names.

    Raises PlanRefused: no certificate, ended, revoked, for another digest, or for other members.
    """
    where = f"plan {plan_id}"
    row = connection.execute(select(Certificate).where(Certificate.plan_id == plan_id)).one_or_none()
    if row is None:
        raise PlanRefused("it has no certificate", where=where)
    if row.revoked_at is not None:
        raise PlanRefused("its certificate was revoked", where=where)
    if row.expires_at <= now:
        raise PlanRefused("its certificate has ended", where=where)
    roll = _roll_of_members(connection, plan_id)
    if (roll.size, roll.digest) != (row.members, row.digest):
        raise PlanRefused("its members are not the certified ones", where=where)
    if _has_a_stranger(connection, plan_id):
        raise PlanRefused("somebody was added after it was certified", where=where)


def seals_of(connection: Connection, plan_id: int, touch_ids: Sequence[int]) -> dict[int, str]:
    """Touch id -> the seal it was certified with; those that are no members are left out."""
    dialect = connection.dialect.name
    asked = {"plan": plan_id, "ids": as_list(dialect, touch_ids)}
    return dict(map(tuple, pieces(connection, _seals(dialect), asked)))


@cache
def _seals(dialect: str) -> Select[Any]:
    """Of: plan, ids. Made once: sending asks it for every batch."""
    of_plan = PlanMember.plan_id == bindparam("plan", type_=Key)
    found = select(PlanMember.touch_id, PlanMember.seal).where(of_plan, listed(dialect, PlanMember.touch_id, "ids"))
    return in_one_piece(dialect, found)


def _roll_of_members(connection: Connection, plan_id: int) -> Roll:
    roll = Roll()
    members = select(PlanMember.touch_id, PlanMember.seal).where(PlanMember.plan_id == plan_id)
    for page in _pages(connection, members, PlanMember.touch_id):
        for touch_id, seal in page:
            roll.add(touch_id, seal)
    return roll


def _has_a_stranger(connection: Connection, plan_id: int) -> bool:
    """A touch that could leave with the plan and is no member."""
    member = select(PlanMember.touch_id).where(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
    leaving = (Touch.plan_id == plan_id, Touch.state.in_((TouchState.PLANNED, TouchState.CERTIFIED)))
    return connection.scalar(select(Touch.id).where(*leaving, ~exists(member)).limit(1)) is not None


def _planned(plan_id: int) -> Select[Any]:
    return select(*_FACTS).where(Touch.plan_id == plan_id, Touch.state == TouchState.PLANNED)


def _pages(connection: Connection, query: Select[Any], key: Any) -> Iterator[Sequence[Row[Any]]]:
    """The rows of a query by rising `key`, its first column."""
    last = 0
    while page := connection.execute(query.where(key > last).order_by(key).limit(PAGE)).all():
        yield page
        last = page[-1][0]


def _member(plan_id: int, member: Sealed) -> dict[str, Any]:
    return {
        "plan_id": plan_id, "touch_id": member.touch_id, "seal": member.seal,
        "email_hash": email_hash(member.address), "domain_hash": domain_hash(domain_of(member.address)),
    }  # fmt: skip
