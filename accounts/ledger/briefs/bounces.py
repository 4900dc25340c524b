"""Briefs that came back: they did not reach their rep, and whoever looks after Tandem hears of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from accounts.models import Brief, BriefDelivery, Rep
from accounts.vocabulary import BriefState

#: The road that bounces come back on.
MAIL = "email"
#: What a brief can be when it bounces.
_LEFT = (BriefState.SENDING, BriefState.DELIVERED, BriefState.UNKNOWN)
#: What tells whether a rep can be reached.
_TRIED = (BriefState.DELIVERED, BriefState.FAILED)


@dataclass(frozen=True, slots=True)
class Unreached:
    """A rep whose last brief failed."""

    email: str
    as_of: datetime
    error: str


def fail_briefs(connection: Connection, errors: Mapping[int, str]) -> None:
    """These came back by mail: brief -> what the server said. The next brief tells their news again.

    One that another road delivered stays delivered.
    """
    for brief_id, error in sorted(errors.items()):
        failed = {"state": BriefState.FAILED, "delivered_at": None, "error": error[:300]}
        road = update(BriefDelivery).where(BriefDelivery.brief_id == brief_id, BriefDelivery.channel == MAIL)
        connection.execute(road.where(BriefDelivery.state.in_(_LEFT)).values(failed))
        other = select(BriefDelivery.id).where(
            BriefDelivery.brief_id == brief_id, BriefDelivery.state == BriefState.DELIVERED
        )  # fmt: skip
        brief = update(Brief).where(Brief.id == brief_id, Brief.state.in_(_LEFT), ~other.exists())
        connection.execute(brief.values(failed))


def unreached_reps(connection: Connection) -> list[Unreached]:
    """Reps whose latest brief that was tried failed, by address."""
    latest = (
        select(Brief.rep_id, func.max(Brief.as_of).label("as_of"))
        .where(Brief.state.in_(_TRIED))
        .group_by(Brief.rep_id)
        .subquery()
    )
    query = (
        select(Rep.email, Brief.as_of, func.coalesce(Brief.error, ""))
        .join(Rep, Rep.id == Brief.rep_id)
        .join(latest, (latest.c.rep_id == Brief.rep_id) & (latest.c.as_of == Brief.as_of))
        .where(Brief.state == BriefState.FAILED)
        .order_by(Rep.email)
    )
    return [Unreached(*row) for row in connection.execute(query)]
