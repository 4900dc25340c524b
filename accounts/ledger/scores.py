"""Scores in the ledger: added to signal by signal, read all at once, explained from the signals they are made of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, delete, func, or_, select

from accounts.engagement import FORGOTTEN_AFTER, NOBODY, Mass, Reading, Score, Told, digest_of, read, roll_up, weigh
from accounts.ledger.bulk import chunks, insert_into
from accounts.models import Account, Signal, Stakeholder
from accounts.models import Score as ScoreRow
from accounts.playbook import Engagement as Rules
from accounts.vocabulary import Role, SignalKind

#: Accounts whose signals are held in memory at once while scores are made anew.
ACCOUNTS_AT_ONCE = 500


def add(connection: Connection, signals: Mapping[int, Sequence[Told]], rules: Rules) -> None:
    """Signals by account id, each of them new: one addition per person, whatever lies in the past.

    Callers add a signal once (they set its `applied_at` in the same transaction) and one after another.
    """
    fresh = {
        (account, person): mass for account, told in signals.items() for person, mass in weigh(told, rules).items()
    }
    known = _masses(connection, {account for account, _ in fresh})
    summed = {key: known[key].plus(mass, rules.half_life) if key in known else mass for key, mass in fresh.items()}
    _write(connection, summed, rules)


def recompute(connection: Connection, rules: Rules, accounts: Iterable[int] | None = None) -> int:
    """Scores made anew from the signals, for these accounts or for all; returns how many people were scored.

    Needed when weights or half-life change, and when a signal turns out to be a machine's or loses its person.
    """
    ids = sorted(accounts) if accounts is not None else _scorable(connection)
    people = 0
    for chunk in chunks(ids, ACCOUNTS_AT_ONCE):
        connection.execute(delete(ScoreRow).where(ScoreRow.account_id.in_(chunk)))
        signals = read_told(connection, chunk, rules)
        masses = {(account, p): mass for account, told in signals.items() for p, mass in weigh(told, rules).items()}
        _write(connection, masses, rules)
        people += len(masses)
    return people


def are_stale(connection: Connection, rules: Rules) -> bool:
    """Whether any score was added up with other weights or another half-life than these."""
    lowest, highest = connection.execute(select(func.min(ScoreRow.rules), func.max(ScoreRow.rules))).one()
    return lowest is not None and {lowest, highest} != {digest_of(rules)}


def read_scores(
    connection: Connection, rules: Rules, now: datetime, accounts: Sequence[int] | None = None
) -> dict[int, Score]:
    """Every account's score at `now`, the present; accounts nobody has heard from are missing.

    For another time than the present use `read_engagement`, which adds up the signals.
    """
    query = (
        select(ScoreRow.account_id, ScoreRow.person, ScoreRow.mass, ScoreRow.latest_at, Stakeholder.role)
        .outerjoin(Stakeholder, Stakeholder.id == ScoreRow.person)
        .order_by(ScoreRow.account_id)
    )
    if accounts is not None:
        query = query.where(ScoreRow.account_id.in_(accounts))
    scores = {}
    for account, group in groupby(connection.execute(query), key=lambda row: row.account_id):
        rows = list(group)
        masses = {row.person: Mass(row.mass, row.latest_at).as_of(now, rules.half_life) for row in rows}
        roles = {row.person: Role(row.role) for row in rows if row.role}
        scores[account] = roll_up(masses, roles, rules)
    return scores


def read_engagement(connection: Connection, accounts: Sequence[int], rules: Rules, now: datetime) -> dict[int, Reading]:
    """Score, contributions (they add up to it) and heat of each account as of any time; two queries per call."""
    signals = read_told(connection, accounts, rules, since=now - FORGOTTEN_AFTER * rules.half_life)
    query = select(Stakeholder.account_id, Stakeholder.id, Stakeholder.role).where(Stakeholder.account_id.in_(accounts))
    roles: dict[int, dict[int, Role]] = {account: {} for account in accounts}
    for account, person, role in connection.execute(query):
        roles[account][person] = Role(role)
    return {account: read(signals.get(account, ()), roles[account], rules, now) for account in accounts}


def read_told(
    connection: Connection, accounts: Sequence[int], rules: Rules, since: datetime | None = None
) -> dict[int, list[Told]]:
    """The signals by people that weigh something, by account, in order of time; only what was applied."""
    weighing = [kind.value for kind, weight in rules.weights.items() if weight]
    query = (
        select(Signal.account_id, Signal.id, Signal.stakeholder_id, Signal.kind, Signal.occurred_at)
        .where(Signal.account_id.in_(accounts), Signal.kind.in_(weighing))
        .where(Signal.is_machine.is_(False), Signal.applied_at.is_not(None))
        .order_by(Signal.account_id, Signal.occurred_at, Signal.id)
    )
    if since is not None:
        query = query.where(Signal.occurred_at >= since)
    told: dict[int, list[Told]] = {}
    for account, id, person, kind, at in connection.execute(query):
        told.setdefault(account, []).append(Told(id, person or NOBODY, SignalKind(kind), at))
    return told


def _scorable(connection: Connection) -> list[int]:
    """Accounts that have signals, or scores that may have to go."""
    has_signal = select(Signal.id).where(Signal.account_id == Account.id).exists()
    has_score = select(ScoreRow.id).where(ScoreRow.account_id == Account.id).exists()
    return list(connection.scalars(select(Account.id).where(or_(has_signal, has_score)).order_by(Account.id)))


def _masses(connection: Connection, accounts: Iterable[int]) -> dict[tuple[int, int], Mass]:
    found = {}
    for chunk in chunks(sorted(accounts)):
        columns = select(ScoreRow.account_id, ScoreRow.person, ScoreRow.mass, ScoreRow.latest_at, ScoreRow.signals)
        for account, person, mass, at, count in connection.execute(columns.where(ScoreRow.account_id.in_(chunk))):
            found[account, person] = Mass(mass, at, count)
    return found


def _write(connection: Connection, masses: Mapping[tuple[int, int], Mass], rules: Rules) -> None:
    digest = digest_of(rules)
    rows = [
        {
            "account_id": account, "person": person, "mass": mass.value, "signals": mass.signals,
            "latest_at": mass.at, "rules": digest,
        }
        for (account, person), mass in masses.items()
    ]  # fmt: skip
    if not rows:
        return
    insert = insert_into(connection, ScoreRow)
    new = insert.excluded
    replaced = {"mass": new.mass, "signals": new.signals, "latest_at": new.latest_at, "rules": new.rules}
    connection.execute(insert.on_conflict_do_update(index_elements=["account_id", "person"], set_=replaced), rows)
