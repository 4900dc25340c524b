"""The roads of briefs in the ledger: what waits, which road has it, how that ended.

A road is claimed, and the brief with it, before anything leaves. What stays claimed because a process died is `unknown`
and goes nowhere again: the rep's next brief says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, String, TableValuedAlias, cast, column, func, select, true, update

from accounts.briefs.roads import Next, Tried
from accounts.ledger.announcements import untold
from accounts.ledger.briefs.written import STUCK_AFTER, Written, claim_brief, settle_brief
from accounts.ledger.bulk import among, insert_into
from accounts.models import Brief, BriefDelivery, Rep, RepAnswer
from accounts.types import Key
from accounts.vocabulary import About, BriefState

#: A brief that could not be delivered for so long has been overtaken by what happened since.
FRESH = timedelta(days=3)
#: Messages are changed for as long as their links are good.
CHANGED_FOR = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A written brief that no road has taken yet, and what each road did so far."""

    written: Written
    tried: Mapping[str, Tried]


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivered message that does not show yet what was answered."""

    delivery_id: int
    channel: str
    ref: str
    brief_id: int
    rep_id: int
    payload: dict[str, Any]
    #: When the latest answer came that it is to show.
    latest: datetime


class Undelivered(NamedTuple):
    """A brief that no road took."""

    id: int
    rep_email: str
    as_of: datetime
    why: str | None


@dataclass(frozen=True, slots=True)
class Went:
    """How one road of one brief went."""

    brief_id: int
    rep_id: int
    as_of: datetime
    channel: str
    state: BriefState
    attempts: int
    delivered_at: datetime | None
    retry_at: datetime | None
    error: str | None


def waiting(connection: Connection, now: datetime, rep_id: int | None = None) -> list[Waiting]:
    """Briefs of up to `now` that are written and not on their way, the oldest first."""
    planned = select(Brief.id, Brief.rep_id, Brief.payload).where(
        Brief.state == BriefState.PLANNED, Brief.as_of <= now, Brief.as_of > now - FRESH
    )
    query = planned.where(Brief.rep_id == rep_id) if rep_id else planned
    rows = connection.execute(query.order_by(Brief.as_of, Brief.id)).all()
    roads = _tried(connection, [row.id for row in rows])
    return [
        Waiting(
            Written(row.id, row.rep_id, datetime.fromisoformat(row.payload["since"]), row.payload),
            roads.get(row.id, {}),
        )
        for row in rows
    ]


def claim(connection: Connection, written: Written, step: Next, now: datetime, message_id: str) -> bool:
    """Takes a brief for one road; False when another run has it. Commit before anything leaves."""
    if not claim_brief(connection, written, now, message_id):
        return False
    _write(connection, written.id, step, state=BriefState.SENDING, claimed_at=now)
    return True


def settle(
    connection: Connection, written: Written, step: Next, state: BriefState, now: datetime, *, by: str,
    ref: str | None = None, error: str | None = None, retry_at: datetime | None = None,
) -> None:  # fmt: skip
    """How a claimed road ended. The brief goes with it, unless another road is left: then it waits for that."""
    is_over = state is not BriefState.FAILED or step.is_last
    of_brief = state if is_over else BriefState.PLANNED
    settle_brief(connection, written.id, of_brief, at=now, channel=by, error=error)
    delivered_at = now if state is BriefState.DELIVERED else None
    said = error and error[:300]
    _write(
        connection, written.id, step, state=state, delivered_at=delivered_at, ref=ref, error=said, retry_at=retry_at
    )  # fmt: skip


def pass_by(
    connection: Connection, written: Written, step: Next, state: BriefState, *, error: str
) -> None:  # fmt: skip
    """A try that ended before anything could leave: the road is closed at the moment, or the words do not fit it.

    A road that another run has meanwhile is left alone.
    """
    _write(connection, written.id, step, BriefDelivery.state == BriefState.PLANNED, state=state, error=error[:300])


def doubt_stuck(connection: Connection, now: datetime) -> None:
    """Roads whose sender died become `unknown`, as their briefs do."""
    stuck = (BriefDelivery.state == BriefState.SENDING, BriefDelivery.claimed_at < now - STUCK_AFTER)
    died = {"state": BriefState.UNKNOWN, "error": "the sending process died"}
    connection.execute(update(BriefDelivery).where(*stuck).values(**died))


def outdated(connection: Connection, now: datetime) -> list[Shown]:
    """Messages that have a name of their own, of whose accounts one was answered since, wherever that was said.

    Since: after the brief was written, and after what the message shows already.
    """
    latest = func.max(RepAnswer.at)
    shown_at = func.coalesce(BriefDelivery.updated_at, Brief.as_of)
    told, account = _accounts_told(connection)
    query = (
        select(
            BriefDelivery.id, BriefDelivery.channel, BriefDelivery.ref, Brief.id.label("brief"), Brief.rep_id,
            latest.label("latest"),
        )
        .join(Brief, Brief.id == BriefDelivery.brief_id)
        .join(told, true())
        .join(RepAnswer, RepAnswer.account_id == account)
        .where(BriefDelivery.state == BriefState.DELIVERED)
        .where(BriefDelivery.ref.is_not(None), BriefDelivery.delivered_at > now - CHANGED_FOR)
        .where(RepAnswer.at > shown_at, RepAnswer.at <= now)
        .group_by(BriefDelivery.id, BriefDelivery.channel, BriefDelivery.ref, Brief.id, Brief.rep_id)
        .order_by(BriefDelivery.id)
    )  # fmt: skip
    rows = connection.execute(query).all()
    wanted = among(connection, Brief.id, [row.brief for row in rows])
    payloads = dict(connection.execute(select(Brief.id, Brief.payload).where(wanted)).tuples().all())
    return [
        Shown(row.id, row.channel, row.ref, row.brief, row.rep_id, payloads[row.brief], row.latest) for row in rows
    ]  # fmt: skip


def mark_shown(connection: Connection, delivery_id: int, at: datetime) -> None:
    """The message shows every answer of up to `at`, or never will."""
    connection.execute(update(BriefDelivery).where(BriefDelivery.id == delivery_id).values(updated_at=at))


def latest(connection: Connection, rep_id: int | None = None, limit: int = 20) -> list[Went]:
    """The latest tries, newest brief first; of one rep, or of all."""
    query = (
        select(
            Brief.id, Brief.rep_id, Brief.as_of, BriefDelivery.channel, BriefDelivery.state, BriefDelivery.attempts,
            BriefDelivery.delivered_at, BriefDelivery.retry_at, BriefDelivery.error,
        )
        .join(Brief, Brief.id == BriefDelivery.brief_id)
        .order_by(Brief.as_of.desc(), BriefDelivery.id.desc())
    )  # fmt: skip
    rows = connection.execute((query.where(Brief.rep_id == rep_id) if rep_id else query).limit(limit))
    return [
        Went(id, rep, as_of, channel, BriefState(state), *rest) for id, rep, as_of, channel, state, *rest in rows
    ]  # fmt: skip


def _accounts_told(connection: Connection) -> tuple[TableValuedAlias, ColumnElement[int]]:
    """The accounts that a brief tells in full, as rows beside its own, and the id of each."""
    if connection.dialect.name == "sqlite":
        told = func.json_each(Brief.told).table_valued("value", name="told")
        return told, cast(told.c.value, Key)
    told = func.json_array_elements_text(Brief.told).table_valued(column("value", String), name="told")
    return told, cast(told.c.value, Key)


def _tried(connection: Connection, brief_ids: Sequence[int]) -> dict[int, dict[str, Tried]]:
    query = select(
        BriefDelivery.brief_id, BriefDelivery.channel, BriefDelivery.state, BriefDelivery.attempts,
        BriefDelivery.retry_at,
    ).where(among(connection, BriefDelivery.brief_id, brief_ids))  # fmt: skip
    found: dict[int, dict[str, Tried]] = {}
    for brief, channel, state, attempts, retry_at in connection.execute(query):
        found.setdefault(brief, {})[channel] = Tried(BriefState(state), attempts, retry_at)
    return found


def _write(connection: Connection, brief_id: int, step: Next, where: Any = None, **values: Any) -> None:
    key = {"brief_id": brief_id, "channel": step.road}
    row = {**key, "attempts": step.attempt, "retry_at": None, "error": None, **values}
    insert = insert_into(connection, BriefDelivery).values(row)
    rest = {name: value for name, value in row.items() if name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=rest, where=where))


def unannounced_failures(connection: Connection, since: datetime, at: datetime) -> list[Undelivered]:
    """Briefs of `since` up to `at` that no road took and that nobody who listens was told of, the oldest first."""
    query = (
        select(Brief.id, Rep.email, Brief.as_of, Brief.error)
        .join(Rep, Rep.id == Brief.rep_id)
        .where(Brief.state == BriefState.FAILED, Brief.as_of > since, Brief.as_of <= at)
        .where(untold(About.BRIEF, Brief.id))
        .order_by(Brief.id)
    )
    return [Undelivered(*row) for row in connection.execute(query)]
