"""Somebody has left: who follows?"""

import pytest

from flows.mailbox import Departure, Kind, understand
from tests.mailbox.letters import LEFT, SINGLE, letter


@pytest.mark.parametrize(("text", "name", "address"), [told for texts in LEFT.values() for told in texts])
def test_the_successor_is_named_in_four_languages(text: str, name: str, address: str) -> None:
    found = understand(letter(text, Auto_Submitted="auto-replied"))
    assert found.kind is Kind.LEFT_COMPANY
    assert found.departure == Departure(name, address)
    assert found.back_at is None


@pytest.mark.parametrize(("text", "follows"), [(row[1], row[6]) for row in SINGLE if row[6]])
def test_the_successor_is_found_wherever_the_name_stands(text: str, follows: tuple[str, str]) -> None:
    assert understand(letter(text, Auto_Submitted="auto-replied")).departure == Departure(*follows)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("I retired on 31 October. My successor is Erika Stein, e@acme.example.", "Erika Stein", "e@acme.example"),
        ("Max non lavora più in Acme. Contattare Erika Stein (e@acme.example).", "Erika Stein", "e@acme.example"),
        ("Max Muster is niet langer werkzaam bij Acme. U kunt contact opnemen met Erika Stein.", "Erika Stein", ""),
        ("Max Muster já não trabalha na Acme. Contacte Erika Stein: e@acme.example", "Erika Stein", "e@acme.example"),
        ("Max Muster har slutat hos Acme. Kontakta Erika Stein.", "Erika Stein", ""),
    ],
)  # fmt: skip
def test_the_commonest_words_for_it_are_known_in_more(text: str, name: str, address: str) -> None:
    found = understand(letter(text, Auto_Submitted="auto-replied"))
    assert (found.kind, found.departure) == (Kind.LEFT_COMPANY, Departure(name, address))


def test_neither_we_nor_the_one_who_left_are_the_successor() -> None:
    text = "I have left the company. Please contact marketing@lumenflow.example or dana.example@acme.example."
    assert understand(letter(text, Auto_Submitted="auto-replied")).departure == Departure()


@pytest.mark.parametrize(
    "text",
    [
        "I have left the office for today and am out of office until Monday.",
        "This is my last day in the office before Christmas, I am on leave until 4 January.",
        "I am out of the office. I am no longer working on Project Blue.",
        "Ich habe das Büro verlassen und bin bis Montag abwesend.",
    ],
)  # fmt: skip
def test_who_has_left_the_office_comes_back(text: str) -> None:
    found = understand(letter(text, subject="Out of office", Auto_Submitted="auto-replied"))
    assert (found.kind, found.departure) == (Kind.OUT_OF_OFFICE, None)


def test_the_stand_in_of_an_absence_is_nobodys_successor() -> None:
    found = understand(letter("I am on leave. Please contact Max Muster at max@acme.example.", subject="Out of office"))
    assert (found.kind, found.departure) == (Kind.OUT_OF_OFFICE, None)
