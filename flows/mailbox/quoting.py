"""The words of a reply alone: without what it quotes, its signature, and what telephones put below."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.mailbox.saying import plain, table

#: Letters of a reply that are kept, and lines of a mail that are read.
MOST_WORDS = 2_000
MOST_LINES = 800
_QUOTED = re.compile(r"^\s{0,3}(?:>|\|\s|»)")
_SIGNATURE = re.compile(r"^(?:--|-- |—|__)$")
_RULE = re.compile(r"^[\s>]*(?:[-_=*]{2,}\s*)?(.*?)(?:\s*[-_=*]{2,})?\s*$")
_COLON = frozenset(":：")
_LONG_RULE = re.compile(r"^\s*_{10,}\s*$")
#: ``2026-11-22 10:00 GMT+01:00 Dana Example <dana@acme.example>:``
_DATED = re.compile(r"^\d{4}[-/]\d\d[-/]\d\d\s.{0,120}<[^<>\s]+@[^<>\s]+>\s*:$")
#: An address, a clock, a year or a whole date.
_SIGNED = re.compile(r"@|\d[:.h]\d\d|\b20\d\d\b|\d[./]\d{1,2}[./]\d\d")


@dataclass(frozen=True, slots=True)
class Split:
    """A text in two."""

    own: str
    quotes: bool


def own_words(text: str) -> str:
    """What the writer wrote, up to 2,000 letters: above the quote, or below and between it where nothing is above."""
    return split(text).own


def split(text: str) -> Split:
    """The writer's words, and whether anything was quoted."""
    lines = text.replace("\r\n", "\n").split("\n", MOST_LINES)[:MOST_LINES]
    at = next((number for number in range(len(lines)) if _quote_begins(lines, number)), None)
    above = lines if at is None else lines[:at]
    written = _unsigned([line for line in above if not _QUOTED.match(line)])
    if at is not None and not _has_words(written):
        written = _unsigned(_below(lines, at))
    own = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in written)).strip()
    return Split(
        own[:MOST_WORDS], at is not None or len(above) > len([line for line in above if not _QUOTED.match(line)])
    )


def _below(lines: list[str], at: int) -> list[str]:
    """What stands between and below quoted lines; nothing where the program does not mark each of them."""
    behind = lines[at:]
    first = next((number for number, line in enumerate(behind) if _QUOTED.match(line)), None)
    return [] if first is None else [line for line in behind[first:] if not _QUOTED.match(line)]


def _has_words(lines: list[str]) -> bool:
    return any(any(letter.isalnum() for letter in line) for line in lines)


def _unsigned(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        if _SIGNATURE.match(line) and _has_words(lines[:number]):
            return lines[:number]
        if len(line) < 120 and plain(line).startswith(tuple(table("quoting")["footers"])):
            return lines[:number]
    return lines


def _quote_begins(lines: list[str], at: int) -> bool:
    line = lines[at]
    if not line.strip():
        return False
    if _LONG_RULE.match(line):
        return _is_header_block(lines, at + 1)
    return (not _COLON.isdisjoint(line[:20]) and _is_header_block(lines, at)) or _is_rule(line) or _announces(lines, at)


def _is_rule(line: str) -> bool:
    if len(line) > 80 or line.count("-") + line.count("_") + line.count("*") + line.count("=") < 4:
        return False
    found = _RULE.match(line)
    return found is not None and plain(found[1]).strip(" *:-").startswith(tuple(table("quoting")["rules"]))


def _is_header_block(lines: list[str], at: int) -> bool:
    """From or Sent, and two more of their kind within the next lines."""
    ahead = [plain(line[:80]).lstrip("*> ").replace("*", "") for line in lines[at : at + 9] if line.strip()][:7]
    kinds = [tuple(kind) for kind in table("quoting")["headers"]]
    return bool(ahead) and ahead[0].startswith((*kinds[0], *kinds[1])) and _count(ahead, kinds) >= 3


def _count(lines: list[str], kinds: list[tuple[str, ...]]) -> int:
    return sum(any(line.startswith(kind) for line in lines) for kind in kinds)


def _announces(lines: list[str], at: int) -> bool:
    """ "On …, Dana wrote:", on one line or folded to three."""
    first = plain(lines[at][:300]).lstrip("> *")
    if _DATED.match(lines[at].strip()):
        return True
    joined = ""
    for line in lines[at : at + 3]:
        joined = f"{joined} {plain(line[:300])}".strip().lstrip("> ")
        if joined.endswith(":"):
            return _is_announcement(first, joined, _is_quoted(lines[at : at + 6]))
        if not line.strip():
            return False
    return False


def _is_quoted(lines: list[str]) -> bool:
    return any(_QUOTED.match(line) for line in lines)


def _is_announcement(first: str, joined: str, quote_follows: bool) -> bool:
    """A person writes "as my boss wrote:"; an announcement has an address or a full date, or a marked quote below."""
    signed = quote_follows or _SIGNED.search(joined) is not None
    rules = table("quoting")
    if signed and any(_fits(rule, first, joined) for rule in rules["announcements"]):
        return True
    ends = joined.endswith(tuple(rules["written"])) or any(word in joined for word in rules["written_inside"])
    return signed and ends and len(joined) < 300


def _fits(rule: Mapping[str, Any], first: str, joined: str) -> bool:
    holds = rule.get("holds")
    inside = not holds or any(word in joined for word in holds)
    return inside and first.startswith(rule["begins"]) and joined.endswith(tuple(rule["ends"]))
