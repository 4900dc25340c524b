"""Back when? Days as people write them, in four languages, and in the notes of some more."""

from datetime import UTC, datetime

import pytest

from flows.mailbox import understand
from tests.mailbox.letters import letter

EUROPE, AMERICA = "Fri, 18 Dec 2026 10:12:00 +0100", "Fri, 18 Dec 2026 10:12:00 -0500"


def back(text: str, date: str = EUROPE, subject: str = "Out of office") -> datetime | None:
    return understand(letter(text, subject=subject, Date=date, Auto_Submitted="auto-replied")).back_at


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out of the office until 5 January", "2027-01-05"),
        ("I am out of the office until Tuesday, January 5th, 2027.", "2027-01-05"),
        ("I'm away, back on the 5th of January", "2027-01-05"),
        ("On leave up to and including 5 January", "2027-01-06"),
        ("On leave until 5 January inclusive", "2027-01-06"),
        ("On leave through 8 January", "2027-01-11"),  # a Friday: back on Monday
        ("I am away 21 December - 1 January", "2027-01-04"),
        ("I am away between 21 and 29 December", "2026-12-30"),
        ("Out of office from 21/12/2026 to 05/01/2027", "2027-01-06"),
        ("Out of office until 2027-01-05", "2027-01-05"),
        ("I'm on vacation, returning Monday", "2026-12-21"),
        ("I'm on vacation and will be back tomorrow", "2026-12-19"),
        ("Ich bin bis einschließlich 03.01. nicht im Büro", "2027-01-04"),
        ("Ich bin bis 5. Januar im Urlaub", "2027-01-06"),
        ("Ich bin bis zum 05.01. nicht im Büro und ab dem 07.01. wieder erreichbar", "2027-01-07"),
        ("Am Donnerstag, den 7. Januar 2027 bin ich wieder im Büro, bis dahin im Urlaub", "2027-01-07"),
        ("Abwesend vom 22.12.26 bis 05.01.27", "2027-01-06"),
        ("Absent du bureau, de retour le lundi 4 janvier", "2027-01-04"),
        ("Je suis absent jusqu'au 5 janvier inclus", "2027-01-06"),
        ("En congés du 22 décembre au 5 janvier", "2027-01-06"),
        ("Je suis absente jusqu'au 1er février 2027", "2027-02-02"),
        ("Fuera de la oficina hasta el 5 de enero", "2027-01-06"),
        ("De vacaciones, vuelvo el martes 5 de enero de 2027", "2027-01-05"),
        ("Estaré ausente del 22/12 al 05/01", "2027-01-06"),
        ("Estoy fuera de la oficina hasta el 04/02/2027", "2027-02-05"),
        ("I am out December 21-23 and again January 11-15", "2026-12-24"),
        ("Travelling Dec 21 through 29, 2026 with patchy access to email", "2026-12-30"),
        ("I am out of the office from the 21st to the 29th of December", "2026-12-30"),
        ("I'm out from Monday 21st to Wednesday 30th December", "2026-12-31"),
        ("I'm on leave until end of day Tuesday", "2026-12-23"),
        ("Sono fuori ufficio fino al 5 gennaio", "2027-01-06"),
        ("Sono in ferie, rientro lunedì 4 gennaio", "2027-01-04"),
        ("Ik ben afwezig tot en met dinsdag 5 januari", "2027-01-06"),
        ("Ik ben met vakantie, vanaf 5 januari ben ik weer bereikbaar", "2027-01-05"),
        ("Estou de férias até 5 de janeiro de 2027", "2027-01-06"),
        ("Ik ben afwezig tot 5 januari", "2027-01-05"),
        ("Je ne serai pas disponible avant le 5 janvier", "2027-01-05"),
        ("I am in a training course until 2 pm on Monday, 21 December", "2026-12-21"),
        ("I'm on vacation week 52 and 53, back on Tuesday in week 1", "2027-01-05"),
        ("Ich bin bis KW 1 im Urlaub", "2027-01-11"),
        ("Jag har semester vecka 52-53", "2027-01-04"),
    ],
)
def test_the_day_is_understood(text: str, day: str) -> None:
    found = back(text)
    assert found is not None
    assert found.date().isoformat() == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I'm on leave, back Tuesday the 29th", "2026-12-29"),
        ("I'm away and will be back on Monday 4th", "2027-01-04"),
        ("I am out of the office until the 5th", "2027-01-05"),
        ("Out of the office from the 21st to the 29th", "2026-12-30"),
        ("Im Urlaub, ab Montag, dem 4., wieder im Büro", "2027-01-04"),
        ("Ich bin bis zum 5. nicht im Büro", "2027-01-06"),
        ("En congés jusqu'au mardi 5", "2027-01-06"),
        ("Estoy de vacaciones, me reincorporo el lunes 11", "2027-01-11"),
        ("I'm on leave, back on Wednesday the 29th", None),  # there is none that soon: the note is an old one
        ("I am out of the office until the 14th", None),  # that was this week
        ("On leave until Monday 9 am", "2026-12-21"),  # an hour
        ("I'm on leave. For 1st and 2nd level support call Max", None),
    ],
)
def test_a_day_without_its_month_is_the_next_one_that_fits(text: str, day: str | None) -> None:
    found = back(text)
    assert (found and found.date().isoformat()) == day


def test_back_is_eight_in_the_morning_where_the_reader_is() -> None:
    assert back("Out of the office until 5 January", EUROPE) == datetime(2027, 1, 5, 7, tzinfo=UTC)
    assert back("Out of the office until 5 January", AMERICA) == datetime(2027, 1, 5, 13, tzinfo=UTC)
    assert back("Out of the office until 5 January", "Fri, 18 Dec 2026 10:12:00 -0000") == datetime(
        2027, 1, 5, 8, tzinfo=UTC
    )


def test_english_from_america_puts_the_month_first_and_nobody_else_does() -> None:
    for text, date, day in (
        ("I am out of the office until 1/2/2027", AMERICA, "2027-01-02"),
        ("I am out of the office until 1/2/2027", EUROPE, "2027-02-01"),
        ("Fuera de la oficina hasta el 1/2/2027", AMERICA, "2027-02-02"),
        ("I am out of the office until 12/28/2026", EUROPE, "2026-12-28"),
        ("I am out of the office until 5/1/2027", AMERICA, "2027-01-05"),  # the first of May is too far away
    ):
        found = back(text, date)
        assert found is not None
        assert found.date().isoformat() == day, text


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office.", "I am out of the office until 31 February",
        "I was on vacation until 1 December 2026",
        "Back on 1.1.2099, on holiday", "On leave. Our meeting of 3 January is cancelled", "Out of office until 25:00",
        "I am out of the office, call 030 12.01.34", "Back in week 60", "On vacation until the cows come home",
    ],
)  # fmt: skip
def test_a_day_that_is_not_said_or_cannot_be_is_none(text: str) -> None:
    assert back(text) is None


def test_a_note_without_a_readable_date_is_read_by_when_it_came() -> None:
    raw = letter(
        "I am out of the office until 5 January",
        subject="Out of office",
        Date="yesterday",
        Auto_Submitted="auto-replied",
    )
    assert understand(raw).back_at is None
    assert understand(raw, datetime(2026, 12, 18, tzinfo=UTC)).back_at == datetime(2027, 1, 5, 8, tzinfo=UTC)


def test_the_day_may_stand_in_the_subject_alone() -> None:
    found = back("Thank you.", subject="AUTO: Dana Example is out of the office (returning 01/05/2027)", date=AMERICA)
    assert found is not None
    assert found.date().isoformat() == "2027-01-05"
