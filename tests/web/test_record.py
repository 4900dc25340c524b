"""Uses of links are on record before anybody sees a page, and visitors who come at once share a transaction."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.links import USED, Holder, Use
from flows.web.record import Record
from tests.cast import NOW, World
from tests.web.reps import audited
from tests.web.visitor import on_sqlite

VISITORS = 20


def use(number: int) -> Use:
    holder = Holder(1, "Ravi Example", "ravi@example.com", None, f"account-{number}")
    return Use(holder, USED, NOW + timedelta(seconds=number), {"method": "GET", "about": number})


@contextmanager
def commits(world: World) -> Iterator[list[int]]:
    """Transactions that end well meanwhile."""
    made: list[int] = []
    event.listen(world.engine, "commit", note := lambda _: made.append(1))
    yield made
    event.remove(world.engine, "commit", note)


def everybody_at_once(world: World, record: Record) -> list[BaseException | None]:
    """Visitors who all come while somebody else writes to the ledger; what each of them was told."""
    with ThreadPoolExecutor(VISITORS) as visitors:
        with writing(world.engine):
            coming = [visitors.submit(record.keep, use(number)) for number in range(VISITORS)]
            while len(record._waiting) < VISITORS - 1:  # the first of them is at the ledger's door
                time.sleep(0.001)
        return [one.exception() for one in coming]


@on_sqlite
def test_visitors_who_come_at_once_share_a_transaction(world: World) -> None:
    with commits(world) as made:
        assert everybody_at_once(world, Record(world.engine)) == [None] * VISITORS
    assert len(made) == 3, "whoever wrote before them, the first of them, and all others together"
    assert sorted(row.after["about"] for row in audited(world)) == list(range(VISITORS))
    with reading(world.engine) as connection:
        assert audit.verify(connection).is_whole


@on_sqlite
def test_what_cannot_be_put_on_record_is_told_to_everybody_it_concerns(world: World) -> None:
    record = Record(world.engine)

    def refuse(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    event.listen(world.engine, "commit", refuse)
    with pytest.raises(OperationalError):
        record.keep(use(1))
    event.remove(world.engine, "commit", refuse)
    assert audited(world) == []
    record.keep(use(1))
    assert len(audited(world)) == 1, "nobody took what failed for what was done"
