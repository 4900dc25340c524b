"""From cleaned fields to rows of the ledger: names become ids, a deal becomes open, won or lost, and the whole gets the
hash by which an unchanged row is recognised."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from accounts.ledger.importing import facts
from accounts.playbook import Play
from accounts.stages import LOST, WON, StageNames
from flows.importing.cleaning import Column, in_ledger

#: Most names remembered between two pieces of a file.
MEMORY = 200_000

#: Field of the CSV contract -> column of the ledger, where they are not called the same; None: not stored as it is.
COLUMNS: dict[str, dict[str, str | None]] = {
    "reps": {"backup_email": None},
    "accounts": {"account": "key", "owner_email": "owner_id", "parent": None},
    "stakeholders": {"account": "account_id", "role": "crm_role", "opted_out": None},
    "opportunities": {
        "opportunity": "source_id", "account": "account_id", "owner_email": "owner_id", "is_closed": None,
        "is_won": None, "closed_at": None,
    },
    "activities": {
        "activity": "source_id", "account": "account_id", "stakeholder_email": "stakeholder_id",
        "rep_email": "rep_id",
    },
}  # fmt: skip

#: Columns that follow from others, and are written with every row.
ALWAYS = {"stakeholders": ("email_hash",), "opportunities": ("is_open", "is_won", "closed_at")}


def written_columns(dataset: str, given: Sequence[str]) -> tuple[str, ...]:
    """The ledger's columns that a file with these fields speaks of."""
    names = COLUMNS[dataset]
    stored = (names.get(name, name) for name in given)
    return (*(column for column in stored if column), *ALWAYS.get(dataset, ()))


@dataclass(slots=True)
class Names:
    """Ids of reps, accounts and people, remembered between pieces. In a rehearsal also of rows that only wait."""

    is_rehearsal: bool = False
    _reps: dict[str, int | None] = field(default_factory=dict)
    _accounts: dict[str, int | None] = field(default_factory=dict)

    def reps(self, connection: Connection, emails: Column) -> Column:
        return self._ids(facts.rep_ids, self._reps, connection, emails)

    def accounts(self, connection: Connection, keys: Column) -> Column:
        return self._ids(facts.account_ids, self._accounts, connection, keys)

    def people(self, connection: Connection, accounts: Column, emails: Column) -> Column:
        known = facts.person_ids(connection, {str(email) for email in emails if email is not None})
        return [known.get((account, email)) for account, email in zip(accounts, emails, strict=True)]  # type: ignore[arg-type]

    def _ids(
        self, find: Callable[..., dict[str, int]], known: dict[str, int | None], connection: Connection, names: Column
    ) -> Column:
        if len(known) > MEMORY:
            known.clear()
        unknown: Collection[Any] = {name for name in set(names) if name is not None and name not in known}
        if unknown:
            known.update(dict.fromkeys(unknown), **find(connection, unknown, and_staged=self.is_rehearsal))
        return [None if name is None else known[name] for name in names]  # type: ignore[index]


@dataclass(slots=True)
class Shaper:
    """Shapes the rows of one data set."""

    dataset: str
    play: Play
    names: Names
    now: datetime

    def shape(self, connection: Connection, cleaned: dict[str, Column], size: int) -> dict[str, Column]:
        """Columns of the staging table, from cleaned fields; `size` rows."""
        add = {
            "accounts": self._account,
            "stakeholders": self._stakeholder,
            "opportunities": self._opportunity,
            "activities": self._activity,
        }.get(self.dataset)
        columns = dict(cleaned)
        if add:
            add(connection, columns, size)
        return columns

    def _account(self, connection: Connection, columns: dict[str, Column], size: int) -> None:
        columns["key"] = columns.pop("account")
        if "owner_email" in columns:
            columns["owner_id"] = self.names.reps(connection, columns["owner_email"])

    def _stakeholder(self, connection: Connection, columns: dict[str, Column], size: int) -> None:
        columns["account_id"] = self.names.accounts(connection, columns["account"])
        columns["email_hash"] = [None if address is None else _hashed(address) for address in columns["email"]]
        if "role" in columns:
            columns["crm_role"] = columns.pop("role")
        if "opted_out" in columns:
            columns["opted_out"] = ["yes" if value else None for value in columns["opted_out"]]

    def _opportunity(self, connection: Connection, columns: dict[str, Column], size: int) -> None:
        columns["source_id"] = columns.pop("opportunity")
        columns["account_id"] = self.names.accounts(connection, columns["account"])
        if "owner_email" in columns:
            columns["owner_id"] = self.names.reps(connection, columns["owner_email"])
        _ends(columns, size, StageNames(self.play), self.now)

    def _activity(self, connection: Connection, columns: dict[str, Column], size: int) -> None:
        columns["source_id"] = columns.pop("activity")
        columns["account_id"] = self.names.accounts(connection, columns["account"])
        if "rep_email" in columns:
            columns["rep_id"] = self.names.reps(connection, columns["rep_email"])
        if "stakeholder_email" in columns:
            emails = columns["stakeholder_email"]
            columns["stakeholder_id"] = self.names.people(connection, columns["account_id"], emails)


def _hashed(address: Any) -> str:
    """`accounts.identity.email_hash` of an address that is in its normal form already."""
    return sha256(address.encode()).hexdigest()


def _ends(columns: dict[str, Column], size: int, stages: StageNames, now: datetime) -> None:
    """Whether each deal is open and won, and since when it is closed.

    It is over when the row says won or closed, or its stage is one the play knows as won or lost; `is_won` false alone
    says nothing, since many exports write it for every open deal. Closed on its close date, but never later than now.
    """
    nothing: Column = [None] * size
    named = {name: stages.find(str(name)) if name else None for name in set(columns["stage"])}
    won, closed = columns.pop("is_won", nothing), columns.pop("is_closed", nothing)
    ends = [named[stage] for stage in columns["stage"]]
    columns["is_won"] = [bool(flag) or (flag is None and end == WON) for flag, end in zip(won, ends, strict=True)]
    columns["is_open"] = [
        not (is_won or over or end in (WON, LOST))
        for is_won, over, end in zip(columns["is_won"], closed, ends, strict=True)
    ]
    told, expected = columns.get("closed_at", nothing), columns.get("close_date", nothing)
    columns["closed_at"] = [
        None if is_open else at or _closed_on(day, now)
        for is_open, at, day in zip(columns["is_open"], told, expected, strict=True)
    ]


def _closed_on(day: Any, now: datetime) -> str | None:
    return day and min(f"{day} 00:00:00.000000", in_ledger(now))


def hashed_columns(dataset: str, given: Sequence[str]) -> tuple[str, ...]:
    """What makes a row another one. A closing day that nobody told follows from the day of the import: it does not."""
    derived = {"email_hash", "closed_at"} - set(given)
    columns = (column for column in written_columns(dataset, given) if column not in derived)
    return (*columns, *(name for name in ("parent", "backup_email", "opted_out") if name in given))


def hashes(columns: dict[str, Column], names: Sequence[str]) -> Iterator[str]:
    """SHA-256 (hex) of each row over the named columns; another set of columns gives other hashes."""
    start = ",".join(names)
    for values in zip(*(columns[name] for name in names), strict=True):
        yield sha256("\x1f".join((start, *map(str, values))).encode()).hexdigest()
