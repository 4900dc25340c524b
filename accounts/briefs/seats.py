"""The buying group as a picture: who is warm, who is silent, who is lost, which seat is empty."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from shlex import quote

from accounts.briefs.material import AccountMaterial, Evidence, Newcomer, Person, clip, evidence
from accounts.briefs.saying import BECAUSE, DID_SHORT, QUESTIONS, Local, counted
from accounts.playbook import Play
from accounts.vocabulary import Answer, EmailStatus, Reason, Role

#: Reasons of a standing answer that say more about a person than "no mail yet".
_TELLING = frozenset({Reason.NO_CONSENT, Reason.SUPPRESSED, Reason.OWNER_CONFLICT})

_GONE = {
    EmailStatus.BOUNCED: "mail bounced",
    EmailStatus.LEFT: "has left",
    EmailStatus.COMPLAINED: "complained",
}


class SeatState(StrEnum):
    """In the order of the picture."""

    WARM = "warm"
    SILENT = "silent"
    NEW = "new"
    OUT = "out"
    MISSING = "missing"

    @property
    def mark(self) -> str:
        """Says without colour what the colour says."""
        return _MARKS[self.value]


_MARKS = {"warm": "●", "silent": "○", "new": "–", "out": "×", "missing": "?"}
_ORDER = {state: place for place, state in enumerate(SeatState)}
#: A seat's number in links.
_SEATS = tuple(Role)


@dataclass(frozen=True, slots=True)
class Question:
    """What the rep alone can tell, and where the answer goes."""

    text: str
    evidence: Evidence
    #: The kind and the subject of the link that takes the answer: see flows.briefs.links.
    kind: str = "page"
    subject: int = 0


@dataclass(frozen=True, slots=True)
class Seat:
    """One place in the buying group: a person, or a role that nobody fills."""

    state: SeatState
    name: str
    role: str
    note: str
    evidence: Evidence
    #: The stakeholder's id; None: an empty seat.
    person: int | None = None

    @property
    def mark(self) -> str:
        return self.state.mark


def warm_for(play: Play) -> timedelta:
    """How long an act keeps a person warm: two half-lives, until it counts a quarter."""
    return 2 * play.engagement.half_life


def is_warm(person: Person, play: Play, as_of: datetime) -> bool:
    """Did something of their own accord lately, and is still one to talk to."""
    sign = person.last_sign
    return bool(person.takes_part and sign and sign.at > as_of - warm_for(play))


def missing_roles(account: AccountMaterial, play: Play) -> tuple[Role, ...]:
    """Wanted roles with too few people in them, in the play's order: the one to find comes first.

    A rep may talk to people we may not write to, so somebody without consent still fills a seat here; a wrong person
    fills none.
    """
    seated = Counter(person.role for person in account.people if person.takes_part)
    return tuple(wanted.role for wanted in play.group.wanted if seated[wanted.role] < wanted.least)


def question_of(account: AccountMaterial, play: Play) -> Question | None:
    """The one question worth asking about the group: whether somebody new belongs to it, its most wanted empty seat, or
    what somebody's part in it is."""
    if account.newcomers:
        return _belongs(account.newcomers[0], len(account.newcomers) - 1, account.key)
    if missing := missing_roles(account, play):
        return Question(QUESTIONS[missing[0]], _nobody(account, missing[0]), "seat", _SEATS.index(missing[0]))
    unknown = next((person for person in account.people if person.role == Role.UNKNOWN and person.takes_part), None)
    if unknown:
        text = f"What is the part of {clip(unknown.name, 3, 40)}?"
        return Question(text, evidence("stakeholder", unknown.id), "correct_person", unknown.id)
    return None


def _belongs(newcomer: Newcomer, others: int, account: str) -> Question:
    title = f", {clip(newcomer.title, 4, 40)}," if newcomer.title else ""
    more = f" {others} more: tandem proposals list --account {quote(account)}" if others else ""
    said = f"Is {clip(newcomer.name, 3, 40)}{title} one of the group? tandem proposals accept {newcomer.id}, or reject."
    return Question(said + more, newcomer.evidence)


def seats(account: AccountMaterial, play: Play, local: Local) -> tuple[Seat, ...]:
    """All of them: people by state and by the weight of their role, then the empty seats."""
    weight = play.engagement.role_weights
    people = sorted(account.people, key=lambda person: (-weight.get(person.role, 1.0), person.id))
    taken = [_seat(person, account, play, local) for person in people]
    empty = [
        Seat(SeatState.MISSING, "nobody yet", role.label, "", _nobody(account, role))
        for role in missing_roles(account, play)
    ]
    return tuple(sorted(taken + empty, key=lambda seat: _ORDER[seat.state]))


def _seat(person: Person, account: AccountMaterial, play: Play, local: Local) -> Seat:
    state, note, proof = _state(person, account, play, local)
    role = "role unknown" if person.role == Role.UNKNOWN else person.role.label
    return Seat(state, clip(person.name, 3, 40), role, note, proof, person.id)


def _state(person: Person, account: AccountMaterial, play: Play, local: Local) -> tuple[SeatState, str, Evidence]:
    """What a person is to us now, in three words, with its proof. Losing somebody outranks what they did before."""
    sign, on_file = person.last_sign, evidence("stakeholder", person.id)
    if gone := _GONE.get(person.email_status) or ("opted out" if person.opted_out_at else None):
        return SeatState.OUT, gone, on_file
    if person.is_wrong:
        return SeatState.OUT, "wrong person", on_file
    if sign and is_warm(person, play, local.now):
        return SeatState.WARM, f"{DID_SHORT[sign.kind]} {local.day(sign.at)}", sign.evidence
    if sign:
        return SeatState.SILENT, f"silent since {local.day(sign.at)}", sign.evidence
    if latest := _just_mailed(person, account):
        return SeatState.NEW, f"mailed {local.day(latest)}", evidence("touch", *person.touches)
    if person.touches:
        mails = counted(len(person.touches), "mail")
        return SeatState.SILENT, f"silent, {mails}", evidence("touch", *person.touches)
    return SeatState.NEW, _nothing_yet(person), on_file


def _just_mailed(person: Person, account: AccountMaterial) -> datetime | None:
    """When somebody got their first mails, all of them since the last brief: too early to call it silence."""
    new = {mail.id: mail.at for mail in account.mails}
    if not person.touches or not new.keys() >= set(person.touches):
        return None
    return max(new[id_] for id_ in person.touches)


def _nothing_yet(person: Person) -> str:
    outlook = person.outlook
    if outlook and outlook.answer == Answer.NEVER and outlook.reason in _TELLING:
        return BECAUSE[outlook.reason]
    return "no mail yet"


def _nobody(account: AccountMaterial, role: Role) -> Evidence:
    """Proof that a seat is empty: the wish itself, and everybody who was looked at."""
    return (*evidence("wanted", role.value), *evidence("stakeholder", *(person.id for person in account.people)))
