"""A rep's answer about somebody who may belong to the group: done at once, audited, and what they did is taken in."""

from datetime import datetime

from sqlalchemy import Engine

from accounts.ledger import audit, proposals
from accounts.ledger.engine import writing
from accounts.ledger.proposals import OpenProposal
from accounts.playbook import Play
from accounts.vocabulary import ConsentBasis, Role
from flows.signals.intake import Tally, drain, retry_quarantined


def accept(
    engine: Engine, play: Play, id: int, *, by: str, now: datetime, email: str | None = None, role: Role | None = None,
    consent: ConsentBasis | None = None,
) -> tuple[OpenProposal, int]:  # fmt: skip
    """They are one of the group; the proposal as it was, and how many waiting signals of theirs could be taken now.

    Raises as `accounts.ledger.proposals.accept`.
    """
    with writing(engine) as connection:
        asked = proposals.read_proposal(connection, id)
        person = proposals.accept(connection, id, by=by, now=now, email=email, role=role, consent=consent)
        said = {"proposal": id, "role": role, "consent": consent}
        audit.append(connection, actor=by, action="accept", subject=f"stakeholder:{person}", at=now, after=said)
    tally = Tally()
    retry_quarantined(engine, now, tally)
    for _ in drain(engine, play, now):
        pass
    return asked, tally.retried


def reject(engine: Engine, id: int, *, by: str, now: datetime) -> OpenProposal:
    """They are none of the group; the proposal as it was. Raises as `accounts.ledger.proposals.reject`."""
    with writing(engine) as connection:
        asked = proposals.read_proposal(connection, id)
        proposals.reject(connection, id, by=by, now=now)
        said = {"proposal": id}
        audit.append(connection, actor=by, action="reject", subject=f"account:{asked.account}", at=now, after=said)
    return asked
