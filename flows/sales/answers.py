"""A rep's word, done at once, wherever it was said: e-mail, page, chat or command line all come through `answer`.

One transaction each: what changes, the answer itself with what changed because of it, the line in the audit, the
planned mails it forbids, and what planning says of the account from now on. Saying the same thing twice changes
nothing. Free text stays out of the audit: it may name people, and the audit cannot forget.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from accounts.answers import ANSWERS, AnswerKind, Said, Told, Via, parse, saying
from accounts.answers.kinds import About
from accounts.errors import InputRefused, Refused
from accounts.ledger import audit
from accounts.ledger.engine import writing
from accounts.ledger.planning import brakes
from accounts.ledger.planning.open_touches import keep_still
from accounts.ledger.reps import answers as ledger
from accounts.ledger.reps.spokesmen import Speaker, speaks_for, who_says
from accounts.ledger.signals.applying import one_at_a_time
from accounts.ledger.signals.effects import replan
from accounts.ledger.subjects import Subject, find_subjects
from accounts.playbook import Play
from accounts.tick import decide_at_once
from accounts.vocabulary import BrakeScope, HoldCause, PauseClock, Verdict
from flows.sales.deeds import DEEDS, Done, Scene
from flows.sales.deeds.scene import set_scene

__all__ = ["Answered", "Said", "Told", "answer", "feedback", "hold", "may", "parse", "release", "stop", "veto"]

Work = TypeVar("Work")

#: How often an answer is tried when another transaction and it wait for each other; a second time is rare already.
RACES = 5
#: The matter of answers that scores hear of.
VERDICTS = ANSWERS[AnswerKind.RIPE].matter
#: PostgreSQL's word for that.
DEADLOCK = "40P01"


@dataclass(frozen=True, slots=True)
class Answered:
    """What a word by name changed, for the one who said it: one `Told` for each account or person it meant."""

    subjects: tuple[Subject, ...]
    #: Ids of the rows it made or ended.
    rows: tuple[int, ...]
    told: tuple[Told, ...] = ()


def may(connection: Connection, rep_id: int, account_id: int, now: datetime) -> bool:
    """Whether this rep answers for the account: its owner, the backup of an owner who is away, the owner's manager."""
    return speaks_for(connection, who_says(connection, "", rep_id), account_id, now)


def answer(
    engine: Engine, play: Play, said: Said, *, by: str, rep_id: int | None, via: Via, now: datetime,
    brief_id: int | None = None,
) -> Told:  # fmt: skip
    """Perform an answer; what changed by it, in plain sentences.

    by: who says so; rep_id: the rep, where that is known, whose address is written down then. Raises NotFound;
    InputRefused with field and cure; Refused for somebody who may not answer for this account (which is audited).
    """

    def work(connection: Connection) -> Told:
        return _perform(connection, said, play, by=by, rep_id=rep_id, via=via, now=now, brief_id=brief_id)[1]

    try:
        return _undisturbed(engine, work)
    except NotTheirs as refused:
        with writing(engine) as connection:
            after = {"answer": said.kind, "via": via}
            subject, action = f"account:{refused.account}", "answer-refused"
            audit.append(connection, actor=refused.speaker.by, action=action, subject=subject, at=now, after=after)
        raise


class NotTheirs(Refused):
    """Somebody answered for an account that is not theirs."""

    def __init__(self, speaker: Speaker, account: str) -> None:
        super().__init__(
            "this account is not yours to answer for", cure="its owner can, their backup, or their manager"
        )
        self.speaker, self.account = speaker, account


def say(
    engine: Engine, said: Said, who: str, *, by: str, now: datetime, account: str | None = None,
    play: Play | None = None, brief_id: int | None = None,
) -> Answered:  # fmt: skip
    """The same by name: about the account with this key, or the person with this address in every account they stand
    in (or in `account` only), all in one transaction. Without a play, planning looks at it with its next tick.

    Raises NotFound with what looks alike, and as `answer`.
    """

    def work(connection: Connection) -> Answered:
        subjects = find_subjects(connection, who, account)
        if ANSWERS[said.kind].about is About.PERSON and subjects[0].stakeholder_id is None:
            raise InputRefused(f"{who!r} is an account", cure="give the person's address; for a whole account use hold")
        done = [
            _perform(
                connection, replace(said, account_id=one.account_id, stakeholder_id=one.stakeholder_id), play, by=by,
                rep_id=None, via=Via.CLI, now=now, brief_id=brief_id,
            )
            for one in subjects
        ]  # fmt: skip
        rows = tuple(row for one, _ in done for row in one.rows)
        return Answered(tuple(subjects), rows, tuple(told for _, told in done))

    return _undisturbed(engine, work)


def hold(
    engine: Engine, who: str, *, by: str, now: datetime, until: datetime | None = None, note: str | None = None,
    account: str | None = None, cause: HoldCause = HoldCause.REP, clock: PauseClock | None = None,
    override: str | None = None, play: Play | None = None,
) -> Answered:  # fmt: skip
    """Nothing for this account, or this person, until then; without an end, until somebody releases it.

    clock: what becomes of the steps whose time comes meanwhile (accounts/pauses.py); None: as the play says.
    override: why somebody who does not speak for the account ends a rep's longer hold by it; without it that one
    stays in force beside theirs. The latest word of a cause counts. Raises InputRefused for an end that is over.
    """
    said = Said(AnswerKind.HOLD, 0, until=until, words=note, cause=cause, clock=clock, override=override)
    return say(engine, said, who, by=by, now=now, account=account, play=play)


def release(
    engine: Engine, who: str, *, by: str, now: datetime, account: str | None = None, causes: Collection[HoldCause] = (),
    override: str | None = None, play: Play | None = None,
) -> Answered:  # fmt: skip
    """End every open hold on exactly this account, or this person. Legal holds only when `causes` names them.

    override: why somebody who does not speak for the account lifts a rep's hold. Raises Refused without it, and when
    only holds stand that were not asked for.
    """
    said = Said(AnswerKind.RELEASE, 0, causes=tuple(causes), override=override)
    return say(engine, said, who, by=by, now=now, account=account, play=play)


def veto(
    engine: Engine, who: str, content: str | None, *, by: str, now: datetime, note: str | None = None,
    withdrawn: bool = False, override: str | None = None, play: Play | None = None,
) -> Answered:  # fmt: skip
    """No to one content for a person, or to all mail; or (`withdrawn`) that no taken back."""
    kind = AnswerKind.UNVETO if withdrawn else AnswerKind.VETO
    return say(engine, Said(kind, 0, content=content, words=note, override=override), who, by=by, now=now, play=play)


def feedback(
    engine: Engine, who: str, verdict: Verdict, *, by: str, now: datetime, topic: str | None = None,
    note: str | None = None, callback_on: date | None = None, account: str | None = None, override: str | None = None,
    play: Play | None = None,
) -> Answered:  # fmt: skip
    """A verdict on an account or a person, and what follows from it (accounts/feedback.py) in the same transaction."""
    said = Said(AnswerKind(verdict.value), 0, words=note, topic=topic, day=callback_on, override=override)
    return say(engine, said, who, by=by, now=now, account=account, play=play)


def stop(
    engine: Engine, scope: BrakeScope, target: str, *, by: str, now: datetime, note: str = "", released: bool = False
) -> int:
    """Pull a brake, or (`released`) let it go; how many brakes changed or stand. Effective from the next claim on."""
    with writing(engine) as connection:
        if released:
            count = brakes.release(connection, scope, target, by=by, now=now)
        else:
            brakes.pull(connection, scope, target, by=by, now=now, note=note)
            count = 1
        subject = f"{scope}:{target}" if target else str(scope)
        action = "go-on" if released else "stop"
        audit.append(
            connection, actor=by, action=action, subject=subject, at=now, after={"note": note, "brakes": count}
        )
    return count


def _perform(
    connection: Connection, said: Said, play: Play | None, *, by: str, rep_id: int | None, via: Via, now: datetime,
    brief_id: int | None,
) -> tuple[Done, Told]:  # fmt: skip
    if ANSWERS[said.kind].matter == VERDICTS:  # whoever applies signals locks scores first, and accounts after them
        one_at_a_time(connection)
    keep_still(connection, said.account_id)
    scene = set_scene(connection, said, by=by, rep_id=rep_id, via=via, now=now, play=play, brief_id=brief_id)
    if via is not Via.CLI and not scene.speaks:
        raise NotTheirs(scene.speaker, scene.account.key)
    done = DEEDS[said.kind](scene)
    replan(connection, {scene.account.id, *done.others}, now)
    taken = done.taken
    if play is not None and scene.account.play in (None, play.key):  # where another play does, its next tick looks
        taken += len(decide_at_once(connection, play, scene.account.id, now))
    told = _told(scene, done, " ".join(filter(None, (done.sentence, saying.taken_back(taken)))))
    _audit(scene, done, taken)
    return done, replace(told, id=_keep(scene, done, told, taken)) if done.is_new else told


def _told(scene: Scene, done: Done, sentence: str) -> Told:
    if not done.is_new or done.is_beside:
        return Told(sentence, done.is_new, done.could_not)
    person = scene.person.id if scene.person else None
    other = ledger.last_word(
        scene.connection, scene.said.kind, scene.account.id, person, done.about, not_by=scene.speaker.by, now=scene.now
    )
    instead = f"This replaces what {other.by} said {scene.moment(other.at)}: {other.sentence}" if other else ""
    return Told(sentence, True, done.could_not, instead)


def _keep(scene: Scene, done: Done, told: Told, taken: int) -> int:
    """The answer, with the sentence that the next brief can say; for other accounts it concerns as well."""
    detail = {**done.detail, "sentence": told.sentence, "taken_back": taken}
    if scene.said.override:
        detail["override"] = scene.said.override
    person = scene.person.id if scene.person else done.person
    ids = [
        ledger.keep(
            scene.connection, scene.said.kind, account, person, by=scene.speaker.by, rep_id=scene.speaker.rep_id,
            about=done.about, detail=detail, via=scene.via, brief_id=scene.brief_id, at=scene.now,
        )
        for account in (scene.account.id, *done.others)
    ]  # fmt: skip
    return ids[0]


def _audit(scene: Scene, done: Done, taken: int) -> None:
    if done.action is None:
        return
    said = {"via": scene.via, **({"taken_back": taken} if taken else {}), **_overridden(scene)}
    audit.append(
        scene.connection, actor=scene.speaker.by, action=done.action, subject=scene.subject.tag, at=scene.now,
        after={**done.after, **said},
    )  # fmt: skip


def _overridden(scene: Scene) -> dict[str, bool]:
    return {"override": True} if scene.said.override and not scene.speaks else {}


def _undisturbed(engine: Engine, work: Callable[[Connection], Work]) -> Work:
    """What `work` comes to in a transaction; done anew when it and another one waited for each other."""
    for patience in reversed(range(RACES)):
        try:
            with writing(engine) as connection:
                return work(connection)
        except DBAPIError as error:
            if not patience or getattr(error.orig, "sqlstate", None) != DEADLOCK:
                raise
    raise AssertionError("the last attempt returns or raises")
