"""The cast: Acme (in evaluation, six people), Globex (silent), Initech (two divisions, two reps), Dana who
unsubscribed, Ravi the rep. Everything happens around NOW, a Tuesday morning.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert

from accounts.models import Account, Activity, Opportunity, Rep, Stakeholder

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PLAY = "new-business"


#: For what only PostgreSQL can do: two writers at a time.
on_postgresql = pytest.mark.parametrize("database", ["postgres"], indirect=True)


@dataclass(frozen=True)
class World:
    """Names to ids, for tests that speak of people: `world.reps["ravi"]`, `world.people["dana"]`."""

    engine: Engine
    reps: dict[str, int]
    accounts: dict[str, int]
    people: dict[str, int]


def build_world(engine: Engine) -> World:
    with engine.begin() as connection:
        reps = {name: _row(connection, Rep, **values) for name, values in REPS.items()}
        accounts = {name: _account(connection, reps, name, values) for name, values in ACCOUNTS.items()}
        people = {name: _person(connection, accounts, name, *values) for name, values in PEOPLE.items()}
        _history(connection, reps, accounts, people)
    return World(engine, reps, accounts, people)


REPS: dict[str, dict[str, Any]] = {
    "ravi": {"email": "ravi@lumenflow.example", "name": "Ravi Menon", "timezone": "Europe/Berlin"},
    "sofia": {"email": "sofia@lumenflow.example", "name": "Sofía Ortega", "timezone": "America/New_York"},
}

ACCOUNTS: dict[str, dict[str, Any]] = {
    "acme": {"name": "Acme Works", "stage": "evaluation", "owner": "ravi", "country": "DE", "tier": "1"},
    "globex": {"name": "Globex", "stage": "discovery", "owner": "ravi", "country": "US", "tier": "2"},
    "initech-north": {"name": "Initech", "division": "North", "stage": "discovery", "owner": "ravi", "country": "GB"},
    "initech-south": {"name": "Initech", "division": "South", "stage": "contacted", "owner": "sofia", "country": "US"},
    "hooli": {"name": "Hooli", "stage": "target", "owner": "sofia", "country": "US", "tier": "1"},
}

#: name -> account, title, role, time zone, more
PEOPLE: dict[str, tuple[str, str, str, str | None, dict[str, Any]]] = {
    "alice": ("acme", "Head of Operations", "champion", "Europe/Berlin", {}),
    "bob": ("acme", "Chief Financial Officer", "economic_buyer", "Europe/Berlin", {}),
    "charlie": ("acme", "IT Architect", "technical_evaluator", "Europe/Berlin", {}),
    "dana": ("acme", "Plant Manager", "end_user", "Europe/Berlin", {"opted_out_at": NOW - timedelta(days=20)}),
    "erin": ("acme", "Procurement Manager", "procurement", "Europe/Berlin", {}),
    "frank": ("acme", "General Counsel", "legal", "Europe/Berlin", {"consent_basis": None, "consent_at": None}),
    "gina": ("globex", "VP Operations", "champion", "America/Chicago", {}),
    "hank": ("globex", "Controller", "economic_buyer", "America/Chicago", {"email_status": "bounced"}),
    "ivan": ("initech-north", "Energy Manager", "champion", "Europe/London", {}),
    "judy": ("initech-south", "Energy Manager", "champion", None, {}),
    "kim": ("hooli", "COO", "executive_sponsor", "America/Los_Angeles", {}),
}


def address_of(name: str, account: str) -> str:
    return f"{name}@{account.partition('-')[0]}.example"


def _row(connection: Connection, table: type[Any], **values: Any) -> int:
    result = connection.execute(insert(table).values(**values))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _account(connection: Connection, reps: dict[str, int], key: str, values: dict[str, Any]) -> int:
    contacted = None if values["stage"] == "target" else NOW - timedelta(days=30)
    owner = reps[values["owner"]]
    rest = {name: value for name, value in values.items() if name != "owner"}
    domain = f"{key.partition('-')[0]}.example"
    return _row(
        connection, Account, key=key, domain=domain, owner_id=owner, play=PLAY, first_contacted_at=contacted,
        stage_entered_at=contacted and NOW - timedelta(days=14), synced_at=NOW - timedelta(hours=2),
        source="cast", **rest,
    )  # fmt: skip


def _person(
    connection: Connection, accounts: dict[str, int], name: str, account: str, title: str, role: str,
    timezone: str | None, more: dict[str, Any],
) -> int:  # fmt: skip
    from accounts.identity import email_hash

    address = address_of(name, account)
    values: dict[str, Any] = {
        "account_id": accounts[account], "email": address, "email_hash": email_hash(address), "title": title,
        "first_name": name.capitalize(), "last_name": "Example", "role": role, "role_source": "crm",
        "timezone": timezone, "consent_basis": "legitimate_interest", "consent_at": NOW - timedelta(days=60),
    }  # fmt: skip
    return _row(connection, Stakeholder, **{**values, **more})


def _history(connection: Connection, reps: dict[str, int], accounts: dict[str, int], people: dict[str, int]) -> None:
    for number, (account, person, rep) in enumerate(
        [
            ("acme", "alice", "ravi"),
            ("globex", "gina", "ravi"),
            ("initech-north", "ivan", "ravi"),
            ("initech-south", "judy", "sofia"),
        ]
    ):
        _row(
            connection, Activity, account_id=accounts[account], stakeholder_id=people[person], rep_id=reps[rep],
            kind="meeting", direction="outbound", outcome="held", is_contact=True, occurred_at=NOW - timedelta(days=30),
            source_id=f"meeting-{number}",
        )  # fmt: skip
    _row(
        connection, Opportunity, account_id=accounts["acme"], name="Acme metering", amount=48000, currency="EUR",
        stage="Proof of concept", is_open=True, is_won=False, created_at=NOW - timedelta(days=28), source_id="opp-acme",
    )  # fmt: skip
