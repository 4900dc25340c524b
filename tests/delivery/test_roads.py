"""Which road comes next: a table, no clock, no network."""

from datetime import timedelta

import pytest

from accounts.briefs.roads import Next, Tried, after_a_no, next_road
from accounts.vocabulary import BriefState as S
from tests.cast import NOW

BOTH = ("slack", "email")
SOON, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("tried", "road"),
    [
        ({}, Next("slack", 1, False)),
        ({"slack": Tried(S.PLANNED, 1)}, Next("slack", 2, False)),
        ({"slack": Tried(S.PLANNED, 1, NOW + SOON)}, None),
        ({"slack": Tried(S.PLANNED, 1, NOW)}, Next("slack", 2, False)),
        ({"slack": Tried(S.FAILED, 3)}, Next("email", 1, True)),
        ({"slack": Tried(S.FAILED, 3), "email": Tried(S.PLANNED, 9)}, Next("email", 10, True)),
        ({"slack": Tried(S.FAILED, 1), "email": Tried(S.FAILED, 1)}, None),
        ({"slack": Tried(S.DELIVERED, 1)}, None),
        ({"slack": Tried(S.SENDING, 1)}, None),
        ({"slack": Tried(S.UNKNOWN, 1)}, None),
        # a wish that is gone from the settings since: what took the brief then still has it
        ({"teams": Tried(S.UNKNOWN, 1)}, None),
        ({"teams": Tried(S.FAILED, 1)}, Next("slack", 1, False)),
    ],
)
def test_the_next_road(tried: dict[str, Tried], road: Next | None) -> None:
    assert next_road(BOTH, tried, NOW) == road


@pytest.mark.parametrize(
    ("step", "permanent", "wait", "state"),
    [
        (Next("slack", 1, False), True, None, S.FAILED),
        (Next("slack", 1, False), False, None, S.PLANNED),
        (Next("slack", 2, False), False, SOON, S.PLANNED),
        (Next("slack", 3, False), False, None, S.FAILED),
        (Next("slack", 1, False), False, HOUR + SOON, S.FAILED),
        (Next("email", 1, True), True, None, S.FAILED),
        (Next("email", 30, True), False, None, S.PLANNED),
        (Next("email", 1, True), False, HOUR + SOON, S.PLANNED),
    ],
)
def test_after_a_no(step: Next, permanent: bool, wait: timedelta | None, state: S) -> None:
    assert after_a_no(step, permanent=permanent, wait=wait) is state
