"""Every answer a rep can give in the browser: what it asks, what it will do, its fields. FORMS is meant to be read.

In the words, {whom} is the person or the account, {account} the account, {mail} and {when} the mail it is about,
{until} the day that is filled in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from accounts.answers import ANSWERS, AnswerKind
from accounts.answers.kinds import About
from accounts.briefs.material import Person
from accounts.briefs.saying import QUESTIONS
from accounts.rep_pages.facts import AccountFacts
from accounts.vocabulary import Role
from flows.briefs.links import SEATS
from flows.web.routes.reps.door import Visit
from flows.web.routes.reps.fields import Field, hidden, named, role, until, whom, words

K = AnswerKind
NOTE = "A note, if you like (only your colleagues read it)"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a form is filled in from."""

    visit: Visit
    facts: AccountFacts
    #: Whom the link is about, if it is about a person.
    person: Person | None
    #: The content of the mail the link is about, its title, and when it is planned.
    content: str = ""
    mail: str = ""
    when: str = ""
    #: Lines of the brief the link stands in, for this account.
    lines: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        return self.facts.material.name

    @property
    def whom(self) -> str:
        """The person, the account, or nobody yet."""
        if self.person:
            return self.person.name
        return "one of them" if ANSWERS[AnswerKind(self.visit.to.kind)].about is About.PERSON else self.account

    @property
    def seat(self) -> Role | None:
        """The role a link about a seat is for."""
        subject = self.visit.to.subject
        wanted = SEATS[subject] if 0 <= subject < len(SEATS) else Role.UNKNOWN
        return wanted if wanted is not Role.UNKNOWN else None


class Form(NamedTuple):
    """One answer. `undo`: the answer that takes it back."""

    asks: str
    does: str
    button: str
    fields: Callable[[Scene], tuple[Field, ...]] = lambda scene: ()
    undo: AnswerKind | None = None


def _about(scene: Scene, *more: Field) -> tuple[Field, ...]:
    """Whom it is about, where the link leaves that open, and what else there is to fill in."""
    people, chosen = scene.facts.material.people, scene.person.id if scene.person else 0
    return more if scene.visit.to.subject else (whom(people, "About", f"All of {scene.account}", chosen), *more)


def _hold(scene: Scene) -> tuple[Field, ...]:
    return _about(scene, until(scene.visit.local, 14), words(NOTE))


def _veto(scene: Scene) -> tuple[Field, ...]:
    if not scene.content:
        return (words(NOTE),)
    options = ((scene.content, f"Only this mail: “{scene.mail}”"), ("", f"All our mails to {scene.whom}"))
    return Field("content", "What shall not be sent?", "radio", (scene.content,), options), words(NOTE)


def _of_that_mail(scene: Scene) -> tuple[Field, ...]:
    return (hidden("content", scene.content),)


def _delay(scene: Scene) -> tuple[Field, ...]:
    return hidden("content", scene.content), until(scene.visit.local, 7, "Not before")


def _verdict(scene: Scene) -> tuple[Field, ...]:
    return _about(scene, words(NOTE))


def _wrong_person(scene: Scene) -> tuple[Field, ...]:
    return _of_the_group(scene, words(NOTE))


def _of_the_group(scene: Scene, *more: Field) -> tuple[Field, ...]:
    """As `_about`, where it can only be a person."""
    people, chosen = scene.facts.material.people, scene.person.id if scene.person else 0
    return more if scene.visit.to.subject else (whom(people, "Who", "Choose", chosen, needed=True), *more)


def _bad_timing(scene: Scene) -> tuple[Field, ...]:
    return _about(scene, until(scene.visit.local, 30, "Ask again on"), words(NOTE))


def _seat(scene: Scene) -> tuple[Field, ...]:
    wanted = scene.seat
    asked = hidden("role", wanted.value) if wanted else role(None)
    known = whom(scene.facts.material.people, "Somebody of the group", "Somebody new:")
    return asked, known, *_newcomer()


def _add_person(scene: Scene) -> tuple[Field, ...]:
    return *_newcomer(needed=True), role(scene.seat)


def _newcomer(*, needed: bool = False) -> tuple[Field, ...]:
    address = Field("email", "E-mail address", "email", needed=needed, most=254)
    return Field("name", "Name"), address, Field("title", "What they do there")


def _correct_person(scene: Scene) -> tuple[Field, ...]:
    person = scene.person if scene.visit.to.subject else None
    known = person.role if person and person.role is not Role.UNKNOWN else None
    return _of_the_group(
        scene,
        Field("name", "Name", values=(person.name if person else "",), is_known=True),
        Field("title", "What they do there", hint="Leave it empty to keep what we know."),
        role(known, is_known=True),
        Field("email", "E-mail address", "email", (person.email if person else "",), most=254, is_known=True),
        Field("gone", "They work there no longer", "check", (), (("yes", ""),)),
    )


def _heard(scene: Scene) -> tuple[Field, ...]:
    label = "In their words" if scene.visit.to.kind == K.OBJECTION else "What about"
    said = Field("words", label, needed=True)
    if scene.visit.to.subject:
        return (said,)
    return said, whom(scene.facts.material.people, "Who said it", "I do not know, or several")


def _close(scene: Scene) -> tuple[Field, ...]:
    return (hidden("objection", scene.visit.to.subject),)


def _wrong_line(scene: Scene) -> tuple[Field, ...]:
    chosen = str(scene.visit.to.subject or "")
    lines = tuple((str(number), line) for number, line in enumerate(scene.lines, start=1))
    which = Field("line", "Which one?", "radio", (chosen,), lines) if lines else hidden("line", chosen)
    return which, words("What is true instead?", hint="Whoever answers for it reads this.")


def _limits(scene: Scene) -> tuple[Field, ...]:
    lease, topics = scene.facts.lease, sorted({topic for step in scene.visit.desk.play.steps for topic in step.topics})
    people = tuple((str(person.id), named(person)) for person in scene.facts.material.people)
    week = str(lease.touches_per_week or "") if lease else ""
    ads = "yes" if lease is None or lease.ads else "no"
    return (
        Field("people", "Nobody writes to", "checks", tuple(map(str, lease.people if lease else ())), people),
        Field("topics", "Nobody writes about", "checks", lease.topics if lease else (), tuple((t, t) for t in topics)),
        Field("per_week", "E-mails to the whole group, at most, in seven days", "number", (week,),
              hint="Empty: as many as the plan says."),
        Field("ads", "Ads", "radio", (ads,), (("yes", "Ads may go on"), ("no", "No ads"))),
    )  # fmt: skip


FORMS: Mapping[AnswerKind, Form] = {
    K.HOLD: Form(
        "Hold marketing to {whom}?",
        "Until the day below {whom} gets no e-mail and no ads from us, and mails that are planned are taken back. "
        "After that it goes on by itself, one mail at a time.",
        "Hold until that day", _hold, K.RELEASE,
    ),
    K.RELEASE: Form(
        "Let marketing go on with {whom}?",
        "Holds on {whom} end at once and the plan goes on from where it stands. Nobody gets more for having waited.",
        "Go on",
    ),
    K.VETO: Form(
        "Stop this mail to {whom}?",
        "“{mail}” is planned for {when}. It will not be sent to {whom}, neither then nor later.",
        "Do not send it", _veto, K.UNVETO,
    ),
    K.UNVETO: Form(
        "Let this mail go to {whom} after all?",
        "The no is taken back. The mail goes out when the plan has a place for it.", "Take my no back",
        _of_that_mail,
    ),
    K.DELAY: Form(
        "Send this mail to {whom} later?",
        "“{mail}” is planned for {when}. It waits until the day below.", "Send it later", _delay, K.UNDELAY,
    ),
    K.UNDELAY: Form(
        "Let this mail go to {whom} in its time?",
        "“{mail}” waits no longer. It goes out when the plan has a place for it.", "Do not wait", _of_that_mail,
    ),
    K.APPROVE: Form(
        "May marketing write to {account}?",
        "The first e-mail to {account} waits for your yes. With it the plan begins; you can stop it on any day.",
        "Yes, begin",
    ),
    K.RIPE: Form(
        "Is {whom} ready for you?",
        "You take it from here. The plan goes on as it is, and our scores learn from your word.",
        "Yes, ready for sales", _verdict,
    ),
    K.NOT_YET: Form(
        "Is it too early for {whom}?",
        "Marketing goes on as planned, and our scores learn from your word.", "Not yet", _verdict,
    ),
    K.WRONG_PERSON: Form(
        "Is {whom} the wrong person?",
        "No marketing mail reaches {whom} any more. Colleagues are not affected.", "Yes, the wrong person",
        _wrong_person, K.UNVETO,
    ),
    K.BAD_TIMING: Form(
        "Is it a bad time for {whom}?",
        "{whom} is left alone until the day below: no e-mail, no ads.", "Leave alone until then", _bad_timing,
        K.RELEASE,
    ),
    K.SEAT: Form(
        "Who is the {seat} at {account}?",
        "Whoever you name has that role from now on, and no list overwrites it. Somebody new gets no mail before they "
        "agreed to it.",
        "That is who", _seat,
    ),
    K.ADD_PERSON: Form(
        "Who else belongs to the group at {account}?",
        "They stand in the buying group from now on. They get no mail before they agreed to it.", "Add them",
        _add_person,
    ),
    K.CORRECT_PERSON: Form(
        "What should we know about {whom}?",
        "It counts at once, and no list overwrites it.", "Correct it", _correct_person,
    ),
    K.CLAIM: Form(
        "Does {whom} belong to {account}?",
        "{whom} stands in more than one account, so nobody writes to them now. From here on {account} does, and the "
        "others do not.",
        "Yes, to {account}",
    ),
    K.OBJECTION: Form(
        "What does somebody at {account} hold against us?",
        "It stands in your briefs until you close it, and marketing sees what is asked most.", "Write it down", _heard,
    ),
    K.TOPIC: Form(
        "What would somebody at {account} like to hear about?",
        "It stands in your briefs until you close it, and marketing sees what is asked most.", "Write it down", _heard,
    ),
    K.CLOSE_OBJECTION: Form(
        "Is this settled?", "“{heard}” leaves your briefs. It stays in the history.", "Yes, settled", _close,
    ),
    K.WRONG_LINE: Form(
        "What is wrong?", "Whoever answers for that line is asked to look. Nothing else changes.", "It is wrong",
        _wrong_line,
    ),
    K.TAKE: Form(
        "Do you work {account} yourself?",
        "It is yours then: what you limit binds every plan. Your calls and meetings keep it yours; when nothing "
        "happens it ends by itself, and you are told before.",
        "Yes, it is mine", undo=K.GIVE_BACK,
    ),
    K.LIMITS: Form(
        "What may marketing do at {account}?",
        "These limits bind every plan for as long as the account is yours. What is planned against them is taken back.",
        "Set these limits", _limits,
    ),
    K.GIVE_BACK: Form(
        "Give {account} back to the plan?", "Your limits end at once, and the plan goes on without them.",
        "Give it back",
    ),
}  # fmt: skip


def question(scene: Scene, text: str) -> str:
    """The words of a form, for this account and person. Names come in as they are and are never read as words."""
    seat = scene.seat
    heard = next((one.words for one in scene.facts.heard if one.id == scene.visit.to.subject), "It")
    known = {
        "whom": scene.whom, "account": scene.account, "mail": scene.mail or "The next mail",
        "when": scene.when or "soon", "seat": seat.label if seat else "person", "heard": heard,
    }  # fmt: skip
    return text.format_map(known)


def asks(scene: Scene, kind: AnswerKind) -> str:
    """The heading: what the page asks."""
    if kind is K.SEAT and scene.seat:
        return QUESTIONS[scene.seat]
    if kind is K.VETO and not scene.content:
        return question(scene, "Stop all our mails to {whom}?")
    if kind is K.UNVETO and not scene.content:
        return question(scene, "Let our mails go to {whom} after all?")
    return question(scene, FORMS[kind].asks)


def button(scene: Scene, kind: AnswerKind) -> str:
    """What the button says."""
    return question(scene, FORMS[kind].button)


def does(scene: Scene, kind: AnswerKind) -> str:
    """What will happen, before it does."""
    if kind is K.VETO and not scene.content:
        return question(scene, "{whom} gets no marketing mail from us any more. Colleagues are not affected.")
    if kind in (K.VETO, K.DELAY) and scene.person and scene.content in scene.person.contents:
        return question(scene, "“{mail}” has left already: it cannot be called back.")
    if kind is K.UNVETO and not scene.content:
        return question(scene, "The no is taken back. {whom} gets mail again when the plan has a place for it.")
    return question(scene, FORMS[kind].does)
