"""What arrives from a form may be anything: it becomes an answer, or a sentence that says what would be valid."""

import dataclasses
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.answers import AnswerKind, Limits, Said, parse
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
    ],
    ids=["all of them", "cleared", "one of them"],
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
        ({"kind": "wrong_line", "account": "3", "line": "-1"}, "line"),
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
