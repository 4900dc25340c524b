"""Rows that could not be taken: kept with their reasons and original values until they can be, or are dismissed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from accounts.errors import NotFound
from accounts.health import Waiting
from accounts.identity import normalise_email
from accounts.ledger.bulk import insert_into
from accounts.ledger.importing.incoming import KEYS, TABLES
from accounts.models import Quarantine
from accounts.types import Utc

#: Rules of what the CRM says of a contact by its number: a no of somebody nobody knows, and the wish to be forgotten.
NAMELESS, TO_FORGET = "contact_unknown", "contact_to_forget"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row was set aside: the rule, what is said of the row, the column and its value where there is one."""

    rule: str
    sentence: str
    column: str | None
    value: str | None

    def as_json(self) -> dict[str, str | None]:
        return {"rule": self.rule, "sentence": self.sentence, "column": self.column, "value": self.value}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row in quarantine."""

    id: int
    source: str
    dataset: str
    row_number: int | None
    row: dict[str, str]
    fields: dict[str, str] | None
    key: str | None
    account: str | None
    reasons: tuple[Reason, ...]
    first_seen: datetime
    retried_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Group:
    """How many rows wait for the same reason, and the first of them."""

    dataset: str
    rule: str
    sentence: str
    rows: int
    first: int


def put_aside(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep rows (columns of `Quarantine`); one that is there already keeps its first day and gets the new reasons."""
    if not rows:
        return
    insert = insert_into(connection, Quarantine)
    new = insert.excluded
    differs = or_(Quarantine.resolved_at.is_not(None), cast(Quarantine.reasons, Text) != cast(new.reasons, Text))
    renewed = {name: new[name] for name in ("reasons", "fields", "key", "account", "row_number")}
    statement = insert.on_conflict_do_update(
        index_elements=["source", "row_hash"], set_={**renewed, "resolved_at": None}, where=differs
    )
    connection.execute(statement, list(rows))


def settle_superseded(connection: Connection, dataset: str, now: datetime) -> None:
    """A row that has come now is the newer word on everything that waits under its key; `put_aside` may reopen that."""
    staged = TABLES[dataset]
    same = [staged.c[KEYS[dataset][-1]] == Quarantine.key]
    if "account" in KEYS[dataset]:
        same.append(staged.c.account == Quarantine.account)
    is_open = and_(Quarantine.dataset == dataset, Quarantine.resolved_at.is_(None), Quarantine.key.is_not(None))
    newer = exists(select(staged.c.entry).where(*same))
    connection.execute(update(Quarantine).where(is_open, newer).values(resolved_at=now))


def group_open(connection: Connection) -> list[Group]:
    """What waits, by data set and reason, most frequent first; a row with two reasons is in both groups."""
    on_sqlite = connection.dialect.name == "sqlite"
    each = "json_each(reasons) AS reason" if on_sqlite else "json_array_elements(reasons) AS reason(value)"
    rule, sentence = (
        f"json_extract(reason.value, '$.{name}')" if on_sqlite else f"reason.value ->> '{name}'"
        for name in ("rule", "sentence")
    )
    query = (
        f"SELECT dataset, {rule}, MIN({sentence}), COUNT(DISTINCT quarantine.id), MIN(quarantine.id) "
        f"FROM quarantine, {each} WHERE resolved_at IS NULL GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2"
    )
    return [Group(*row) for row in connection.execute(text(query))]


def count_open(connection: Connection, dataset: str | None = None) -> int:
    """Rows that wait."""
    query = select(func.count()).select_from(Quarantine).where(Quarantine.resolved_at.is_(None))
    return connection.scalar(query if dataset is None else query.where(Quarantine.dataset == dataset)) or 0


def noes_without_a_name(connection: Connection) -> Waiting:
    """What the CRM says of contacts that nobody knows, or who were not erased yet."""
    about = or_(*(_with_reason(rule) for rule in (NAMELESS, TO_FORGET)))
    count, first = func.count(), func.min(Quarantine.first_seen, type_=Utc())
    return Waiting(*connection.execute(select(count, first).where(Quarantine.resolved_at.is_(None), about)).one())


def read_entry(connection: Connection, id: int) -> Entry:
    """Raises NotFound."""
    row = connection.execute(_columns().where(Quarantine.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no row {id} in quarantine", cure="see: tandem quarantine list")
    return _entry(row)


def read_open(
    connection: Connection, *, dataset: str | None = None, rule: str | None = None, after: int = 0, most: int = 1_000
) -> list[Entry]:
    """Up to `most` open rows with an id above `after`, in order; only of a data set, only with a reason."""
    query = _columns().where(Quarantine.resolved_at.is_(None), Quarantine.id > after)
    if dataset is not None:
        query = query.where(Quarantine.dataset == dataset)
    if rule is not None:
        query = query.where(_with_reason(rule))
    return [_entry(row) for row in connection.execute(query.order_by(Quarantine.id).limit(most))]


def _with_reason(rule: str) -> ColumnElement[bool]:
    return cast(Quarantine.reasons, Text).like(f'%"rule": "{rule}"%')


def open_in_pieces(connection: Connection, dataset: str, at_once: int = 1_000) -> Iterator[list[Entry]]:
    """All open rows of a data set that can be judged again, in pieces."""
    for found in _pieces(connection, at_once, dataset=dataset):
        yield [entry for entry in found if entry.fields is not None]


def open_for(connection: Connection, dataset: str, rule: str) -> list[Entry]:
    """All open rows of a data set with this reason."""
    return [entry for found in _pieces(connection, 1_000, dataset=dataset, rule=rule) for entry in found]


def _pieces(connection: Connection, at_once: int, **of: str) -> Iterator[list[Entry]]:
    last = 0
    while found := read_open(connection, after=last, most=at_once, **of):
        last = found[-1].id
        yield found


def read_fields(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, str] | None]:
    """id -> the row as the CSV contract writes it."""
    query = select(Quarantine.id, Quarantine.fields).where(Quarantine.id.in_(ids))
    return {row.id: row.fields for row in connection.execute(query)}


def mark_resolved(connection: Connection, ids: Collection[int], now: datetime) -> None:
    """These passed when they were tried again."""
    statement = update(Quarantine).where(Quarantine.id == bindparam("b_id")).values(resolved_at=now, retried_at=now)
    if ids:
        connection.execute(statement, [{"b_id": id} for id in sorted(ids)])


def mark_retried(connection: Connection, reasons: Mapping[int, Sequence[Reason]], now: datetime) -> None:
    """These were tried again and wait on, for these reasons."""
    statement = update(Quarantine).where(Quarantine.id == bindparam("b_id"))
    statement = statement.values(reasons=bindparam("b_reasons"), retried_at=now)
    rows = [{"b_id": id, "b_reasons": [reason.as_json() for reason in why]} for id, why in sorted(reasons.items())]
    if rows:
        connection.execute(statement, rows)


def dismiss(connection: Connection, ids: Collection[int], now: datetime) -> int:
    """Somebody decided that these need nothing more; they stay readable. Returns how many were open."""
    is_open = and_(Quarantine.id.in_(ids), Quarantine.resolved_at.is_(None))
    return connection.execute(update(Quarantine).where(is_open).values(resolved_at=now)).rowcount


def forget_address(connection: Connection, address: str) -> int:
    """Erase every row that contains this address, open or not; returns how many."""
    spelled = func.lower(cast(Quarantine.row, Text)).contains(address.strip().lower(), autoescape=True)
    return connection.execute(delete(Quarantine).where(spelled)).rowcount


def forget_rows_of(connection: Connection, email: str) -> int:
    """Erase open rows that are about exactly this address; returns how many."""
    written = func.lower(Quarantine.fields["email"].as_string()) == normalise_email(email)
    return connection.execute(delete(Quarantine).where(written, Quarantine.resolved_at.is_(None))).rowcount


#: Everything of a row that an `Entry` holds.
_COLUMNS = tuple(getattr(Quarantine, name) for name in Entry.__slots__)


def _columns() -> Any:
    return select(*_COLUMNS)


def _entry(row: Any) -> Entry:
    reasons = tuple(Reason(**reason) for reason in row.reasons)
    return Entry(**{**row._mapping, "reasons": reasons})
