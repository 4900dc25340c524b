"""From the text of a CSV value to the one form the ledger keeps, a column at a time.

What cannot be read becomes None and its row gets a defect; nothing is guessed. Times become UTC,
``2026-11-22 09:30:00.000000``, which both databases take and which sorts as time does.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from zoneinfo import ZoneInfo

from accounts.briefs.rhythm import full_hour
from accounts.playbook import Play
from accounts.spelling import unturned
from accounts.stages import StageNames
from flows.importing.datasets import Dataset, Kind


class Mark(Enum):
    """Stands for a value that cannot be read, until its row has its defect."""

    UNREADABLE = "unreadable"


BAD = Mark.UNREADABLE
Value = str | int | bool | Mark | None
Column = list[Value]

TRUE = {"true", "t", "yes", "y", "1"}
FALSE = {"false", "f", "no", "n", "0"}
#: Longest text of each kind; the ledger's columns are as wide.
WIDTHS = {Kind.KEY: 120, Kind.WORD: 40, Kind.CHOICE: 40, Kind.COUNTRY: 40, Kind.CURRENCY: 40, Kind.EMAIL: 320}
LONGEST_LINE = 300

#: Atoms of RFC 5322 in lower case: nothing that needs quotes, so nothing that could end a header.
_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[a-z0-9-]+\.)+[a-z0-9-]*[a-z0-9]").fullmatch
_SITE = re.compile(r"(?:https?://)?(?:www\.)?([^/?#:\s]*).*")
_MONEY = re.compile(r"-?\d{1,12}(?:\.\d+)?").fullmatch
_BLANKS = re.compile(r"\s+")
#: Control characters, and the mark of a character that was lost on the way.
_SPOILT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]").search


@dataclass(slots=True)
class Cleaned:
    """Columns of one piece of a file, and the names of unreadable fields by row."""

    columns: dict[str, Column]
    defects: dict[int, list[str]] = field(default_factory=dict)


class Cleaner:
    """Cleans the given fields of one dataset; remembers what it has read before, within limits."""

    def __init__(self, dataset: Dataset, given: Iterable[str], play: Play) -> None:
        self._fields = [dataset.field(name) for name in given]
        self._read = _readers(play)

    def clean(self, columns: Mapping[str, Sequence[str]]) -> Cleaned:
        cleaned = Cleaned({})
        for spec in self._fields:
            values = self._read[spec.kind](columns[spec.name])
            for row in _places(values, BAD):
                cleaned.defects.setdefault(row, []).append(spec.name)
                # an address that is none stays, so that the rules about addresses can say what is wrong with it
                values[row] = columns[spec.name][row].strip()[:320] if spec.kind is Kind.EMAIL else None
            cleaned.columns[spec.name] = values
        return cleaned


def _readers(play: Play) -> dict[Kind, Callable[[Sequence[str]], Column]]:
    stages = StageNames(play)
    return {
        Kind.LINE: lambda values: _texts(values, LONGEST_LINE),
        Kind.KEY: lambda values: _texts(values, WIDTHS[Kind.KEY]),
        Kind.WORD: lambda values: _texts(values, WIDTHS[Kind.WORD]),
        Kind.EMAIL: _emails,
        Kind.CHOICE: _remembering(lambda value: _fitting(re.sub(r"[\s-]+", "_", value.lower()), Kind.CHOICE)),
        Kind.COUNTRY: _remembering(lambda value: value.upper() if len(value) == 2 else _fitting(value, Kind.COUNTRY)),
        Kind.CURRENCY: _remembering(lambda value: _fitting(value.upper(), Kind.CURRENCY)),
        Kind.DOMAIN: _remembering(_domain),
        Kind.WHEN: _remembering(_when),
        Kind.HOUR: _remembering(_hour),
        Kind.DAY: _remembering(_day),
        Kind.MONEY: _remembering(_money),
        Kind.TRUTH: _remembering(_truth),
        Kind.ZONE: _remembering(_zone),
        Kind.STAGE: _remembering(lambda value: stages.find(value) or BAD),
    }


def _places(values: Sequence[object], wanted: object) -> list[int]:
    """Where `wanted` stands. Most columns have none, and `in` is fast."""
    return [row for row, value in enumerate(values) if value is wanted] if wanted in values else []


def _texts(values: Sequence[str], width: int) -> Column:
    texts = [value.strip() for value in values]
    together = "".join(values)
    if max(map(len, values), default=0) <= width and together.isprintable() and "\ufffd" not in together:
        return [text or None for text in texts]  # as most pieces are
    return [_line(text, width) or None if text else None for text in texts]


def _line(value: str, width: int) -> str | Mark:
    """Blanks of every kind become one space; lost and control characters are no text."""
    line = _BLANKS.sub(" ", unturned(value)).strip()
    return BAD if len(line) > width or _SPOILT(line) else line


def _emails(values: Sequence[str]) -> Column:
    addresses = [value.strip().lower() for value in values]
    return [
        (address if _ADDRESS(address) and len(address) <= 320 else _address(address)) if address else None
        for address in addresses
    ]


def _address(address: str) -> str | Mark:
    """A domain with letters beyond ASCII is written as mail servers know it: ``xn--…``."""
    local, _, domain = address.rpartition("@")
    try:
        ascii_form = f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return BAD
    return ascii_form if _ADDRESS(ascii_form) and len(ascii_form) <= 320 else BAD


def _remembering(read: Callable[[str], Value]) -> Callable[[Sequence[str]], Column]:
    """Reads each distinct value once: columns of days, zones and countries have few."""
    known: dict[str, Value] = {"": None}

    def column(values: Sequence[str]) -> Column:
        if len(known) > 50_000:
            known.clear()
            known[""] = None
        for value in set(values):
            if value not in known:
                text = value.strip()
                known[value] = read(text) if text else None
        return [known[value] for value in values]

    return column


def _fitting(value: str, kind: Kind) -> Value:
    return _line(value, WIDTHS[kind])


def _domain(value: str) -> Value:
    """``https://www.acme.example/de`` is the domain acme.example."""
    found = _SITE.fullmatch(value.lower())
    return _line(found[1], LONGEST_LINE) if found and found[1] else BAD


def _when(value: str) -> Value:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return in_ledger(moment)
    except (ValueError, OverflowError):
        return BAD


def in_ledger(moment: datetime) -> str:
    """An aware time as text, the way SQLite keeps it and PostgreSQL reads it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _hour(value: str) -> Value:
    hour = full_hour(value)
    return BAD if hour is None else hour


def _day(value: str) -> Value:
    try:
        return date.fromisoformat(value[:10]).isoformat() if len(value) == 10 or value[10:11] in "T " else BAD
    except ValueError:
        return BAD


def _money(value: str) -> Value:
    if not _MONEY(value):
        return BAD
    try:
        return str(Decimal(value).quantize(Decimal("0.01")))
    except InvalidOperation:
        return BAD


def _truth(value: str) -> Value:
    word = value.lower()
    return True if word in TRUE else False if word in FALSE else BAD


def _zone(value: str) -> Value:
    try:
        return ZoneInfo(value).key
    except (KeyError, OSError, ValueError):
        return BAD
