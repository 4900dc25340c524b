"""Clocks in the ledger: kept from one look to the next, and read by either side."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, cast, func, insert, or_, select, text, update

from accounts.errors import NotFound, Refused
from accounts.ledger.announcements import untold
from accounts.ledger.bulk import among
from accounts.models import (
    Account,
    Letter,
    Rep,
    SlaClock,
    Stakeholder,
)
from accounts.sla.causes import HISTORY, SIDE_OF, Cause, End
from accounts.sla.clocks import Clock
from accounts.sla.hours import Span
from accounts.sla.keeping import WORD
from accounts.sla.letters import ESCALATED
from accounts.sla.owed import Owing
from accounts.vocabulary import (
    About,
    ClockState,
    Duty,
    Side,
)

#: Key of PostgreSQL's advisory lock: any number nobody else uses. Two looks at once would tell the same twice.
LOOKING = 0x7A4D51


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `tandem sla`: who owes what to whom, why, and where it stands."""

    id: int
    play: str
    side: Side
    duty: Duty
    state: ClockState
    account_id: int | None
    account: str | None
    person: str | None
    #: The rep who owes (sales), or to whom it is owed (marketing); None: nobody owns the account, or all reps.
    rep: str | None
    subject: str
    evidence: tuple[str, ...]
    started_at: datetime
    due_at: datetime | None
    paused: tuple[Span, ...]
    warned: tuple[tuple[int, datetime], ...]
    escalated_at: datetime | None
    escalated_to: str | None
    #: When the letter about that had reached them.
    told_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None


_LISTED = (
    select(SlaClock.__table__, Account.key.label("account"), Stakeholder.email.label("person"),
           Rep.email.label("rep"), Letter.delivered_at.label("told_at"))
    .outerjoin(Letter, Letter.subject == func.replace(ESCALATED, "{}", cast(SlaClock.id, String)))
    .outerjoin(Account, Account.id == SlaClock.account_id)
    .outerjoin(Stakeholder, Stakeholder.id == SlaClock.stakeholder_id)
    .outerjoin(Rep, Rep.id == SlaClock.rep_id)
    .order_by(SlaClock.closed_at.is_not(None), SlaClock.due_at.is_(None), SlaClock.due_at, SlaClock.id)
)  # fmt: skip


def one_look_at_a_time(connection: Connection) -> None:
    """SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOOKING})


# ---- the clocks


def read_clocks(
    connection: Connection, play: str, now: datetime, only: Collection[int] | None = None
) -> dict[tuple[Duty, str], Clock]:
    """Clocks that may still change: open ones, and those that ended lately, since facts come out of order. only: of
    these accounts."""
    lately = or_(SlaClock.closed_at.is_(None), SlaClock.closed_at > now - HISTORY)
    query = select(SlaClock.__table__).where(SlaClock.play == play, lately, SlaClock.started_at <= now)
    theirs = query if only is None else query.where(among(connection, SlaClock.account_id, sorted(only)))
    clocks = (_clock(row) for row in connection.execute(theirs))
    return {(clock.cause.duty, clock.cause.subject): clock for clock in clocks}


def write_clocks(connection: Connection, play: str, clocks: Sequence[Clock]) -> None:
    """New clocks are inserted, known ones brought up to date."""
    known = {
        (Duty(row.duty), row.subject): row.id
        for row in connection.execute(
            select(SlaClock.id, SlaClock.duty, SlaClock.subject).where(
                among(connection, SlaClock.subject, sorted({clock.cause.subject for clock in clocks}))
            )
        )
    }
    rows = [(known.get((clock.cause.duty, clock.cause.subject)), _values(clock)) for clock in clocks]
    if new := [{"play": play, **values} for id, values in rows if id is None]:
        connection.execute(insert(SlaClock), new)
    if changed := [{"row": id, **values} for id, values in rows if id is not None]:
        columns: dict[str, Any] = {name: bindparam(name) for name in changed[0] if name != "row"}
        table: Any = SlaClock.__table__
        connection.execute(update(table).where(table.c.id == bindparam("row")).values(columns), changed)


def running(connection: Connection, clock_id: int, at: datetime) -> Listed:
    """A clock whose promise somebody may call kept. Raises NotFound; Refused for one that has stopped."""
    found = list_clocks(connection, clock_id=clock_id, closed=True)
    if not found:
        raise NotFound(f"no clock {clock_id}", cure="tandem sla lists them")
    (clock,) = found
    if clock.closed_at is not None:
        raise Refused(f"clock {clock_id} has stopped: {clock.closed_by}", cure="nothing is owed any more")
    if at < clock.started_at:
        raise Refused(f"clock {clock_id} has not started at that time")
    return clock


def stop(connection: Connection, clock: Listed, *, by: str, at: datetime) -> Listed:
    """A person's word that its promise was kept."""
    late = clock.due_at is not None and clock.due_at <= at
    state = ClockState.BREACHED if late else ClockState.MET
    word = f"{WORD}{by}"[:300]
    running = update(SlaClock).where(SlaClock.id == clock.id, SlaClock.closed_at.is_(None))
    connection.execute(running.values(closed_at=at, closed_by=word, state=state))
    return replace(clock, closed_at=at, closed_by=word, state=state)


def unannounced(connection: Connection, at: datetime) -> list[Listed]:
    """Broken promises that were escalated and of which nobody who listens was told."""
    broken = _LISTED.where(SlaClock.escalated_at <= at, untold(About.PROMISE, SlaClock.id))
    return [_listed(row) for row in connection.execute(broken)]


def list_clocks(
    connection: Connection, *, play: str | None = None, account: str | None = None, rep: int | None = None,
    side: Side | None = None, clock_id: int | None = None, closed: bool = False, only: Collection[int] | None = None,
) -> list[Listed]:  # fmt: skip
    """Clocks as either side reads them, what is due first; `closed`: those that have stopped as well. only: of these
    accounts."""
    wanted = {
        SlaClock.play: play, Account.key: account, SlaClock.rep_id: rep, SlaClock.side: side, SlaClock.id: clock_id
    }  # fmt: skip
    query = _LISTED.where(*(column == value for column, value in wanted.items() if value is not None))
    if only is not None:
        query = query.where(among(connection, SlaClock.account_id, sorted(only)))
    rows = connection.execute(query if closed else query.where(SlaClock.closed_at.is_(None)))
    return [_listed(row) for row in rows]


def sales_owes(connection: Connection, accounts: Sequence[int], as_of: datetime) -> dict[int, Owing | None]:
    """Account -> what sales owes there as of a time, for the brief: what is due first.

    None: a clock was kept lately and nothing is due, since it was answered or a hold without an end pauses it. Accounts
    without a clock are missing.
    """
    query = (
        select(SlaClock.__table__)
        .where(among(connection, SlaClock.account_id, accounts), SlaClock.side == Side.SALES)
        .where(SlaClock.started_at <= as_of, or_(SlaClock.closed_at.is_(None), SlaClock.closed_at > as_of - HISTORY))
        .order_by(SlaClock.due_at, SlaClock.id)
    )
    found: dict[int, Owing | None] = {}
    for row in connection.execute(query):
        is_due = row.due_at is not None and (row.closed_at is None or row.closed_at > as_of)
        if not is_due or found.get(row.account_id):
            found.setdefault(row.account_id, None)
            continue
        is_asked, proof = row.duty == Duty.ANSWER, tuple(row.evidence)
        found[row.account_id] = Owing(row.started_at, row.due_at, row.stakeholder_id, is_asked, proof)
    return found


# ---- rows and values


def _values(clock: Clock) -> dict[str, Any]:
    cause, end = clock.cause, clock.end
    return {
        "side": SIDE_OF[cause.duty], "duty": cause.duty, "subject": cause.subject, "account_id": cause.account,
        "stakeholder_id": cause.person, "rep_id": clock.rep, "evidence": list(cause.evidence),
        "happened_at": cause.happened_at, "started_at": cause.started_at, "due_at": clock.due_at,
        "paused": [[_text(starts), _text(ends)] for starts, ends in clock.paused],
        "warned": [[percent, _text(at)] for percent, at in clock.warned], "state": clock.state,
        "escalated_at": clock.escalated_at, "escalated_to": clock.escalated_to,
        "closed_at": end and end.at, "closed_by": end and end.by[:300],
    }  # fmt: skip


def _clock(row: Row[Any]) -> Clock:
    evidence = tuple(row.evidence)
    cause = Cause(
        Duty(row.duty), row.subject, row.happened_at, row.started_at, evidence, row.account_id, row.stakeholder_id
    )  # fmt: skip
    state = ClockState(row.state)
    end = End(row.closed_at, row.closed_by, state is not ClockState.LAPSED) if row.closed_at else None
    return Clock(
        cause, row.rep_id, row.due_at, _spans(row.paused), state, _told(row.warned), row.escalated_at,
        row.escalated_to, end,
    )  # fmt: skip


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        id=row.id,
        play=row.play,
        side=Side(row.side),
        duty=Duty(row.duty),
        state=ClockState(row.state),
        account_id=row.account_id,
        account=row.account,
        person=row.person,
        rep=row.rep,
        subject=row.subject,
        evidence=tuple(row.evidence),
        started_at=row.started_at,
        due_at=row.due_at,
        paused=_spans(row.paused),
        warned=_told(row.warned),
        escalated_at=row.escalated_at,
        escalated_to=row.escalated_to,
        told_at=row.told_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
    )


def _spans(values: Iterable[Sequence[str | None]]) -> tuple[Span, ...]:
    return tuple((datetime.fromisoformat(str(starts)), _time(ends)) for starts, ends in values)


def _told(values: Iterable[Sequence[Any]]) -> tuple[tuple[int, datetime], ...]:
    return tuple((int(percent), datetime.fromisoformat(at)) for percent, at in values)


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
