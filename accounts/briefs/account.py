"""One account of a brief. Each word a rep reads is chosen here, in Python, and counted; templates only lay it out."""

from collections.abc import Iterator
from dataclasses import dataclass

from accounts.briefs.assets import Asset, asset_of
from accounts.briefs.because import because
from accounts.briefs.buttons import Button, buttons
from accounts.briefs.case import Case
from accounts.briefs.coming import Planned, next_mails, planned_mails, why_nothing
from accounts.briefs.material import AccountMaterial, Evidence, Objected, Person, Statement, clip, evidence, unique
from accounts.briefs.news import News, Weight, mails_since, stage_label
from accounts.briefs.next_steps import Scene, suggest
from accounts.briefs.saying import Local, counted, listed, title_of
from accounts.briefs.seats import Question, Seat, SeatState, question_of, seats, warm_for
from accounts.engagement import BASELINE_WEEKS, WEEK, weight_of
from accounts.sla import Owing
from accounts.vocabulary import Heat

#: The words before the parts of an account, in the order of reading; they count as well.
LABELS = {
    "clock": "Clock",
    "news": "New",
    "because": "Your word",
    "step": "Suggested step",
    "objections": "Still open",
    "group": "Buying group",
    "question": "Open question",
    "contact": "Last contact",
    "sent": "Marketing sent",
    "planned": "Next 7 days",
    "asset": "Worth sharing",
    "answers": "Your answer",
}

#: News that have a part of their own.
_TOLD_BELOW = (Weight.MAILED, Weight.ANSWERED)
#: What stands on the link beside each planned mail, and beside each open objection.
STOP, SETTLED = "Stop before then", "Mark as answered"


@dataclass(frozen=True, slots=True)
class Open:
    """An objection, or a topic, that waits for somebody to answer it."""

    #: The objection's id.
    id: int
    text: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class AccountBrief:
    """Ready to be laid out; a part that has nothing to say is None or empty."""

    key: str
    #: The key as it is shown: at most four words.
    handle: str
    title: str
    stage: str
    #: Why the account stands at this place.
    why: str
    headline: Statement
    clock: Statement | None
    is_late: bool
    news: tuple[Statement, ...]
    more_news: Statement | None
    group: tuple[Seat, ...]
    more_seats: Statement | None
    question: Question | None
    contact: Statement | None
    sent: Statement | None
    planned: tuple[Planned, ...]
    #: What else is planned, or why nothing is.
    more_planned: Statement | None
    step: Statement
    asset: Asset | None
    #: The account's id.
    id: int = 0
    #: Whose account it is, when somebody else looks after it.
    absence: Statement | None = None
    because: tuple[Statement, ...] = ()
    objections: tuple[Open, ...] = ()
    answers: tuple[Button, ...] = ()

    def spoken(self) -> list[str]:
        """Every word of this account that a rep reads; addresses of links are no words."""
        said = [self.title, self.handle, self.stage, self.why, self.headline.text]
        said += [self.absence.text] if self.absence else []
        for part, texts in self.parts().items():
            if texts:
                said += [LABELS[part], *texts]
        return said

    def parts(self) -> dict[str, list[str]]:
        """The words of each labelled part."""
        said = {part: [one.text for one in sentences] for part, sentences in self._sentences().items()}
        said["group"][:0] = [word for seat in self.group for word in (seat.mark, seat.name, seat.role, seat.note)]
        said["question"] = [self.question.text] if self.question else []
        said["objections"] = [word for one in self.objections for word in (one.text, SETTLED)]
        said["planned"][:0] = [word for mail in self.planned for word in (mail.when, mail.what, STOP)]
        said["asset"] = [self.asset.title, self.asset.talking_point] if self.asset else []
        said["answers"] = [button.label for button in self.answers]
        return said

    @property
    def words(self) -> int:
        """Words as `wc -w` counts them: whatever stands between blanks."""
        return len(" ".join(self.spoken()).split())

    def statements(self) -> Iterator[Statement]:
        """Everything that claims something, with its proof."""
        yield self.headline
        yield from _said(self.absence)
        for sentences in self._sentences().values():
            yield from sentences
        for seat in self.group:
            taken = f"{seat.name} ({seat.role}): {seat.note}"
            yield Statement(taken if seat.note else f"{seat.role}: {seat.name}", seat.evidence)
        for one in self.objections:
            yield Statement(one.text, one.evidence)
        if self.question:
            yield Statement(self.question.text, self.question.evidence)
        for mail in self.planned:
            yield Statement(f"{mail.when} {mail.what}", mail.evidence)
        if self.asset:
            yield Statement(f"{self.asset.title}: {self.asset.talking_point}", self.asset.evidence)

    def _sentences(self) -> dict[str, list[Statement]]:
        """Of each part, in the order of LABELS."""
        return {
            "clock": _said(self.clock),
            "news": _said(*self.news, self.more_news),
            "because": list(self.because),
            "step": [self.step],
            "objections": [],
            "group": _said(self.more_seats),
            "question": [],
            "contact": _said(self.contact),
            "sent": _said(self.sent),
            "planned": _said(self.more_planned),
        }


def _said(*statements: Statement | None) -> list[Statement]:
    return [statement for statement in statements if statement]


def account_brief(case: Case, news: tuple[News, ...]) -> AccountBrief:
    """Everything there is to say about the account, not yet shortened. `news`: at least one."""
    account, play, local = case.account, case.play, case.local
    group = seats(account, play, local)
    step = suggest(Scene(case, news, group))
    coming = next_mails(planned_mails(account, play, local))
    return AccountBrief(
        key=account.key,
        handle=clip(account.key, 4, 60),
        title=clip(account.name, 6, 60),
        stage=stage_label(account.stage, play),
        why=news[0].weight.value,
        headline=_headline(case, group),
        clock=_clock(case.clock, local),
        is_late=case.clock is not None and case.clock.is_overdue(case.now),
        news=tuple(Statement(item.text, item.evidence) for item in news if item.weight not in _TOLD_BELOW),
        more_news=None,
        group=group,
        more_seats=None,
        question=question_of(account, play),
        contact=_contact(account, local),
        sent=_sent(case),
        planned=coming,
        more_planned=None if coming else why_nothing(account, play, local),
        step=Statement(step.text, step.evidence),
        asset=asset_of(account, step.person, play, local.today),
        id=account.id,
        absence=_absence(account, local),
        because=because(account, case.reader),
        objections=_objections(account),
        answers=buttons(account, case.play, local.now),
    )


def _absence(account: AccountMaterial, local: Local) -> Statement | None:
    """``For Ravi Menon, who is away until Mon``."""
    absent = account.absent
    if absent is None:
        return None
    until = f" until {local.day(absent.until)}" if absent.until else ""
    return Statement(f"For {clip(absent.name, 3, 40)}, who is away{until}", absent.evidence)


def _objections(account: AccountMaterial) -> tuple[Open, ...]:
    """What they hold against us or ask about, in the words it was written down."""
    return tuple(
        Open(one.id, _in_whose_words(one, account.person(one.person)), one.evidence) for one in account.objections
    )


def _in_whose_words(one: Objected, person: Person | None) -> str:
    who = clip(person.name, 3, 40) if person else "They"
    says = "would like to hear about" if one.is_topic else ("object" if who == "They" else "objects")
    return f"{who} {says}: {clip(one.words, 14, 110)}"


def _headline(case: Case, group: tuple[Seat, ...]) -> Statement:
    """``3 of 6 engaged in 28 days, interest rising (18 points, usually 6)``."""
    account, heat = case.account, _heat(case)
    if not account.people:
        return Statement("We know nobody there yet", evidence("account", account.id))
    warm = [seat for seat in group if seat.state == SeatState.WARM]
    text = f"{len(warm)} of {len(account.people)} engaged in {warm_for(case.play).days} days"
    proof = tuple(proof for seat in warm for proof in seat.evidence) or evidence("account", account.id)
    return Statement(f"{text}, {heat.text}", unique(proof + heat.evidence)) if heat else Statement(text, proof)


def _heat(case: Case) -> Statement | None:
    """Rising or cooling, in points of seven days (`play.yaml` says what earns them); steady is not worth a word."""
    reading = case.heat
    if reading.heat == Heat.STEADY:
        return None
    earliest = case.now - (WEEK if case.is_rising else (BASELINE_WEEKS + 1) * WEEK)
    signs = [
        sign
        for sign in case.account.signs
        if earliest < sign.at <= case.now and weight_of(sign.kind, case.play.engagement)
    ]
    measure = f"({round(reading.this_week)} points, usually {round(reading.usual_week)})"
    proof = tuple(proof for sign in signs for proof in sign.evidence)
    return Statement(f"interest {reading.heat.value} {measure}", proof)


def _clock(clock: Owing | None, local: Local) -> Statement | None:
    if clock is None:
        return None
    duty = "answer" if clock.is_asked else "call"
    if clock.is_overdue(local.now):
        return Statement(f"Your {duty} was due {local.moment(clock.due)}", clock.evidence)
    return Statement(f"Your {duty} is due by {local.moment(clock.due)}", clock.evidence)


def _contact(account: AccountMaterial, local: Local) -> Statement | None:
    touch = account.sales_touch
    if touch is None:
        return None
    person = account.person(touch.person)
    name = f" with {clip(person.name, 3, 40)}" if person else ""
    days = (local.now - touch.at).days
    ago = f"{counted(days, 'day')} ago" if days else "today"
    return Statement(f"{touch.kind.capitalize()}{name}, {ago}", touch.evidence)


def _sent(case: Case) -> Statement | None:
    """Since the last brief: two of them by name, the others counted."""
    account, play, local = case.account, case.play, case.local
    mails = mails_since(account, case.since, case.now)
    if not mails:
        return None
    names = {person.id: clip(person.name, 3, 40) for person in account.people}
    told = [
        f"“{title_of(mail.content, play, account.name)}” to {names.get(mail.person, 'somebody')} {local.day(mail.at)}"
        for mail in mails[:2]
    ]
    more = [f"{len(mails) - 2} more"] if len(mails) > 2 else []
    return Statement(listed(told + more), tuple(proof for mail in mails for proof in mail.evidence))
