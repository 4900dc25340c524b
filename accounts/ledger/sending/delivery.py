"""Who got a send plan, and who did not and why: every touch that was ever certified or is now in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, literal, null, or_, select

from accounts.ledger.planning.brakes import reason_now
from accounts.ledger.planning.plans import Plan, read_plan
from accounts.models import Account, PlanMember, Stakeholder, Touch
from accounts.touch_states import explain
from accounts.vocabulary import TouchState

T = TouchState

#: In the order they are told. Both states of waiting are one answer to whoever asks.
ORDER: tuple[str, ...] = ("sent", "failed", "unknown", "sending", "waiting", "cancelled", "expired", "vetoed")
ANSWERS: Mapping[TouchState, str] = {T.PLANNED: "waiting", T.CERTIFIED: "waiting"}

#: Why somebody of a certified plan stands in another one now.
PLANNED_AGAIN = "planned_again"


@dataclass(frozen=True, slots=True)
class Line:
    """One person of a plan. `at`: when it was sent or tried; for what never left, when it was due."""

    touch: int
    answer: str
    reason: str | None
    account: str
    #: The address it was certified for.
    address: str
    name: str
    content: str
    at: datetime | None
    attempts: int
    provider: str | None
    provider_id: str | None
    message_id: str | None
    #: What the server or provider said last.
    error: str | None
    #: The plan it stands in now, if that is another one.
    plan_now: int | None

    @property
    def why(self) -> str:
        """The reason as words, with what the server said; empty for what was simply sent."""
        words = _words(self.reason) if self.reason else ""
        again = f" in plan {self.plan_now}" if self.plan_now else ""
        return ": ".join(part for part in (words + again, self.error) if part)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a plan."""

    plan: Plan
    #: (answer, reason) -> how many touches, in the order of ORDER, the most frequent reason first.
    counts: Mapping[tuple[str, str | None], int]
    lines: Sequence[Line]

    @property
    def answers(self) -> dict[str, int]:
        """Answer -> how many touches; only those there are."""
        totals: dict[str, int] = {}
        for (answer, _), count in self.counts.items():
            totals[answer] = totals.get(answer, 0) + count
        return totals

    @property
    def size(self) -> int:
        return sum(self.counts.values())

    def of(self, answer: str) -> list[Line]:
        """The lines with this answer."""
        return [line for line in self.lines if line.answer == answer]

    def reasons(self, answer: str) -> list[tuple[str, int]]:
        """Why, for those with this answer, in words with counts."""
        return [(_words(why), count) for (said, why), count in self.counts.items() if said == answer and why]


def read_delivery(connection: Connection, plan_id: int, *, most: int | None = None) -> Delivery:
    """Everybody of a plan with what became of it. `most`: lines for each answer, None for all; counts are complete.

    Raises NotFound.
    """
    plan = read_plan(connection, plan_id)
    members = _members(plan_id).subquery()
    columns = members.c
    grouped = select(columns.state, columns.reason, func.count().label("count")).group_by(columns.state, columns.reason)
    place = func.row_number().over(partition_by=columns.state, order_by=columns.id).label("place")
    numbered = select(members, place).subquery()
    query = select(numbered).order_by(numbered.c.id)
    rows = connection.execute(query if most is None else query.where(numbered.c.place <= most))
    lines = sorted(map(_line, rows), key=lambda line: ORDER.index(line.answer))
    return Delivery(plan, _counts(connection.execute(grouped)), lines)


def _members(plan_id: int) -> Select[Any]:
    """Touches of the plan; those that planning has chosen again since count as cancelled here."""
    moved = or_(Touch.plan_id.is_(None), Touch.plan_id != plan_id)
    certified = select(PlanMember.touch_id).where(PlanMember.plan_id == plan_id)
    now = (Touch.sent_at, Touch.claimed_at, Touch.due_at)
    return (
        select(
            Touch.id,
            case((moved, literal(T.CANCELLED.value)), else_=Touch.state).label("state"),
            case((moved, literal(PLANNED_AGAIN)), else_=reason_now()).label("reason"),
            Account.key.label("account"), Touch.address, Stakeholder.first_name, Stakeholder.last_name, Touch.content,
            case((moved, null()), else_=func.coalesce(*now)).label("at"), Touch.attempts, Touch.provider,
            Touch.provider_id, Touch.message_id, case((moved, null()), else_=Touch.error).label("error"),
            case((moved, Touch.plan_id), else_=null()).label("plan_now"),
        )
        .join(Account, Account.id == Touch.account_id)
        .outerjoin(Stakeholder, Stakeholder.id == Touch.stakeholder_id)
        .where(or_(Touch.plan_id == plan_id, Touch.id.in_(certified)))
    )  # fmt: skip


def _line(row: Row[Any]) -> Line:
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    return Line(
        row.id, _answer(row.state), row.reason, row.account, row.address, name, row.content, row.at, row.attempts,
        row.provider, row.provider_id, row.message_id, row.error, row.plan_now,
    )  # fmt: skip


def _counts(rows: Iterable[Row[Any]]) -> dict[tuple[str, str | None], int]:
    counts: dict[tuple[str, str | None], int] = {}
    for state, reason, count in rows:
        key = (_answer(state), reason)
        counts[key] = counts.get(key, 0) + count
    ordered = sorted(counts, key=lambda key: (ORDER.index(key[0]), -counts[key], key[1] or ""))
    return {key: counts[key] for key in ordered}


def _answer(state: str) -> str:
    return ANSWERS.get(TouchState(state), state)


def _words(reason: str) -> str:
    return explain(reason).replace("_", " ") if reason == PLANNED_AGAIN else explain(reason)
