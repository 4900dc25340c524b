"""The table from kinds to effects, as values."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.outcomes import (
    ARRIVALS,
    FULL_MAILBOX_PAUSE,
    GRAVITY,
    LONGEST_ABSENCE,
    NO_NEEDS_NO_NAME,
    READ_DATA,
    SETTLING,
    SOFT_BOUNCE_PAUSE,
    TABLE,
    UNDATED_ABSENCE,
    FailBrief,
    Happening,
    HoldAccount,
    MarkBounced,
    MarkComplained,
    MarkLeft,
    OptOut,
    PausePerson,
    Prefer,
    Propose,
    SettleTouch,
    Suppress,
    effects_of,
    read_address,
    read_instant,
    read_kind,
)
from accounts.outcomes.rules import FURTHEST_MEETING
from accounts.playbook import Pauses
from accounts.vocabulary import EmailStatus, HoldCause, SignalKind
from tests.cast import NOW

DAY = timedelta(days=1)
PAUSES = Pauses(after_reply=timedelta(days=10), after_meeting=timedelta(days=3))


def outcome(kind: str, **data: object) -> tuple[object, ...]:
    return effects_of(Happening.read(kind, NOW, data), PAUSES)


def test_an_opt_out_stops_the_person_and_suppresses_the_address_but_holds_no_account() -> None:
    assert outcome("unsubscribed") == (OptOut(NOW), Suppress("opted_out", NOW), SettleTouch())


def test_a_complaint_stops_the_person_and_holds_the_account_until_somebody_releases_it() -> None:
    effects = outcome("complained")
    assert {OptOut(NOW), MarkComplained(), HoldAccount(HoldCause.COMPLAINT, NOW, None)} <= set(effects)


def test_a_reply_holds_the_account_for_as_long_as_the_play_says() -> None:
    assert HoldAccount(HoldCause.REPLY, NOW, NOW + timedelta(days=10)) in outcome("replied")


def test_a_booked_meeting_holds_from_the_booking_until_some_days_after_the_meeting() -> None:
    meets = NOW + timedelta(days=5)
    assert outcome("meeting_booked", until=meets.isoformat()) == (
        HoldAccount(HoldCause.MEETING, NOW, meets + timedelta(days=3)),
    )


def test_a_meeting_that_was_held_pauses_from_then_on() -> None:
    assert outcome("meeting_held") == (HoldAccount(HoldCause.MEETING, NOW, NOW + timedelta(days=3)),)


def test_a_hard_bounce_ends_an_address_and_an_unclassified_one_counts_as_hard() -> None:
    assert outcome("bounced") == outcome("bounced", bounce="hard")
    assert outcome("bounced") == (MarkBounced(), Suppress("bounced", NOW), SettleTouch())


def test_a_soft_bounce_only_waits() -> None:
    assert outcome("bounced", bounce="soft") == (PausePerson(NOW + SOFT_BOUNCE_PAUSE), SettleTouch())


@pytest.mark.parametrize("spelled", ["Soft", " SOFT ", "soft"])
def test_a_soft_bounce_is_one_however_a_list_spells_it(spelled: str) -> None:
    assert outcome("bounced", bounce=spelled) == outcome("bounced", bounce="soft")


@pytest.mark.parametrize("kind", list(SignalKind))
def test_a_kind_is_known_however_a_list_spells_it(kind: SignalKind) -> None:
    plain = kind.value.replace("_", " ")
    assert {read_kind(said) for said in (kind.value, plain, f" {plain.title()} ", plain.replace(" ", "-"))} == {kind}


@pytest.mark.parametrize(
    ("action", "effects"),
    [
        ("never_again", (MarkBounced(), Suppress("bounced", NOW))),
        ("ask_replacement", (MarkBounced(), Suppress("bounced", NOW))),
        ("retry_later", (PausePerson(NOW + SOFT_BOUNCE_PAUSE),)),
        ("mailbox_full", (PausePerson(NOW + FULL_MAILBOX_PAUSE),)),
        ("our_fault", ()),
    ],
)
@pytest.mark.parametrize("bounce", ["hard", "soft"])
def test_what_follows_from_a_bounce_outranks_hard_and_soft_and_our_fault_marks_nobody(
    action: str, effects: tuple[object, ...], bounce: str
) -> None:
    assert outcome("bounced", action=action, bounce=bounce) == (*effects, SettleTouch())


def test_a_bounce_that_says_that_the_person_left_marks_them_as_gone() -> None:
    told = outcome("bounced", action="ask_replacement", reason="person_left")
    assert told == (MarkLeft(), Suppress("left", NOW), SettleTouch())


@pytest.mark.parametrize(
    ("replacement", "proposed"),
    [
        ({"name": " Zoe  Lin ", "email": "Zoe.Lin@acme.example"}, (Propose("Zoe Lin", "zoe.lin@acme.example", NOW),)),
        ({"name": "Zoe Lin"}, (Propose("Zoe Lin", None, NOW),)),
        ({"email": "zoe@acme.example"}, (Propose(None, "zoe@acme.example", NOW),)),
        ({"name": "Zoe Lin", "email": "our service desk"}, (Propose("Zoe Lin", None, NOW),)),
        ({"email": "@acme"}, ()),
        ({"name": 7, "email": ["x"]}, ()),
        ("Zoe", ()),
    ],
)
def test_who_is_named_instead_of_somebody_who_left_is_proposed(
    replacement: object, proposed: tuple[object, ...]
) -> None:
    effects = outcome("left_company", replacement=replacement)
    assert tuple(effect for effect in effects if isinstance(effect, Propose)) == proposed


def test_who_left_is_marked_and_the_old_address_suppressed() -> None:
    assert {MarkLeft(), Suppress("left", NOW)} <= set(outcome("left_company"))


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ("2026-12-01", datetime.fromisoformat("2026-12-01T00:00+00:00")),
        ("2026-12-01T09:00:00+01:00", datetime.fromisoformat("2026-12-01T08:00+00:00")),
        ("2099-01-01", NOW + LONGEST_ABSENCE),
        ("next Tuesday", NOW + UNDATED_ABSENCE),
        (None, NOW + UNDATED_ABSENCE),
        (20261201, NOW + UNDATED_ABSENCE),
    ],
)
def test_somebody_away_is_left_alone_until_they_are_back_and_never_for_longer_than_ninety_days(
    said: object, back: datetime
) -> None:
    assert PausePerson(back) in outcome("out_of_office", until=said)


#: Python reads no number of five thousand digits.
ODD_DAYS = (0, -1, 366, "366", "10000", "9" * 5_000, "١٤", "two", 2.5, True, None)


@pytest.mark.parametrize(
    ("data", "effect"),
    [
        ({}, Prefer(NOW)),
        ({"every_days": 14}, Prefer(NOW, 14)),
        ({"every_days": "14"}, Prefer(NOW, 14)),
        ({"every_days": 1}, Prefer(NOW, 1)),
        ({"every_days": 365}, Prefer(NOW, 365)),
        *(({"every_days": odd}, Prefer(NOW)) for odd in ODD_DAYS),
        ({"topic": "risk"}, Prefer(NOW, topic="risk")),
        ({"topic": "x" * 40, "every_days": 7}, Prefer(NOW, 7, "x" * 40)),
        *(({"topic": odd}, Prefer(NOW)) for odd in ("", "x" * 41, 7, ["risk"])),
        ({"topic": "r"}, Prefer(NOW, topic="r")),
        ({"until": (NOW + timedelta(days=30)).isoformat(), "topic": "risk"}, PausePerson(NOW + timedelta(days=30))),
        ({"until": "2099-01-01"}, PausePerson(NOW + LONGEST_ABSENCE)),
        ({"until": NOW.isoformat()}, Prefer(NOW)),
        ({"until": "2020-01-01"}, Prefer(NOW)),
    ],
)
def test_what_somebody_chose_counts_as_far_as_it_is_a_choice(data: dict[str, object], effect: object) -> None:
    assert outcome("preferred", **data) == (effect, SettleTouch())


@pytest.mark.parametrize(
    ("data", "effects"),
    [
        ({"brief": 7, "reply": "full", "diagnostic": "x"}, (FailBrief(7, "full"),)),
        ({"brief": 7, "diagnostic": "5.2.2", "reason": "x"}, (FailBrief(7, "5.2.2"),)),
        ({"brief": 7, "reason": "mailbox_full"}, (FailBrief(7, "mailbox_full"),)),
        ({"brief": 7}, (FailBrief(7, ""),)),
        ({"brief": "7"}, ()),
        ({"brief": True}, ()),
        ({}, ()),
    ],
)
def test_a_brief_that_came_back_failed_with_the_servers_words(
    data: dict[str, object], effects: tuple[object, ...]
) -> None:
    assert outcome("brief_bounced", **data) == effects


@pytest.mark.parametrize("data", [None, ["until"], "until", 7])
def test_data_of_another_shape_says_nothing(data: Any) -> None:
    assert Happening.read("out_of_office", NOW, data) == Happening.read("out_of_office", NOW, {})


def test_what_is_no_address_is_none_and_what_is_one_has_its_normal_form() -> None:
    longest = f"{'x' * 241}@acme.example"
    assert len(longest) == 254
    assert (read_address(longest), read_address(f"x{longest}")) == (longest, None)
    assert read_address(" Zoe.Lin@Acme.example ") == "zoe.lin@acme.example"
    for odd in ("@acme.example", "zoe@acme", "zoe lin@acme.example", "acme.example", "", 7):
        assert read_address(odd) is None


def test_a_time_without_a_zone_is_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        read = read_instant("2026-12-01T09:00")
    time.tzset()
    assert read == datetime.fromisoformat("2026-12-01T09:00+00:00")


def test_a_time_beyond_all_calendars_is_none() -> None:
    assert read_instant("9999-12-31T23:59:59-12:00") is None
    assert read_instant("0001-01-01T00:00:00+12:00") is None


def test_an_address_only_ever_gets_worse() -> None:
    assert GRAVITY == (EmailStatus.OK, EmailStatus.BOUNCED, EmailStatus.LEFT, EmailStatus.COMPLAINED)


def test_a_booked_meeting_that_is_over_or_far_away_holds_as_if_it_were_today_or_in_half_a_year() -> None:
    for said, meets in (("2020-01-01", NOW), ("2099-01-01", NOW + FURTHEST_MEETING), (None, NOW)):
        assert outcome("meeting_booked", until=said) == (HoldAccount(HoldCause.MEETING, NOW, meets + 3 * DAY),)


def test_how_long_each_of_them_lasts() -> None:
    """What the manual says (docs/signals.md)."""
    lengths = (SOFT_BOUNCE_PAUSE, FULL_MAILBOX_PAUSE, UNDATED_ABSENCE, LONGEST_ABSENCE, FURTHEST_MEETING)
    assert [length / DAY for length in lengths] == [3, 7, 7, 90, 180]


def test_only_what_looks_into_the_data_is_given_any() -> None:
    """The ledger spares the others the reading."""
    telling = {"until": "2026-12-01", "bounce": "soft", "replacement": {"name": "Zoe"}, "every_days": 9, "brief": 7}
    assert {kind for kind in SignalKind if outcome(kind) != outcome(kind, **telling)} == READ_DATA


def test_what_says_no_more_than_that_it_arrived() -> None:
    assert {SignalKind.DELIVERED, SignalKind.OPENED, SignalKind.CLICKED} == ARRIVALS


def test_an_absence_that_was_over_when_it_was_written_pauses_nobody() -> None:
    assert outcome("out_of_office", until="2020-01-01") == (SettleTouch(),)


@pytest.mark.parametrize("kind", [kind for kind in SignalKind if kind not in TABLE] + ["a kind of next year", ""])
def test_kinds_without_a_row_change_nobody(kind: str) -> None:
    assert outcome(kind) == ()


def test_what_settles_a_touch_is_the_same_in_the_table_and_in_the_set() -> None:
    assert {kind for kind in SignalKind if SettleTouch() in outcome(kind)} == SETTLING
    assert {kind for kind in SignalKind if any(isinstance(e, Suppress) for e in outcome(kind))} == NO_NEEDS_NO_NAME


@given(
    kind=st.sampled_from(list(SignalKind)),
    at=st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(NOW.tzinfo)),  # noqa: DTZ001
    data=st.dictionaries(
        st.sampled_from(["until", "bounce", "action", "replacement", "every_days", "topic", "reason"]),
        st.text() | st.integers() | st.none() | st.datetimes().map(str),
    ),
)
def test_whatever_a_provider_says_the_table_has_an_answer(kind: str, at: datetime, data: dict[str, object]) -> None:
    for effect in effects_of(Happening.read(kind, at, data), PAUSES):
        if isinstance(effect, PausePerson):
            assert at < effect.until <= at + LONGEST_ABSENCE
