"""A rep's word, done at once: each in one transaction that also writes the audit and has the accounts planned again.

Every function finds whom it is about by account key or address and raises NotFound otherwise. Saying the same thing
twice changes nothing, but that it was said is kept. Free text stays out of the audit: it may name people, and the audit
cannot forget.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.errors import InputRefused, Refused
from accounts.feedback import LeaveAlone, VetoPerson, consequences
from accounts.ledger import audit, brakes, holds, vetoes
from accounts.ledger.effects import replan
from accounts.ledger.engine import writing
from accounts.ledger.feedback import give_feedback
from accounts.ledger.holds import RELEASABLE
from accounts.ledger.planning import reprieve
from accounts.ledger.subjects import Subject, find_subjects
from accounts.vocabulary import BrakeScope, HoldCause, PauseClock, Verdict


@dataclass(frozen=True, slots=True)
class Answered:
    """What a word changed, for the one who said it."""

    subjects: tuple[Subject, ...]
    #: Ids of the rows it made or ended.
    rows: tuple[int, ...]


def hold(
    engine: Engine, who: str, *, by: str, now: datetime, until: datetime | None = None, note: str | None = None,
    account: str | None = None, cause: HoldCause = HoldCause.REP, clock: PauseClock | None = None,
) -> Answered:  # fmt: skip
    """Nothing for this account, or this person, until then; without an end, until somebody releases it.

    clock: what becomes of the steps whose time comes meanwhile (accounts/pauses.py); None: as the play says.
    The latest word of a cause counts. Raises InputRefused for an end that is over.
    """
    if until is not None and until <= now:
        raise InputRefused(f"{until:%Y-%m-%d %H:%M} UTC is over", where="until", cure="name a time to come")
    with writing(engine) as connection:
        subjects = find_subjects(connection, who, account)
        rows = [
            holds.place(connection, subject, cause, by=by, starts_at=now, ends_at=until, note=note, clock=clock)
            for subject in subjects
        ]
        _keep(connection, "hold", subjects, by, now, {"until": until, "cause": cause, "clock": clock})
    return Answered(tuple(subjects), tuple(rows))


def release(
    engine: Engine, who: str, *, by: str, now: datetime, account: str | None = None,
    causes: Collection[HoldCause] = RELEASABLE,
) -> Answered:  # fmt: skip
    """End every open hold on exactly this account, or this person. Legal holds only when `causes` names them.

    Raises Refused when only holds stand that were not asked for.
    """
    with writing(engine) as connection:
        subjects = find_subjects(connection, who, account)
        rows = [id for subject in subjects for id in holds.release(connection, subject, by=by, at=now, causes=causes)]
        left = [hold.cause for subject in subjects for hold in holds.open_holds(connection, now, subject)]
        if not rows and left:
            raise Refused(f"{who} is held for another cause: {', '.join(left)}", cure="name it with --cause")
        if rows:
            _keep(connection, "release", subjects, by, now, {"holds": rows})
    return Answered(tuple(subjects), tuple(rows))


def veto(
    engine: Engine, who: str, content: str | None, *, by: str, now: datetime, note: str | None = None,
    withdrawn: bool = False,
) -> Answered:  # fmt: skip
    """No to one content for a person, or to all mail; or (`withdrawn`) that no taken back."""
    with writing(engine) as connection:
        people = [(subject, id) for subject in find_subjects(connection, who) if (id := subject.stakeholder_id)]
        if not people:
            raise InputRefused(f"{who!r} is an account", cure="give the person's address; for a whole account use hold")
        if withdrawn:
            rows = [id for _, id in people if vetoes.withdraw(connection, id, content)]
            if content:  # what a no or a pause had left out was not late meanwhile, and no pause leaves it out again
                reprieve(connection, [(id, content) for id in rows], by=by, at=now)
        else:
            rows = [vetoes.veto(connection, id, content, by=by, at=now, note=note) for _, id in people]
        action = "veto-withdrawn" if withdrawn else "veto"
        subjects = [subject for subject, _ in people]
        _keep(connection, action, subjects, by, now, {"content": content})
    return Answered(tuple(subjects), tuple(rows))


def feedback(
    engine: Engine, who: str, verdict: Verdict, *, by: str, now: datetime, topic: str | None = None,
    note: str | None = None, callback_on: date | None = None, account: str | None = None,
) -> Answered:  # fmt: skip
    """A verdict on an account or a person, and what follows from it (accounts/feedback.py) in the same transaction."""
    with writing(engine) as connection:
        subjects = find_subjects(connection, who, account)
        rows = [
            give_feedback(
                connection, subject, verdict, by=by, at=now, topic=topic, note=note, callback_on=callback_on
            )
            for subject in subjects
        ]  # fmt: skip
        for subject in subjects:
            _follow(connection, subject, verdict, by, now, callback_on)
        _keep(connection, "feedback", subjects, by, now, {"verdict": verdict, "callback_on": callback_on})
    return Answered(tuple(subjects), tuple(rows))


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


def _follow(
    connection: Connection, subject: Subject, verdict: Verdict, by: str, now: datetime, callback_on: date | None
) -> None:
    is_person = subject.stakeholder_id is not None
    for consequence in consequences(verdict, now, callback_on=callback_on, is_person=is_person):
        if isinstance(consequence, LeaveAlone):
            until, note = consequence.until, f"feedback: {verdict}"
            holds.place(connection, subject, HoldCause.REP, by=by, starts_at=now, ends_at=until, note=note)
        elif isinstance(consequence, VetoPerson) and subject.stakeholder_id is not None:
            vetoes.veto(connection, subject.stakeholder_id, None, by=by, at=now, note=f"feedback: {verdict}")


def _keep(
    connection: Connection, action: str, subjects: Sequence[Subject], by: str, now: datetime, after: dict[str, Any]
) -> None:
    for subject in subjects:
        audit.append(connection, actor=by, action=action, subject=subject.tag, at=now, after=after)
    replan(connection, _accounts(subjects), now)


def _accounts(subjects: Iterable[Subject]) -> set[int]:
    return {subject.account_id for subject in subjects}
