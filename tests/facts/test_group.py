"""Completeness of the buying group: only people we can reach fill a seat."""

from datetime import timedelta

import pytest

from accounts.group import Member, measure, unreachable_because
from accounts.playbook import Group, WantedRole
from accounts.vocabulary import Reason, Role
from tests.cast import NOW

WISH = Group(
    smallest=4,
    largest=7,
    wanted=(
        WantedRole(role=Role.CHAMPION),
        WantedRole(role=Role.ECONOMIC_BUYER),
        WantedRole(role=Role.TECHNICAL_EVALUATOR, least=2),
    ),
)
REACHABLE = Member(Role.CHAMPION, "legitimate_interest", None, "ok", None)


def member(role: Role) -> Member:
    return REACHABLE._replace(role=role)


FULL = [member(role) for role in (Role.CHAMPION, Role.ECONOMIC_BUYER, *[Role.TECHNICAL_EVALUATOR] * 2)]


def test_every_wanted_seat_filled_and_enough_people_is_complete() -> None:
    group = measure(FULL, WISH, NOW)
    assert group.is_complete
    assert (group.share, group.most_wanted, str(group)) == (1.0, None, "4 of 4 seats, 4 people reachable")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consent_basis": None}, Reason.NO_CONSENT),
        ({"consent_at": NOW + timedelta(days=1)}, Reason.NO_CONSENT),
        ({"email_status": "bounced"}, Reason.BOUNCED),
        ({"email_status": "left"}, Reason.LEFT),
        ({"email_status": "complained"}, Reason.OPTED_OUT),
        ({"opted_out_at": NOW - timedelta(days=1)}, Reason.OPTED_OUT),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"is_wrong": True}, Reason.VETOED),
    ],
)
def test_who_cannot_be_reached_fills_no_seat(change: dict[str, object], reason: Reason) -> None:
    champion = REACHABLE._replace(**change)
    assert unreachable_because(champion, NOW) is reason
    group = measure([champion, *FULL[1:]], WISH, NOW)
    assert (group.is_complete, group.most_wanted, group.size, group.known) == (False, Role.CHAMPION, 3, 4)
    assert group.unreachable == ((reason, 1),)


def test_an_opt_out_that_lies_ahead_is_none_yet() -> None:
    assert unreachable_because(REACHABLE._replace(opted_out_at=NOW + timedelta(hours=1)), NOW) is None


def test_the_most_wanted_seat_is_the_first_empty_one_in_the_plays_order() -> None:
    group = measure([member(Role.CHAMPION), member(Role.TECHNICAL_EVALUATOR)], WISH, NOW)
    assert [(seat.role, seat.missing) for seat in group.missing] == [
        (Role.ECONOMIC_BUYER, 1),
        (Role.TECHNICAL_EVALUATOR, 1),
    ]
    assert group.most_wanted is Role.ECONOMIC_BUYER
    assert str(group) == (
        "2 of 4 seats, 2 people reachable; missing: economic buyer, technical evaluator; fewer than 4"
    )


def test_two_people_in_one_seat_do_not_fill_another() -> None:
    group = measure([member(Role.CHAMPION)] * 5, WISH, NOW)
    assert (group.is_complete, group.share) == (False, 0.25)


def test_a_full_set_of_seats_with_too_few_people_is_not_complete() -> None:
    wish = Group(smallest=4, largest=7, wanted=(WantedRole(role=Role.CHAMPION),))
    group = measure([REACHABLE] * 3, wish, NOW)
    assert (group.is_complete, group.most_wanted) == (False, None)


def test_more_people_than_decide_together_is_a_hint_and_no_failure() -> None:
    group = measure([*FULL, *[member(Role.INFLUENCER)] * 4], WISH, NOW)
    assert group.is_too_large
    assert group.is_complete


def test_an_empty_account_lacks_everything_and_a_play_without_wishes_lacks_nothing_but_people() -> None:
    assert measure([], WISH, NOW).share == 0.0
    assert measure([], Group(), NOW).share == 1.0
    assert not measure([], Group(), NOW).is_complete
