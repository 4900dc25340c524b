"""The one thing a rep is advised to do: a table from situation to step, read from the top.

The first row whose situation holds speaks. A row's finder returns the words its sentence needs, whom it is about and
what proves it, or None. To teach Tandem another piece of sales sense, add a row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from accounts.briefs.case import Case
from accounts.briefs.material import AccountMaterial, Evidence, Person, clip, evidence
from accounts.briefs.news import News, Weight
from accounts.briefs.saying import QUESTIONS
from accounts.briefs.seats import Seat, SeatState, is_warm, missing_roles
from accounts.vocabulary import Role, SignalKind

#: A rep who has not been in touch for so long is told so.
LONG_AGO = timedelta(days=21)
#: Mails each that a group may leave unanswered before mail is called the wrong way.
PATIENCE = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """What the table looks at."""

    case: Case
    news: tuple[News, ...]
    seats: tuple[Seat, ...]

    @property
    def account(self) -> AccountMaterial:
        return self.case.account

    def warmest(self) -> Person | None:
        """Who is warm: first those who acted since the last brief, of these the heaviest role."""
        warm = [person for person in self.account.people if is_warm(person, self.case.play, self.case.now)]
        new = {item.person.id for item in self.news if item.person}
        weight = self.case.play.engagement.role_weights
        return max(warm, key=lambda p: (p.id in new, weight.get(p.role, 1.0), -p.id), default=None)

    def latest_contact(self) -> Person | None:
        """Whom sales talked to last, if they still take part."""
        touch = self.account.sales_touch
        person = self.account.person(touch.person) if touch else None
        return person if person and person.takes_part else None

    def champion(self) -> Person | None:
        """Whom to turn to when nobody acted: the champion, or else whoever takes part."""
        known = [person for person in self.account.people if person.takes_part]
        return min(known, key=lambda person: (person.role != Role.CHAMPION, person.id), default=None)


@dataclass(frozen=True, slots=True)
class Found:
    """A situation that holds."""

    words: dict[str, str]
    evidence: Evidence
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One suggested next step, and whom it is about."""

    situation: str
    text: str
    evidence: Evidence
    person: Person | None


Finder = Callable[[Scene], Found | None]


def suggest(scene: Scene) -> Step:
    """The step of the first situation that holds; the last one always does."""
    for situation, finder, sentence in NEXT_STEPS:
        if found := finder(scene):
            return Step(situation, sentence.format(**found.words), found.evidence, found.person)
    raise AssertionError("the last row of NEXT_STEPS holds for every scene")


def _name(person: Person | None) -> str:
    return clip(person.name, 3, 40) if person else "them"


def _ask(scene: Scene, person: Person) -> str:
    """A hot account is called; otherwise any way of asking will do."""
    return f"Call {_name(person)} and ask" if scene.case.clock else f"Ask {_name(person)}"


def _overdue(scene: Scene) -> Found | None:
    clock = scene.case.clock
    return _asked(scene) if clock and clock.is_overdue(scene.case.now) else None


def _asked(scene: Scene) -> Found | None:
    clock = scene.case.clock
    if not clock or not clock.is_asked:
        return None
    person = scene.account.person(clock.person)
    return Found({"who": _name(person)}, clock.evidence, person)


def _news(*kinds: SignalKind) -> Finder:
    def find(scene: Scene) -> Found | None:
        item = next((item for item in scene.news if item.kind in kinds and item.person), None)
        return Found({"who": _name(item.person)}, item.evidence, item.person) if item else None

    return find


def _seat_lost(*kinds: SignalKind) -> Finder:
    """A key person dropped out and somebody else is there to ask."""

    def find(scene: Scene) -> Found | None:
        item = next((item for item in scene.news if item.kind in kinds and item.weight == Weight.SEAT_LOST), None)
        helper = scene.warmest() or scene.champion()
        if not item or not item.person or not helper or helper.id == item.person.id:
            return None
        return Found({"who": _name(helper), "lost": _name(item.person)}, item.evidence, helper)

    return find


def _refused_move(scene: Scene) -> Found | None:
    refused = next((move for move in scene.account.moves if move.refused_reason), None)
    return Found({}, refused.evidence, scene.champion()) if refused else None


def _empty_seat(scene: Scene) -> Found | None:
    """Somebody is warm, or talked to sales last, and can be asked for the name that is missing."""
    missing, helper = missing_roles(scene.account, scene.case.play), scene.warmest() or scene.latest_contact()
    if not missing or not helper:
        return None
    question = QUESTIONS[missing[0]].removesuffix("?")
    words = {"ask": _ask(scene, helper), "question": question[0].lower() + question[1:]}
    return Found(words, (*evidence("wanted", missing[0].value), *evidence("stakeholder", helper.id)), helper)


def _hot(scene: Scene) -> Found | None:
    """Interest rises while sales has been away for long."""
    touched, helper = scene.account.sales_touch, scene.warmest()
    if not scene.case.clock or not helper or not helper.last_sign:
        return None
    if touched and scene.case.now - touched.at < LONG_AGO:
        return None
    proof = (*helper.last_sign.evidence, *(touched.evidence if touched else ()))
    why = "interest is rising" if scene.case.is_rising else "they showed interest"
    return Found({"who": _name(helper), "why": why}, proof, helper)


def _warm(scene: Scene) -> Found | None:
    helper = scene.warmest()
    if not helper or not helper.last_sign or not scene.news or scene.news[0].weight.place > Weight.ENGAGED.place:
        return None
    return Found({"who": _name(helper)}, helper.last_sign.evidence, helper)


def _one_voice(scene: Scene) -> Found | None:
    """One person speaks for a group whose others are silent."""
    warm = [seat for seat in scene.seats if seat.state == SeatState.WARM]
    silent = next((seat for seat in scene.seats if seat.state == SeatState.SILENT), None)
    helper = scene.warmest()
    if len(warm) != 1 or not silent or not helper:
        return None
    return Found({"ask": _ask(scene, helper), "silent": silent.name}, warm[0].evidence + silent.evidence, helper)


def _all_silent(scene: Scene) -> Found | None:
    mailed = [person for person in scene.account.people if person.takes_mail and person.touches]
    helper = scene.champion()
    if not mailed or not helper or scene.warmest() or min(len(one.touches) for one in mailed) < PATIENCE:
        return None
    return Found({"who": _name(helper)}, evidence("touch", *(id_ for one in mailed for id_ in one.touches)), helper)


def _first_contact(scene: Scene) -> Found | None:
    """Somebody looks at us before sales has talked to them: the play waits in its first stage."""
    first = scene.case.play.stages[0]
    helper = scene.warmest() or scene.champion()
    if scene.account.stage != first.key or first.nurtured or not helper:
        return None
    return Found({"who": _name(helper)}, scene.news[0].evidence, helper)


def _over(scene: Scene) -> Found | None:
    """Won, lost or put back: marketing has stopped."""
    rule = scene.case.play.stage(scene.account.stage)
    if rule is None or rule.nurtured:
        return None
    return Found({"stage": rule.label.lower()}, scene.news[0].evidence, scene.warmest() or scene.champion())


def _anything(scene: Scene) -> Found:
    return Found({}, scene.news[0].evidence if scene.news else (), scene.warmest() or scene.champion())


#: situation, how it is recognised, what to do
NEXT_STEPS: tuple[tuple[str, Finder, str], ...] = (
    ("an answer is overdue", _overdue, "Answer {who} today, before anything else."),
    ("somebody asked", _asked, "Answer {who} yourself; marketing stays out of it."),
    ("a meeting is booked", _news(SignalKind.MEETING_BOOKED), "Ask {who} what the meeting must settle."),
    ("a meeting took place", _news(SignalKind.MEETING_HELD), "Send {who} what was agreed, with dates."),
    ("a key person left or bounced", _seat_lost(SignalKind.LEFT_COMPANY, SignalKind.BOUNCED),
     "Ask {who} who takes over from {lost}."),
    ("a key person wants no marketing", _seat_lost(SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED),
     "Speak to {lost} yourself; marketing will not write again."),
    ("the CRM and the play disagree", _refused_move, "Check the stage in the CRM, or tell marketing why it is right."),
    ("sales has not talked to them", _first_contact, "Contact {who} first; marketing starts after you."),
    ("the account left the play", _over, "Nothing to do; marketing has stopped: {stage}."),
    ("hot, and sales was away", _hot, "Call {who}: {why} and your last contact is long ago."),
    ("a seat is empty, somebody can be asked", _empty_seat, "{ask} {question}."),
    ("one voice in a silent group", _one_voice, "{ask} to bring in {silent}."),
    ("somebody engaged", _warm, "Call {who} while it is fresh."),
    ("mail brings nothing", _all_silent, "Call {who}; mail alone is not working here."),
    ("all runs by itself", _anything, "Nothing to do for now."),
)  # fmt: skip
