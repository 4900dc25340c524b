"""Mail that went out to the cast, and signals that come back."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from accounts.ledger.engine import writing
from accounts.ledger.signals.applying import Applied, apply_waiting
from accounts.ledger.signals.recorded import Incoming, record
from accounts.models import Stakeholder, Touch
from accounts.playbook import Engagement, Play
from accounts.vocabulary import Role, SignalKind
from tests.cast import NOW, PLAY, World
from tests.plays import small_play

CONTENT = f"{PLAY}/evaluation/pilot"
K = SignalKind
WEIGHTS = {
    K.MEETING_HELD: 15, K.REPLIED: 12, K.MEETING_BOOKED: 10, K.DOWNLOADED: 5, K.CLICKED: 3, K.VISITED: 2, K.OPENED: 0,
    K.UNSUBSCRIBED: -5, K.COMPLAINED: -10, K.SAID_RIPE: 12, K.SAID_NOT_YET: -4, K.SAID_BAD_TIMING: -4,
}  # fmt: skip
RULES = Engagement(weights=WEIGHTS, role_weights={Role.ECONOMIC_BUYER: 1.5, Role.CHAMPION: 1.3, Role.UNKNOWN: 0.6})

_numbers = count(1)


def play() -> Play:
    return small_play(engagement=RULES)


def send(connection: Connection, world: World, name: str, content: str = CONTENT, **more: Any) -> int:
    """A touch of this person that was sent an hour before NOW; its id."""
    person = connection.execute(
        select(Stakeholder.account_id, Stakeholder.email).where(Stakeholder.id == world.people[name])
    ).one()
    values: dict[str, Any] = {
        "account_id": person.account_id, "stakeholder_id": world.people[name], "channel": "email", "play": PLAY,
        "play_version": "1" * 64, "stage": "evaluation", "content": content, "content_digest": "2" * 64,
        "address": person.email, "state": "sent", "due_at": NOW - timedelta(hours=2),
        "claimed_at": NOW - timedelta(hours=1), "sent_at": NOW - timedelta(hours=1),
    }  # fmt: skip
    row = insert(Touch).values(**{**values, **more}).returning(Touch.id)
    return int(connection.execute(row).scalar_one())


def signal(kind: str, email: str | None = None, at: datetime = NOW, **more: Any) -> Incoming:
    """One signal, told once; give `source_id` to tell it twice."""
    values: dict[str, Any] = {"source": "test", "source_id": f"s{next(_numbers)}", "email": email}
    return Incoming(kind=kind, occurred_at=at, **{**values, **more})


def tell(engine: Engine, *signals: Incoming, now: datetime = NOW, play_: Play | None = None) -> Applied:
    """Record these signals and apply them."""
    with writing(engine) as connection:
        record(connection, signals, now)
        return apply_waiting(connection, play_ or play(), now)


def person(engine: Engine, world: World, name: str) -> Any:
    """The row of this person as it is now."""
    with engine.connect() as connection:
        return connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == world.people[name])).one()
