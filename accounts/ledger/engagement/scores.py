"""Scores in the ledger: added to signal by signal, read all at once, explained from the signals they are made of.

Every account is scored by the rules of its own play (weighing.py).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, func, select, text

from accounts.engagement import (
    FORGOTTEN_AFTER,
    NOBODY,
    Mass,
    Moved,
    Reading,
    Score,
    Told,
    digest_of,
    read,
    roll_up,
    weigh,
    what_moved,
)
from accounts.ledger.bulk import chunks
from accounts.ledger.driver import Form, execute, rows, upsert
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.engagement.weighing import Weighing, enter, read_weighing, weighing_for
from accounts.ledger.subjects import find_subjects
from accounts.ledger.unapplied import APPLIED
from accounts.ledger.weeks import weekly
from accounts.models import Signal, Stakeholder
from accounts.playbook import Engagement as Rules
from accounts.playbook import Play
from accounts.vocabulary import Role
from accounts.weeks import week_of

_SCORES = f"""
    SELECT score.account_id, score.person, score.mass, {{time:score.latest_at}}, score.play, stakeholder.role
      FROM score LEFT JOIN stakeholder ON stakeholder.id = score.person
     WHERE score.person NOT IN ({WRONG_PEOPLE}) ORDER BY score.account_id"""
_SCORES_OF = _SCORES.replace("ORDER BY", "AND score.account_id {among:accounts} ORDER BY")
_TOLD = f"""
    SELECT account_id, id, stakeholder_id, kind, {{time:occurred_at}} FROM signal
     WHERE {{weekly}} AND account_id {{among:accounts}} AND kind {{among:kinds}}
       AND is_machine = false AND {APPLIED}
     ORDER BY account_id, occurred_at, id"""
_TOLD_SINCE = _TOLD.replace("{weekly}", "{weekly:week}").replace("ORDER BY", "AND occurred_at >= :since ORDER BY")
_ROLES = f"""
    SELECT account_id, id, role, id IN ({WRONG_PEOPLE}) FROM stakeholder WHERE account_id {{among:accounts}}"""
_MASSES = "SELECT account_id, person, mass, latest_at, signals, play FROM score WHERE account_id {among:accounts}"
_COLUMNS = ("account_id", "person", "mass", "signals", "latest_at", "play")

#: The same sums as `weigh` makes, by the database. Weights are taken to one landmark for all and from there to each
#: person's latest signal; what is a thousand half-lives older than the landmark counts nothing any more. The plus keeps
#: SQLite from walking the account's index, which visits every page of a long history many times.
_ANEW = """
    INSERT INTO score (account_id, person, mass, signals, latest_at, play)
    SELECT account_id, person, total * {{power}}(2.0, {{least}}(({since_latest}) / :half, 1000.0)),
           signals, latest, :play
      FROM (SELECT +account_id AS account_id, COALESCE(stakeholder_id, 0) AS person, COUNT(*) AS signals,
                   MAX(occurred_at) AS latest,
                   SUM(({{weights}}) * {{power}}(2.0, {{most}}(({since_landmark}) / :half, -1000.0))) AS total
              FROM signal
             WHERE is_machine = false AND {applied} AND kind IN ({{kinds}}) AND {{whose}}
             GROUP BY 1, 2) AS summed"""
_ANEW_ON = {
    "sqlite": _ANEW.format(
        applied=APPLIED,
        since_landmark="strftime('%s', occurred_at) - :landmark + substr(occurred_at, 20)",
        since_latest=":landmark - strftime('%s', latest) - substr(latest, 20)",
    ),
    "postgresql": _ANEW.format(
        applied=APPLIED,
        since_landmark="date_part('epoch', occurred_at) - :landmark",
        since_latest=":landmark - date_part('epoch', latest)",
    ),
}
_WORDS_ON = {
    "sqlite": {"power": "pow", "least": "min", "most": "max"},
    "postgresql": {"power": "power", "least": "LEAST", "most": "GREATEST"},
}
#: Accounts that follow a play: those in it, and for the first play also those in none that has scored.
_IN_PLAY = "account_id IN (SELECT id FROM account WHERE play = :play)"
_NOT_ELSEWHERE = "account_id NOT IN (SELECT id FROM account WHERE play {among:others})"
#: Accounts whose scores follow another play than theirs.
_STRAYS = """
    SELECT DISTINCT score.account_id FROM score JOIN account ON account.id = score.account_id
     WHERE score.play <> CASE WHEN account.play {among:plays} THEN account.play ELSE :first END"""


@dataclass(frozen=True, slots=True)
class Explained:
    """A reading, and the addresses of the people in it."""

    reading: Reading
    emails: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Reweighed:
    """What new weights did: how many people were scored anew, and which accounts it moved, by id."""

    people: int = 0
    moved: tuple[Moved, ...] = ()


def add(connection: Connection, signals: Mapping[int, Sequence[Told]], play: Play) -> None:
    """Signals by account id, each of them new: one addition per person, whatever lies in the past.

    Callers add a signal once (they take it out of the queue in the same transaction) and one after another. A `play`
    that never scored is entered with its rules of today; an account counts by the rules of its own play.
    """
    known = weighing_for(connection, play)
    plays = _plays(connection, known, sorted(signals))
    fresh = {
        (account, person): mass
        for account, told in signals.items()
        for person, mass in weigh(told, known.rules[plays[account]]).items()
    }
    stored = _masses(connection, sorted({account for account, _ in fresh}))
    strays = {account for (account, _), (_, by) in stored.items() if by != plays[account]}
    summed = {
        (account, person): _sum(stored.get((account, person)), mass, known.rules[plays[account]])
        for (account, person), mass in fresh.items()
        if account not in strays
    }
    _write(connection, summed, plays)
    recompute(connection, strays)


def recompute(connection: Connection, accounts: Iterable[int] | None = None) -> int:
    """Scores made anew from the signals, for these accounts or for all; returns how many people were scored.

    Needed when weights or half-life change, and when a signal turns out to be a machine's or loses its person.
    """
    known = read_weighing(connection)
    if accounts is None:
        return sum(_anew_in(connection, known, play) for play in known.rules)
    ids, people = sorted(accounts), 0
    plays = _plays(connection, known, ids)
    for some in chunks(ids):
        execute(connection, "DELETE FROM score WHERE account_id {among:accounts}", accounts=list(some))
        for play in sorted({plays[account] for account in some} & known.rules.keys()):
            theirs = [account for account in some if plays[account] == play]
            people += _anew(connection, known, play, "{weekly} AND account_id {among:accounts}", accounts=theirs)
    return people


def reweigh(connection: Connection, play: Play, now: datetime) -> Reweighed:
    """The play's scores by its rules of today, where they were made by others; and what that moves at `now`.

    Nothing happens when nothing changed. Accounts that came from another play or went to one are made anew as well.
    """
    known = read_weighing(connection)
    strays = _strays(connection, known)
    before_rules = known.rules.get(play.key)
    if before_rules == play.engagement and not strays:
        return Reweighed()
    before = standings(connection, now)
    changed = enter(connection, play)
    weighs_the_same = before_rules is not None and digest_of(before_rules) == digest_of(play.engagement)
    people = 0 if weighs_the_same else _anew_in(connection, changed, play.key)
    people += recompute(connection, _strays(connection, changed))
    return Reweighed(people, what_moved(before, standings(connection, now)))


def needs_reweighing(connection: Connection, play: Play) -> bool:
    """Whether `reweigh` would do anything."""
    known = read_weighing(connection)
    return known.rules.get(play.key) != play.engagement or bool(_strays(connection, known))


def read_scores(
    connection: Connection, rules: Rules, now: datetime, accounts: Sequence[int] | None = None
) -> dict[int, Score]:
    """Scores at `now`, the present, rolled up by `rules`; accounts nobody has heard from are missing.

    For another time than the present use `read_engagement`, which adds up the signals.
    """
    return _read(connection, now, lambda _: rules, accounts)


def standings(connection: Connection, now: datetime, accounts: Sequence[int] | None = None) -> dict[int, Score]:
    """The same, of each account by the rules its own score is made with."""
    known = read_weighing(connection)
    return _read(connection, now, lambda play: known.rules[play], accounts)


def _read(
    connection: Connection, now: datetime, rules_of: Callable[[str], Rules], accounts: Sequence[int] | None
) -> dict[int, Score]:
    query = _SCORES if accounts is None else _SCORES_OF
    when = Form.of(connection).read
    found = {}
    for account, group in groupby(rows(connection, query, accounts=list(accounts or ())), key=itemgetter(0)):
        people = list(group)
        rules = rules_of(people[0][4])
        masses = {person: Mass(mass, when(at)).as_of(now, rules.half_life) for _, person, mass, at, _, _ in people}
        found[account] = roll_up(masses, {person: Role(role) for _, person, *_, role in people if role}, rules)
    return found


def read_engagement(connection: Connection, accounts: Sequence[int], rules: Rules, now: datetime) -> dict[int, Reading]:
    """Score, contributions (they add up to it) and heat of each account as of any time; two queries per call."""
    signals = read_told(connection, accounts, rules, since=now - FORGOTTEN_AFTER * rules.half_life)
    roles: dict[int, dict[int, Role]] = {account: {} for account in accounts}
    wrong = set()
    for account, person, role, is_wrong in rows(connection, _ROLES, accounts=list(accounts)):
        roles[account][person] = Role(role)
        wrong |= {person} if is_wrong else set()
    return {account: read(signals.get(account, ()), roles[account], rules, now, wrong) for account in accounts}


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
    week = week_of(since) if since else None
    found = rows(connection, weekly(connection, query), accounts=list(accounts), kinds=listed, since=since, week=week)
    for account, id, person, kind, at in found:
        one = Told(id, person or NOBODY, weighing[kind], when(at))
        told.setdefault(account, []).append(one)
    return told


def _plays(connection: Connection, known: Weighing, accounts: Sequence[int]) -> dict[int, str]:
    """Account -> the play whose rules count for it."""
    if len(known.rules) < 2:
        return dict.fromkeys(accounts, known.first)
    query = "SELECT id, play FROM account WHERE id {among:accounts}"
    return {id: known.play_of(play) for id, play in rows(connection, query, accounts=list(accounts))}


def _strays(connection: Connection, known: Weighing) -> list[int]:
    if len(known.rules) < 2:
        return []
    return [id for (id,) in rows(connection, _STRAYS, plays=list(known.rules), first=known.first)]


def _anew_in(connection: Connection, known: Weighing, play: str) -> int:
    """All accounts that follow this play."""
    others = [other for other in known.rules if other != play]
    whose = _IN_PLAY if play != known.first else _NOT_ELSEWHERE if others else "account_id IS NOT NULL"
    execute(connection, f"DELETE FROM score WHERE {whose}", play=play, others=others)
    return _anew(connection, known, play, f"account_id IS NOT NULL AND {whose}", others=others)


def _anew(connection: Connection, known: Weighing, play: str, whose: str, **values: Any) -> int:
    rules, dialect = known.rules[play], connection.dialect.name
    weights = {kind.value: float(weight) for kind, weight in sorted(rules.weights.items()) if weight}
    if not weights:
        return 0
    _prepare(connection)
    cases = " ".join(f"WHEN '{kind}' THEN {weight!r}" for kind, weight in weights.items())
    kinds = ", ".join(f"'{kind}'" for kind in weights)
    query = _ANEW_ON[dialect].format(**_WORDS_ON[dialect], weights=f"CASE kind {cases} END", kinds=kinds, whose=whose)
    values |= {"play": play, "half": rules.half_life.total_seconds(), "landmark": _landmark(connection)}
    return execute(connection, weekly(connection, query), **values)


def _masses(connection: Connection, accounts: list[int]) -> dict[tuple[int, int], tuple[Mass, str]]:
    read = Form.of(connection).read
    theirs = rows(connection, _MASSES, accounts=accounts)
    return {(account, person): (Mass(mass, read(at), count), play) for account, person, mass, at, count, play in theirs}


def _sum(stored: tuple[Mass, str] | None, fresh: Mass, rules: Rules) -> Mass:
    return stored[0].plus(fresh, rules.half_life) if stored else fresh


def _write(connection: Connection, masses: Mapping[tuple[int, int], Mass], plays: Mapping[int, str]) -> None:
    at = Form.of(connection).write
    values = [
        (account, person, mass.value, mass.signals, at(mass.at), plays[account])
        for (account, person), mass in sorted(masses.items(), key=itemgetter(0))
    ]
    upsert(connection, "score", _COLUMNS, values, key=("account_id", "person"))


def _landmark(connection: Connection) -> int:
    """Seconds since 1970 of the latest signal that can matter: a whole number, so that differences stay exact."""
    latest = connection.scalar(select(func.max(Signal.received_at)))
    return int(latest.timestamp()) if latest else 0


def _prepare(connection: Connection) -> None:
    """Some builds of SQLite come without mathematics; PostgreSQL would add up a hundred thousand people on its disk."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
    else:
        known = "SELECT 1 FROM pragma_function_list WHERE name = 'pow'"
        if connection.exec_driver_sql(known).first() is None:
            driver: Any = connection.connection.driver_connection
            driver.create_function("pow", 2, math.pow, deterministic=True)
