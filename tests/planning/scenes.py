"""Small scenes for planning: Acme, contacted a month ago, two weeks in evaluation, and the people in it."""

from datetime import datetime, timedelta
from typing import Any

from accounts.planning import Said, plan
from accounts.playbook import Play
from accounts.snapshots import Account, Hold, Mail, Person
from accounts.vocabulary import HoldCause
from tests.cast import NOW, PLAY
from tests.plays import small_play

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

PILOT = f"{PLAY}/evaluation/pilot"
FIVE_SLIDES = f"{PLAY}/evaluation/five-slides"
NUMBERS = f"{PLAY}/evaluation/three-numbers"
SECURITY = f"{PLAY}/evaluation/security-pack"


def person(id: int = 1, role: str = "champion", **facts: Any) -> Person:
    """Somebody with consent, in Berlin, whom nothing stops."""
    values: dict[str, Any] = {
        "email": f"p{id}@acme.example", "timezone": "Europe/Berlin", "country": "DE", "consent_at": NOW - 60 * DAY,
    }  # fmt: skip
    return Person(id, role=role, **{**values, **facts})


def acme(*people: Person, **facts: Any) -> Account:
    """Acme with these people (one champion if none are named); three days in evaluation, so first steps are due."""
    values: dict[str, Any] = {
        "play": PLAY, "stage_entered_at": NOW - 3 * DAY, "first_contacted_at": NOW - 30 * DAY, "synced_at": NOW,
        "stage": "evaluation",
    }  # fmt: skip
    return Account(1, "acme", people=people or (person(),), **{**values, **facts})


def hold(
    cause: str = "rep", *, since: timedelta = DAY, until: timedelta | None = None, of: int | None = None,
    clock: str = "hold",
) -> Hold:  # fmt: skip
    """A hold that began `since` ago and ends `until` from now (negative: it is over); `of` a person, or the account."""
    return Hold(HoldCause(cause), NOW - since, None if until is None else NOW + until, of, "Ravi Menon", clock)


def mail(ago: timedelta, to: int | None = 1, content: str | None = PILOT) -> Mail:
    """A touch that went out, or with content None a rep's own e-mail."""
    return Mail(to, content, NOW - ago)


def answer(account: Account, play: Play | None = None, now: datetime = NOW) -> Said:
    """What planning says of the first person."""
    return plan(account, play or small_play(), now)[0]
