"""Files as a CRM would export them, and what the ledger made of them."""

import csv
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select

from accounts.ledger.engine import reading, writing
from accounts.models import Account, Activity, Opportunity, Quarantine, Rep, Stakeholder
from flows.importing import Imported, MappingFile, import_paths
from tests.cast import NOW
from tests.plays import small_play

RAVI = {"email": "ravi@lumenflow.example", "name": "Ravi Menon", "timezone": "Europe/Berlin"}
ACME = {"account": "acme", "name": "Acme Works", "domain": "acme.example", "owner_email": RAVI["email"]}
GLOBEX = {"account": "globex", "name": "Globex", "domain": "globex.example", "owner_email": RAVI["email"]}
LATER = NOW + timedelta(days=1)
MODELS: dict[str, Any] = {
    "reps": Rep,
    "accounts": Account,
    "stakeholders": Stakeholder,
    "opportunities": Opportunity,
    "activities": Activity,
}


def person(name: str, account: str = "acme", **changes: str) -> dict[str, str]:
    """A row of stakeholders.csv that keeps every rule."""
    row = {
        "account": account, "email": f"{name}@{account}.example", "first_name": name.capitalize(),
        "last_name": "Example", "title": "Energy Manager", "role": "", "timezone": "Europe/Berlin", "country": "DE",
        "language": "de", "consent_basis": "consent", "consent_at": "2026-09-01",
    }  # fmt: skip
    return {**row, **changes}


def deal(name: str, account: str = "acme", **changes: str) -> dict[str, str]:
    row = {
        "opportunity": name, "account": account, "name": "Metering", "stage": "Proof of Concept", "amount": "48000",
        "currency": "EUR", "created_at": "2026-10-01", "close_date": "2027-01-31", "is_won": "false",
    }  # fmt: skip
    return {**row, **changes}


def meeting(name: str, account: str = "acme", **changes: str) -> dict[str, str]:
    row = {
        "activity": name, "account": account, "stakeholder_email": "", "rep_email": RAVI["email"], "kind": "meeting",
        "direction": "outbound", "outcome": "held", "occurred_at": "2026-10-20T09:00+00:00", "subject": "Walk round",
    }  # fmt: skip
    return {**row, **changes}


def write(path: Path, rows: Sequence[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """A CSV file with the union of the rows' columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def crm(folder: Path, **tables: Sequence[dict[str, Any]]) -> Path:
    """An export: Ravi, Acme and Globex, and whatever else is given."""
    for name, rows in {"reps": [RAVI], "accounts": [ACME, GLOBEX], **tables}.items():
        if rows:
            write(folder / f"{name}.csv", rows)
    return folder


def known_world(engine: Engine) -> None:
    """Ravi, Acme and Globex, as an earlier import has left them."""
    with writing(engine) as connection:
        connection.execute(insert(Rep).values(RAVI))
        owner = connection.scalar(select(Rep.id))
        for row in (ACME, GLOBEX):
            values = {"key": row["account"], "name": row["name"], "domain": row["domain"], "owner_id": owner}
            connection.execute(insert(Account).values(**values, synced_at=NOW, replan_at=NOW))


def take(engine: Engine, *paths: Path, mapping: MappingFile | None = None, **options: Any) -> Imported:
    """Import at NOW, by the small play."""
    return import_paths(engine, paths, mapping=mapping, **{"now": NOW, "play": small_play(), **options})


def stored(engine: Engine, dataset: str) -> list[Any]:
    """All rows of a data set in the ledger, in the order they came."""
    model = MODELS[dataset]
    with reading(engine) as connection:
        return list(connection.execute(select(model.__table__).order_by(model.id)).all())


def only(engine: Engine, dataset: str) -> Any:
    (row,) = stored(engine, dataset)
    return row


def waiting(engine: Engine) -> list[Any]:
    """Rows in quarantine that wait."""
    query = select(Quarantine.__table__).where(Quarantine.resolved_at.is_(None)).order_by(Quarantine.id)
    with reading(engine) as connection:
        return list(connection.execute(query).all())


def broken_rules(engine: Engine) -> list[str]:
    """The rules that rows in quarantine broke."""
    return [reason["rule"] for row in waiting(engine) for reason in row.reasons]
