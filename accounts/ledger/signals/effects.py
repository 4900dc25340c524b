"""Effects of signals, performed. Every statement is monotone, so performing one again, or late, changes nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Update, bindparam, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from accounts.ledger.briefs.bounces import fail_briefs
from accounts.ledger.bulk import among
from accounts.ledger.people.holds import SignalHold, hold_for_signals
from accounts.ledger.people.proposals import Proposed, propose, split_name
from accounts.ledger.signals.settling import prove_dropped, prove_sent
from accounts.ledger.suppressions import suppress
from accounts.models import Account, Stakeholder
from accounts.outcomes import (
    GRAVITY,
    Effect,
    FailBrief,
    FailTouch,
    HoldAccount,
    MarkBounced,
    MarkComplained,
    MarkLeft,
    OptOut,
    PausePerson,
    Prefer,
    Propose,
    SettleTouch,
    Suppress,
)
from accounts.vocabulary import EmailStatus

STATUS: Mapping[type[Effect], EmailStatus] = {
    MarkBounced: EmailStatus.BOUNCED,
    MarkLeft: EmailStatus.LEFT,
    MarkComplained: EmailStatus.COMPLAINED,
}
_NOT_OF_PEOPLE = HoldAccount | SettleTouch | FailTouch | Propose | FailBrief
EMPTIES_THE_SEAT = (EmailStatus.BOUNCED, EmailStatus.LEFT)


class Caused(NamedTuple):
    """An effect, and the signal that causes it."""

    effect: Effect
    signal_id: int
    account_id: int | None
    stakeholder_id: int | None
    touch_id: int | None
    email_hash: str | None


@dataclass(frozen=True, slots=True)
class Performed:
    """What changed: accounts to plan again, and people whose seat became empty (account, role)."""

    accounts: frozenset[int]
    vacancies: tuple[tuple[int, str], ...]
    settled: int


def perform(
    connection: Connection, caused: Sequence[Caused], now: datetime, arrived: Collection[int] = ()
) -> Performed:  # fmt: skip
    """All of it, inside the caller's transaction; accounts that changed are planned again.

    arrived: touches that are proven to have left, besides those that `caused` settles.
    """
    people = _People(connection, caused)
    changed, vacancies = people.change()
    suppress(connection, people.suppressions())
    held = hold_for_signals(connection, list(_holds(caused)))
    propose(connection, _named(caused), now)
    lost = [one.effect for one in caused if isinstance(one.effect, FailBrief)]
    fail_briefs(connection, {brief.brief_id: brief.error for brief in lost})
    settled = [
        *prove_sent(connection, [*arrived, *_touches(caused, SettleTouch)]),
        *prove_dropped(connection, _touches(caused, FailTouch)),
    ]
    accounts = changed | held | set(settled)
    replan(connection, accounts, now)
    return Performed(frozenset(accounts), tuple(vacancies), len(settled))


def replan(connection: Connection, accounts: Iterable[int], now: datetime) -> None:
    """Planning looks at these accounts at its next tick."""
    if ids := sorted(accounts):
        connection.execute(update(Account).where(among(connection, Account.id, ids)).values(replan_at=now))


def _touches(caused: Iterable[Caused], effect: type[Effect]) -> list[int]:
    return [one.touch_id for one in caused if isinstance(one.effect, effect) and one.touch_id]


def _holds(caused: Iterable[Caused]) -> Iterator[SignalHold]:
    for one in caused:
        if isinstance(one.effect, HoldAccount) and one.account_id is not None:
            yield SignalHold(one.signal_id, one.account_id, one.effect.cause, one.effect.starts_at, one.effect.ends_at)


def _named(caused: Iterable[Caused]) -> Iterator[Proposed]:
    for one in caused:
        if isinstance(one.effect, Propose) and one.account_id is not None:
            first, last = split_name(one.effect.name)
            yield Proposed(
                one.account_id, "mailbox", "named as the one to write to instead of somebody who left", one.effect.at,
                one.effect.email, first, last, replaces_id=one.stakeholder_id,
            )  # fmt: skip


class _People:
    """The rows a batch of effects is about, read once: of a person, and of everybody with the same address."""

    def __init__(self, connection: Connection, caused: Iterable[Caused]) -> None:
        about = [one for one in caused if not isinstance(one.effect, _NOT_OF_PEOPLE)]
        self.connection, self.about = connection, about
        self.by_id = _read(connection, Stakeholder.id, {one.stakeholder_id for one in about})
        hashes = {one.email_hash for one in about} | {row.email_hash for row in self.by_id.values()}
        self.by_id |= _read(connection, Stakeholder.email_hash, hashes)
        self.by_hash: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in self.by_id.values():
            self.by_hash[row.email_hash].append(row)

    def meant(self, one: Caused) -> list[Row[Any]]:
        """Whom the effect is for: the owners of the address, and unless it is about the address only, the person."""
        hashes = {one.email_hash}
        if one.stakeholder_id in self.by_id and not _is_about_the_address(one.effect):
            hashes.add(self.by_id[one.stakeholder_id].email_hash)
        return [row for hashed in hashes if hashed for row in self.by_hash[hashed]]

    def suppressions(self) -> Iterator[tuple[str, str, datetime]]:
        """A no holds for the address it was said at and for the one its owner has by now."""
        for one in self.about:
            if isinstance(one.effect, Suppress):
                hashes = {one.email_hash, *(row.email_hash for row in self.meant(one))}
                yield from ((hashed, one.effect.reason, one.effect.at) for hashed in hashes if hashed)

    def change(self) -> tuple[set[int], list[tuple[int, str]]]:
        """Writes what is new; the accounts of changed people, and (account, role) of seats that became empty."""
        wishes = [(row, one.effect) for one in self.about for row in self.meant(one)]
        opted_out, paused, marked = _earliest_opt_outs(wishes), _latest_pauses(wishes), _gravest_states(wishes)
        preferred = _latest_wishes(wishes)
        _write(self.connection, _OPT_OUT, opted_out)
        _write(self.connection, _PAUSE, paused)
        _write_wishes(self.connection, preferred)
        for status in set(marked.values()):
            ids = {id: status for id, worse in marked.items() if worse is status}
            _write(self.connection, _mark(status), ids)
        changed = {self.by_id[id].account_id for id in {*opted_out, *paused, *preferred, *marked}}
        emptied = [self.by_id[id] for id, status in marked.items() if status in EMPTIES_THE_SEAT]
        return changed, [(row.account_id, row.role) for row in emptied if row.email_status == EmailStatus.OK]


Wish = tuple[Row[Any], Effect]


def _earliest_opt_outs(wishes: Iterable[Wish]) -> dict[int, datetime]:
    earliest: dict[int, datetime] = {}
    for row, effect in wishes:
        if isinstance(effect, OptOut) and (row.opted_out_at is None or effect.at < row.opted_out_at):
            earliest[row.id] = min(effect.at, earliest.get(row.id, effect.at))
    return earliest


def _latest_pauses(wishes: Iterable[Wish]) -> dict[int, datetime]:
    latest: dict[int, datetime] = {}
    for row, effect in wishes:
        if isinstance(effect, PausePerson) and (row.paused_until is None or effect.until > row.paused_until):
            latest[row.id] = max(effect.until, latest.get(row.id, effect.until))
    return latest


def _latest_wishes(wishes: Iterable[Wish]) -> dict[int, Prefer]:
    latest: dict[int, Prefer] = {}
    for row, effect in wishes:
        if isinstance(effect, Prefer) and (row.preferred_at is None or effect.at > row.preferred_at):
            known = latest.get(row.id)
            latest[row.id] = effect if known is None else max(known, effect, key=_in_time)
    return latest


def _in_time(wish: Prefer) -> tuple[datetime, int, str]:
    """Two of one moment come out the same in any order."""
    return wish.at, wish.every_days or 0, wish.topic or ""


def _gravest_states(wishes: Iterable[Wish]) -> dict[int, EmailStatus]:
    gravest: dict[int, EmailStatus] = {}
    for row, effect in wishes:
        status = STATUS.get(type(effect))
        known = gravest.get(row.id, row.email_status)
        if status and GRAVITY.index(status) > GRAVITY.index(known):
            gravest[row.id] = status
    return gravest


#: The conditions say again what was decided on: another transaction may have written meanwhile.
_OPT_OUT = (
    update(Stakeholder)
    .where(Stakeholder.id == bindparam("person"))
    .where(or_(Stakeholder.opted_out_at.is_(None), Stakeholder.opted_out_at > bindparam("new")))
    .values(opted_out_at=bindparam("new"))
)
_PAUSE = (
    update(Stakeholder)
    .where(Stakeholder.id == bindparam("person"))
    .where(or_(Stakeholder.paused_until.is_(None), Stakeholder.paused_until < bindparam("new")))
    .values(paused_until=bindparam("new"))
)

_PREFER = (
    update(Stakeholder)
    .where(Stakeholder.id == bindparam("person"))
    .where(or_(Stakeholder.preferred_at.is_(None), Stakeholder.preferred_at < bindparam("at")))
    .values(preferred_at=bindparam("at"), mail_every_days=bindparam("every"), only_topic=bindparam("topic"))
)


def _mark(status: EmailStatus) -> Update:
    milder = GRAVITY[: GRAVITY.index(status)]
    is_milder = or_(*(Stakeholder.email_status == one for one in milder))  # an IN cannot be written for many at once
    return (
        update(Stakeholder)
        .where(Stakeholder.id == bindparam("person"), is_milder)
        .values(email_status=bindparam("new"))
    )


def _write(connection: Connection, statement: Update, values: Mapping[int, object]) -> None:
    if values:
        connection.execute(statement, [{"person": person, "new": new} for person, new in sorted(values.items())])


def _write_wishes(connection: Connection, wishes: Mapping[int, Prefer]) -> None:
    if wishes:
        rows = [
            {"person": person, "at": wish.at, "every": wish.every_days, "topic": wish.topic}
            for person, wish in sorted(wishes.items())
        ]
        connection.execute(_PREFER, rows)


def _read(connection: Connection, column: InstrumentedAttribute[Any], values: Iterable[Any]) -> dict[int, Row[Any]]:
    wanted = sorted({value for value in values if value is not None})
    if not wanted:
        return {}
    query = select(
        Stakeholder.id, Stakeholder.account_id, Stakeholder.email_hash, Stakeholder.role, Stakeholder.email_status,
        Stakeholder.opted_out_at, Stakeholder.paused_until, Stakeholder.preferred_at,
    ).where(among(connection, column, wanted))  # fmt: skip
    return {row.id: row for row in connection.execute(query)}


def _is_about_the_address(effect: Effect) -> bool:
    """A bounce says nothing about a person who has another address by now; an opt-out does."""
    return isinstance(effect, MarkBounced) or (isinstance(effect, Suppress) and effect.reason == "bounced")
