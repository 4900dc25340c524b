"""What briefs are written from, for all reps: a fixed number of queries for every 500 accounts, never one per account.

Only accounts on which something happened since their rep's last brief are read at all (brief_changes.py), so that a
quiet night is cheap; of their people only what shows which accounts are told (brief_people.py); what happened there
stands in brief_facts.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby, islice
from typing import TypeVar

from sqlalchemy import Connection, select

from accounts.briefs.material import AccountMaterial, Person, RepMaterial, clean
from accounts.briefs.writing import MOST_ACCOUNTS, Brief, choose, write
from accounts.ledger import brief_facts as facts
from accounts.ledger.brief_changes import Watch, changed, watches
from accounts.ledger.brief_people import read_names, read_people
from accounts.ledger.briefs import Look
from accounts.ledger.bulk import chunks
from accounts.ledger.sla import sales_owes
from accounts.models import Account
from accounts.playbook import Play

T = TypeVar("T")

ACCOUNTS_AT_ONCE = 500


def briefs_of(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[tuple[int, Brief]]:  # fmt: skip
    """(rep, brief) of each rep with news.

    All is read of the accounts that are told in full; of the many others only what shows that they are not among them.
    """
    choices = (choose(rep, play, as_of) for rep in _material(connection, looks, play, as_of))
    for some in _in_hundreds(choice for choice in choices if choice):
        people = _everybody(connection, [account for choice in some for account in choice.in_full], as_of)
        yield from ((choice.rep.id, write(choice, people)) for choice in some)


def read_material(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """The material of each rep on whose accounts something may have happened, in the order of `looks`' times."""
    for reps in _in_hundreds(_material(connection, looks, play, as_of)):
        people = _everybody(connection, [account.id for rep in reps for account in rep.accounts], as_of)
        for rep in reps:
            accounts = (replace(account, people=people.get(account.id, ())) for account in rep.accounts)
            yield replace(rep, accounts=tuple(accounts))


def _in_hundreds(values: Iterator[T]) -> Iterator[list[T]]:
    """A hundred reps with five accounts each are one reading."""
    while some := list(islice(values, ACCOUNTS_AT_ONCE // MOST_ACCOUNTS)):
        yield some


def _everybody(connection: Connection, accounts: Sequence[int], as_of: datetime) -> dict[int, tuple[Person, ...]]:
    """Everything about the people of these accounts."""
    pieces = (read_people(connection, list(some), as_of) for some in chunks(sorted(accounts), ACCOUNTS_AT_ONCE))
    return {account: tuple(people) for piece in pieces for account, people in piece.items()}


def _material(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """Without what is known of people beyond name, role and address."""
    watching = sorted(
        watches(connection, looks, as_of).values(), key=lambda watch: (watch.look.since, watch.look.rep_id)
    )
    by_reader = [list(some) for _, some in groupby(watching, key=lambda watch: watch.look.rep_id)]
    for some in chunks(by_reader, ACCOUNTS_AT_ONCE):
        yield from _of_reps(connection, {watch.owner: watch for one in some for watch in one}, play, as_of)


def _of_reps(
    connection: Connection, watching: Mapping[int, Watch], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """Reps are complete when the last of their accounts is read; 500 accounts are read at once, whoever's they are."""
    reader = changed(connection, watching, as_of)
    open_reps: dict[int, list[AccountMaterial]] = {}
    looks = {watch.look.rep_id: watch.look for watch in watching.values() if watch.absent is None}
    for some in chunks(list(reader), ACCOUNTS_AT_ONCE):
        accounts = _accounts(connection, {account: reader[account] for account in some}, play, as_of)
        for account in some:
            open_reps.setdefault(reader[account].look.rep_id, []).append(accounts[account])
        last = reader[some[-1]].look.rep_id
        for rep_id in [rep_id for rep_id in open_reps if rep_id != last]:
            yield _rep(looks[rep_id], open_reps.pop(rep_id))
    for rep_id, rest in open_reps.items():
        yield _rep(looks[rep_id], rest)


def _rep(look: Look, accounts: list[AccountMaterial]) -> RepMaterial:
    return RepMaterial(
        id=look.rep_id,
        name=clean(look.name),
        email=look.email,
        timezone=look.timezone,
        since=look.since,
        is_first=look.is_first,
        accounts=tuple(accounts),
        doubtful=look.doubtful,
        manner=look.manner,
        back_since=look.back_since,
    )


def _accounts(
    connection: Connection, watching: Mapping[int, Watch], play: Play, as_of: datetime
) -> dict[int, AccountMaterial]:  # fmt: skip
    """Account id -> its material: thirteen queries for up to 500 accounts. `watching`: account id -> its watch."""
    ids, looks = list(watching), {account: watch.look for account, watch in watching.items()}
    since = min(look.since for look in looks.values())
    people = read_names(connection, ids)
    signs = facts.read_signs(connection, looks, play, since, as_of)
    mails, moves = facts.read_mails(connection, ids, since, as_of), facts.read_moves(connection, ids, since, as_of)
    holds, touches = facts.read_holds(connection, ids, since, as_of), facts.read_sales_touches(connection, ids, as_of)
    newcomers, owing = facts.read_newcomers(connection, ids, as_of), sales_owes(connection, ids, as_of)
    objections, answers = facts.read_objections(connection, ids, as_of), facts.read_answers(connection, looks, as_of)
    handovers = facts.read_handovers(connection, ids, since, as_of)
    query = select(Account.id, Account.key, Account.name, Account.division, Account.stage).where(Account.id.in_(ids))
    return {
        row.id: AccountMaterial(
            id=row.id,
            key=row.key,
            name=_name(row.name, row.division),
            stage=row.stage,
            people=tuple(people[row.id]),
            signs=tuple(signs[row.id]),
            mails=tuple(mail for mail in mails[row.id] if mail.at > looks[row.id].since),
            moves=tuple(move for move in moves[row.id] if move.at > looks[row.id].since),
            holds=tuple(holds[row.id]),
            sales_touch=touches.get(row.id),
            newcomers=tuple(newcomers[row.id]),
            owing=owing.get(row.id),
            is_clocked=row.id in owing,
            objections=tuple(objections[row.id]),
            answers=tuple(answers.get(row.id, ())),
            handover=handovers.get(row.id),
            absent=watching[row.id].absent,
            since=looks[row.id].since,
        )
        for row in connection.execute(query).all()
    }


def _name(name: str, division: str | None) -> str:
    """The account as a person calls it: with its division, unless the name has that in it."""
    is_told = not division or division.lower() in name.lower()
    return clean(name if is_told else f"{name} {division}")
