"""Verdicts of reps, as they gave them."""

from datetime import date, datetime

from sqlalchemy import Connection, delete, func, insert, select, text

from accounts.feedback import WEIGHS_AS
from accounts.fingerprints import fingerprint
from accounts.identity import normalise_email
from accounts.ledger.subjects import Subject
from accounts.models import Feedback, Rep, Signal
from accounts.vocabulary import Verdict

#: Of signals that are a rep's word: one for each account and person, about which the latest counts.
SOURCE = "rep"
#: Said to be the wrong person, and a no of then or before stands: nobody has taken it back since. A later no to mail
#: says nothing of the person.
WRONG_PEOPLE = """
    SELECT feedback.stakeholder_id FROM feedback JOIN veto ON veto.stakeholder_id = feedback.stakeholder_id
     WHERE feedback.verdict = 'wrong_person' AND veto.content IS NULL AND veto.at <= feedback.at"""


def give_feedback(
    connection: Connection, subject: Subject, verdict: Verdict, *, by: str, at: datetime, topic: str | None = None,
    note: str | None = None, callback_on: date | None = None,
) -> int:  # fmt: skip
    """Keep a verdict; the id of its row. `by` need not be a rep we know; the same words twice in a day are one, unless
    they were taken back meanwhile."""
    rep_id = connection.scalar(select(Rep.id).where(Rep.email == normalise_email(by)))
    said = {
        "account_id": subject.account_id, "stakeholder_id": subject.stakeholder_id, "rep_id": rep_id,
        "verdict": verdict, "topic": topic, "note": note, "callback_on": callback_on,
    }  # fmt: skip
    last = connection.execute(
        select(Feedback.__table__)
        .where(Feedback.account_id == subject.account_id)
        .order_by(Feedback.id.desc())
        .limit(1)
    ).first()
    is_same = (
        last is not None and last.at.date() == at.date() and all(last._mapping[name] == said[name] for name in said)
    )
    if last is not None and is_same and (verdict is not Verdict.WRONG_PERSON or _is_wrong(connection, subject)):
        return int(last.id)
    return connection.execute(insert(Feedback).values(**said, at=at).returning(Feedback.id)).scalar_one()


def _is_wrong(connection: Connection, subject: Subject) -> bool:
    return subject.stakeholder_id in set(connection.scalars(text(WRONG_PEOPLE)))


def let_it_weigh(connection: Connection, subject: Subject, verdict: Verdict, at: datetime) -> None:
    """The word is a signal from now on, instead of the one before it; the account's score has to be made anew."""
    kind = WEIGHS_AS.get(verdict)
    name = f"verdict:{subject.account_id}:{subject.stakeholder_id or 0}"
    if kind is None:
        return
    connection.execute(delete(Signal).where(Signal.fingerprint == fingerprint(SOURCE, name)))
    said = {"account_id": subject.account_id, "stakeholder_id": subject.stakeholder_id, "kind": kind}
    when = {"occurred_at": at, "received_at": at}
    connection.execute(insert(Signal).values(source=SOURCE, source_id=name, **said, **when))


def latest_feedback(connection: Connection, account_id: int) -> int | None:
    """The id of the latest verdict on an account or its people."""
    return connection.scalar(select(func.max(Feedback.id)).where(Feedback.account_id == account_id))
