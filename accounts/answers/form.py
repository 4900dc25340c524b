"""A filled-in form, from a page, a chat or a mail, as an answer; every field is text that a stranger may have written.

`parse` knows no ledger: whether an id belongs to the account is asked when the answer is performed.

    kind account                       always: one of AnswerKind, the account's id
    person touch content               whom, and which mail, it is about
    until                              2026-12-03, or 2026-12-03T09:30; a day begins at midnight in `zone`
    words topic                        free text, and a word for it
    role name email title gone         a seat, a new person, a correction (gone: yes)
    people topics per_week ads         limits: ids and topics with commas, a number (0: as the play says), yes or no
    objection line                     which objection, which line of the brief
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from enum import StrEnum
from typing import Any, TypeVar

from accounts.answers.kinds import ANSWERS, About, AnswerKind
from accounts.answers.said import Limits, Said
from accounts.errors import InputRefused
from accounts.spelling import unturned
from accounts.vocabulary import Role

Words = TypeVar("Words", bound=StrEnum)

#: What a column of one line holds, and what is still read of a note.
LINE = 300
NOTE = 2_000
#: The largest number a row can have.
MOST = 2**63 - 1
MOST_A_WEEK = 50
YES = frozenset({"yes", "on", "true", "1"})
NO = frozenset({"no", "off", "false", "0"})

#: Kind -> the fields without which it says nothing.
NEEDS: Mapping[AnswerKind, tuple[str, ...]] = {
    AnswerKind.DELAY: ("until",),
    AnswerKind.SEAT: ("role",),
    AnswerKind.ADD_PERSON: ("email",),
    AnswerKind.OBJECTION: ("words",),
    AnswerKind.TOPIC: ("words",),
    AnswerKind.CLOSE_OBJECTION: ("objection",),
    AnswerKind.WRONG_LINE: ("line",),
}


def parse(form: Mapping[str, str], *, zone: tzinfo = UTC) -> Said:
    """The answer that a form says. `zone`: of the rep, for the days they name.

    Raises InputRefused with the field and what would be valid.
    """
    fields = _Fields(form, zone)
    kind = fields.word("kind", AnswerKind)
    if kind is None:
        raise InputRefused("no answer was chosen", where="kind", cure=f"one of: {', '.join(AnswerKind)}")
    until, day = fields.time("until")
    said = Said(
        kind, fields.need("account", fields.number("account")), fields.number("person"), fields.number("touch"),
        fields.line("content", 120), until, day, fields.text("words"), fields.line("topic"), fields.word("role", Role),
        fields.line("name"), fields.address("email"), fields.line("title"), bool(fields.choice("gone")),
        fields.limits() if kind is AnswerKind.LIMITS else None, fields.number("objection"), fields.number("line"),
    )  # fmt: skip
    for name in NEEDS.get(kind, ()):
        fields.need(name, fields.raw(name))
    if ANSWERS[kind].about is About.PERSON and said.stakeholder_id is None and said.touch_id is None:
        raise InputRefused("say whom it is about", where="person", cure="choose one of the group")
    return said


def read_day(name: str, value: str, zone: tzinfo) -> datetime:
    """When a day begins in `zone`. Raises InputRefused."""
    try:
        return datetime.combine(date.fromisoformat(value), time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_day(name, value) from None


def _no_day(name: str, value: str) -> InputRefused:
    cure = "write it as 2026-12-03 or 2026-12-03T09:30"
    return InputRefused(f"{value[:40]!r} is no day", where=name, cure=cure)


class _Fields:
    def __init__(self, form: Mapping[str, str], zone: tzinfo) -> None:
        self._form, self._zone = form, zone

    def raw(self, name: str) -> str | None:
        """Trimmed, without control characters and marks that turn text; None where nothing was written."""
        value = unturned(re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", self._form.get(name) or "")).strip()
        return value or None

    def need(self, name: str, value: Any) -> Any:
        if value is None:
            raise InputRefused(f"{name} is missing", where=name, cure="fill it in")
        return value

    def line(self, name: str, most: int = LINE) -> str | None:
        value = self.raw(name)
        return self._short(name, " ".join(value.split()), most) if value else None

    def text(self, name: str) -> str | None:
        value = self.raw(name)
        return self._short(name, value, NOTE) if value else None

    def number(self, name: str) -> int | None:
        value = self.raw(name)
        return self._number(name, value) if value else None

    def word(self, name: str, words: type[Words]) -> Words | None:
        value = self.raw(name)
        if value is None:
            return None
        try:
            return words(value)
        except ValueError:
            cure = f"one of: {', '.join(words)}"
            raise InputRefused(f"{value[:40]!r} is not known", where=name, cure=cure) from None

    def choice(self, name: str) -> bool | None:
        value = self.raw(name)
        if value is None:
            return None
        if value.lower() not in YES | NO:
            raise InputRefused(f"{value[:40]!r} is neither yes nor no", where=name, cure="yes or no")
        return value.lower() in YES

    def address(self, name: str) -> str | None:
        value = self.line(name, 254)
        if value and not re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\".]+", value):
            raise InputRefused(f"{value[:80]!r} is no e-mail address", where=name, cure="name@company.example")
        return value

    def time(self, name: str) -> tuple[datetime | None, date | None]:
        """The moment, and the day as they named it."""
        value = self.raw(name)
        if value is None:
            return None, None
        try:
            named = datetime.fromisoformat(value)
            at = named if named.tzinfo else named.replace(tzinfo=self._zone)
            return at.astimezone(UTC), at.date()
        except (ValueError, OverflowError):
            raise _no_day(name, value) from None

    def limits(self) -> Limits:
        """A field that is there and empty clears its limit; one that is not there leaves it."""
        ids = tuple(self._number("people", one) for one in self._many("people") or ())
        per_week = self.number("per_week")
        if per_week is not None and per_week > MOST_A_WEEK:
            raise InputRefused(f"{per_week} a week is no limit", where="per_week", cure=f"0 to {MOST_A_WEEK}")
        cleared = 0 if "per_week" in self._form and per_week is None else per_week
        people = ids if "people" in self._form else None
        return Limits(people, self._many("topics"), cleared, self.choice("ads"))

    def _many(self, name: str) -> tuple[str, ...] | None:
        if name not in self._form:
            return None
        value = self._short(name, self.raw(name) or "", NOTE)
        return tuple(dict.fromkeys(one.strip().lower() for one in value.split(",") if one.strip()))

    def _number(self, name: str, value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", value) or int(value) > MOST:
            raise InputRefused(f"{value[:40]!r} is no number", where=name, cure="use the form as it was sent")
        return int(value)

    def _short(self, name: str, value: str, most: int) -> str:
        if len(value) > most:
            raise InputRefused(f"{len(value)} letters are too many", where=name, cure=f"at most {most}")
        return value
