"""A Tuesday morning in the cast's world: what came in since Ravi's last brief, as rows of the ledger."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from accounts.ledger.engine import writing
from accounts.models import Decision, Signal, Touch
from accounts.playbook import Play
from flows.settings import Settings
from tests.cast import NOW, PLAY, World, address_of
from tests.plays import small_play

Add = Callable[..., int]
_numbers = count(1)


@pytest.fixture(scope="session")
def play() -> Play:
    return small_play()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", channel="memory", sending_domain="mail.lumenflow.example")


@pytest.fixture
def add(world: World) -> Add:
    """Writes one row and returns its id: ``add(Signal, kind="replied", …)``."""

    def write(table: type[Any], **values: Any) -> int:
        with writing(world.engine) as connection:
            result = connection.execute(insert(table).values(**values))
            assert result.inserted_primary_key is not None
            return int(result.inserted_primary_key[0])

    return write


@pytest.fixture
def signal(world: World, add: Add) -> Add:
    """``signal("alice", "acme", "replied", 0.2)``: what she did, so many days ago."""

    def write(person: str | None, account: str, kind: str, days: float, **more: Any) -> int:
        at = NOW - timedelta(days=days)
        return add(
            Signal, source="test", source_id=f"{kind}-{next(_numbers)}", kind=kind, account_id=world.accounts[account],
            stakeholder_id=world.people[person] if person else None,
            **{"occurred_at": at, "received_at": at, **more},
        )  # fmt: skip

    return write


@pytest.fixture
def sent(world: World, add: Add) -> Add:
    """``sent("bob", "acme", "evaluation/three-numbers", 0.5)``: a mail of ours, so many days ago."""

    def write(person: str, account: str, content: str, days: float, **more: Any) -> int:
        at = NOW - timedelta(days=days)
        values = {
            "account_id": world.accounts[account], "stakeholder_id": world.people[person], "channel": "email",
            "play": PLAY, "play_version": "1" * 64, "stage": "evaluation", "content": f"{PLAY}/{content}",
            "content_digest": "2" * 64, "address": address_of(person, account), "state": "sent", "due_at": at,
            "sent_at": at,
        }  # fmt: skip
        return add(Touch, **{**values, **more})

    return write


@pytest.fixture
def decide(world: World, add: Add) -> Add:
    """``decide("bob", "acme", "wait", NOW + …, "evaluation/pilot")``: what planning answers for him."""

    def write(person: str, account: str, answer: str, until: datetime | None, content: str | None, **more: Any) -> int:
        return add(
            Decision, stakeholder_id=world.people[person], account_id=world.accounts[account], as_of=NOW,
            answer=answer, until=until, content=content and f"{PLAY}/{content}", **more,
        )  # fmt: skip

    return write
