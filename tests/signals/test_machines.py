"""Which clicks no person made; the rules are simple and say why."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.machines import Trace, machines
from accounts.vocabulary import SignalKind
from tests.cast import NOW

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def trace(
    id: int, kind: str = "clicked", seconds: float = 0, who: int | None = 1, touch: int | None = None, **data: Any
) -> Trace:
    return Trace(id, SignalKind(kind), who, NOW + timedelta(seconds=seconds), data, touch)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"machine": True}, "the provider says so"),
        ({"method": "HEAD"}, "asked for the headers only"),
        ({"user_agent": "Slackbot-LinkExpanding 1.0"}, "the program calls itself bot"),
        ({"user_agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, "the program calls itself bot"),
        ({"user_agent": "python-requests/2.32"}, "the program calls itself python"),
        ({"user_agent": "Barracuda Sentinel (EE)"}, "the program calls itself barracuda"),
        ({"user_agent": FIREFOX}, None),
        ({"user_agent": "Mozilla/5.0 (Linux; Android 13; CUBOT P80)"}, None),
        ({}, None),
    ],
)
def test_a_click_may_give_itself_away(data: dict[str, Any], reason: str | None) -> None:
    assert machines([trace(1, **data)]).get(1) == reason


@pytest.mark.parametrize(("seconds", "is_machine"), [(-2.1, False), (-2, True), (0, True), (2, True), (2.1, False)])
def test_a_click_within_two_seconds_of_the_delivery_of_its_message_is_a_scanners(
    seconds: float, is_machine: bool
) -> None:
    found = machines(
        [trace(1, "delivered", 0, touch=5), trace(2, seconds=seconds, touch=5), trace(3, seconds=0, touch=6)]
    )
    assert (2 in found) is is_machine
    assert 3 not in found


def test_three_links_within_two_seconds_are_a_scanners_and_two_are_a_persons() -> None:
    two = [trace(1, seconds=0, url="a"), trace(2, seconds=1, url="b")]
    assert machines(two) == {}
    assert set(machines([*two, trace(3, seconds=2, url="c")])) == {1, 2, 3}


def test_one_link_clicked_three_times_in_anger_is_a_persons() -> None:
    assert machines([trace(n, seconds=n / 2, url="a") for n in range(4)]) == {}


def test_a_burst_ends_where_the_pace_ends() -> None:
    burst = [trace(n, seconds=n / 2, url=str(n)) for n in range(4)]
    assert set(machines([*burst, trace(9, seconds=60, url="x")])) == {0, 1, 2, 3}


def test_three_people_clicking_at_once_are_three_people() -> None:
    assert machines([trace(n, who=n, url=str(n)) for n in range(1, 4)]) == {}


def test_what_a_person_asked_for_is_never_called_a_machines() -> None:
    assert (
        machines([trace(1, "unsubscribed", method="HEAD", user_agent="curl/8"), trace(2, "replied", machine=True)])
        == {}
    )


def test_a_hundred_thousand_clicks_in_one_second_are_judged_in_one_walk() -> None:
    storm = [trace(n, seconds=n / 1e6, url=str(n)) for n in range(100_000)]
    assert len(machines(storm)) == 100_000


traces = st.builds(
    lambda seconds, who, touch, kind, url: trace(0, kind, seconds, who, touch, url=url),
    st.integers(0, 8), st.sampled_from([1, 2]), st.sampled_from([None, 7, 8]),
    st.sampled_from(["clicked", "delivered", "opened"]), st.sampled_from("abcd"),
)  # fmt: skip


@given(st.lists(traces, max_size=14), st.randoms(), st.integers(0, 14))
def test_order_does_not_matter_and_what_was_called_a_machines_stays_one(
    some: list[Trace], chance: random.Random, cut: int
) -> None:
    numbered = [Trace(n, t.kind, t.person, t.occurred_at, t.data, t.touch) for n, t in enumerate(some)]
    shuffled = chance.sample(numbered, len(numbered))
    assert machines(numbered).keys() == machines(shuffled).keys()
    assert machines(shuffled[:cut]).keys() <= machines(shuffled).keys()
