"""The tables anybody may extend."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flows.mailbox
from flows.mailbox import Cause
from flows.mailbox.saying import Phrases, plain, table

TABLES = sorted(path.stem for path in (Path(flows.mailbox.__file__).parent / "phrases").glob("*.toml"))


def lists(found: Any, name: str) -> Iterator[tuple[str, list[str]]]:
    if isinstance(found, dict):
        for key, inside in found.items():
            yield from lists(inside, f"{name}.{key}")
    elif isinstance(found, list) and all(isinstance(one, str) for one in found):
        yield name, found


LISTS = [one for name in TABLES for one in lists(table(name), name)]
#: Read against the text as it stands, since names are.
AS_WRITTEN = ("departures.contact", "departures.courtesies")


@pytest.mark.parametrize(("name", "phrases"), LISTS, ids=[name for name, _ in LISTS])
def test_phrases_are_spelled_as_they_are_compared_and_stand_there_once(name: str, phrases: list[str]) -> None:
    spelled = phrases if name in AS_WRITTEN else [plain(phrase) for phrase in phrases]
    if name not in AS_WRITTEN:
        assert [phrase for phrase in phrases if phrase.isascii() and plain(phrase) != phrase.strip()] == []
    assert [phrase for phrase, often in Counter(spelled).items() if often > 1] == []


def test_every_cause_that_words_can_tell_has_a_section() -> None:
    assert set(table("bounces")) | {Cause.BAD_ADDRESS, Cause.UNKNOWN} == set(Cause)


def test_a_gap_holds_a_few_words_and_not_a_page() -> None:
    found = Phrases.of(["mailbox … is full"])
    assert found.find("the mailbox of dana is full") == 4
    assert found.find("mailbox " + "x" * 80 + " is full") < 0
    assert found.find("mailbox is full") < 0


def test_accents_capitals_and_typography_make_no_difference() -> None:
    assert plain("  L’Adresse N’EXISTE\n pas – Größe ") == "l'adresse n'existe pas – grosse"
