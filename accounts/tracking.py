"""What do the facts of an account say? Contact, stage and roles of one account at a time, as values to be written.

`Judge(play).judge(facts, now)` reads nothing and writes nothing; flows/tracking.py gathers the facts and performs the
findings.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from accounts.contact import Contact, ContactTest, Spoken, earliest
from accounts.playbook import Play
from accounts.roles import RoleFinding, find_role
from accounts.stages import Deal, Move, StageNames, Standing, find_move, may_enter
from accounts.vocabulary import RoleSource


class Tracked(NamedTuple):
    """An account, as far as tracking reads and writes it. Times are aware UTC."""

    id: int
    key: str
    play: str | None
    tier: str | None
    industry: str | None
    territory: str | None
    stage: str
    stage_entered_at: datetime | None
    first_contacted_at: datetime | None
    first_contact_activity_id: int | None
    refused_stage: str | None


class Judged(NamedTuple):
    """An activity, and whether it was counted as contact so far."""

    is_contact: bool
    spoken: Spoken


class Person(NamedTuple):
    """A stakeholder, as far as the role and the group's completeness need it."""

    id: int
    account_id: int
    email: str
    email_hash: str
    title: str | None
    crm_role: str | None
    role: str
    role_source: str | None
    role_evidence: str | None
    consent_basis: str | None
    consent_at: datetime | None
    email_status: str
    opted_out_at: datetime | None


class FirstContact(NamedTuple):
    """The first contact of an account and its evidence; all None: there is none, or none any more."""

    at: datetime | None = None
    activity_id: int | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything tracking knows of one account."""

    account: Tracked
    activities: Sequence[Judged] = ()
    deals: Sequence[Deal] = ()
    people: Sequence[Person] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What is to be written about one account; empty where nothing changed."""

    account: Tracked
    #: It is in the play, or enters it now.
    in_play: bool
    enters: bool = False
    #: Activities that turn out to be contact, or not to be.
    contacts: tuple[int, ...] = ()
    no_contacts: tuple[int, ...] = ()
    #: The first contact where it is news.
    first_contact: FirstContact | None = None
    move: Move | None = None
    #: The stage that was refused is no longer asked for.
    refusal_is_over: bool = False
    roles: tuple[tuple[Person, RoleFinding], ...] = ()
    #: An activity ahead will be contact when its time has come: look again at the next run.
    must_look_again: bool = False

    @property
    def newly_contacted(self) -> bool:
        return self.first_contact is not None and not self.account.first_contacted_at and bool(self.first_contact.at)

    @property
    def contact_withdrawn(self) -> bool:
        return self.first_contact is not None and self.first_contact.at is None

    @property
    def changes_the_plan(self) -> bool:
        """Whether planning has to look at the account again."""
        moved = self.move is not None and not self.move.refused
        reseated = any(finding.role != person.role for person, finding in self.roles)
        return self.enters or moved or reseated or self.first_contact is not None


@dataclass(frozen=True)
class Judge:
    """A play's rules, ready to judge many accounts."""

    play: Play
    test: ContactTest = field(init=False)
    names: StageNames = field(init=False)
    #: A digest of everything in the play that tracking goes by: when it changes, all accounts are judged again.
    rules: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", ContactTest(self.play.contact))
        object.__setattr__(self, "names", StageNames(self.play))
        object.__setattr__(self, "rules", _digest(self.play))

    def judge(self, facts: Facts, now: datetime) -> Findings:
        """What is to be written about one account, as of `now` (aware UTC)."""
        account = facts.account
        enters = account.play is None and may_enter(self.play.entry, account.tier, account.industry, account.territory)
        if account.play != self.play.key and not enters:
            return Findings(account, in_play=False)
        verdicts = [(activity, self.test.why_not(activity.spoken, now) is None) for activity in facts.activities]
        real = [activity.spoken for activity, counts in verdicts if counts]
        news = _first_contact(account, earliest(real))
        move = find_move(self._standing(account, news, real), facts.deals, self.play, self.names)
        is_known = move is not None and move.refused is not None and move.to_stage == account.refused_stage
        return Findings(
            account,
            in_play=True,
            enters=enters,
            contacts=tuple(act.spoken.id for act, counts in verdicts if counts and not act.is_contact),
            no_contacts=tuple(act.spoken.id for act, counts in verdicts if not counts and act.is_contact),
            first_contact=news,
            move=None if is_known else move,
            refusal_is_over=account.refused_stage is not None and move is None,
            roles=tuple(_new_roles(facts.people)),
            must_look_again=any(self._will_count(activity.spoken, now) for activity in facts.activities),
        )

    def _standing(self, account: Tracked, news: FirstContact | None, real: Sequence[Spoken]) -> Standing:
        return Standing(
            account.stage,
            account.stage_entered_at,
            account.first_contacted_at if news is None else news.at,
            max((activity.occurred_at for activity in real), default=None),
            (news and news.evidence) or "sales contact",
        )

    def _will_count(self, activity: Spoken, now: datetime) -> bool:
        return activity.occurred_at > now and self.test.why_not(activity, activity.occurred_at) is None


def _digest(play: Play) -> str:
    stages = {"__all__": {"key", "label", "crm", "moves"}}
    parts = play.model_dump(mode="json", include={"key": True, "entry": True, "contact": True, "stages": stages})
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _first_contact(account: Tracked, found: Contact | None) -> FirstContact | None:
    """The first contact if it differs from what is on record. A date without an activity was set by hand and stays."""
    at, activity_id = account.first_contacted_at, account.first_contact_activity_id
    by_hand = at is not None and activity_id is None
    if found is None:
        return FirstContact() if activity_id is not None else None
    if (found.at, found.activity_id) == (at, activity_id) or (by_hand and at is not None and at < found.at):
        return None
    return FirstContact(found.at, found.activity_id, found.evidence)


def _new_roles(people: Sequence[Person]) -> list[tuple[Person, RoleFinding]]:
    """Roles that the CRM or the title now give otherwise than the row says."""
    found = [(person, find_role(person.crm_role, person.title)) for person in people if not _is_settled(person)]
    return [
        (person, finding)
        for person, finding in found
        if (finding.role, finding.source, finding.evidence) != (person.role, person.role_source, person.role_evidence)
    ]


def _is_settled(person: Person) -> bool:
    """A rep said so; or the CRM did, in words that were not kept."""
    if person.role_source == RoleSource.REP:
        return True
    return person.role_source == RoleSource.CRM and not person.crm_role and person.role_evidence is None
