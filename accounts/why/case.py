"""What a sentence about one person's answer may draw on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from accounts.calendar import Calendar, calendar_at, place_of
from accounts.planning import WEEK, Said
from accounts.playbook import Play, Step
from accounts.snapshots import Account, Mail, Person
from accounts.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Who:
    """A stakeholder as people speak of them."""

    id: int
    account_id: int
    email: str
    #: Empty when nobody told us.
    name: str
    title: str | None
    role: str
    #: The account's name, with its division.
    account: str
    account_key: str
    owner: str | None

    def __str__(self) -> str:
        """``Dana Example (dana@acme.example, end user at Acme Works)``"""
        place = f"{words(self.role)} at {self.account}"
        return f"{self.name} ({self.email}, {place})" if self.name else f"{self.email} ({place})"


@dataclass(frozen=True, slots=True)
class Background:
    """What a decision does not need to know, and a sentence likes to."""

    #: The people of the group, by id.
    names: Mapping[int, str] = field(default_factory=dict)
    #: The accounts in which the same address stands as well.
    elsewhere: Sequence[str] = ()
    bounced_at: datetime | None = None
    #: Why the address or its domain is suppressed, and since when.
    suppressed: tuple[str, datetime] | None = None
    #: Note of a hold, by when it began.
    notes: Mapping[datetime, str] = field(default_factory=dict)
    #: Whoever held something, as it is written down, by name.
    held_by: Mapping[str, str] = field(default_factory=dict)
    #: Who refused a content (None: all mail), by name.
    refused_by: Mapping[str | None, str] = field(default_factory=dict)
    #: Contents that a pause left out for them, and why.
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: Until when they asked for a pause on the preference page, the latest time they did.
    pause_asked: datetime | None = None
    #: What sales tried last without reaching anybody, and when.
    attempt: tuple[str, datetime] | None = None
    #: The send plan of a touch that is on its way, and its state.
    plan: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One person's answer with everything around it. `zone`: in which times are told; None: the computer's."""

    who: Who
    account: Account
    person: Person
    said: Said
    play: Play
    now: datetime
    zone: tzinfo | None = None
    background: Background = field(default_factory=Background)

    @property
    def content(self) -> str:
        """The content without its play: ``evaluation/pilot``"""
        return short(self.said.content or "")

    @property
    def step(self) -> Step | None:
        return self.play.step(self.said.content or "")

    @property
    def calendar(self) -> Calendar:
        """The recipient's."""
        person, account = self.person, self.account
        where = (person.timezone, person.country, account.timezone, account.country, account.owner_timezone)
        return calendar_at(self.play.window, place_of(self.play.window, *where))

    @property
    def week(self) -> list[Mail]:
        """The mails that count in the seven days before now, newest first."""
        counted = self.play.caps.count_rep_emails
        return [
            mail
            for mail in self.account.mails
            if self.now - WEEK < mail.at <= self.now and (counted or mail.content is not None)
        ]

    def day(self, moment: datetime) -> str:
        """``4 Nov 2026``"""
        return a_day(moment.astimezone(self.zone).date())

    def time(self, moment: datetime) -> str:
        """``Tue 24 Nov 2026, 10:00``"""
        local = moment.astimezone(self.zone)
        return f"{local:%a} {a_day(local.date())}, {local:%H:%M}"

    def until(self, moment: datetime | None, otherwise: str = "") -> str:
        """`` until Tue 24 Nov 2026, 10:00``, or `otherwise` for an end that nobody knows."""
        return f" until {self.time(moment)}" if moment else otherwise


def words(role: str) -> str:
    """``economic buyer``; a role nobody knows is somebody's."""
    return "somebody" if role == Role.UNKNOWN else role.replace("_", " ")


def a(role: str) -> str:
    """``an economic buyer``, ``somebody in procurement``"""
    named = words(role)
    if role in (Role.PROCUREMENT, Role.LEGAL):
        return f"somebody in {named}"
    return named if role == Role.UNKNOWN else f"{'an' if named[0] in 'aei' else 'a'} {named}"


def short(content: str) -> str:
    """A content key without its play."""
    return content.partition("/")[2] or content


def a_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def span(length: timedelta) -> str:
    """``5 days``, ``36 hours``, ``1 hour``"""
    hours = round(length.total_seconds() / 3600)
    number, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}{'s' * (number != 1)}"
