"""Briefs for reps: write what changed, keep it with its evidence, deliver it once.

Chapters: settle what a killed run left, find out whose turn it is and whether anything changed for them, plan anew
where facts changed (so that the next seven days are true), write, deliver what is written (delivering.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.briefs import Brief, write_brief
from accounts.briefs.rhythm import AT_ONCE
from accounts.briefs.stored import from_payload, to_payload
from accounts.garbage import uncollected
from accounts.ledger.briefs import turns as turns
from accounts.ledger.briefs import written as ledger
from accounts.ledger.briefs.facts import known_signals
from accounts.ledger.briefs.material import accounts_with_news, briefs_of, read_material
from accounts.ledger.briefs.readers import watches
from accounts.ledger.briefs.wrong_lines import count_lately
from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.playbook import Play
from accounts.tick import decide
from accounts.vocabulary import BriefState
from flows.briefs.delivering import Told, deliver_briefs
from flows.briefs.rollup import write_rollups
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
    #: Lines of briefs that reps called wrong within the last week.
    called_wrong: int
    briefs: tuple[Told, ...]


def brief_reps(
    engine: Engine, settings: Settings, play: Play, now: datetime, *, channel: EmailChannel | None = None,
    rep: str | None = None, only_due: bool = False,
) -> Briefed:  # fmt: skip
    """Writes and delivers the brief of each rep with news as of `now`.

    rep: only of this one (address or name), whatever their rhythm. only_due: of those whose hour it is by their own
    rhythm; and at once, in short, of an account that turned hot.
    Running it again for the same facts and the same clock changes nothing. A `channel` that is handed in must be open.
    Raises NotFound for an unknown rep, Refused when the folder for briefs cannot be written.
    """
    rep_id = _rep_id(engine, rep)
    doubted = _settle(engine, now)
    looked_at, quiet = write_briefs(engine, play, now, rep_id, only_due=only_due)
    if only_due:
        write_rollups(engine, play, now)
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
        called_wrong=_called_wrong(engine, now),
        briefs=tuple(told),
    )


def current_brief(connection: Connection, play: Play, now: datetime, rep_id: int) -> Brief | None:
    """The brief a rep would get now; of a time at which one was written, that one. Stores and sends nothing."""
    stored = ledger.stored_payload(connection, rep_id, now)
    if stored is not None:
        return from_payload(stored)
    looks = ledger.read_looks(connection, now, rep_id)
    found = [brief for _, brief in briefs_of(connection, looks, play, now)]
    return found[0] if found else None


def write_briefs(
    engine: Engine, play: Play, now: datetime, rep_id: int | None = None, *, only_due: bool = False
) -> tuple[int, int]:
    """Stores a brief for each rep whose turn it is and who has news; how many reps were looked at, and how many of them
    have no brief."""
    with reading(engine) as connection:
        looks = ledger.read_looks(connection, now, rep_id)
        turn = _whose_turn(connection, play, looks, now, rep_id, only_due=only_due)
        theirs = [look for look in looks if look.rep_id in turn.digests]
        news = accounts_with_news(connection, theirs, play, now) if theirs else {}
    if told := {*turn.jumps.values(), *chain.from_iterable(news.values())}:
        decide(engine, play, now, among=told)
        keep_clocks(engine, play, now, only=told)
    digests = _written(engine, play, [look for look in looks if look.rep_id in news], now)
    _store(engine, digests, now, ledger.DIGEST)
    _store(engine, _written_at_once(engine, play, looks, turn.jumps, now), now, ledger.JUMP)
    return len(theirs), len(theirs) - len(digests)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Whose digest is due; and which account of whose is told at once."""

    digests: set[int]
    jumps: Mapping[int, int]


def _whose_turn(
    connection: Connection, play: Play, looks: Sequence[ledger.Look], now: datetime, rep_id: int | None, *,
    only_due: bool,
) -> _Turn:  # fmt: skip
    """Of reps for whom no brief of exactly this time is written yet, whatever became of it."""
    if rep_id is not None:
        due, hot = {rep_id}, dict[int, int]()
    else:
        wishes = turns.read_wishes(connection, play)
        due = turns.whose_hour(connection, play, wishes, now) if only_due else turns.who_wants_any(wishes)
        others = [look for look in looks if look.rep_id in turns.who_wants_any(wishes) - due] if only_due else []
        hot = turns.jumps(connection, play, others, wishes, now) if others else {}
    before = ledger.briefed_at(connection, now)
    return _Turn(due - before, {rep: account for rep, account in hot.items() if rep not in before})


#: (rep, as of, words, payload) of a brief there is to write.
_Row = tuple[int, datetime, int, dict[str, Any]]


def _written(engine: Engine, play: Play, looks: Sequence[ledger.Look], now: datetime) -> list[_Row]:
    if not looks:
        return []
    with reading(engine) as connection, uncollected():
        known = _known(connection, looks, now)
        return [_row(brief, now, rep, known) for rep, brief in briefs_of(connection, looks, play, now)]


def _written_at_once(
    engine: Engine, play: Play, looks: Sequence[ledger.Look], jumps: Mapping[int, int], now: datetime
) -> list[_Row]:
    """A short brief of the one account. It moves no digest: that tells of the account in its own time."""
    theirs = [look for look in looks if look.rep_id in jumps]
    if not theirs:
        return []
    with reading(engine) as connection:
        material = list(read_material(connection, theirs, play, now))
    rows = []
    for rep in material:
        hot = tuple(account for account in rep.accounts if account.id == jumps[rep.id])
        brief = write_brief(replace(rep, accounts=hot, manner=AT_ONCE), play, now)
        rows += [_row(brief, now, rep.id, {})] if brief else []
    return rows


def _row(brief: Brief, now: datetime, rep: int, known: Mapping[int, list[int]]) -> _Row:
    words = sum(account.words for account in brief.accounts)
    return rep, now, words, {**to_payload(brief), "known": known.get(rep, [])}


def _known(connection: Connection, looks: Sequence[ledger.Look], now: datetime) -> dict[int, list[int]]:
    """Rep -> ids of late signals that the brief of this moment knows of, at all accounts they are told about."""
    watching = watches(connection, looks, now)
    known, theirs = known_signals(connection, list(watching), now), dict[int, list[int]]()
    for owner, watch in watching.items():
        theirs.setdefault(watch.look.rep_id, []).extend(known.get(owner, ()))
    return theirs


def _store(engine: Engine, rows: Sequence[_Row], now: datetime, kind: str) -> None:
    for some in chunks(rows, BRIEFS_AT_ONCE):
        with writing(engine) as connection:
            if kind == ledger.DIGEST:
                ledger.supersede_older(connection, now, [rep for rep, *_ in some])
            ledger.store_briefs(connection, some, kind)


def _settle(engine: Engine, now: datetime) -> int:
    with writing(engine) as connection:
        return ledger.doubt_stuck(connection, now)


def _called_wrong(engine: Engine, now: datetime) -> int:
    with reading(engine) as connection:
        return count_lately(connection, now)


def _rep_id(engine: Engine, rep: str | None) -> int | None:
    if rep is None:
        return None
    with reading(engine) as connection:
        return ledger.find_rep(connection, rep)
