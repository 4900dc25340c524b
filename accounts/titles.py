"""What does a job title say? Its words, in English, German, French and Spanish, as traits: an area and a rank.

The words stand in titles.toml, to be read and extended; this file finds them in a title. Case, accents, hyphens, the
spellings ae/oe/ue and the second gender make no difference: `geschäftsführ*` finds "GESCHAEFTSFUEHRER:IN (m/w/d)".
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from accounts.spelling import fold


class Trait(StrEnum):
    """One thing a title says about a person. roles.py turns sets of them into a role."""

    # who only seems to hold the seat the title names
    FORMER = "former"
    TRAINEE = "trainee"
    ASSISTANT = "assistant"
    SELLS = "sells"
    # areas
    GENERAL = "general management"
    BOARD = "board"
    FINANCE = "finance"
    LEGAL = "legal"
    PURCHASING = "purchasing"
    IT = "it"
    ENGINEERING = "engineering"
    OPERATIONS = "operations"
    SITE = "site"
    ENERGY = "energy and environment"
    PEOPLE = "human resources"
    MARKETING = "marketing"
    PROJECT = "project"
    PRODUCT = "product"
    COUNCIL = "works council"
    ADVICE = "advice"
    # ranks
    CHIEF = "chief"
    VP = "vice president"
    DIRECTOR = "director"
    PROXY = "signing authority"
    HEAD = "head"
    MANAGER = "manager"
    STAFF = "hands on"


LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True, slots=True)
class Said:
    """Words of a title and what they say."""

    words: str
    traits: frozenset[Trait]


def read_title(title: str) -> tuple[Said, ...]:
    """What each word or phrase of a title says, in order; words that say nothing are left out."""
    words = _WORD.findall(_GENDERED.sub("", _INITIALS.sub(_without_dots, title)))
    return tuple(_said(words))


#: C.F.O., V.P.
_INITIALS = re.compile(r"\b(?:[A-Z]\.){2,}[A-Z]?(?![a-z])")
#: Geschäftsführer:in, Directeur(trice), Director/a, (m/w/d): the second gender adds nothing to the role.
_GENDERED = re.compile(
    r"\((?:[mwfhdxig][/|, ]?){2,4}\)"
    r"|(?<=\w)[/(*:·_]-?(?:innen|in|as|a|es|e|nes|ne|se|fe|trice|rice|euse|ère|ora)\b\)?(?!\w)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_LONGEST_PHRASE = 6


def _without_dots(initials: re.Match[str]) -> str:
    return initials[0].replace(".", "")


def _said(words: list[str]) -> Iterator[Said]:
    folded = [fold(word) for word in words]
    start = 0
    while start < len(words):
        length, traits = _longest(folded, start)
        if traits:
            yield Said(" ".join(words[start : start + length]), traits)
        start += length


def _longest(folded: list[str], start: int) -> tuple[int, frozenset[Trait]]:
    """How many words from `start` belong together, and what they say."""
    for length in range(min(_LONGEST_PHRASE, len(folded) - start), 1, -1):
        traits = _PHRASES.get(" ".join(folded[start : start + length]))
        if traits:
            return length, traits
    return 1, _traits_of_word(folded[start])


@lru_cache(maxsize=65536)
def _traits_of_word(word: str) -> frozenset[Trait]:
    exact = _PHRASES.get(word)
    if exact:
        return exact
    return frozenset(trait for pattern, traits in _PATTERNS if pattern.match(word) for trait in traits)


def _terms() -> Iterator[tuple[tuple[Trait, ...], str]]:
    """(what it says, one folded term), over titles.toml."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for entry in table["words"]:
        traits = tuple(Trait(word) for word in entry["says"])
        terms = ",".join(entry.get(language, "") for language in LANGUAGES)
        yield from ((traits, fold(" ".join(term.split()))) for term in terms.split(",") if term.strip())


def _compile() -> tuple[dict[str, frozenset[Trait]], list[tuple[re.Pattern[str], tuple[Trait, ...]]]]:
    phrases: dict[str, frozenset[Trait]] = {}
    patterns = []
    for traits, term in _terms():
        if "*" in term:
            patterns.append((re.compile(re.escape(term).replace(r"\*", r"\w*") + "$"), traits))
        else:
            phrases[term] = phrases.get(term, frozenset()) | frozenset(traits)
    return phrases, patterns


_PHRASES, _PATTERNS = _compile()
