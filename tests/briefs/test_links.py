"""Links of a brief: one answer each, signed, for a fortnight."""

from datetime import date, timedelta

import pytest

from accounts.vocabulary import Role
from flows import tokens
from flows.briefs.links import GOOD_FOR, KINDS, SEATS, Genuine, Links, RepLink, read

SECRET, DAY = "a secret of the house", date(2026, 11, 24)
LINKS = Links("https://go.lumenflow.example/", SECRET, rep_id=7, brief_id=301, issued_day=DAY)


def token_of(address: str) -> str:
    return address.removeprefix("https://go.lumenflow.example/r/")


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_opens_what_it_was_made_for(kind: str) -> None:
    assert read(token_of(LINKS(kind, 12, 5)), SECRET) == Genuine(RepLink(7, 301, 12, kind, 5, DAY), DAY + GOOD_FOR)


def test_a_link_holds_for_a_fortnight_and_not_a_day_longer() -> None:
    genuine = read(token_of(LINKS("hold", 12)), SECRET)
    assert genuine is not None
    assert genuine.last_day == LINKS.last_day == DAY + timedelta(days=14)


def test_a_changed_token_opens_nothing() -> None:
    token = token_of(LINKS("veto", 12, 5))
    for place in range(len(token)):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert read(other, SECRET) is None


def test_a_token_of_another_purpose_opens_nothing() -> None:
    numbers = (7, 301, 12, KINDS.index("hold"), 0, DAY.toordinal())
    assert read(tokens.sign_until(tokens.PREFERENCES, DAY, SECRET, *numbers), SECRET) is None
    assert read(token_of(LINKS("hold", 12)), "a secret of somebody else") is None


def test_numbers_of_kinds_and_seats_stay_what_they_are() -> None:
    """Links that were sent must open what they said: new names go to the end."""
    first = ("page", "brief", "hold", "release", "veto", "unveto", "delay", "approve", "ripe", "not_yet")
    assert KINDS[:10] == first
    assert (KINDS.index("wrong_line"), KINDS.index("off")) == (18, 22)
    assert SEATS.index(Role.ECONOMIC_BUYER) == 1
