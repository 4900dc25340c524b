"""The page of one answer: GET asks, filled in beforehand; POST does it and says in a sentence what changed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fastapi import Response
from sqlalchemy import Connection

from accounts.answers import ANSWERS, AnswerKind, Told, Via, parse
from accounts.answers.kinds import About
from accounts.briefs import AccountBrief
from accounts.briefs.material import Person
from accounts.briefs.saying import title_of
from accounts.briefs.stored import from_payload
from accounts.errors import InputRefused, Refused
from accounts.ledger.engine import reading
from accounts.ledger.pages.account_page import looked_ahead, read_account_facts
from accounts.ledger.reps.links import read_payload
from accounts.rep_pages.facts import AccountFacts
from flows.sales.answers import answer
from flows.web.routes.reps.door import Visit
from flows.web.routes.reps.fields import Field
from flows.web.routes.reps.forms import FORMS, Scene, asks, button, does

K = AnswerKind
#: Answers about one mail.
ABOUT_MAIL = frozenset({K.VETO, K.UNVETO, K.DELAY, K.UNDELAY})
#: Answers whose link says something else than a person.
NOT_ABOUT_SOMEBODY = frozenset({K.SEAT, K.ADD_PERSON, K.CLOSE_OBJECTION, K.WRONG_LINE})
#: What a visitor fills in: field -> the values.
Filled = Mapping[str, tuple[str, ...]]


def ask(connection: Connection, visit: Visit, filled: Filled) -> Response | None:
    """The form, filled in; None when whom it is about is no longer there."""
    scene = _scene(connection, visit, filled)
    return _form(visit, scene) if scene else None


def act(visit: Visit, filled: Filled) -> Response | None:
    """Does what was answered, at once; the form again, with what is wrong with it."""
    with reading(visit.desk.engine) as connection:
        scene = _scene(connection, visit, filled)
    if scene is None:
        return None
    kind = AnswerKind(visit.to.kind)
    try:
        told = _say(visit, scene, kind, filled)
    except InputRefused as refusal:
        return _form(visit, scene, filled, refusal, 400)
    except Refused as refusal:
        return _form(visit, scene, filled, refusal, 409)
    return _told(visit, scene, kind, filled, told)


def _say(visit: Visit, scene: Scene, kind: AnswerKind, filled: Filled) -> Told:
    """Only what the form asks for is read; which answer it is, and about whom, the link alone says."""
    fields = FORMS[kind].fields(scene)
    asked = {field.name for field in fields} | ({"content"} if kind in ABOUT_MAIL else set())
    known = {(field.name, field.values) for field in fields if field.is_known}
    said = {
        name: ",".join(filter(None, values))
        for name, values in filled.items()
        if name in asked and (name, values) not in known
    }
    if scene.person:
        said["person"] = str(scene.person.id)
    meant = parse({**said, "kind": kind, "account": str(visit.to.account_id)}, zone=visit.local.zone)
    desk, to = visit.desk, visit.to
    return answer(
        desk.engine, desk.play, meant, by=visit.holder.email, rep_id=to.rep_id, via=Via.WEB, now=visit.now,
        brief_id=to.brief_id or None,
    )  # fmt: skip


def _form(
    visit: Visit, scene: Scene, filled: Filled | None = None, refusal: Refused | None = None, status: int = 200
) -> Response:
    kind = AnswerKind(visit.to.kind)
    fields = FORMS[kind].fields(scene)
    if filled is not None:
        fields = tuple(_refilled(field, filled) for field in fields)
    return visit.desk.pages.show(
        "rep_ask", status, visit=visit, asks=asks(scene, kind), does=does(scene, kind), button=button(scene, kind),
        fields=fields, refusal=refusal, back=visit.links("page", visit.to.account_id), account=scene.account,
    )  # fmt: skip


def _refilled(field: Field, filled: Filled) -> Field:
    return replace(field, values=filled[field.name]) if field.name in filled else field


def _told(visit: Visit, scene: Scene, kind: AnswerKind, filled: Filled, told: Told) -> Response:
    undo, to = FORMS[kind].undo, visit.to
    content = ",".join(filled.get("content", ("",)))
    return visit.desk.pages.show(
        "rep_told", visit=visit, told=told, account=scene.account, back=visit.links("page", to.account_id),
        undo=undo and visit.links(undo, to.account_id, scene.person.id if scene.person else 0),
        undo_says=undo and FORMS[undo].button, content=content,
    )  # fmt: skip


def _scene(connection: Connection, visit: Visit, filled: Filled) -> Scene | None:
    """None when the person of the link is no longer in the account."""
    to, kind = visit.to, AnswerKind(visit.to.kind)
    facts = read_account_facts(connection, to.account_id, visit.now)
    person = None if kind in NOT_ABOUT_SOMEBODY else facts.material.person(to.subject or _named(filled))
    if person is None and to.subject and ANSWERS[kind].about is not About.ACCOUNT and kind not in NOT_ABOUT_SOMEBODY:
        return None
    told = told_of(connection, visit, facts)
    lines = tuple(statement.text for one in told for statement in one.statements())
    scene = Scene(visit, facts, person, lines=lines)
    if person is None or kind not in ABOUT_MAIL:
        return scene
    facts = looked_ahead(connection, facts, visit.desk.play, visit.now)
    leaving = {mail.content: mail.at for one in facts.material.people if one.id == person.id for mail in one.leaving}
    if kind is K.UNVETO and "content" in filled:
        content = _refused(facts, person, filled)
    elif kind is K.UNDELAY:
        content = _put_off(facts, person, filled)
    else:
        planned = next((mail.content for one in told for mail in one.planned if mail.person == person.id), "")
        content = _known(visit, filled) or planned or _standing(facts, kind, person, leaving)
    title = title_of(content, visit.desk.play, facts.material.name) if content else ""
    when = visit.local.moment(leaving[content]) if content in leaving else ""
    return replace(scene, content=content, mail=title, when=when)


def told_of(connection: Connection, visit: Visit, facts: AccountFacts) -> list[AccountBrief]:
    """The account in the brief that the link stands in, if it stands in one."""
    to = visit.to
    brief = read_payload(connection, to.brief_id, to.rep_id) if to.brief_id else None
    return [one for one in from_payload(brief).accounts if one.key == facts.material.key] if brief else []


def _named(filled: Filled) -> int:
    """Whom the form names, where the link leaves that open."""
    number = "".join(filled.get("person", ()))
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0


def _known(visit: Visit, filled: Filled) -> str:
    """The mail a page of ours names; a mail that the play does not know is none."""
    named = "".join(filled.get("content", ()))
    return named if visit.desk.play.step(named) else ""


def _refused(facts: AccountFacts, person: Person, filled: Filled) -> str:
    """The mail whose no is meant; none: the no to all mail."""
    named = "".join(filled["content"])
    return named if any((one.person, one.content) == (person.id, named) for one in facts.refused) else ""


def _put_off(facts: AccountFacts, person: Person, filled: Filled) -> str:
    """The mail that waits and is meant; where none is named, the one that waits for them the shortest."""
    named = "".join(filled.get("content", ()))
    theirs = [put.content for put in facts.put_off if put.person == person.id]
    return named if named in theirs else next(iter(theirs), "")


def _standing(facts: AccountFacts, kind: AnswerKind, person: Person, leaving: Iterable[str]) -> str:
    """What is planned for them next; of a no, what they were last refused."""
    if kind is K.UNVETO:
        return next((one.content or "" for one in facts.refused if one.person == person.id), "")
    return next(iter(leaving), (person.outlook and person.outlook.content) or "")
