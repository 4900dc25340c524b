"""An answer on its way: who said what about whom, and what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection

from accounts.answers import ANSWERS, Said, Via, saying
from accounts.answers.kinds import About
from accounts.errors import InputRefused, Refused
from accounts.ledger.planning.open_touches import TouchRow, find_touch, read_touch
from accounts.ledger.reps.answering import AccountRow, PersonRow, read_account, read_person
from accounts.ledger.reps.spokesmen import Speaker, reps_among, speaks_for, who_says
from accounts.ledger.subjects import Subject
from accounts.playbook import Play

#: Nobody promises for longer.
FURTHEST = timedelta(days=3653)
#: How somebody who does not speak for an account lifts a rep's no, or says what is a rep's to say.
OVERRIDE = 'say why, under your name: --override "…"'


@dataclass(frozen=True, slots=True)
class Done:
    """What an answer came to."""

    sentence: str
    is_new: bool
    could_not: str = ""
    #: What it is about, where that is not the account or the person: `touch:17`, `seat:economic_buyer`.
    about: str | None = None
    #: What changed, as plain values; no names and no free text but those the answer consists of.
    detail: Mapping[str, Any] = field(default_factory=dict)
    #: The entry of the audit, without a name or a free text; no action: nothing worth one.
    action: str | None = None
    after: Mapping[str, Any] = field(default_factory=dict)
    #: Ids of the rows it made or ended.
    rows: tuple[int, ...] = ()
    #: Planned mails it took back by itself.
    taken: int = 0
    #: Whom it turned out to be about: somebody new.
    person: int | None = None
    #: Other accounts that it concerns.
    others: tuple[int, ...] = ()
    #: Whether it stands beside what a rep said, and replaces nothing of it.
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    connection: Connection
    said: Said
    account: AccountRow
    #: None: it is about the whole account.
    person: PersonRow | None
    #: The mail it is about, if it was ever planned.
    touch: TouchRow | None
    speaker: Speaker
    #: Whether they speak for the account: its owner, the backup, the manager.
    speaks: bool
    via: Via
    brief_id: int | None
    now: datetime
    play: Play | None

    @property
    def subject(self) -> Subject:
        person = self.person
        return Subject(self.account.id, self.account.key, person and person.id, person and person.email)

    @property
    def who(self) -> PersonRow:
        """The person it is about."""
        if self.person is None:
            raise InputRefused("say whom it is about", where="person", cure="give the address of one of the group")
        return self.person

    @property
    def zone(self) -> tzinfo | None:
        """The rep's own clock; at a command line that of the machine (None), as everywhere there."""
        return None if self.via is Via.CLI else self.speaker.zone

    @property
    def name(self) -> str:
        """Of the person, or of the account."""
        return self.person.name if self.person else self.account.name

    @property
    def content(self) -> str | None:
        """Which mail it is about; None: all mail."""
        return self.touch.content if self.touch else self.said.content

    def day(self, at: datetime) -> str:
        return saying.day(at, self.now, self.zone)

    def moment(self, at: datetime) -> str:
        return saying.moment(at, self.now, self.zone)

    def until_to_come(self) -> None:
        """Raises InputRefused for a time that is over, or that nobody alive plans for; told on the rep's clock."""
        until = self.said.until
        if until is not None and until <= self.now:
            raise InputRefused(f"{self.day(until)} is over", where="until", cure="name a time to come")
        if until is not None and until > self.now + FURTHEST:
            what = f"{until.astimezone(self.zone):%Y-%m-%d} is too far away"
            raise InputRefused(what, where="until", cure="name a day in the next years")

    def may_lift(self, what: str) -> None:
        """A rep's word is given, and their no lifted, by who speaks for the account; by others with name and reason."""
        only_with_a_reason(what, self.speaker, self.account, self.speaks, self.said.override)

    def out_of_reach(self, names: Iterable[str]) -> frozenset[str]:
        """The reps among these whose no this speaker can neither lift nor shorten, only stand beside."""
        if self.speaks or self.said.override:
            return frozenset()
        return reps_among(self.connection, names) - {self.speaker.by}

    def stands(self, by: str, until: datetime | None) -> str:
        """That what a rep said outlasts what was said now."""
        end = f"until {self.day(until)}" if until else "until it is released"
        return f"What {who_says(self.connection, by).name} said stands, {end}. To end it sooner, {OVERRIDE}."


def only_with_a_reason(
    what: str, speaker: Speaker, account: AccountRow, speaks: bool, override: str | None
) -> None:  # fmt: skip
    """Raises Refused for somebody who does not speak for the account and does not say why they do."""
    if not speaks and not override:
        raise Refused(f"{what}, and {speaker.name} does not speak for {account.name}", cure=OVERRIDE)


def set_scene(
    connection: Connection, said: Said, *, by: str, rep_id: int | None, via: Via, now: datetime, play: Play | None,
    brief_id: int | None,
) -> Scene:  # fmt: skip
    """Reads what an answer is about. Raises NotFound, and InputRefused for ids of another account."""
    account = read_account(connection, said.account_id)
    said = replace(said, content=_full_name(said.content, play))
    touch = read_touch(connection, account.id, said.touch_id) if said.touch_id is not None else None
    if said.touch_id is not None and touch is None:
        raise InputRefused(f"{account.name} has no mail {said.touch_id}", where="touch", cure="use the form as sent")
    person_id = said.stakeholder_id or (touch.stakeholder_id if touch else None)
    person = read_person(connection, account.id, person_id) if person_id is not None else None
    if person is None and ANSWERS[said.kind].about is About.PERSON:
        raise InputRefused("say whom it is about", where="person", cure="give the address of one of the group")
    if touch is None and said.content and person:
        touch = find_touch(connection, person.id, said.content)
    speaker = who_says(connection, by, rep_id)
    speaks = speaks_for(connection, speaker, account.id, now)
    return Scene(connection, said, account, person, touch, speaker, speaks, via, brief_id, now, play)


def _full_name(content: str | None, play: Play | None) -> str | None:
    """Of a content that is named as lists show it, without the play."""
    if content and play and play.step(content) is None and play.step(f"{play.key}/{content}"):
        return f"{play.key}/{content}"
    return content
