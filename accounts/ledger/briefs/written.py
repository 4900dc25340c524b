"""Briefs in the ledger: when each rep was last told, what is written, and the claim that keeps one from going twice.

A brief is `planned` when it is written, `sending` before its bytes leave and `delivered` after. What stays in `sending`
because a process died becomes `unknown`: nobody knows whether it arrived, so it is never sent again and the rep's next
brief mentions it. What never left is `superseded` by the next brief, which tells its news as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from accounts.briefs.rhythm import SHORTEST, USUAL, Manner, Sent, manner_of
from accounts.errors import NotFound, Refused
from accounts.ledger.bulk import among, chunks, insert_into
from accounts.models import Brief, Rep, RepAnswer, Stakeholder
from accounts.vocabulary import BriefState

#: The first brief tells of the last seven days.
FIRST_LOOK = timedelta(days=7)
#: A brief that has been `sending` for longer belongs to a process that died.
STUCK_AFTER = timedelta(minutes=15)

#: The rep has read these, as far as anybody can know.
_TOLD = (BriefState.DELIVERED, BriefState.UNKNOWN, BriefState.SENDING)
#: These and those on their way count for the rhythm.
_WRITTEN = (*_TOLD, BriefState.PLANNED)

#: What a brief is: about all accounts with news, or about one that turned hot in between.
DIGEST, JUMP = "digest", "jump"
#: How far back the rhythm looks.
REMEMBERED = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Look:
    """A rep, and where their last brief ended."""

    rep_id: int
    name: str
    email: str
    timezone: str | None
    since: datetime
    is_first: bool
    #: Signals of the hour before `since` that the last brief knew of.
    known: frozenset[int] = frozenset()
    #: Briefs since the last one that certainly arrived: (id, as of).
    doubtful: tuple[tuple[int, datetime], ...] = ()
    manner: Manner = USUAL
    #: When they came back, if that was since the last brief.
    back_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A stored brief that waits for its delivery."""

    id: int
    rep_id: int
    #: Its news begin here.
    since: datetime
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `tandem brief --list`."""

    id: int
    rep_email: str
    rep_name: str
    as_of: datetime
    words: int
    state: BriefState
    delivered_at: datetime | None
    channel: str | None
    error: str | None


def find_rep(connection: Connection, who: str) -> int:
    """The id of a rep by address, by the part before the @, or by name. Raises NotFound, or Refused when two fit."""
    wanted = who.strip().lower()
    query = select(Rep.id, Rep.email, Rep.name).where(
        or_(Rep.email == wanted, Rep.email.startswith(f"{wanted}@", autoescape=True), func.lower(Rep.name) == wanted)
    )
    found = connection.execute(query.order_by(Rep.id)).all()
    if not found:
        raise NotFound(f"no rep {who!r}", cure="`tandem brief --list` names the reps who got briefs")
    if len(found) > 1:
        raise Refused(f"{len(found)} reps are called {who!r}", cure=f"say {' or '.join(row.email for row in found)}")
    return int(found[0].id)


def read_looks(connection: Connection, as_of: datetime, rep_id: int | None = None) -> list[Look]:
    """Every rep, or one, with the time their last brief before `as_of` told up to."""
    last = _last_told(as_of)
    query = (
        select(
            Rep.id,
            Rep.name,
            Rep.email,
            Rep.timezone,
            Rep.away_until,
            Brief.as_of,
            Brief.payload["known"].label("known"),
        )
        .outerjoin(last, last.c.rep_id == Rep.id)
        .outerjoin(Brief, (Brief.rep_id == Rep.id) & (Brief.as_of == last.c.as_of))
        .order_by(Rep.id)
    )
    rows = connection.execute(query.where(Rep.id == rep_id) if rep_id else query).all()
    doubts, past = _doubtful(connection, as_of), digests(connection, as_of, rep_id)
    return [
        Look(
            rep_id=row.id,
            name=row.name,
            email=row.email,
            timezone=row.timezone,
            since=row.as_of or as_of - FIRST_LOOK,
            is_first=row.as_of is None,
            known=frozenset(row.known or ()),
            doubtful=tuple(doubts.get(row.id, ())),
            manner=manner_of(past.get(row.id, ()), as_of),
            back_since=row.away_until if row.as_of and row.away_until and row.as_of < row.away_until <= as_of else None,
        )
        for row in rows
    ]


def digests(connection: Connection, as_of: datetime, rep_id: int | None = None) -> dict[int, list[Sent]]:
    """Rep -> their last digests, the newest first: when, and whether it was opened or answered."""
    place = func.row_number().over(partition_by=Brief.rep_id, order_by=Brief.as_of.desc()).label("place")
    recent = select(Brief.id, Brief.rep_id, Brief.as_of, Brief.opened_at, place).where(
        Brief.kind == DIGEST, Brief.state.in_(_WRITTEN), Brief.as_of < as_of, Brief.as_of > as_of - REMEMBERED
    )
    ranked = (recent.where(Brief.rep_id == rep_id) if rep_id else recent).subquery()
    query = select(ranked).where(ranked.c.place <= SHORTEST.unread + 1).order_by(ranked.c.rep_id, ranked.c.place)
    given = select(RepAnswer.brief_id).where(RepAnswer.at > as_of - REMEMBERED, RepAnswer.brief_id.is_not(None))
    answered = set(connection.scalars(given.where(RepAnswer.at <= as_of)))
    found: dict[int, list[Sent]] = {}
    for row in connection.execute(query):
        was_read = row.id in answered or (row.opened_at is not None and row.opened_at <= as_of)
        found.setdefault(row.rep_id, []).append(Sent(row.as_of, was_read))
    return found


def _last_told(as_of: datetime) -> Any:
    return (
        select(Brief.rep_id, func.max(Brief.as_of).label("as_of"))
        .where(Brief.kind == DIGEST, Brief.state.in_(_TOLD), Brief.as_of < as_of)
        .group_by(Brief.rep_id)
        .subquery()
    )


def _doubtful(connection: Connection, as_of: datetime) -> dict[int, list[tuple[int, datetime]]]:
    """Briefs of unknown fate that no certainly delivered brief came after."""
    later = Brief.__table__.alias("later")
    certain = (
        select(later.c.id)
        .where(later.c.rep_id == Brief.rep_id, later.c.as_of > Brief.as_of, later.c.as_of < as_of)
        .where(later.c.state == BriefState.DELIVERED)
    )
    query = select(Brief.rep_id, Brief.id, Brief.as_of).where(
        Brief.state == BriefState.UNKNOWN, Brief.as_of < as_of, ~certain.exists()
    )
    found: dict[int, list[tuple[int, datetime]]] = {}
    for rep_id, id_, at in connection.execute(query.order_by(Brief.as_of)):
        found.setdefault(rep_id, []).append((id_, at))
    return found


def store_briefs(
    connection: Connection, briefs: Iterable[tuple[int, datetime, int, dict[str, Any]]], kind: str = DIGEST
) -> None:
    """Writes (rep, as of, words, payload) as `planned`; a brief that is there already stays as it is."""
    rows = [
        {"rep_id": rep, "as_of": as_of, "words": words, "payload": payload, "state": BriefState.PLANNED, "kind": kind}
        for rep, as_of, words, payload in briefs
    ]
    if rows:
        insert = insert_into(connection, Brief)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["rep_id", "as_of"]), rows)


def briefed_at(connection: Connection, as_of: datetime) -> set[int]:
    """The reps for whom a brief of exactly this time is written, whatever became of it."""
    return set(connection.scalars(select(Brief.rep_id).where(Brief.as_of == as_of)))


def supersede_older(connection: Connection, as_of: datetime, rep_ids: Sequence[int]) -> int:
    """Briefs of these reps that never left give way to the one of `as_of`; returns how many."""
    gone = 0
    for chunk in chunks(rep_ids):
        query = update(Brief).where(
            Brief.rep_id.in_(chunk), Brief.state == BriefState.PLANNED, Brief.as_of < as_of, Brief.kind == DIGEST
        )  # fmt: skip
        gone += connection.execute(query.values(state=BriefState.SUPERSEDED)).rowcount
    return gone


def doubt_stuck(connection: Connection, now: datetime) -> int:
    """Briefs whose sender died become `unknown`; returns how many."""
    query = update(Brief).where(Brief.state == BriefState.SENDING, Brief.claimed_at < now - STUCK_AFTER)
    return connection.execute(query.values(state=BriefState.UNKNOWN, error="the sending process died")).rowcount


def waiting_briefs(connection: Connection, as_of: datetime, rep_id: int | None = None) -> list[Written]:
    """Briefs of `as_of` that are written and not yet on their way."""
    query = select(Brief.id, Brief.rep_id, Brief.payload).where(
        Brief.as_of == as_of, Brief.state == BriefState.PLANNED
    )  # fmt: skip
    if rep_id:
        query = query.where(Brief.rep_id == rep_id)
    rows = connection.execute(query.order_by(Brief.id))
    return [Written(row.id, row.rep_id, datetime.fromisoformat(row.payload["since"]), row.payload) for row in rows]


def claim_brief(connection: Connection, written: Written, now: datetime, message_id: str) -> bool:
    """Takes a written brief for sending; False when it is taken. Commit before the bytes leave.

    When two runs of different times wrote a brief over the same news, the one that claims first tells it and the other
    is superseded. The rep's row is the lock, so that two claims cannot look past each other.
    """
    connection.execute(select(Rep.id).where(Rep.id == written.rep_id).with_for_update())
    other = Brief.__table__.alias("other")
    told = (
        select(other.c.id)
        .where(other.c.rep_id == written.rep_id, other.c.id != written.id)
        .where(other.c.state.in_(_TOLD), other.c.as_of > written.since, other.c.kind == DIGEST)
    )
    mine = update(Brief).where(Brief.id == written.id, Brief.state == BriefState.PLANNED)
    taken = {"state": BriefState.SENDING, "claimed_at": now, "message_id": message_id, "error": None}
    if connection.execute(mine.where(~told.exists()).values(taken)).rowcount == 1:
        return True
    connection.execute(mine.values(state=BriefState.SUPERSEDED))
    return False


def refuse_brief(connection: Connection, brief_id: int, error: str) -> None:
    """A brief that cannot even be written as a message."""
    query = update(Brief).where(Brief.id == brief_id, Brief.state == BriefState.PLANNED)
    connection.execute(query.values(state=BriefState.FAILED, error=error[:300]))


def settle_brief(
    connection: Connection, brief_id: int, state: BriefState, *, at: datetime, channel: str, error: str | None = None
) -> None:
    """Says how the sending of a claimed brief ended; back to `planned` when trying again makes sense."""
    query = update(Brief).where(Brief.id == brief_id, Brief.state == BriefState.SENDING)
    delivered_at = at if state == BriefState.DELIVERED else None
    values = {"state": state, "channel": channel, "error": error and error[:300], "delivered_at": delivered_at}
    connection.execute(query.values(values))


def stored_payload(connection: Connection, rep_id: int, as_of: datetime) -> dict[str, Any] | None:
    """What a rep was told at this time, or in the minute that begins with it: people type minutes."""
    query = select(Brief.payload).where(
        Brief.rep_id == rep_id, Brief.as_of >= as_of, Brief.as_of < as_of + timedelta(minutes=1)
    )
    payload: dict[str, Any] | None = connection.scalar(query.order_by(Brief.as_of).limit(1))
    return payload


def delivered_at(connection: Connection, at: datetime, most: int) -> list[tuple[int, dict[str, Any]]]:
    """(rep, payload) of the first briefs that were delivered at exactly this time: by one run."""
    query = select(Brief.rep_id, Brief.payload).where(Brief.delivered_at == at, Brief.state == BriefState.DELIVERED)
    return list(connection.execute(query.order_by(Brief.id).limit(most)).tuples())


def names_in(connection: Connection, accounts: Sequence[int]) -> frozenset[str]:
    """First and last names of everybody at these accounts."""
    theirs = among(connection, Stakeholder.account_id, accounts)
    rows = connection.execute(select(Stakeholder.first_name, Stakeholder.last_name).where(theirs))
    return frozenset(name for row in rows for name in row if name)


def list_briefs(connection: Connection, rep_id: int | None = None, limit: int = 50) -> list[Listed]:
    """The latest briefs, newest first."""
    query = select(
        Brief.id, Rep.email, Rep.name, Brief.as_of, Brief.words, Brief.state, Brief.delivered_at, Brief.channel,
        Brief.error,
    ).join(Rep, Rep.id == Brief.rep_id)  # fmt: skip
    if rep_id:
        query = query.where(Brief.rep_id == rep_id)
    rows = connection.execute(query.order_by(Brief.as_of.desc(), Brief.id.desc()).limit(limit))
    return [
        Listed(id_, email, name, as_of, words, BriefState(state), delivered_at, channel, error)
        for id_, email, name, as_of, words, state, delivered_at, channel, error in rows
    ]
