"""Briefs for reps: write what changed, keep it with its evidence, deliver it once.

Chapters: settle what a killed run left, plan anew where facts changed (so that the next seven days are true), write for
each rep with news, deliver what is written (delivering.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.briefs import Brief
from accounts.briefs.stored import from_payload, to_payload
from accounts.garbage import uncollected
from accounts.ledger import briefs as ledger
from accounts.ledger.brief_facts import known_signals
from accounts.ledger.brief_material import briefs_of
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.playbook import Play
from accounts.tick import decide
from accounts.vocabulary import BriefState
from flows.briefs.delivering import Told, deliver_briefs
from flows.channels.email import EmailChannel
from flows.sales.sla import keep_clocks
from flows.settings import Settings

#: Briefs written to the ledger in one transaction.
BRIEFS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Briefed:
    """What a run did."""

    #: Reps looked at, and those among them for whom nothing changed.
    reps: int
    quiet: int
    delivered: int
    failed: int
    unknown: int
    #: Written, not delivered: the next run tries again.
    waiting: int
    #: Briefs of earlier runs that died while sending; their reps are told with the next brief.
    doubted: int
    briefs: tuple[Told, ...]


def brief_reps(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: EmailChannel | None = None,
    rep: str | None = None,
) -> Briefed:  # fmt: skip
    """Writes and delivers the brief of each rep with news as of `now`; `rep`: only of this one (address or name).

    Running it again for the same facts and the same clock changes nothing. A `channel` that is handed in must be open.
    Raises NotFound for an unknown rep, Refused when the folder for briefs cannot be written.
    """
    rep_id = _rep_id(engine, rep)
    doubted = _settle(engine, now)
    decide(engine, play, now)
    keep_clocks(engine, play, now)
    looked_at, quiet = write_briefs(engine, play, now, rep_id)
    told = deliver_briefs(engine, settings, play, now, rep_id, channel)
    states = [one.state for one in told]
    return Briefed(
        reps=looked_at,
        quiet=quiet,
        delivered=states.count(BriefState.DELIVERED),
        failed=states.count(BriefState.FAILED),
        unknown=states.count(BriefState.UNKNOWN),
        waiting=states.count(BriefState.PLANNED),
        doubted=doubted,
        briefs=tuple(told),
    )


def current_brief(connection: Connection, play: Play, now: datetime, rep_id: int) -> Brief | None:
    """The brief a rep would get now; of a time at which one was written, that one. Stores and sends nothing."""
    stored = ledger.stored_payload(connection, rep_id, now)
    if stored is not None:
        return from_payload(stored)
    looks = ledger.read_looks(connection, now, rep_id)
    return next((brief for _, brief in briefs_of(connection, looks, play, now)), None)


def write_briefs(engine: Engine, play: Play, now: datetime, rep_id: int | None = None) -> tuple[int, int]:
    """Stores a brief for each rep with news; returns how many reps were looked at, and how many have no brief."""
    with reading(engine) as connection, uncollected():
        written_before = ledger.briefed_at(connection, now)
        looks = ledger.read_looks(connection, now, rep_id)
        open_looks = [look for look in looks if look.rep_id not in written_before]
        rows = list(_rows(connection, open_looks, play, now))
    for some in chunks(rows, BRIEFS_AT_ONCE):
        with writing(engine) as connection:
            ledger.supersede_older(connection, now, [rep for rep, *_ in some])
            ledger.store_briefs(connection, some)
    return len(looks), len(open_looks) - len(rows)


def _rows(
    connection: Connection, looks: Sequence[ledger.Look], play: Play, now: datetime
) -> Iterator[tuple[int, datetime, int, dict[str, Any]]]:  # fmt: skip
    """(rep, as of, words, payload) of each brief there is to write."""
    known = known_signals(connection, [look.rep_id for look in looks], now)
    for rep, brief in briefs_of(connection, looks, play, now):
        words = sum(account.words for account in brief.accounts)
        yield rep, now, words, {**to_payload(brief), "known": known.get(rep, [])}


def _settle(engine: Engine, now: datetime) -> int:
    with writing(engine) as connection:
        return ledger.doubt_stuck(connection, now)


def _rep_id(engine: Engine, rep: str | None) -> int | None:
    if rep is None:
        return None
    with reading(engine) as connection:
        return ledger.find_rep(connection, rep)
