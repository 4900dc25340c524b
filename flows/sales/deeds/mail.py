"""Answers about mail: hold and release, one mail never or later, the first mail of an account."""

from datetime import UTC, datetime

from accounts.answers import saying
from accounts.briefs.saying import title_of
from accounts.errors import InputRefused, Refused
from accounts.ledger.people import delays, holds, vetoes
from accounts.ledger.planning import approvals
from accounts.ledger.planning.decisions import read_decision
from accounts.ledger.planning.open_touches import take_back
from accounts.ledger.planning.results import reprieve
from accounts.vocabulary import PauseClock, Reason, TouchState
from flows.sales.deeds import holding
from flows.sales.deeds.scene import Done, Scene

#: What a hold does with the steps, where the one who places it says so.
MEANWHILE = {
    PauseClock.HOLD: "; the plan moves by as long",
    PauseClock.KEEP: "; steps keep their dates",
    PauseClock.SKIP: "; steps whose time comes meanwhile are left out",
}
#: Nothing stops a mail in these states any more.
GONE = (TouchState.SENT, TouchState.UNKNOWN, TouchState.SENDING)


def hold(scene: Scene) -> Done:
    """Nothing for this account, or this person, until then; the latest word counts, but a rep's no stands."""
    said, until = scene.said, scene.said.until
    scene.until_to_come()
    placed = holding.place(scene, said.cause, until, note=said.words, clock=said.clock)
    end = f"until {scene.day(until)}" if until else "until somebody releases it"
    what = "mail" if scene.person else "mail and no ads"
    after = {"until": until, "cause": said.cause, "clock": said.clock}
    meanwhile = MEANWHILE[said.clock] if said.clock else ""
    return Done(
        f"No {what} to {scene.name} {end}{meanwhile}.", placed.is_new, placed.outlasted, action="hold", after=after,
        detail={"hold": placed.id, "until": _text(until)}, rows=(placed.id,), is_beside=placed.is_beside,
    )  # fmt: skip


def release(scene: Scene) -> Done:
    """End every open hold on exactly this account, or this person; legal ones only by their name."""
    causes = scene.said.causes or holds.RELEASABLE
    standing = holds.open_holds(scene.connection, scene.now, scene.subject)
    if scene.out_of_reach(one.by for one in standing if one.cause in causes):
        scene.may_lift(f"a rep holds {scene.name}")
    at = scene.now
    rows = tuple(holds.release(scene.connection, scene.subject, by=scene.speaker.by, at=at, causes=causes))
    left = ", ".join(one.cause for one in standing if one.id not in rows)
    if not rows and left:
        raise Refused(f"{scene.name} is held for another cause: {left}", cure="name it with --cause")
    if not rows:
        return Done(f"{scene.name} was not held.", False)
    number = saying.counted(len(rows), "hold")
    return Done(
        f"{scene.name} is released ({number}): mail goes on.", True, detail={"holds": list(rows)}, action="release",
        after={"holds": list(rows)}, rows=rows,
    )  # fmt: skip


def veto(scene: Scene) -> Done:
    """No to one mail for a person, or to all."""
    content, person = scene.content, scene.who
    if content is not None and scene.touch is None and scene.play is not None and scene.play.step(content) is None:
        raise InputRefused(f"there is no mail {content!r}", where="content", cure="name one: tandem content")
    if content is not None and scene.touch is not None and scene.touch.state is TouchState.SENT:
        return _left_already(scene, "veto")
    by, at = scene.speaker.by, scene.now
    before = by in vetoes.said_by(scene.connection, person.id, content)
    id = vetoes.veto(scene.connection, person.id, content, by=by, at=at, note=scene.said.words)
    taken = take_back(scene.connection, {person.id: Reason.VETOED}, at, content=content)
    what = (
        f"“{_called(scene, content)}” will not reach {person.name}." if content else f"No more mail to {person.name}."
    )
    return Done(
        what, not before, _is_leaving(scene), _about(scene), {"content": content, "veto": id}, "veto",
        {"content": content}, (id,), len(taken),
    )  # fmt: skip


def unveto(scene: Scene) -> Done:
    """Such a no taken back; what it had left out was not late meanwhile, and no pause leaves it out again."""
    content, person, by = scene.content, scene.who, scene.speaker.by
    if scene.out_of_reach(vetoes.said_by(scene.connection, person.id, content)):
        scene.may_lift(f"a rep said no to that mail for {person.name}")
    count = vetoes.withdraw(scene.connection, person.id, content)
    if count and content:
        reprieve(scene.connection, [(person.id, content)], by=by, at=scene.now)
    what = f"“{_called(scene, content)}”" if content else "mail"
    sentence = f"{person.name} may get {what} again." if count else f"Nobody had said no to {what} for {person.name}."
    detail = {"content": content}
    return Done(
        sentence, bool(count), about=_about(scene), detail=detail, action="veto-withdrawn", after=detail,
        rows=(person.id,) if count else (),
    )  # fmt: skip


def delay(scene: Scene) -> Done:
    """One mail waits until then; what is late by it is told, and what would never leave is told as well."""
    person, until = scene.who, scene.said.until
    if until is None:
        raise InputRefused("say until when", where="until", cure="a day to come: 2026-12-03")
    scene.until_to_come()
    planned = read_decision(scene.connection, person.id)
    content = scene.content or (planned.content if planned else None)
    step = scene.play.step(content) if scene.play and content else None
    if content is None or (scene.play is not None and step is None):
        raise InputRefused(f"no mail to {person.name} is planned", where="content", cure="name one: tandem content")
    if scene.touch is not None and scene.touch.state is TouchState.SENT:
        return _left_already(scene, "delay")
    before = delays.said_by(scene.connection, person.id, content)
    kept = scene.out_of_reach(before)
    is_new = delays.delay(scene.connection, person.id, content, until, by=scene.speaker.by, at=scene.now, beside=kept)
    taken = take_back(scene.connection, {person.id: Reason.DELAYED_BY_REP}, scene.now, content=content)
    last = scene.touch.not_after if scene.touch else None
    last = last or (planned.not_after if planned and planned.content == content else None)
    said = f"“{_called(scene, content)}” waits for {person.name} until {scene.day(until)}."
    if last is not None and until > last:
        said += f" It was to leave by {scene.day(last)} at the latest; it leaves later now, as you asked."
    could_not = _is_leaving(scene)
    if step is not None and step.expires < until.astimezone(UTC).date():
        could_not = (
            f"Its text expires on {step.expires:%-d %B %Y}, before that day: without a new one it will not leave."
        )
    detail = {"content": content, "until": _text(until), "beyond": last is not None and until > last}
    outlasted = [scene.stands(by, day) for by, day in before.items() if by in kept and day > until]
    could_not = " ".join(filter(None, (could_not, *outlasted)))
    return Done(
        said, is_new, could_not, _about(scene), detail, "delay", detail, taken=len(taken), is_beside=bool(kept)
    )  # fmt: skip


def undelay(scene: Scene) -> Done:
    """Such a mail waits no longer; it was not late meanwhile."""
    person, at = scene.who, scene.now
    planned = read_decision(scene.connection, person.id)
    content = scene.content or (planned.content if planned else None)
    if content is None:
        raise InputRefused(f"no mail to {person.name} is planned", where="content", cure="name one: tandem content")
    standing = {by: day for by, day in delays.said_by(scene.connection, person.id, content).items() if day > at}
    if scene.out_of_reach(standing):
        scene.may_lift(f"a rep asked that mail to {person.name} to wait")
    count = delays.withdraw(scene.connection, person.id, content, at)
    if not count:
        return Done(
            f"Nobody had asked “{_called(scene, content)}” to wait for {person.name}.", False, about=_about(scene)
        )
    reprieve(scene.connection, [(person.id, content)], by=scene.speaker.by, at=at)
    sentence = (
        f"“{_called(scene, content)}” waits for {person.name} no longer; it leaves when the plan has a place for it."
    )
    detail = {"content": content}
    return Done(
        sentence, True, about=_about(scene), detail=detail, action="delay-withdrawn", after=detail, rows=(person.id,)
    )  # fmt: skip


def approve(scene: Scene) -> Done:
    """The first mail to the account may leave."""
    scene.may_lift("the first mail waits for a rep's yes")
    is_new = approvals.approve(scene.connection, scene.account.id, by=scene.speaker.by, at=scene.now)
    sentence = "Marketing may write to {}." if is_new else "Marketing was allowed to write to {} already."
    return Done(sentence.format(scene.account.name), is_new, action="approve-first-touch")


def _left_already(scene: Scene, asked: str) -> Done:
    """Nothing can be changed, and that it was asked is kept."""
    touch = scene.touch
    at = touch.sent_at if touch else None
    when = scene.moment(at) if at else "already"
    told = f"That mail to {scene.name} left {when}; nothing to stop."
    after = {"asked": asked, "touch": touch.id if touch else None}
    return Done("Nothing was changed.", False, told, _about(scene), action="too-late", after=after)


def _is_leaving(scene: Scene) -> str:
    """What cannot be stopped with certainty."""
    if scene.touch is None or scene.touch.state not in GONE:
        return ""
    return f"A mail that is leaving at this very moment may still reach {scene.name}."


def _about(scene: Scene) -> str | None:
    return f"touch:{scene.touch.id}" if scene.touch else scene.content


def _called(scene: Scene, content: str) -> str:
    """A content as the brief and the page called it; the name of its file where no play is asked."""
    if scene.play is None:
        return content.rpartition("/")[2].replace("-", " ").capitalize()
    return title_of(content, scene.play, scene.account.name)


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
