"""The people of a history: sales has talked to their accounts, and all are due with one content of the shipped play."""

from collections.abc import Collection
from datetime import timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, insert

from accounts.identity import email_hash
from accounts.ledger.engine import writing
from accounts.models import Account, Rep, Stakeholder
from accounts.playbook import Caps, Play
from accounts.playfiles import load_play
from expectations.audience import Limits
from flows.settings import TEMPLATES, Settings, Smtp
from tests.cast import NOW, PLAY
from tests.sending.desk import ALWAYS

CONTENT = f"{PLAY}/discovery/why-now"
REPS = {"ravi@lumenflow.example": "Ravi Menon", "sofia@lumenflow.example": "Sofía Ortega"}
DAY = timedelta(days=1)

#: No plan is held for a person: who approves what is not a matter of these histories.
LOOSE = Limits(small=10_000, first_readers=10_000, failing_least=10_000)


@cache
def play() -> Play:
    """The shipped play with one of its contents, at all hours, and colleagues an hour apart."""
    whole = load_play(TEMPLATES / "plays" / PLAY)
    steps = tuple(step for step in whole.steps if step.key == CONTENT)
    caps = Caps(stagger=timedelta(minutes=30))
    return whole.model_copy(update={"window": ALWAYS, "steps": steps, "caps": caps})


def settings(home: Path, url: str, port: int = 1, connections: int = 1) -> Settings:
    """A machine that sends through the post office on `port`."""
    smtp = Smtp(host="127.0.0.1", port=port, security="none", timeout_seconds=5, connections=connections)
    return Settings(home=home, database_url=url, channel="smtp", smtp=smtp)


def populate(engine: Engine, people: Collection[int]) -> None:
    """These people by their numbers, with reps and accounts; every fifth is a colleague in the account before it."""
    with writing(engine) as connection:
        rows = [{"email": email, "name": name, "timezone": "Europe/Berlin"} for email, name in REPS.items()]
        connection.execute(insert(Rep), rows)
        accounts = [number for number in people if number % 5 != 4]
        connection.execute(insert(Account), [_account(number) for number in accounts])
        connection.execute(insert(Stakeholder), [_person(number) for number in people])


def address(number: int) -> str:
    return f"p{number}@works{_account_number(number)}.example"


def account_key(number: int) -> str:
    """Of the account in which person `number` is."""
    return f"works-{_account_number(number)}"


def _account_number(person: int) -> int:
    return person if person % 5 != 4 else person - 1


def _account(number: int) -> dict[str, object]:
    return {
        "id": number + 1, "key": account_key(number), "name": f"Works {number}", "domain": f"works{number}.example",
        "stage": "discovery", "owner_id": 1 + number % len(REPS), "play": PLAY, "country": "DE", "industry": "Metals",
        "first_contacted_at": NOW - 30 * DAY, "stage_entered_at": NOW - 3 * DAY, "synced_at": NOW, "source": "chaos",
    }  # fmt: skip


def _person(number: int) -> dict[str, object]:
    return {
        "id": number + 1, "account_id": _account_number(number) + 1, "email": address(number),
        "email_hash": email_hash(address(number)), "first_name": f"Pat {number}", "last_name": "Example",
        "title": "Head of Operations", "role": "champion", "role_source": "crm", "timezone": "Europe/Berlin",
        "consent_basis": "consent", "consent_at": NOW - 60 * DAY,
    }  # fmt: skip
