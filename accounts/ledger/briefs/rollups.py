"""What managers' roll-ups are written from, for all managers at once."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from accounts.briefs.material import clean
from accounts.briefs.rollup import ManagerWeek, Owed, RepWeek
from accounts.ledger.briefs.written import digests
from accounts.models import Account, Rep, RepAnswer, SlaClock
from accounts.playbook import Play
from accounts.vocabulary import ClockState, Duty, Side

WEEK = timedelta(days=7)


def read_weeks(connection: Connection, play: Play, now: datetime) -> list[ManagerWeek]:
    """The last seven days of every manager whose reps have accounts."""
    reps = connection.execute(select(Rep.id, Rep.name, Rep.manager_email).where(Rep.manager_email.is_not(None))).all()
    owned = _count(connection, select(Account.owner_id, func.count()).group_by(Account.owner_id))
    said = select(RepAnswer.rep_id, func.count()).where(RepAnswer.at > now - WEEK, RepAnswer.at <= now)
    answers = _count(connection, said.group_by(RepAnswer.rep_id))
    past, owed, ended = digests(connection, now), _owed(connection, play, now), _ended(connection, play, now)
    weeks = []
    for address in sorted({rep.manager_email for rep in reps}):
        theirs = [rep for rep in reps if rep.manager_email == address and owned[rep.id]]
        if not theirs:
            continue
        weeks.append(
            ManagerWeek(
                address=address,
                reps=tuple(
                    RepWeek(
                        clean(rep.name), owned[rep.id], answers[rep.id], len(past.get(rep.id, ())),
                        sum(sent.was_read for sent in past.get(rep.id, ())),
                    )
                    for rep in theirs
                ),
                owed=tuple(sorted((one for rep in theirs for one in owed[rep.id]), key=lambda one: one.due)),
                ended=sum(ended[rep.id, True] + ended[rep.id, False] for rep in theirs),
                in_time=sum(ended[rep.id, True] for rep in theirs),
            )
        )  # fmt: skip
    return weeks


def _count(connection: Connection, query: object) -> Counter[int]:
    return Counter({id: number for id, number in connection.execute(query) if id})  # type: ignore[call-overload]


def _owed(connection: Connection, play: Play, now: datetime) -> dict[int, list[Owed]]:
    query = (
        select(SlaClock.rep_id, Account.name, Rep.name.label("rep"), SlaClock.due_at, SlaClock.duty)
        .join(Account, Account.id == SlaClock.account_id)
        .join(Rep, Rep.id == SlaClock.rep_id)
        .where(SlaClock.play == play.key, SlaClock.side == Side.SALES, SlaClock.closed_at.is_(None))
        .where(SlaClock.due_at.is_not(None), SlaClock.started_at <= now)
    )
    found: dict[int, list[Owed]] = defaultdict(list)
    for rep_id, account, rep, due, duty in connection.execute(query):
        found[rep_id].append(Owed(clean(account), clean(rep), due, duty == Duty.ANSWER))
    return found


def _ended(connection: Connection, play: Play, now: datetime) -> Counter[tuple[int, bool]]:
    """(rep, whether in time) -> promises that ended in the last week; what lapsed was owed by nobody."""
    query = (
        select(SlaClock.rep_id, SlaClock.state, func.count())
        .where(SlaClock.play == play.key, SlaClock.side == Side.SALES, SlaClock.rep_id.is_not(None))
        .where(SlaClock.closed_at > now - WEEK, SlaClock.closed_at <= now, SlaClock.state != ClockState.LAPSED)
        .group_by(SlaClock.rep_id, SlaClock.state)
    )
    return Counter({(rep, state == ClockState.MET): number for rep, state, number in connection.execute(query)})
