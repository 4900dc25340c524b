"""A rep's answer about somebody who may belong to the group: done at once, kept and audited, and what they did is
taken in. As with any answer, whoever does not speak for the account leaves a name and a reason.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.answers import AnswerKind, Via
from accounts.ledger import audit
from accounts.ledger.engine import writing
from accounts.ledger.people import proposals
from accounts.ledger.people.proposals import OpenProposal
from accounts.ledger.reps import answers
from accounts.ledger.reps.answering import AccountRow, read_account
from accounts.ledger.reps.spokesmen import Speaker, speaks_for, who_says
from accounts.playbook import Play
from accounts.vocabulary import ConsentBasis, Role
from flows.sales.deeds.people import NO_CONSENT_YET
from flows.sales.deeds.scene import only_with_a_reason
from flows.signals.intake import Tally, drain, retry_quarantined


@dataclass(frozen=True, slots=True)
class Word:
    """Somebody's yes or no: who says it where, and why, if the account is not theirs to answer for."""

    by: str
    via: Via = Via.CLI
    override: str | None = None


def accept(
    engine: Engine, play: Play, id: int, word: Word, *, now: datetime, email: str | None = None,
    role: Role | None = None, consent: ConsentBasis | None = None,
) -> tuple[OpenProposal, int]:  # fmt: skip
    """They are one of the group; the proposal as it was, and how many waiting signals of theirs could be taken now.

    Raises as `accounts.ledger.people.proposals.accept`, and Refused for whoever does not speak for the account.
    """
    with writing(engine) as connection:
        answer = _hear(connection, id, word, now)
        person = proposals.accept(connection, id, by=answer.by, now=now, email=email, role=role, consent=consent)
        sentence = f"{answer.asked.name} is in {answer.account.name} now."
        said = sentence if consent else f"{sentence} {NO_CONSENT_YET}"
        answer.keep(connection, AnswerKind.ADD_PERSON, said, now, person=person)
        answer.audit(connection, "accept", f"stakeholder:{person}", now, role=role, consent=consent)
    tally = Tally()
    retry_quarantined(engine, now, tally)
    for _ in drain(engine, play, now):
        pass
    return answer.asked, tally.retried


def reject(engine: Engine, id: int, word: Word, *, now: datetime) -> OpenProposal:
    """They are none of the group; the proposal as it was. What is kept names nobody.

    Raises as `accounts.ledger.people.proposals.reject`, and Refused for whoever does not speak for the account.
    """
    with writing(engine) as connection:
        answer = _hear(connection, id, word, now)
        proposals.reject(connection, id, by=answer.by, now=now)
        said = f"Somebody who was proposed does not belong to {answer.account.name}."
        answer.keep(connection, AnswerKind.CORRECT_PERSON, said, now)
        answer.audit(connection, "reject", f"account:{answer.account.key}", now)
    return answer.asked


@dataclass(frozen=True, slots=True)
class _Answer:
    asked: OpenProposal
    account: AccountRow
    speaker: Speaker
    speaks: bool
    word: Word

    @property
    def by(self) -> str:
        """As it is written down."""
        return self.speaker.by

    def keep(
        self, connection: Connection, kind: AnswerKind, sentence: str, now: datetime, *, person: int | None = None
    ) -> None:
        """As the account's history and the next brief tell it, with the reason of an override."""
        detail = {"sentence": sentence, **({"override": self.word.override} if self.word.override else {})}
        answers.keep(
            connection, kind, self.account.id, person, by=self.by, rep_id=self.speaker.rep_id,
            about=f"proposal:{self.asked.id}", detail=detail, via=self.word.via, brief_id=None, at=now,
        )  # fmt: skip

    def audit(self, connection: Connection, action: str, subject: str, now: datetime, **more: object) -> None:
        overridden = {"override": True} if self.word.override and not self.speaks else {}
        after = {"proposal": self.asked.id, **more, "via": self.word.via, **overridden}
        audit.append(connection, actor=self.by, action=action, subject=subject, at=now, after=after)


def _hear(connection: Connection, id: int, word: Word, now: datetime) -> _Answer:
    asked = proposals.read_proposal(connection, id)
    account, speaker = read_account(connection, asked.account_id), who_says(connection, word.by)
    speaks = speaks_for(connection, speaker, account.id, now)
    only_with_a_reason("a rep says who belongs to the group", speaker, account, speaks, word.override)
    return _Answer(asked, account, speaker, speaks, word)
