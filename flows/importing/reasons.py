"""Why a row was set aside, in words, and the form in which it waits in quarantine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from accounts.ledger.incoming import Rejected
from accounts.ledger.quarantine import Reason
from expectations.rules import ROW_IS_WHOLE, VALUES_CAN_BE_READ
from flows.importing.datasets import Dataset

#: Stands among the defects of a row that is none; what is wrong with it follows.
WHOLE_ROW = "(row)"
#: Under this name the text of a row that is none is kept.
LINE = "(line)"


def note_defects(columns: Sequence[str]) -> str:
    """``,email,consent_at,``: between commas, so that a query finds each name and no part of one."""
    return f",{','.join(columns)},"


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


def as_quarantine(
    rejected: Rejected, dataset: Dataset, source: str, row: Mapping[str, str], fields: Mapping[str, str] | None,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The row of the table `quarantine`. Its hash covers all that the row said: no two different rows share one."""
    said = "\x1f".join(f"{name}={value}" for name, value in row.items())
    return {
        "source": source[:120],
        "dataset": dataset.name,
        "row_number": rejected.line,
        "row": dict(row),
        "row_hash": sha256(f"{dataset.name}\x1f{said}".encode()).hexdigest(),
        "fields": None if fields is None else dict(fields),
        "key": _key(dataset, fields),
        "account": _short((fields or {}).get("account", "").strip(), 120),
        "reasons": [reason.as_json() for reason in reasons_of(rejected, dataset, fields)],
        "first_seen": now,
        "retried_at": None,
        "resolved_at": None,
    }


def _key(dataset: Dataset, fields: Mapping[str, str] | None) -> str | None:
    """What identifies the row beside its account, as the ledger spells it."""
    name = dataset.key[-1]
    value = (fields or {}).get(name, "").strip()
    return _short(value.lower() if name == "email" else value, 320)


def _short(value: str, width: int) -> str | None:
    return value if 0 < len(value) <= width else None
