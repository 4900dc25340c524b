"""Limits are never exceeded, wherever a window begins; nobody waits who need not; one full domain blocks no other."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from accounts.identity import domain_hash
from accounts.pace import DAY, HOUR, MINUTE, Meter, MeterKey, Pace, Rate, Turns, WarmUp, allot

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
FIRST = date(2026, 12, 1)
SECOND = timedelta(seconds=1)
ALL = MeterKey("all")
LENGTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY}

rates = st.builds(
    Rate, minute=st.none() | st.integers(1, 4), hour=st.none() | st.integers(1, 8), day=st.none() | st.integers(1, 12)
).filter(bool)
#: Seconds from one moment to the next: some within a minute, some within an hour, some over a day.
steps = st.lists(
    st.sampled_from([0, 1, 20, 60, 61, 600, 3_600, 3_601, 20_000, 86_400, 90_000]), min_size=1, max_size=60
)


def _meter(rate: Rate, ramp: WarmUp | None = None) -> Meter:
    return Meter(Pace(all=rate, warm_up=ramp or WarmUp()).spans(ALL))


def _fullest(times: Sequence[datetime], length: timedelta) -> int:
    """The most that any window of this length holds; it holds most when it ends at one of the times."""
    return max((sum(end - length < at <= end for at in times) for end in times), default=0)


def _is_kept(rate: Rate, times: Sequence[datetime]) -> bool:
    limits = [(LENGTHS[name], most) for name, most in rate if most is not None]
    return all(_fullest(times, length) <= most for length, most in limits)


@given(rates, steps)
def test_no_window_holds_more_than_its_limit_and_nobody_waits_for_nothing(rate: Rate, steps: list[int]) -> None:
    meter, now, left = _meter(rate), NOW, list[datetime]()
    for step in steps:
        now += step * SECOND
        free = meter.free_at(now)
        if free == now:
            meter.take(now)
            left.append(now)
            continue
        assert not _is_kept(rate, [*left, now]), "one more would have been too many"
        assert _is_kept(rate, [*left, free]), "and at the time it is told, it fits"
        assert not _is_kept(rate, [*left, free - timedelta(microseconds=1)]), "and not a moment earlier"
    assert _is_kept(rate, left)


@given(rates, st.integers(1, 60), st.integers(0, 12))
def test_the_times_that_waiting_ones_are_given_keep_the_limits_too(rate: Rate, waiting: int, already: int) -> None:
    """So nobody is looked at again and again: each comes back when it is its turn."""
    meter = _meter(rate)
    for _ in range(min(already, *(most for _, most in rate if most is not None))):
        meter.take(NOW - MINUTE / 2)
    turns = allot([(number, [ALL]) for number in range(waiting)], {ALL: meter}, NOW, waiting)
    times = [NOW] * len(turns.now) + list(turns.later.values())
    assert len(times) == waiting
    assert times == sorted(times), "first come, first served"
    assert _is_kept(rate, meter.taken)


@given(st.integers(1, 5), st.integers(0, 40), st.integers(1, 40))
def test_one_full_domain_blocks_nobody_else(limit: int, ahead: int, others: int) -> None:
    full, free = MeterKey("domain", "big"), MeterKey("domain", "small")
    meters = {full: _meter(Rate(hour=limit))}
    queue = [(number, [full]) for number in range(ahead)] + [(1_000 + number, [free]) for number in range(others)]
    turns = allot(queue, meters, NOW, 1_000)
    assert [touch for touch in turns.now if touch >= 1_000] == [1_000 + number for number in range(others)]
    assert len(turns.now) == min(limit, ahead) + others


def test_every_limit_counts_and_the_last_to_be_free_decides() -> None:
    sender, domain = MeterKey("sender", "1"), MeterKey("domain", "big")
    meters = {ALL: _meter(Rate(minute=2)), sender: _meter(Rate(hour=1)), domain: _meter(Rate(day=1))}
    queue = [(1, [ALL, sender, domain]), (2, [ALL, sender]), (3, [ALL]), (4, [ALL, domain])]
    turns = allot(queue, meters, NOW, 10)
    assert turns.now == (1, 3)
    assert turns.later == {2: NOW + HOUR, 4: NOW + DAY}


def test_a_claim_elsewhere_whose_clock_is_ahead_counts() -> None:
    meter = _meter(Rate(minute=1))
    meter.take(NOW + 5 * SECOND)
    assert meter.free_at(NOW) == NOW + 65 * SECOND


def test_no_more_are_dealt_with_than_may_go_and_the_rest_is_told_no_time() -> None:
    queue = [(number, [ALL]) for number in range(4)]
    assert allot(queue, {}, NOW, 2) == Turns((0, 1), {})
    assert allot(queue, {ALL: _meter(Rate(hour=1))}, NOW, 1) == Turns((0,), {})


def test_a_meter_looks_back_as_far_as_its_longest_window() -> None:
    spans = _meter(Rate(minute=1, hour=1, day=1)).spans
    assert [span.length / SECOND for span in spans] == [60, 3_600, 86_400]
    assert _meter(Rate(minute=1, hour=1, day=1)).reach == timedelta(days=1)
    assert _meter(Rate()).reach == timedelta()


# Warming up.


@given(st.integers(1, 500), st.floats(1.01, 5), st.integers(1, 100_000), st.integers(0, 3_000))
def test_a_ramp_only_rises_and_ends_at_the_full_volume(first: int, growth: float, full: int, day: int) -> None:
    ramp = WarmUp(starts=FIRST, first_day=first, growth=growth)
    today, tomorrow = (ramp.most_on(FIRST + days * DAY, full) for days in (day, day + 1))
    assert 1 <= today <= tomorrow <= full
    assert ramp.most_on(FIRST, full) == min(first, full)


def test_the_usual_ramp_is_the_one_that_sending_services_advise() -> None:
    """50 to 100 a day in the first week, up to 2,000 in the third, 5,000 and more in the fourth."""
    ramp = WarmUp(starts=FIRST)
    volumes = [ramp.most_on(FIRST + days * DAY, 20_000) for days in (0, 3, 7, 14, 21, 27, 400)]
    assert volumes == [50, 97, 238, 1136, 5421, 20_000, 20_000]


def test_before_it_starts_a_new_domain_sends_as_on_its_first_day() -> None:
    assert WarmUp(starts=FIRST).most_on(date(2026, 11, 1), 1_000) == 50


def test_on_the_next_day_of_a_ramp_more_fit() -> None:
    meter = _meter(Rate(day=100), WarmUp(starts=NOW.date(), first_day=2, growth=2))
    meter.take(NOW)
    meter.take(NOW)
    midnight = NOW.replace(hour=0) + DAY
    assert meter.free_at(NOW + HOUR) == midnight, "four may leave in a day by then, and two have"
    meter.take(midnight)
    meter.take(midnight)
    assert meter.free_at(midnight) == NOW + DAY


def test_a_ramp_is_about_days_and_a_known_domain_has_none() -> None:
    new, known = (_meter(Rate(hour=400, day=1_000), ramp) for ramp in (WarmUp(starts=NOW.date()), WarmUp()))
    assert [span.most_at(NOW) for span in new.spans] == [400, 50]
    assert [span.most_at(NOW) for span in known.spans] == [400, 1_000]


# What is written in the settings.


def test_nothing_said_is_no_limit() -> None:
    assert not Pace()
    assert Pace().spans(MeterKey("domain", domain_hash("acme.example"))) == ()
    for limit in (Rate(minute=1), Rate(hour=1), Rate(day=1)):
        for pace in (Pace(all=limit), Pace(sender=limit), Pace(domain=limit), Pace(domains={"acme.example": limit})):
            assert pace


def test_senders_have_their_own_limits() -> None:
    pace = Pace(all=Rate(hour=30), sender=Rate(hour=20), domain=Rate(hour=10))
    meters = (ALL, MeterKey("sender", "7"), MeterKey("domain", domain_hash("acme.example")))
    assert [[span.most for span in pace.spans(meter)] for meter in meters] == [[30], [20], [10]]


def test_a_domain_by_name_has_its_own_limits_and_may_have_none() -> None:
    pace = Pace(domain=Rate(hour=10), domains={" @Acme.Example": Rate(hour=90), "globex.example": Rate()})
    most = {
        name: [span.most for span in pace.spans(MeterKey("domain", domain_hash(name)))]
        for name in ("acme.example", "globex.example", "initech.example")
    }
    assert most == {"acme.example": [90], "globex.example": [], "initech.example": [10]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"all": {"hour": 0}},
        {"all": {"second": 5}},
        {"domains": {"acme.example": {"hour": -1}}},
        {"warm_up": {"starts": "2026-12-01"}},
        {"all": {"day": 100}, "warm_up": {"starts": "2026-12-01", "growth": 1}},
    ],
    ids=["nothing at all", "no such window", "less than nothing", "a ramp to nowhere", "a ramp that does not rise"],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Pace.model_validate(wrong)
