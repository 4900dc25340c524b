"""What is new at an account, and how much it matters to the rep who owns it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from accounts.briefs.case import MEETINGS, Case
from accounts.briefs.material import AccountMaterial, Evidence, Held, Mail, Move, Person, Sign, clip
from accounts.briefs.saying import DID, HELD_FOR, Local, counted, did, listed, title_of
from accounts.engagement import weight_of
from accounts.playbook import Play
from accounts.sla import ASKS
from accounts.vocabulary import HoldCause, SignalKind


class Weight(StrEnum):
    """Kinds of news, the most important first; the value tells a rep why an account stands where it does."""

    ASKED = "somebody asked"
    OVERDUE = "an answer is overdue"
    MEETING = "a meeting"
    HANDED_OVER = "it is yours now"
    SEAT_LOST = "a key person dropped out"
    MOVED = "the stage changed"
    REFUSED = "a stage change was refused"
    HEAT = "interest is rising"
    ENGAGED = "people engaged"
    NEWCOMER = "somebody new was seen"
    PERSON_LOST = "somebody dropped out"
    HOLD = "a hold changed"
    AWAY = "somebody is away"
    ANSWERED = "your word was heard"
    MAILED = "marketing wrote"

    @property
    def place(self) -> int:
        """0 is the most important."""
        return _PLACES[self]


_PLACES = {weight: place for place, weight in enumerate(Weight)}

#: By these a person is lost to us, or for good.
LOSSES = frozenset({SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED, SignalKind.BOUNCED, SignalKind.LEFT_COMPANY})


#: Which hold goes with which news.
_HOLD_OF = {
    Weight.ASKED: HoldCause.REPLY,
    Weight.MEETING: HoldCause.MEETING,
    Weight.SEAT_LOST: HoldCause.COMPLAINT,
    Weight.PERSON_LOST: HoldCause.COMPLAINT,
}


@dataclass(frozen=True, slots=True)
class News:
    """One thing that changed since the last brief."""

    weight: Weight
    text: str
    at: datetime
    evidence: Evidence
    #: Whom it is about.
    person: Person | None = None
    kind: SignalKind | None = None


class Glance(NamedTuple):
    """An account with news as it looks from the door: how much it matters, and not yet all there is to say."""

    id: int
    key: str
    name: str
    weight: Weight
    #: How many people the news are about.
    people: int
    latest: datetime
    #: Of the weightiest news.
    evidence: Evidence


def in_order(glance: Glance) -> tuple[int, int, float, str]:
    """The weightiest news first; then more people, then the latest."""
    return _PLACES[glance.weight], -glance.people, -glance.latest.timestamp(), glance.key


def glance_at(account: AccountMaterial, news: tuple[News, ...]) -> Glance:
    """The same account, once its news are known: at least one."""
    people = {item.person.id for item in news if item.person}
    latest = max(item.at for item in news)
    return Glance(account.id, account.key, account.name, news[0].weight, len(people), latest, news[0].evidence)


def news_of(case: Case) -> tuple[News, ...]:
    """Everything new: by importance, by what the act weighs, the latest first. Empty: nothing to write about."""
    signs = list(_signs(case))
    told = {_HOLD_OF[item.weight] for item in signs if item.weight in _HOLD_OF}
    items = [
        *signs, *_overdue(case), *_handed_over(case), *_moves(case), *_holds(case, told), *_newcomers(case),
        *_answered(case), *_mails(case),
    ]  # fmt: skip
    return tuple(sorted(items, key=lambda item: _order(item, case.play)))


def _order(item: News, play: Play) -> tuple[int, float, float, Evidence]:
    points = weight_of(item.kind, play.engagement) if item.kind else 0.0
    return item.weight.place, -points, -item.at.timestamp(), item.evidence


def who(person: Person | None) -> str:
    """``Alice Winter``; the picture of the buying group says in which role."""
    return clip(person.name, 3, 40) if person else "Somebody there"


def _signs(case: Case) -> Iterator[News]:
    """One item for all that one person did of the same importance."""
    account, play = case.account, case.play
    grouped: dict[tuple[int | None, Weight], list[Sign]] = defaultdict(list)
    for sign in account.new_signs:
        if sign.kind in DID and not _is_harmless(sign, account.person(sign.person)):
            weight = weight_of_act(sign.kind, _is_key(account.person(sign.person), play), case.is_rising)
            grouped[sign.person, weight].append(sign)
    for (person_id, weight), signs in grouped.items():
        person, at = account.person(person_id), max(sign.at for sign in signs)
        kind = max(signs, key=lambda sign: weight_of(sign.kind, play.engagement)).kind
        text = f"{who(person)} {_acts(signs, play, account.name)}, {case.local.moment(at)}"
        yield News(weight, text, at, tuple(proof for sign in signs for proof in sign.evidence), person, kind)


def _is_harmless(sign: Sign, person: Person | None) -> bool:
    """A bounce that cost nobody their address: a full mailbox, a server's bad day, a mistake of ours."""
    return sign.kind == SignalKind.BOUNCED and person is not None and person.is_there


def _acts(signs: list[Sign], play: Play, account: str) -> str:
    """``followed the link in “Why now” and visited our website 3 times``, the weightiest first."""
    often = Counter((sign.kind, sign.content) for sign in signs)
    ordered = sorted(often, key=lambda act: (-weight_of(act[0], play.engagement), act[0], act[1] or ""))
    told = []
    for place, (kind, content) in enumerate(ordered[:3]):
        is_last_of_it = content not in [later for _, later in ordered[place + 1 : 3]]
        title = title_of(content, play, account, words=5) if content and is_last_of_it else None
        told.append(did(kind, title) + _times(often[kind, content]))
    return listed(told + (["more"] if len(ordered) > 3 else []))


def _times(number: int) -> str:
    return f" {number} times" if number > 1 else ""


def weight_of_act(kind: SignalKind, is_key: bool, is_rising: bool) -> Weight:
    """is_key: it is about a seat that the play wants to see filled."""
    if kind in ASKS:
        return Weight.ASKED
    if kind in MEETINGS:
        return Weight.MEETING
    if kind in LOSSES:
        return Weight.SEAT_LOST if is_key else Weight.PERSON_LOST
    if kind == SignalKind.OUT_OF_OFFICE:
        return Weight.AWAY
    return Weight.HEAT if is_rising else Weight.ENGAGED


def _is_key(person: Person | None, play: Play) -> bool:
    """A seat that the play wants to see filled."""
    return person is not None and any(wanted.role == person.role for wanted in play.group.wanted)


def _overdue(case: Case) -> Iterator[News]:
    clock = case.clock
    if clock and clock.is_asked and clock.ran_out(case.since, case.now):
        person = case.account.person(clock.person)
        text = f"{who(person)} has no answer yet, due {case.local.moment(clock.due)}"
        yield News(Weight.OVERDUE, text, clock.due, clock.evidence, person)


def _moves(case: Case) -> Iterator[News]:
    for move in case.account.moves:
        weight = Weight.REFUSED if move.refused_reason else Weight.MOVED
        yield News(weight, _moved(move, case.play, case.local), move.at, move.evidence)


def _moved(move: Move, play: Play, local: Local) -> str:
    before = f" from {stage_label(move.from_stage, play)}" if move.from_stage else ""
    after = stage_label(move.to_stage, play)
    if move.refused_reason:
        return f"The CRM says {after}; the move{before} was refused: {clip(move.refused_reason, 12, 90)}"
    return f"Moved{before} to {after}, {local.moment(move.at)}"


def stage_label(key: str, play: Play) -> str:
    """The stage as the play calls it; its key for a stage this play does not know."""
    rule = play.stage(key)
    return clip(rule.label if rule else key, 3, 40)


def _holds(case: Case, told: set[HoldCause]) -> Iterator[News]:
    """Holds that ran out, and holds that others set and whose cause is not `told`.

    What a rep did by hand is no news to the rep; what a reply stopped is told with the reply.
    """
    for hold in case.account.holds:
        if _ran_out(hold, case.since, case.now) and hold.ends_at:
            yield News(Weight.HOLD, f"The hold {HELD_FOR[hold.cause]} is over", hold.ends_at, hold.evidence)
        elif case.since < hold.starts_at and hold.cause not in {HoldCause.REP, *told} and hold.stands(case.now):
            yield News(Weight.HOLD, held_text(hold, case.account, case.local), hold.starts_at, hold.evidence)


def _ran_out(hold: Held, since: datetime, now: datetime) -> bool:
    """Ended by its own date, not by a person, between two looks."""
    return hold.ends_at is not None and hold.over_at == hold.ends_at and since < hold.ends_at <= now


def held_text(hold: Held, account: AccountMaterial, local: Local) -> str:
    """``On hold until Mon, after a reply``."""
    person = account.person(hold.person)
    whom = f"{clip(person.name, 3, 40)} is on hold" if person else "On hold"
    end = f" until {local.day(hold.over_at)}" if hold.over_at else ""
    return f"{whom}{end}, {HELD_FOR[hold.cause]}"


def _newcomers(case: Case) -> Iterator[News]:
    """People nobody knew; whether they belong to the group is the open question."""
    for newcomer in case.account.newcomers:
        if case.since < newcomer.at <= case.now:
            text = f"{clip(newcomer.name, 3, 40)}: {clip(newcomer.why, 16, 120)}"
            yield News(Weight.NEWCOMER, text, newcomer.at, newcomer.evidence)


def _handed_over(case: Case) -> Iterator[News]:
    handover = case.account.handover
    if handover and case.since < handover.at <= case.now:
        text = f"Came to you from {clip(handover.from_rep, 3, 40)}, {case.local.moment(handover.at)}"
        yield News(Weight.HANDED_OVER, text, handover.at, handover.evidence)


def _answered(case: Case) -> Iterator[News]:
    """All of them as one item; what became of each stands under "you said"."""
    if answers := [one for one in case.account.answers if case.since < one.at <= case.now]:
        proof = tuple(proof for one in answers for proof in one.evidence)
        yield News(Weight.ANSWERED, f"{counted(len(answers), 'answer')} of sales", answers[0].at, proof)


def _mails(case: Case) -> Iterator[News]:
    """All of them as one item; their names stand under "marketing sent"."""
    if mails := mails_since(case.account, case.since, case.now):
        proof = tuple(proof for mail in mails for proof in mail.evidence)
        text = f"Marketing sent {counted(len(mails), 'mail')}"
        yield News(Weight.MAILED, text, max(mail.at for mail in mails), proof)


def mails_since(account: AccountMaterial, since: datetime, now: datetime) -> tuple[Mail, ...]:
    """What marketing sent since the last brief, oldest first."""
    return tuple(mail for mail in account.mails if since < mail.at <= now)
