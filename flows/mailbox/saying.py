"""Does a text say it? Phrases from tables, found in texts however they are spelled.

The tables stand in phrases/*.toml, to be read and extended. "…" in a phrase stands for up to 60 letters of anything.
"""

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLES = Path(__file__).parent / "phrases"
_GAP = 60
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "ß": "ss", "“": '"', "”": '"', "\xa0": " "})


def plain(text: str) -> str:
    """As phrases are compared: lower case, no accents, straight quotes, single blanks."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text.translate(_TYPOGRAPHY))
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(text.lower().split())


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases that say the same."""

    whole: tuple[str, ...]
    #: With gaps, cut into the pieces between them.
    gapped: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, phrases: Iterable[str]) -> "Phrases":
        spelled = [plain(phrase.replace("…", "\0")) for phrase in phrases]
        whole = tuple(phrase for phrase in spelled if "\0" not in phrase)
        return cls(whole, tuple(tuple(phrase.split("\0")) for phrase in spelled if "\0" in phrase))

    def find(self, text: str) -> int:
        """Where in a plain text one of them begins; -1 when none does. The first of the table, not of the text."""
        if not text:
            return -1
        for phrase in self.whole:
            if (at := text.find(phrase)) >= 0:
                return at
        return next((at for pieces in self.gapped if (at := _find_pieces(text, pieces)) >= 0), -1)

    def first(self, text: str) -> int:
        """Where in a plain text the earliest of them begins; -1 when none does."""
        found = [at for phrase in self.whole if (at := text.find(phrase)) >= 0]
        found += [at for pieces in self.gapped if (at := _find_pieces(text, pieces)) >= 0]
        return min(found, default=-1)

    def count(self, text: str) -> int:
        """How many of them a plain text says."""
        gapped = sum(_find_pieces(text, pieces) >= 0 for pieces in self.gapped)
        return sum(phrase in text for phrase in self.whole) + gapped

    def __contains__(self, text: str) -> bool:
        return self.find(text) >= 0


#: Beginnings of a gapped phrase that are tried in one text.
_TRIES = 20


def _find_pieces(text: str, pieces: tuple[str, ...]) -> int:
    begin = -1
    for _ in range(_TRIES):
        begin = text.find(pieces[0], begin + 1)
        if begin < 0 or _follow(text, begin + len(pieces[0]), pieces[1:]):
            return begin
    return -1


def _follow(text: str, end: int, pieces: tuple[str, ...]) -> bool:
    for piece in pieces:
        at = text.find(piece, end, end + _GAP + len(piece))
        if at < 0:
            return False
        end = at + len(piece)
    return True


@cache
def table(name: str) -> Mapping[str, Any]:
    """phrases/`name`.toml as it stands."""
    return tomllib.loads((_TABLES / f"{name}.toml").read_text("utf-8"))


@cache
def phrases(name: str, key: str) -> Phrases:
    """One list of a table; a dotted key leads into a section."""
    found: Any = table(name)
    for step in key.split("."):
        found = found[step]
    return Phrases.of(found)


def line_with(text: str, found: Phrases, most: int = 200) -> str:
    """The first line of a text that says it, or the first line at all: evidence for a person."""
    lines = [" ".join(line.split()) for line in text.split("\n", 500)]
    said = next((line for line in lines if line and found.find(plain(line)) >= 0), None)
    return (said if said is not None else next(filter(None, lines), ""))[:most]
