"""What briefs are written from, for all reps: a fixed number of queries for every 500 accounts, never one per account.

A glance at the accounts with news (brief_glances.py) finds the few that are told in full; what happened there is read
by brief_facts.py, and who the people are by brief_people.py.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, select

from accounts.briefs.material import AccountMaterial, Person, RepMaterial, clean
from accounts.briefs.writing import MOST_ACCOUNTS, Brief, choose, write
from accounts.ledger.briefs import facts as facts
from accounts.ledger.briefs.glances import Seen, called, look_around
from accounts.ledger.briefs.people import read_names, read_people
from accounts.ledger.briefs.readers import Watch, watches
from accounts.ledger.briefs.written import Look
from accounts.ledger.bulk import among, chunks
from accounts.ledger.sla.clocks import sales_owes
from accounts.models import Account
from accounts.playbook import Play

T = TypeVar("T")

ACCOUNTS_AT_ONCE = 500
#: Reps at whose accounts one glance looks.
REPS_AT_ONCE = 500


def briefs_of(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[tuple[int, Brief]]:  # fmt: skip
    """(rep, brief) of each rep with news.

    A glance finds the accounts that are told in full, and only those are read; the others get a line.
    """
    for watching in _parties(connection, looks, as_of):
        seen = look_around(connection, watching, play, as_of)
        for some in _in_hundreds(_material(connection, watching, seen, play, as_of)):
            choices = [choice for rep in some if (choice := choose(rep, play, as_of, seen[rep.id].rest))]
            people = _everybody(connection, [account for choice in choices for account in choice.in_full], play, as_of)
            yield from ((choice.rep.id, write(choice, people)) for choice in choices)


def accounts_with_news(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> dict[int, set[int]]:  # fmt: skip
    """Rep -> accounts to tell of; nothing has to be read of anybody else."""
    parties = _parties(connection, looks, as_of)
    return {
        reader: {*seen.full, *(glance.id for glance in seen.rest)}
        for watching in parties
        for reader, seen in look_around(connection, watching, play, as_of).items()
    }


def read_material(
    connection: Connection, looks: Sequence[Look], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """The material of each rep with news, all of it, in the order of `looks`' times."""
    for watching in _parties(connection, looks, as_of):
        everything = {
            reader: Seen((*seen.full, *(glance.id for glance in seen.rest)), ())
            for reader, seen in look_around(connection, watching, play, as_of).items()
        }
        for reps in _in_hundreds(_material(connection, watching, everything, play, as_of)):
            people = _everybody(connection, [account for rep in reps for account in rep.accounts], play, as_of)
            for rep in reps:
                accounts = (replace(account, people=people.get(account.id, ())) for account in rep.accounts)
                yield replace(rep, accounts=tuple(accounts))


def _in_hundreds(values: Iterator[T]) -> Iterator[list[T]]:
    """A hundred reps with five accounts each are one reading."""
    while some := list(islice(values, ACCOUNTS_AT_ONCE // MOST_ACCOUNTS)):
        yield some


def _everybody(
    connection: Connection, accounts: Sequence[AccountMaterial], play: Play, as_of: datetime
) -> dict[int, tuple[Person, ...]]:  # fmt: skip
    """Everything about the people of these accounts."""
    found: dict[int, tuple[Person, ...]] = {}
    for some in chunks(accounts, ACCOUNTS_AT_ONCE):
        found |= read_people(connection, {account.id: account.people for account in some}, play, as_of)
    return found


def _parties(connection: Connection, looks: Sequence[Look], as_of: datetime) -> Iterator[dict[int, Watch]]:
    """Owner -> who is told of their accounts, for some hundred readers at a time: those with like times together."""
    watching = sorted(
        watches(connection, looks, as_of).values(), key=lambda watch: (watch.look.since, watch.look.rep_id)
    )
    by_reader = defaultdict[int, list[Watch]](list)
    for watch in watching:
        by_reader[watch.look.rep_id].append(watch)
    for some in chunks(list(by_reader.values()), REPS_AT_ONCE):
        yield {watch.owner: watch for theirs in some for watch in theirs}


def _material(
    connection: Connection, watching: Mapping[int, Watch], seen: Mapping[int, Seen], play: Play, as_of: datetime
) -> Iterator[RepMaterial]:  # fmt: skip
    """The accounts that are to be read, without what is known of people beyond name, role and address.

    500 accounts are read at once, whoever's they are; a rep is complete when the last of theirs is read.
    """
    looks = {watch.look.rep_id: watch.look for watch in watching.values() if watch.absent is None}
    wanted = [(reader, account) for reader, one in seen.items() for account in one.full]
    owners = _owners(connection, [account for _, account in wanted])
    open_reps: dict[int, list[AccountMaterial]] = {}
    for some in chunks(wanted, ACCOUNTS_AT_ONCE):
        theirs = {account: watching[owners[account]] for _, account in some}
        accounts = _accounts(connection, theirs, play, as_of)
        for reader, account in some:
            open_reps.setdefault(reader, []).append(accounts[account])
        for reader in [reader for reader in open_reps if reader != some[-1][0]]:
            yield _rep(looks[reader], open_reps.pop(reader))
    for reader, rest in open_reps.items():
        yield _rep(looks[reader], rest)


def _owners(connection: Connection, accounts: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for some in chunks(accounts, ACCOUNTS_AT_ONCE):
        query = select(Account.id, Account.owner_id).where(
            among(connection, Account.id, some), Account.owner_id.is_not(None)
        )
        found.update({account: owner for account, owner in connection.execute(query) if owner})
    return found


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
    """Account id -> its material: twelve queries for up to 500 accounts. `watching`: account id -> its watch."""
    ids, looks = list(watching), {account: watch.look for account, watch in watching.items()}
    since = min(look.since for look in looks.values())
    people = read_names(connection, ids)
    signs = facts.read_signs(connection, looks, play, since, as_of)
    mails, moves = facts.read_mails(connection, ids, since, as_of), facts.read_moves(connection, ids, since, as_of)
    holds, touches = facts.read_holds(connection, ids, since, as_of), facts.read_sales_touches(connection, ids, as_of)
    newcomers, owing = facts.read_newcomers(connection, ids, as_of), sales_owes(connection, ids, as_of)
    objections, answers = facts.read_objections(connection, ids, as_of), facts.read_answers(connection, looks, as_of)
    handovers = facts.read_handovers(connection, ids, since, as_of)
    query = select(Account.id, Account.key, Account.name, Account.division, Account.stage).where(
        among(connection, Account.id, ids)
    )
    return {
        row.id: AccountMaterial(
            id=row.id,
            key=row.key,
            name=called(row.name, row.division),
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
