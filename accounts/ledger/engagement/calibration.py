"""Verdicts with what could be known at their moment, and the calibrations made of them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from accounts.calibration import IS_RIPE, Judged
from accounts.engagement import FORGOTTEN_AFTER, NOBODY, Told
from accounts.errors import NotFound
from accounts.ledger.bulk import among, chunks, insert_into
from accounts.ledger.unapplied import is_applied
from accounts.ledger.weeks import in_any_week
from accounts.models import Account, Calibration, Feedback, Rep, Signal, Stakeholder
from accounts.playbook import Engagement
from accounts.vocabulary import Role, SignalKind, Verdict

#: Older verdicts were given on another market, by other people, on other content.
LOOK_BACK = timedelta(days=540)
ACCOUNTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Stored:
    """A calibration as it was made."""

    id: int
    play: str
    made_at: datetime
    before: Mapping[SignalKind, float]
    proposed: Mapping[SignalKind, float]
    adopted_at: datetime | None
    adopted_by: str | None


def read_judged(connection: Connection, play: str, rules: Engagement, now: datetime) -> list[Judged]:
    """The verdicts of the play up to `now`, each with the signals that had come in by then; the oldest first.

    Roles are those of today: who sits where is found out late more often than it changes.
    """
    verdicts = [Verdict(verdict) for verdict in IS_RIPE]
    query = (
        select(Feedback.id, Feedback.at, Feedback.verdict, Feedback.account_id, Rep.email)
        .join(Account, Account.id == Feedback.account_id)
        .outerjoin(Rep, Rep.id == Feedback.rep_id)
        .where(Account.play == play, Feedback.verdict.in_(verdicts), Feedback.at <= now, Feedback.at > now - LOOK_BACK)
        .order_by(Feedback.at, Feedback.id)
    )
    given = defaultdict(list)
    for row in connection.execute(query):
        given[row.account_id].append(row)
    judged = [
        one for some in chunks(sorted(given), ACCOUNTS_AT_ONCE) for one in _judged(connection, some, given, rules)
    ]
    return sorted(judged, key=lambda one: (one.at, one.id))


def store(
    connection: Connection, play: str, digest: str, now: datetime, *, verdicts: int,
    before: Mapping[SignalKind, float], proposed: Mapping[SignalKind, float], findings: Any,
) -> int:  # fmt: skip
    """Keep a calibration; the number of it. The same proposal again is the one that stands."""
    values = {
        "play": play, "digest": digest, "made_at": now, "verdicts": verdicts, "before": dict(before),
        "proposed": dict(proposed), "findings": findings,
    }  # fmt: skip
    fresh = insert_into(connection, Calibration).values(**values)
    connection.execute(fresh.on_conflict_do_nothing(index_elements=["play", "digest"]))
    known = select(Calibration.id).where(Calibration.play == play, Calibration.digest == digest)
    return connection.execute(known).scalar_one()


def read_calibration(connection: Connection, number: int) -> Stored:
    """Raises NotFound."""
    row = connection.execute(select(Calibration.__table__).where(Calibration.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"no calibration {number}", cure="tandem calibrate names the one that stands")
    before, proposed = _weights(row.before), _weights(row.proposed)
    return Stored(row.id, row.play, row.made_at, before, proposed, row.adopted_at, row.adopted_by)


def adopt(connection: Connection, number: int, *, by: str, at: datetime) -> None:
    connection.execute(update(Calibration).where(Calibration.id == number).values(adopted_at=at, adopted_by=by))


def last_made(connection: Connection, play: str, now: datetime) -> datetime | None:
    """When the play was last calibrated."""
    made: datetime | None = connection.scalar(
        select(func.max(Calibration.made_at)).where(Calibration.play == play, Calibration.made_at <= now)
    )
    return made


def _judged(
    connection: Connection, accounts: Sequence[int], given: Mapping[int, Sequence[Any]], rules: Engagement
) -> Iterator[Judged]:  # fmt: skip
    told, roles = _told(connection, accounts, rules), _roles(connection, accounts)
    for account in accounts:
        known, arrivals = told.get(account, []), [received for received, _ in told.get(account, [])]
        for row in given[account]:
            oldest = row.at - FORGOTTEN_AFTER * rules.half_life
            by_then = [one for _, one in known[: bisect_right(arrivals, row.at)] if one.occurred_at > oldest]
            verdict = IS_RIPE[Verdict(row.verdict)]
            yield Judged(row.id, row.at, verdict, row.email, by_then, roles.get(account, {}))


def _told(
    connection: Connection, accounts: Sequence[int], rules: Engagement
) -> dict[int, list[tuple[datetime, Told]]]:  # fmt: skip
    """Account -> its signals by people that weigh something, with when they came in, in that order."""
    weighing = [kind for kind, weight in rules.weights.items() if weight]
    query = (
        select(Signal.account_id, Signal.id, Signal.stakeholder_id, Signal.kind, Signal.occurred_at, Signal.received_at)
        .where(in_any_week(), among(connection, Signal.account_id, accounts), Signal.kind.in_(weighing))
        .where(Signal.is_machine.is_(False), is_applied())
        .order_by(Signal.received_at, Signal.id)
    )
    found: dict[int, list[tuple[datetime, Told]]] = defaultdict(list)
    for account, id, person, kind, at, received in connection.execute(query):
        found[account].append((received, Told(id, person or NOBODY, SignalKind(kind), at)))
    return found


def _roles(connection: Connection, accounts: Sequence[int]) -> dict[int, dict[int, Role]]:
    query = select(Stakeholder.account_id, Stakeholder.id, Stakeholder.role)
    found: dict[int, dict[int, Role]] = defaultdict(dict)
    for account, person, role in connection.execute(query.where(among(connection, Stakeholder.account_id, accounts))):
        found[account][person] = Role(role)
    return found


def _weights(values: Mapping[str, float]) -> dict[SignalKind, float]:
    return {SignalKind(kind): float(weight) for kind, weight in values.items()}
