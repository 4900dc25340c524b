"""The sending desk of the tests: decisions by hand, plans frozen and certified, one line each."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans
from accounts.ledger.sending import claims
from accounts.models import Decision, Stakeholder, Touch
from accounts.playbook import Play, Window
from accounts.vocabulary import TouchState
from tests.cast import NOW, PLAY, World
from tests.plays import small_play

#: Open at every hour of every day: most tests are not about the clock of the reader.
ALWAYS = Window(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), opens="00:00", closes="00:00")
DAY = timedelta(days=1)

#: Who is due in most tests, with what.
DUE = {"alice": "evaluation/pilot", "bob": "evaluation/three-numbers", "ivan": "discovery/why-now"}


def open_play(**changes: Any) -> Play:
    """The small play, with a window that never closes."""
    return small_play(**{"window": ALWAYS, **changes})


@contextmanager
def tried(engine: Engine) -> Iterator[Connection]:
    """A transaction that is taken back at its end: many things can be tried on one world."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def decide(world: World, due: Mapping[str, str] = DUE, *, now: datetime = NOW, **changes: Any) -> None:
    """What planning leaves behind: these people are due now with these contents."""
    with writing(world.engine) as connection:
        for name, content in due.items():
            account = connection.scalar(select(Stakeholder.account_id).where(Stakeholder.id == world.people[name]))
            values = {
                "stakeholder_id": world.people[name], "account_id": account, "as_of": now, "answer": "touch",
                "until": now, "content": f"{PLAY}/{content}", "play": PLAY, "stage": content.partition("/")[0],
                "not_after": now + 5 * DAY, "timezone": "Europe/Berlin", "timezone_source": "stakeholder",
            }  # fmt: skip
            connection.execute(insert(Decision).values(**{**values, **changes}))


def crowd(world: World, sizes: Mapping[str, int]) -> dict[str, str]:
    """So many people at each of these domains, all at Globex (and Ravi's), due with the same content."""
    names = [f"p{number:03}@{domain}" for domain, size in sizes.items() for number in range(size)]
    with writing(world.engine) as connection:
        for address in names:
            person = insert(Stakeholder).values(
                account_id=world.accounts["globex"], email=address, email_hash=email_hash(address),
                consent_basis="consent", consent_at=NOW - 9 * DAY, timezone="Europe/Berlin",
            )  # fmt: skip
            world.people[address] = connection.execute(person.returning(Stakeholder.id)).scalar_one()
    return dict.fromkeys(names, "discovery/why-now")


def freeze(world: World, play: Play | None = None, now: datetime = NOW) -> int:
    with writing(world.engine) as connection:
        plan_id = plans.freeze(connection, play or open_play(), now)
    assert plan_id is not None
    return plan_id


def certify(world: World, plan_id: int, *, now: datetime = NOW, hours: float = 4, **changes: Any) -> int:
    """A certificate without a gate: the digest that was frozen, nobody failing."""
    with writing(world.engine) as connection:
        digest = plans.read_plan(connection, plan_id).digest
        assert digest is not None
        values: dict[str, Any] = {"failing": {}, "checks": {}, "suite_version": "0" * 64, "digest": digest}
        expires_at = now + timedelta(hours=hours)
        return plans.certify(connection, plan_id, now=now, expires_at=expires_at, **{**values, **changes})


def certified(world: World, due: Mapping[str, str] = DUE, **changes: Any) -> int:
    """Decided, frozen and certified."""
    decide(world, due)
    plan_id = freeze(world)
    certify(world, plan_id, **changes)
    return plan_id


def claim(
    world: World, plan_id: int, *, now: datetime = NOW, limit: int = 100, window: Window = ALWAYS,
    names: Callable[[int], str] | None = None,
) -> claims.Claim:  # fmt: skip
    with writing(world.engine) as connection:
        return claims.claim(connection, plan_id, now, by="test", window=window, limit=limit, names=names)


def states(world: World) -> dict[str, str]:
    """Person -> state of their only touch."""
    return {name: state for name, (state, _) in rows(world).items()}


def rows(world: World) -> dict[str, tuple[str, str | None]]:
    """Person -> (state, reason) of their only touch."""
    names = {number: name for name, number in world.people.items()}
    with reading(world.engine) as connection:
        query = select(Touch.stakeholder_id, Touch.state, Touch.reason).order_by(Touch.id)
        return {names[person]: (TouchState(state), reason) for person, state, reason in connection.execute(query)}


def touch_of(world: World, name: str) -> int:
    with reading(world.engine) as connection:
        return connection.execute(select(Touch.id).where(Touch.stakeholder_id == world.people[name])).scalar_one()


def change(world: World, name: str, **values: Any) -> None:
    """A fact about a person changes."""
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id == world.people[name]).values(**values))
