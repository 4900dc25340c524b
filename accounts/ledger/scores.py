"""Scores in the ledger: added to signal by signal, read all at once, explained from the signals they are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, delete, func, or_, select

from accounts.engagement import FORGOTTEN_AFTER, NOBODY, Mass, Reading, Score, Told, digest_of, read, roll_up, weigh
from accounts.ledger.bulk import among, chunks, insert_into
from accounts.ledger.driver import Form, rows
from accounts.ledger.subjects import find_subjects
from accounts.models import Account, Signal, Stakeholder
from accounts.models import Score as ScoreRow
from accounts.playbook import Engagement as Rules
from accounts.vocabulary import Role

#: Accounts whose signals are held in memory at once while scores are made anew.
ACCOUNTS_AT_ONCE = 500

_SCORES = """
    SELECT score.account_id, score.person, score.mass, score.latest_at, stakeholder.role
      FROM score LEFT JOIN stakeholder ON stakeholder.id = score.person
     ORDER BY score.account_id"""
_SCORES_OF = _SCORES.replace("ORDER BY", "WHERE score.account_id {among:accounts} ORDER BY")
_TOLD = """
    SELECT account_id, id, stakeholder_id, kind, occurred_at FROM signal
     WHERE account_id {among:accounts} AND kind {among:kinds} AND is_machine = false AND applied_at IS NOT NULL
     ORDER BY account_id, occurred_at, id"""
_TOLD_SINCE = _TOLD.replace("ORDER BY", "AND occurred_at >= :since ORDER BY")


@dataclass(frozen=True, slots=True)
class Explained:
    """A reading, and the addresses of the people in it."""

    reading: Reading
    emails: Mapping[int, str]


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
        connection.execute(delete(ScoreRow).where(among(connection, ScoreRow.account_id, chunk)))
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
    query = _SCORES if accounts is None else _SCORES_OF
    when = Form.of(connection).read
    found = {}
    for account, group in groupby(rows(connection, query, accounts=list(accounts or ())), key=itemgetter(0)):
        people = [(person, Mass(mass, when(at)), role) for _, person, mass, at, role in group]
        masses = {person: mass.as_of(now, rules.half_life) for person, mass, _ in people}
        found[account] = roll_up(masses, {person: Role(role) for person, _, role in people if role}, rules)
    return found


def read_engagement(connection: Connection, accounts: Sequence[int], rules: Rules, now: datetime) -> dict[int, Reading]:
    """Score, contributions (they add up to it) and heat of each account as of any time; two queries per call."""
    signals = read_told(connection, accounts, rules, since=now - FORGOTTEN_AFTER * rules.half_life)
    query = select(Stakeholder.account_id, Stakeholder.id, Stakeholder.role).where(
        among(connection, Stakeholder.account_id, accounts)
    )
    roles: dict[int, dict[int, Role]] = {account: {} for account in accounts}
    for account, person, role in connection.execute(query):
        roles[account][person] = Role(role)
    return {account: read(signals.get(account, ()), roles[account], rules, now) for account in accounts}


def explain_account(connection: Connection, key: str, rules: Rules, now: datetime) -> Explained:
    """The reading of one account by its key. Raises NotFound."""
    account = find_subjects(connection, key)[0].account_id
    people = select(Stakeholder.id, Stakeholder.email).where(Stakeholder.account_id == account)
    emails = {row.id: row.email for row in connection.execute(people)}
    return Explained(read_engagement(connection, [account], rules, now)[account], emails)


def read_told(
    connection: Connection, accounts: Sequence[int], rules: Rules, since: datetime | None = None
) -> dict[int, list[Told]]:
    """The signals by people that weigh something, by account, in order of time; only what was applied."""
    weighing = {kind.value: kind for kind, weight in rules.weights.items() if weight}
    listed = list(weighing)
    query, when = _TOLD if since is None else _TOLD_SINCE, Form.of(connection).read
    told: dict[int, list[Told]] = {}
    for account, id, person, kind, at in rows(connection, query, accounts=list(accounts), kinds=listed, since=since):
        one = Told(id, person or NOBODY, weighing[kind], when(at))
        told.setdefault(account, []).append(one)
    return told


def _scorable(connection: Connection) -> list[int]:
    """Accounts that have signals, or scores that may have to go."""
    has_signal = select(Signal.id).where(Signal.account_id == Account.id).exists()
    has_score = select(ScoreRow.id).where(ScoreRow.account_id == Account.id).exists()
    return list(connection.scalars(select(Account.id).where(or_(has_signal, has_score)).order_by(Account.id)))


def _masses(connection: Connection, accounts: Iterable[int]) -> dict[tuple[int, int], Mass]:
    columns = select(ScoreRow.account_id, ScoreRow.person, ScoreRow.mass, ScoreRow.latest_at, ScoreRow.signals)
    theirs = connection.execute(columns.where(among(connection, ScoreRow.account_id, sorted(accounts))))
    return {(account, person): Mass(mass, at, count) for account, person, mass, at, count in theirs}


def _write(connection: Connection, masses: Mapping[tuple[int, int], Mass], rules: Rules) -> None:
    digest = digest_of(rules)
    values = [
        {
            "account_id": account, "person": person, "mass": mass.value, "signals": mass.signals,
            "latest_at": mass.at, "rules": digest,
        }
        for (account, person), mass in masses.items()
    ]  # fmt: skip
    if not values:
        return
    insert = insert_into(connection, ScoreRow)
    new = insert.excluded
    replaced = {"mass": new.mass, "signals": new.signals, "latest_at": new.latest_at, "rules": new.rules}
    connection.execute(insert.on_conflict_do_update(index_elements=["account_id", "person"], set_=replaced), values)
