"""Facts from outside: who a name in a file stands for, what differs from the ledger, and writing that and no more.

Each row carries the hash of its content, so that an unchanged one is recognised and not written. Whoever's facts
change gets `replan_at`; an account that a file speaks of gets `synced_at`, changed or not.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.orm import aliased

from accounts.errors import NotFound
from accounts.identity import normalise_email
from accounts.ledger.bulk import chunks, insert_into
from accounts.ledger.importing.incoming import ACCOUNTS, CHANGE, GROUP, OPPORTUNITIES, REPS, STAKEHOLDERS, TABLES
from accounts.ledger.reps import handovers
from accounts.models import Account, Activity, Opportunity, Rep, Stakeholder
from accounts.stages import TARGET
from accounts.types import Utc
from accounts.vocabulary import EmailStatus

MODELS: dict[str, Any] = {
    "reps": Rep,
    "accounts": Account,
    "stakeholders": Stakeholder,
    "opportunities": Opportunity,
    "activities": Activity,
}

#: What identifies a row in the ledger.
KEYS = {
    "reps": ("email",),
    "accounts": ("key",),
    "stakeholders": ("account_id", "email"),
    "opportunities": ("source_id",),
    "activities": ("source_id",),
}

#: Set when a row is new, and then the business of others: tracking moves an account on, by the play's allowed moves.
ONLY_WHEN_NEW = {"stage"}
#: Set while nothing stands there: a list never outranks what a rep has chosen.
ONLY_WHEN_EMPTY = {"brief_hour"}


# Who is meant


def rep_ids(connection: Connection, emails: Collection[str], *, and_staged: bool = False) -> dict[str, int]:
    """Address -> id of the reps among `emails`; `and_staged` adds those of this import, under negative numbers."""
    return _ids(connection, Rep.email, REPS.c.email if and_staged else None, emails)


def account_ids(connection: Connection, keys: Collection[str], *, and_staged: bool = False) -> dict[str, int]:
    """Key -> id of the accounts among `keys`; `and_staged` as in `rep_ids`."""
    return _ids(connection, Account.key, ACCOUNTS.c.key if and_staged else None, keys)


def person_ids(connection: Connection, emails: Collection[str]) -> dict[tuple[int, str], int]:
    """(account's id, address) -> id of the people with one of `emails`."""
    found: dict[tuple[int, str], int] = {}
    for some in chunks(sorted(emails)):
        query = select(Stakeholder.account_id, Stakeholder.email, Stakeholder.id).where(Stakeholder.email.in_(some))
        found.update(((account, email), id) for account, email, id in connection.execute(query))
    return found


def _ids(connection: Connection, column: Any, staged: Any, names: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    if staged is not None:
        found.update(_named(connection, f"SELECT {staged.name}, -entry FROM {staged.table.name}", staged.name, names))
    found.update(_named(connection, f"SELECT {column.name}, id FROM {column.table.name}", column.name, names))
    return found


def _named(connection: Connection, query: str, column: str, names: Collection[str]) -> list[Any]:
    """Rows of `query` whose `column` is one of `names`: they go as one value, so that the statement stays the same."""
    on_sqlite = connection.dialect.name == "sqlite"
    listed = "IN (SELECT value FROM json_each(:names))" if on_sqlite else "= ANY(:names)"
    values: Any = json.dumps(list(names)) if on_sqlite else list(names)
    result = connection.execute(text(f"{query} WHERE {column} {listed}"), {"names": values})
    return [tuple(row) for row in result]


def known_among(connection: Connection, dataset: str, keys: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the (account's key, row's key) pairs that the ledger has a row for."""
    if dataset == "stakeholders":
        accounts = account_ids(connection, {account for account, _ in keys})
        people = person_ids(connection, {email for _, email in keys})
        return {(account, email) for account, email in keys if (accounts.get(account), email) in people}
    column = getattr(MODELS[dataset], KEYS[dataset][0])
    found = _ids(connection, column, None, {key for _, key in keys})
    return {(account, key) for account, key in keys if key in found}


# What differs


def compare(connection: Connection, dataset: str) -> tuple[int, int]:
    """Note the accepted rows that are new or differ from the ledger; returns (new, changed)."""
    staged, model = TABLES[dataset], MODELS[dataset]
    known = and_(*(getattr(model, key) == staged.c[key] for key in KEYS[dataset]))
    concerns, formerly = _accounts_concerned(dataset)
    differing = (
        select(literal(dataset), staged.c.entry, model.id.is_(None), concerns, formerly)
        .select_from(staged.outerjoin(model, known))
        .where(~staged.c.is_rejected, or_(model.row_hash.is_(None), model.row_hash != staged.c.row_hash))
    )
    connection.execute(
        CHANGE.insert().from_select(["dataset", "entry", "is_new", "account_id", "former_account_id"], differing)
    )
    count = select(func.count(), func.coalesce(func.sum(case((CHANGE.c.is_new, 1), else_=0)), 0))
    all_of_them, new = connection.execute(count.where(CHANGE.c.dataset == dataset)).one()
    return new, all_of_them - new


def _accounts_concerned(dataset: str) -> tuple[Any, Any]:
    """The account a row speaks of, and the one it spoke of before."""
    if dataset == "reps":
        return literal(None, Rep.id.type), literal(None, Rep.id.type)
    if dataset == "accounts":
        return Account.id, Account.id
    return TABLES[dataset].c.account_id, MODELS[dataset].account_id


# Writing


def write(
    connection: Connection, dataset: str, columns: Sequence[str], files: Sequence[int], *, source: str, now: datetime
) -> None:
    """Insert or update the rows that `compare` noted and that come from `files`, in these columns only."""
    staged, model = TABLES[dataset], MODELS[dataset]
    if dataset == "accounts" and "owner_id" in columns:
        handovers.note(connection, _new_owners(files, now))
    fixed = _fixed_values(dataset, source, now)
    names = [*columns, "row_hash", *fixed]
    rows = (
        select(*(_value(staged, column) for column in columns), staged.c.row_hash, *fixed.values())
        .select_from(staged.join(CHANGE, and_(CHANGE.c.entry == staged.c.entry, CHANGE.c.dataset == dataset)))
        .where(staged.c.file.in_(files))
    )
    insert = insert_into(connection, model).from_select(names, rows, include_defaults=False)
    renewed = {name: insert.excluded[name] for name in names if name not in {*KEYS[dataset], *ONLY_WHEN_NEW}}
    known = model.__table__.c
    kept = {name: func.coalesce(known[name], insert.excluded[name]) for name in ONLY_WHEN_EMPTY.intersection(columns)}
    connection.execute(insert.on_conflict_do_update(index_elements=KEYS[dataset], set_={**renewed, **kept}))


def _new_owners(files: Sequence[int], now: datetime) -> Select[Any]:
    """Accounts that have another owner in these files than in the ledger; a first owner is no handover."""
    return (
        select(Account.id, Account.owner_id, ACCOUNTS.c.owner_id, literal(now, Utc()))
        .join(ACCOUNTS, ACCOUNTS.c.key == Account.key)
        .join(CHANGE, and_(CHANGE.c.entry == ACCOUNTS.c.entry, CHANGE.c.dataset == "accounts"))
        .where(ACCOUNTS.c.file.in_(files), Account.owner_id.is_not(None))
        .where(Account.owner_id.is_distinct_from(ACCOUNTS.c.owner_id))
    )


def _value(staged: Table, column: str) -> ColumnElement[Any]:
    """A new account that names no stage stands at the beginning."""
    return func.coalesce(staged.c.stage, TARGET) if staged is ACCOUNTS and column == "stage" else staged.c[column]


def _fixed_values(dataset: str, source: str, now: datetime) -> dict[str, ColumnElement[Any]]:
    """What the import itself adds to a row."""
    at = literal(now, Utc())
    if dataset == "accounts":
        return {"source": literal(source), "source_id": ACCOUNTS.c.key, "synced_at": at, "replan_at": at}
    return {"source": literal(source)} if dataset in ("opportunities", "activities") else {}


def mark_seen(connection: Connection, dataset: str, now: datetime) -> None:
    """Every account that an accepted row speaks of was looked at now."""
    staged = TABLES[dataset]
    if dataset == "reps":
        return
    meant = Account.key if dataset == "accounts" else Account.id
    named = staged.c.key if dataset == "accounts" else staged.c.account_id
    seen = meant.in_(select(named).where(~staged.c.is_rejected))
    connection.execute(update(Account).where(seen, Account.synced_at.is_distinct_from(now)).values(synced_at=now))


def mark_changed(connection: Connection, dataset: str, now: datetime) -> None:
    """Tracking and planning must look again at every account whose facts changed, and at those a changed rep owns."""
    of_this = CHANGE.c.dataset == dataset
    if dataset == "reps":
        changed = select(Rep.id).join(REPS, REPS.c.email == Rep.email).join(CHANGE, CHANGE.c.entry == REPS.c.entry)
        concerned = Account.owner_id.in_(changed.where(of_this))
    else:
        columns = (CHANGE.c.account_id, CHANGE.c.former_account_id)
        concerned = Account.id.in_(union(*(select(column).where(of_this) for column in columns)))
    unmarked = or_(Account.replan_at.is_distinct_from(now), Account.tracked_rules.is_not(None))
    connection.execute(update(Account).where(concerned, unmarked).values(replan_at=now, tracked_rules=None))


def link_parents(connection: Connection, files: Sequence[int]) -> None:
    """Accounts below the one their row names; a parent that comes later is linked when it comes."""
    parent = aliased(Account)
    given = and_(ACCOUNTS.c.file.in_(files), ~ACCOUNTS.c.is_rejected)
    above = (
        select(parent.id)
        .join(ACCOUNTS, ACCOUNTS.c.parent == parent.key)
        .where(ACCOUNTS.c.key == Account.key, given)
        .scalar_subquery()
    )
    named = Account.key.in_(select(ACCOUNTS.c.key).where(given, ACCOUNTS.c.parent.is_not(None)))
    none_named = Account.key.in_(select(ACCOUNTS.c.key).where(given, ACCOUNTS.c.parent.is_(None)))
    connection.execute(update(Account).where(named, Account.parent_id.is_distinct_from(above)).values(parent_id=above))
    connection.execute(update(Account).where(none_named, Account.parent_id.is_not(None)).values(parent_id=None))


def link_backups(connection: Connection, files: Sequence[int]) -> None:
    """Who stands in for the reps whose rows are new or changed: an unchanged row never outranks what a rep has said
    since. One who comes in the same file counts, one nobody knows does not."""
    backup = aliased(Rep)
    given = and_(REPS.c.file.in_(files), ~REPS.c.is_rejected)
    named = (
        select(backup.id)
        .join(REPS, REPS.c.backup_email == backup.email)
        .where(REPS.c.email == Rep.email, given)
        .scalar_subquery()
    )
    changed = and_(CHANGE.c.entry == REPS.c.entry, CHANGE.c.dataset == "reps")
    spoken_of = Rep.email.in_(select(REPS.c.email).join(CHANGE, changed).where(given))
    connection.execute(update(Rep).where(spoken_of, Rep.backup_id.is_distinct_from(named)).values(backup_id=named))


def opted_out(connection: Connection, files: Sequence[int]) -> list[str]:
    """Hashes of the addresses that these files say no for; of rows that were turned away as well."""
    said = STAKEHOLDERS.c.file.in_(files), STAKEHOLDERS.c.opted_out.is_not(None), STAKEHOLDERS.c.email_hash.is_not(None)
    return list(connection.scalars(select(STAKEHOLDERS.c.email_hash).where(*said).distinct()))


def adopt_owners(connection: Connection, now: datetime) -> None:
    """For exports that do not name owners: an account belongs to the rep of its most recently created opportunity;
    of several on one day, to that of the one with the last id."""
    latest = (
        select(Opportunity.owner_id)
        .where(Opportunity.account_id == Account.id, Opportunity.owner_id.is_not(None))
        .order_by(Opportunity.created_at.desc().nulls_last(), Opportunity.source_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    concerned = Account.id.in_(select(OPPORTUNITIES.c.account_id).where(~OPPORTUNITIES.c.is_rejected))
    moved = and_(concerned, latest.is_not(None), Account.owner_id.is_distinct_from(latest))
    had_another = select(Account.id, Account.owner_id, latest, literal(now, Utc())).where(moved)
    handovers.note(connection, had_another.where(Account.owner_id.is_not(None)))
    connection.execute(update(Account).where(moved).values(owner_id=latest, replan_at=now))


# One person in two accounts


def note_owner_conflicts(connection: Connection, now: datetime) -> None:
    """People of this import who stand in another account as well, without a home: nobody writes to them for now."""
    other, at_home = aliased(Stakeholder), aliased(Stakeholder)
    shared = (
        select(other.email)
        .join(STAKEHOLDERS, and_(STAKEHOLDERS.c.email == other.email, STAKEHOLDERS.c.account_id != other.account_id))
        .join(CHANGE, and_(CHANGE.c.entry == STAKEHOLDERS.c.entry, CHANGE.c.dataset == "stakeholders"))
        .where(~exists().where(at_home.email == other.email, at_home.is_home))
        .distinct()
    )
    for some in chunks(list(connection.scalars(shared))):
        undecided = and_(Stakeholder.email.in_(some), ~Stakeholder.owner_conflict)
        concerned = Account.id.in_(select(Stakeholder.account_id).where(undecided))
        connection.execute(update(Account).where(concerned).values(replan_at=now))
        connection.execute(update(Stakeholder).where(undecided).values(owner_conflict=True))


def resolve_owner_conflict(connection: Connection, email: str, account_key: str, now: datetime) -> None:
    """A person belongs to this account from now on: `is_home` there and nowhere else, the conflict is over everywhere.

    Raises NotFound when nobody with that address stands in that account.
    """
    address = normalise_email(email)
    everywhere = Stakeholder.email == address
    home = select(Stakeholder.id).join(Account, Account.id == Stakeholder.account_id)
    person = connection.scalar(home.where(everywhere, Account.key == account_key))
    if person is None:
        raise NotFound(f"nobody with the address {address} stands in {account_key}", cure="see: tandem why " + address)
    decided = {"is_home": Stakeholder.id == person, "owner_conflict": False}
    connection.execute(update(Stakeholder).where(everywhere).values(decided))
    concerned = Account.id.in_(select(Stakeholder.account_id).where(everywhere))
    connection.execute(update(Account).where(concerned).values(replan_at=now))


# What an account still lacks


def count_groups(connection: Connection, now: datetime) -> None:
    """A row for each account of this import, about its people; see `GROUP`."""
    lacking = case((Stakeholder.consent_basis.is_(None), 1))
    undecided = case((Stakeholder.owner_conflict, 1))
    there = case((Stakeholder.email_status != EmailStatus.LEFT, 1))
    people = Stakeholder.id.is_not(None)
    counts = (func.count(case((people, there))), func.count(case((people, lacking))), func.count(undecided))
    groups = (
        select(Account.id, Account.key, Account.owner_id, *counts)
        .outerjoin(Stakeholder, Stakeholder.account_id == Account.id)
        .where(Account.synced_at == now)
        .group_by(Account.id, Account.key, Account.owner_id)
    )
    names = ["entry", "key", "owner_id", "people", "without_basis", "in_conflict"]
    connection.execute(GROUP.insert().from_select(names, groups))
