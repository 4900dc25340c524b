"""Rows that are set aside: why, in words, and the form in which they wait in quarantine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from accounts.identity import email_hash
from accounts.ledger.importing.incoming import Rejected
from accounts.ledger.importing.quarantine import Reason
from accounts.ledger.suppressions import forgotten_among
from expectations.rules import ROW_IS_WHOLE, VALUES_CAN_BE_READ
from flows.importing.datasets import DATASETS, Dataset, Kind
from flows.importing.finding import Arrival
from flows.importing.looking import UNIT
from flows.importing.translating import translate_one

#: Stands among the defects of a row that is none; what is wrong with it follows.
WHOLE_ROW = "(row)"
#: Under this name the text of a row that is none is kept.
LINE = "(line)"


def note_defects(columns: Sequence[str]) -> str:
    """``,email,consent_at,``: between commas, so that a query finds each name and no part of one."""
    return f",{','.join(columns)},"


def broken_row(complaint: str) -> str:
    """The defects of a row that is none."""
    return f",{WHOLE_ROW},{complaint.replace(',', ';')}"


def reasons_of(rejected: Rejected, dataset: Dataset, fields: Mapping[str, str] | None) -> list[Reason]:
    """Every rule the row broke, each with the column and the value it is about."""
    if ROW_IS_WHOLE.id in rejected.rules:
        what = (rejected.defects or "").rpartition(",")[2]
        return [Reason(ROW_IS_WHOLE.id, f"the row {what}", None, None)]
    values = fields or {}
    broken = [rule for rule in dataset.suite.rules if rule.id in rejected.rules and rule is not VALUES_CAN_BE_READ]
    found = [Reason(rule.id, rule.complaint, rule.column, values.get(rule.column or "")) for rule in broken]
    blamed = {reason.column for reason in found}
    for column in unreadable(rejected):
        if column not in blamed:
            wanted = f"{column} should be {dataset.field(column).kind.value}"
            found.append(Reason(VALUES_CAN_BE_READ.id, wanted, column, values.get(column)))
    return found


def unreadable(rejected: Rejected) -> list[str]:
    """Names of the fields that could not be read."""
    return [name for name in (rejected.defects or "").split(",") if name and name != WHOLE_ROW]


def as_waiting(
    connection: Connection, rejected: Sequence[Rejected], arrivals: Sequence[Arrival], source: str, now: datetime
) -> list[dict[str, Any]]:
    """Rows of the table `quarantine`; what names a person who asked to be erased is not kept.

    `arrivals`: the files by number; `source`: the name of the export.
    """
    waiting: dict[str, dict[str, Any]] = {}
    for one in rejected:
        entry = _waiting(one, arrivals[one.file], source, now)
        waiting[entry["source"] + entry["row_hash"]] = entry
    forgotten = forgotten_among(connection, {hashed for entry in waiting.values() for hashed in _people_in(entry)})
    return [entry for entry in waiting.values() if forgotten.isdisjoint(_people_in(entry))]


def _waiting(rejected: Rejected, arrival: Arrival, source: str, now: datetime) -> dict[str, Any]:
    """One row. Its hash covers all that the row said, so that no two different rows share one."""
    dataset, header = arrival.dataset, arrival.sheet.header
    values = rejected.raw.split(UNIT)
    if len(values) == len(header) and ROW_IS_WHOLE.id not in rejected.rules:
        row = {name: value for name, value in zip(header, values, strict=True) if name}
        fields = translate_one(arrival.reading, header, values)
    else:
        row, fields = {LINE: rejected.raw}, None
    said = "\x1f".join(f"{name}={value}" for name, value in row.items())
    return {
        "source": f"{source}/{arrival.sheet.name}"[:120],
        "dataset": dataset.name,
        "row_number": rejected.line,
        "row": row,
        "row_hash": sha256(f"{dataset.name}\x1f{said}".encode()).hexdigest(),
        "fields": fields,
        "key": _key(dataset, fields),
        "account": _short((fields or {}).get("account", "").strip(), 120),
        "reasons": [reason.as_json() for reason in reasons_of(rejected, dataset, fields)],
        "first_seen": now,
        "retried_at": None,
        "resolved_at": None,
    }


def _people_in(entry: Mapping[str, Any]) -> set[str]:
    """Hashes of the addresses a row names."""
    named = (field.name for field in DATASETS[entry["dataset"]].fields if field.kind is Kind.EMAIL)
    return {email_hash(address) for name in named if (address := (entry["fields"] or {}).get(name))}


def _key(dataset: Dataset, fields: Mapping[str, str] | None) -> str | None:
    """What identifies the row beside its account, as the ledger spells it."""
    name = dataset.key[-1]
    value = (fields or {}).get(name, "").strip()
    return _short(value.lower() if name == "email" else value, 320)


def _short(value: str, width: int) -> str | None:
    return value if 0 < len(value) <= width else None
