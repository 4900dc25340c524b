"""The cast's world as the clocks see it: what happens at Acme, told in one line each."""

from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from accounts.ledger.engine import reading, writing
from accounts.ledger.sla.clocks import Listed, list_clocks
from accounts.models import Account, Activity, Feedback, Hold, Rep, SendPlan, Signal, Touch
from accounts.playbook import Play, Sla
from accounts.vocabulary import Duty
from flows.sales.sla import Kept, keep_clocks
from tests.cast import PLAY, World, address_of
from tests.plays import small_play

_numbers = count(1)


class Days:
    """What happens, and what the clocks say of it."""

    def __init__(self, world: World, play: Play) -> None:
        self.world, self.play = world, play

    def look(self, now: datetime) -> Kept:
        return keep_clocks(self.world.engine, self.play, now)

    def clocks(self, duty: Duty | None = None) -> list[Listed]:
        with reading(self.world.engine) as connection:
            found = list_clocks(connection, closed=True)
        return [clock for clock in found if duty in (None, clock.duty)]

    def clock(self, duty: Duty) -> Listed:
        (clock,) = self.clocks(duty)
        return clock

    def add(self, table: type[Any], **values: Any) -> int:
        with writing(self.world.engine) as connection:
            return int(connection.execute(insert(table).values(**values).returning(table.id)).scalar_one())

    def signal(
        self, kind: str, at: datetime, account: str = "acme", person: str = "alice", received: datetime | None = None
    ) -> int:
        return self.add(
            Signal, source="test", source_id=f"s{next(_numbers)}", kind=kind, account_id=self.world.accounts[account],
            stakeholder_id=self.world.people[person], occurred_at=at, received_at=received or at,
        )  # fmt: skip

    def call(self, at: datetime, account: str = "acme") -> int:
        return self.add(
            Activity, account_id=self.world.accounts[account], kind="call", direction="outbound", occurred_at=at,
            source_id=f"a{next(_numbers)}",
        )  # fmt: skip

    def verdict(self, verdict: str, at: datetime, person: str | None = None) -> int:
        return self.add(
            Feedback, account_id=self.world.accounts["acme"], rep_id=self.world.reps["ravi"], verdict=verdict, at=at,
            stakeholder_id=self.world.people[person] if person else None,
        )  # fmt: skip

    def mail(self, at: datetime, person: str = "alice", account: str = "acme") -> int:
        return self.add(
            Touch, account_id=self.world.accounts[account], stakeholder_id=self.world.people[person], channel="email",
            play=PLAY, play_version="1" * 64, stage="evaluation", content=f"{PLAY}/evaluation/{next(_numbers)}",
            content_digest="2" * 64, address=address_of(person, account), state="sent", due_at=at, sent_at=at,
        )  # fmt: skip

    def hold(self, cause: str, starts: datetime, ends: datetime | None, account: str = "acme") -> int:
        return self.add(
            Hold, scope="account", account_id=self.world.accounts[account], cause=cause, by="ravi", starts_at=starts,
            ends_at=ends,
        )  # fmt: skip

    def plan(self, state: str, at: datetime, checks: dict[str, Any] | None = None) -> int:
        return self.add(SendPlan, created_at=at, play=PLAY, state=state, checks=checks)

    def remove(self, table: type[Any], id: int) -> None:
        with writing(self.world.engine) as connection:
            connection.execute(delete(table).where(table.id == id))

    def change(self, table: type[Any], id: int, **values: Any) -> None:
        with writing(self.world.engine) as connection:
            connection.execute(update(table).where(table.id == id).values(**values))

    def contact(self, account: str, at: datetime | None) -> None:
        self.change(Account, self.world.accounts[account], first_contacted_at=at)

    def rep(self, name: str, **values: Any) -> None:
        self.change(Rep, self.world.reps[name], **values)


@pytest.fixture
def play() -> Play:
    return small_play(sla=Sla(marketing_owner="mia@lumenflow.example"))


@pytest.fixture
def days(world: World, play: Play) -> Days:
    return Days(world, play)
