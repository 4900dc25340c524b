"""Fields of the answer forms, filled in beforehand where there is a sensible answer: mostly only the button is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from accounts.briefs.material import Person
from accounts.briefs.saying import Local
from accounts.vocabulary import Role

#: Value, and what stands beside it.
Option = tuple[str, str]
Kind = Literal["date", "line", "text", "email", "number", "choice", "radio", "check", "checks", "hidden"]


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form. `values`: what is filled in or ticked."""

    name: str
    label: str
    kind: Kind = "line"
    values: tuple[str, ...] = ("",)
    options: tuple[Option, ...] = ()
    hint: str = ""
    needed: bool = False
    most: int = 300
    #: The first day that can be chosen.
    least: str = ""
    #: What is filled in is what we know: left as it is, it says nothing.
    is_known: bool = False

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""


def until(local: Local, days: int, label: str = "Until") -> Field:
    """A day, by the rep's calendar; the first one to choose is tomorrow."""
    tomorrow = local.today + timedelta(days=1)
    chosen = (local.today + timedelta(days=days)).isoformat()
    return Field("until", label, "date", (chosen,), least=tomorrow.isoformat(), needed=True)


def words(label: str, *, needed: bool = False, hint: str = "") -> Field:
    return Field("words", label, "text", hint=hint, needed=needed, most=2000)


def hidden(name: str, value: object) -> Field:
    return Field(name, "", "hidden", (str(value),))


def whom(people: Iterable[Person], label: str, nobody: str, chosen: int = 0, *, needed: bool = False) -> Field:
    """Somebody of the group, or nobody of it."""
    options = (("", nobody), *((str(person.id), named(person)) for person in people))
    return Field("person", label, "choice", (str(chosen) if chosen else "",), options, needed=needed)


def role(chosen: Role | None, *, is_known: bool = False) -> Field:
    known = tuple((one.value, one.label.capitalize()) for one in Role if one is not Role.UNKNOWN)
    options = (("", "I do not know"), *known)
    return Field("role", "Role", "choice", (chosen.value if chosen else "",), options, is_known=is_known)


def named(person: Person) -> str:
    """``Bob Example, economic buyer``."""
    return person.name if person.role == Role.UNKNOWN else f"{person.name}, {person.role.label}"
