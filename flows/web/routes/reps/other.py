"""Every further answer about an account on one page: forms that are filled in already, each with its own buttons.

A button posts to the link of its own answer, so what the page of that answer reads and refuses holds here as well; two
that ask for the same share a form.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import Response
from sqlalchemy import Connection

from accounts.answers import AnswerKind
from accounts.briefs.coming import planned_mails
from accounts.briefs.saying import title_of
from accounts.ledger.pages.account_page import looked_ahead, read_account_facts
from accounts.vocabulary import HoldScope, Reason, Role
from flows.briefs.links import SEATS
from flows.web.routes.reps.answering import NOT_ABOUT_SOMEBODY, told_of
from flows.web.routes.reps.door import Visit
from flows.web.routes.reps.fields import Field
from flows.web.routes.reps.forms import FORMS, NOTE, Scene, does

K = AnswerKind
#: The place of no role: the form asks which.
WHICHEVER = SEATS.index(Role.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: the answer it gives, its words, and what its link says besides."""

    kind: AnswerKind
    label: str
    subject: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A form: what it is about, its fields, and its buttons as (label, address)."""

    title: str
    says: str
    fields: tuple[Field, ...]
    buttons: tuple[tuple[str, str], ...]


def show_others(connection: Connection, visit: Visit) -> Response:
    """The page. Nothing is answered by looking at it."""
    facts = looked_ahead(
        connection, read_account_facts(connection, visit.to.account_id, visit.now), visit.desk.play, visit.now
    )
    told = told_of(connection, visit, facts)
    lines = tuple(statement.text for one in told for statement in one.statements())
    scene = Scene(visit, facts, None, lines=lines)
    return visit.desk.pages.show(
        "rep_other", visit=visit, account=scene.account, groups=tuple(_groups(scene)),
        back=visit.links("page", facts.material.id),
    )  # fmt: skip


def _groups(scene: Scene) -> Iterator[Group]:
    """In the order in which they are wanted."""
    yield from _waiting(scene)
    for mail in planned_mails(scene.facts.material, scene.visit.desk.play, scene.visit.local):
        later, never = (
            Choice(kind, label, mail.person, mail.content)
            for kind, label in ((K.DELAY, "Send it later"), (K.VETO, "Do not send it"))
        )
        yield _group(scene, f"{mail.what}, {mail.when}", "", later, never)
    yield _group(
        scene, f"{scene.account}, or somebody there", "", Choice(K.RIPE, "Ready"), Choice(K.NOT_YET, "Not yet"),
        Choice(K.HOLD, "Hold until then"), Choice(K.BAD_TIMING, "Bad time until then"),
        Choice(K.WRONG_PERSON, "Wrong person"),
    )  # fmt: skip
    yield from _noes(scene)
    yield from _put_off(scene)
    yield _group(
        scene, "What you heard", "It stands in your briefs until you close it.", Choice(K.OBJECTION, "An objection"),
        Choice(K.TOPIC, "A topic"),
    )  # fmt: skip
    for heard in scene.facts.heard:
        yield _group(scene, f"Is this settled? “{heard.words}”", "", Choice(K.CLOSE_OBJECTION, "Yes", heard.id))
    yield _group(
        scene, "Who is missing in the group?", "Somebody new gets no mail before they agreed to it.",
        Choice(K.SEAT, "They have this role", WHICHEVER), Choice(K.ADD_PERSON, "Add somebody new", WHICHEVER),
    )  # fmt: skip
    yield from _people(scene)
    yield from _lease(scene)
    yield _group(scene, "Is a line of the brief wrong?", "", Choice(K.WRONG_LINE, "It is wrong"))


def _waiting(scene: Scene) -> Iterator[Group]:
    """What stands still until somebody says a word."""
    facts, now = scene.facts, scene.visit.now
    if facts.awaits_approval:
        yield _explained(scene, "The first mail waits for your yes", Choice(K.APPROVE, "Yes, begin"))
    if any(hold.scope == HoldScope.ACCOUNT and hold.stands(now) for hold in facts.material.holds):
        yield _explained(scene, f"{scene.account} is on hold", Choice(K.RELEASE, "Let marketing go on"))


def _noes(scene: Scene) -> Iterator[Group]:
    """What was said no to and stands: each with the way back."""
    facts, now = scene.facts, scene.visit.now
    for id in dict.fromkeys(hold.person for hold in facts.material.holds if hold.person and hold.stands(now)):
        back = Choice(K.RELEASE, "Let marketing go on", id)
        yield _explained(scene, f"{facts.names.get(id, 'Somebody')} is on hold", back)
    for person, content in dict.fromkeys((one.person, one.content) for one in facts.refused):
        what = f"“{title_of(content, scene.visit.desk.play, scene.account)}”" if content else "Any mail"
        back = Choice(K.UNVETO, "Take the no back", person, content or "")
        yield _explained(scene, f"{what} to {facts.names.get(person, 'somebody')}: no", back)


def _put_off(scene: Scene) -> Iterator[Group]:
    """Mails that wait because somebody asked for it, each with the way back."""
    local, facts = scene.visit.local, scene.facts
    latest = {(put.person, put.content): put.until for put in facts.put_off}
    for (person, content), until in latest.items():
        title, name = title_of(content, scene.visit.desk.play, scene.account), facts.names.get(person, "somebody")
        back = Choice(K.UNDELAY, "Do not wait", person, content)
        yield _explained(scene, f"“{title}” to {name} waits until {local.day(until)}", back)


def _people(scene: Scene) -> Iterator[Group]:
    people = scene.facts.material.people
    if people:
        yield _group(
            scene, "What do we have wrong about somebody?", "Fill in only what is different.",
            Choice(K.CORRECT_PERSON, "Correct it"),
        )  # fmt: skip
    for person in people:
        if person.outlook and person.outlook.reason is Reason.OWNER_CONFLICT:
            yes = Choice(K.CLAIM, f"Yes, to {scene.account}", person.id)
            yield _group(scene, f"Does {person.name} belong here?", "They stand in more than one account.", yes)


def _lease(scene: Scene) -> Iterator[Group]:
    if scene.facts.lease:
        yield _explained(
            scene,
            f"{scene.facts.lease.rep} works {scene.account}",
            Choice(K.LIMITS, "Set these limits"),
            Choice(K.GIVE_BACK, "Give it back"),
        )
    else:
        yield _explained(scene, f"Do you work {scene.account} yourself?", Choice(K.TAKE, "Yes, it is mine"))


def _explained(scene: Scene, title: str, *choices: Choice) -> Group:
    """With what the first button does."""
    return _group(scene, title, does(_meant(scene, choices[0]), choices[0].kind), *choices)


def _group(scene: Scene, title: str, says: str, *choices: Choice) -> Group:
    """What several buttons read stands there once, as the first of them asks for it; notes have their own pages."""
    fields: dict[str, Field] = {}
    for choice in choices:
        for field in FORMS[choice.kind].fields(_meant(scene, choice)):
            if field.label != NOTE:
                fields.setdefault(field.name, _short(field))
    return Group(title, says, tuple(fields.values()), tuple((one.label, _address(scene, one)) for one in choices))


def _short(field: Field) -> Field:
    """A list to choose from instead of one line for each choice, where there may be many."""
    if field.name != "line" or not field.options:
        return field
    return replace(field, kind="choice", options=(("", "Choose"), *field.options), needed=True)


def _meant(scene: Scene, choice: Choice) -> Scene:
    """The same, as the page of that answer has it."""
    to = scene.visit.to._replace(kind=choice.kind.value, subject=choice.subject)
    person = None if choice.kind in NOT_ABOUT_SOMEBODY else scene.facts.material.person(choice.subject)
    mail = title_of(choice.content, scene.visit.desk.play, scene.account) if choice.content else ""
    return replace(scene, visit=replace(scene.visit, to=to), person=person, content=choice.content, mail=mail)


def _address(scene: Scene, choice: Choice) -> str:
    query = f"?{urlencode({'content': choice.content})}" if choice.content else ""
    return f"{scene.visit.links(choice.kind, scene.facts.material.id, choice.subject)}{query}"
