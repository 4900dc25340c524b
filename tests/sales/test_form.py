"""What arrives from a form may be anything: it becomes an answer, or a sentence that says what would be valid."""

import dataclasses
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.answers import AnswerKind, Limits, Said, parse
from accounts.answers.form import read_day
from accounts.errors import InputRefused
from accounts.vocabulary import Role

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_form_becomes_an_answer() -> None:
    form = {"kind": "delay", "account": "3", "person": "7", "touch": "12", "until": "2026-12-03", "words": "  later\n"}
    until = datetime(2026, 12, 2, 23, 0, tzinfo=UTC)
    said = parse(form, zone=BERLIN)
    assert said == Said(AnswerKind.DELAY, 3, 7, 12, until=until, day=date(2026, 12, 3), words="later")


def test_a_seat_for_somebody_new() -> None:
    form = {"kind": "seat", "account": "3", "role": "economic_buyer", "name": "Zoe  Lin", "email": " zoe@acme.example "}
    said = parse(form)
    assert (said.role, said.name, said.email) == (Role.ECONOMIC_BUYER, "Zoe Lin", "zoe@acme.example")


def test_marks_that_turn_the_direction_of_text_are_no_part_of_a_name() -> None:
    form = {
        "kind": "seat",
        "account": "3",
        "role": "legal",
        "name": "\u202eZoe\u202c מרים",
        "email": "zoe@acme.example",
    }
    assert parse(form).name == "Zoe מרים"


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        (
            {"people": "7, 8", "topics": "Cost,risk", "per_week": "2", "ads": "no"},
            Limits((7, 8), ("cost", "risk"), 2, False),
        ),
        ({"people": "", "topics": "", "per_week": "", "ads": "yes"}, Limits((), (), 0, True)),
        ({"per_week": "1"}, Limits(None, None, 1, None)),
        ({"ads": "no"}, Limits(None, None, None, False)),
        ({"topics": " Cost , ,risk,cost,", "per_week": "50"}, Limits(None, ("cost", "risk"), 50, None)),
    ],
    ids=["all of them", "cleared", "one of them", "another", "carelessly typed"],
)  # fmt: skip
def test_limits_that_are_not_in_the_form_stay_as_they_are(fields: dict[str, str], limits: Limits) -> None:
    assert parse({"kind": "limits", "account": "3", **fields}).limits == limits


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"account": "3"}, "kind"),
        ({"kind": "sing", "account": "3"}, "kind"),
        ({"kind": "hold"}, "account"),
        ({"kind": "hold", "account": "3 OR 1=1"}, "account"),
        ({"kind": "hold", "account": "9" * 19}, "account"),
        ({"kind": "hold", "account": "3", "until": "next week"}, "until"),
        ({"kind": "hold", "account": "3", "until": "2026-02-30"}, "until"),
        ({"kind": "hold", "account": "3", "until": "0001-01-01T00:00+14:00"}, "until"),
        ({"kind": "hold", "account": "3", "words": "x" * 2001}, "words"),
        ({"kind": "veto", "account": "3"}, "person"),
        ({"kind": "delay", "account": "3", "person": "7"}, "until"),
        ({"kind": "seat", "account": "3", "role": "queen"}, "role"),
        ({"kind": "seat", "account": "3"}, "role"),
        ({"kind": "add_person", "account": "3"}, "email"),
        ({"kind": "add_person", "account": "3", "email": "zoe at acme"}, "email"),
        ({"kind": "add_person", "account": "3", "email": "a@b.example\nBcc: all@x.example"}, "email"),
        ({"kind": "objection", "account": "3", "words": " \x00 "}, "words"),
        ({"kind": "close_objection", "account": "3"}, "objection"),
        ({"kind": "topic", "account": "3"}, "words"),
        ({"kind": "wrong_line", "account": "3", "line": "-1"}, "line"),
        ({"kind": "wrong_line", "account": "3"}, "line"),
        ({"kind": "limits", "account": "3", "people": "7;drop"}, "people"),
        ({"kind": "limits", "account": "3", "per_week": "51"}, "per_week"),
        ({"kind": "limits", "account": "3", "ads": "maybe"}, "ads"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_a_cure(form: dict[str, str], field: str) -> None:
    with pytest.raises(InputRefused) as refused:
        parse(form)
    assert refused.value.where == field
    assert refused.value.cure


@pytest.mark.parametrize(
    ("name", "longest"), [("words", 2_000), ("topic", 300), ("name", 300), ("title", 300), ("content", 120)]
)
def test_a_field_is_read_up_to_its_last_letter_and_no_further(name: str, longest: int) -> None:
    form = {"kind": "hold", "account": "3", name: "x" * longest}
    assert getattr(parse(form), name) == "x" * longest
    with pytest.raises(InputRefused, match=f"{longest + 1} letters are too many"):
        parse({**form, name: "x" * (longest + 1)})


def test_numbers_and_addresses_go_as_far_as_the_ledger_does() -> None:
    address = f"{'x' * 241}@acme.example"
    largest = 9_223_372_036_854_775_807
    said = parse({"kind": "hold", "account": str(largest), "email": address})
    assert (said.account_id, said.email) == (largest, address)
    for wrong in ({"account": str(largest + 1)}, {"account": "3", "email": f"x{address}"}):
        with pytest.raises(InputRefused):
            parse({"kind": "hold", **wrong})


def test_yes_and_no_are_known_in_every_way_a_form_says_them() -> None:
    person = {"kind": "correct_person", "account": "3", "person": "7"}
    for yes in ("yes", "on", "true", "1", "YES", "On"):
        assert parse({**person, "gone": yes}).gone
    for no in ("no", "off", "false", "0", "NO", "Off", ""):
        assert not parse({**person, "gone": no}).gone


def test_whom_it_is_about_is_said_by_the_person_or_by_a_mail_to_them() -> None:
    for whom in ({"person": "7"}, {"touch": "12"}):
        assert parse({"kind": "veto", "account": "3", **whom}).kind is AnswerKind.VETO


@pytest.mark.parametrize(
    ("until", "at", "day"),
    [
        ("2026-12-03", datetime(2026, 12, 2, 23, 0, tzinfo=UTC), date(2026, 12, 3)),
        ("2026-12-03T09:30", datetime(2026, 12, 3, 8, 30, tzinfo=UTC), date(2026, 12, 3)),
        ("2026-12-03T00:30+09:00", datetime(2026, 12, 2, 15, 30, tzinfo=UTC), date(2026, 12, 3)),
    ],
)
def test_a_time_is_on_the_reps_clock_unless_it_names_another_and_its_day_is_the_one_they_named(
    until: str, at: datetime, day: date
) -> None:
    said = parse({"kind": "hold", "account": "3", "until": until}, zone=BERLIN)
    assert (said.until, said.day) == (at, day)


@pytest.mark.parametrize("value", ["tomorrow", "2026-02-30", "0001-01-01"])
def test_what_is_no_day_is_refused_with_how_to_write_one(value: str) -> None:
    with pytest.raises(InputRefused) as refused:
        read_day("since", value, BERLIN)
    assert str(refused.value) == f"since: '{value}' is no day (write it as 2026-12-03 or 2026-12-03T09:30)"


FIELDS = [field.name for field in dataclasses.fields(Said)] + ["account", "person", "touch", "people", "topics", "ads"]
VALUES = st.text(max_size=40) | st.sampled_from([*AnswerKind, *Role, "7", "2026-12-03", "yes", "a@b.example"])


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_no_form_whatsoever_does_anything_else(form: dict[str, str]) -> None:
    said: Said | InputRefused
    try:
        said = parse(form)
    except InputRefused as refused:
        said = refused
    assert said.where and said.cure if isinstance(said, InputRefused) else said.account_id >= 0
