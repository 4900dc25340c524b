"""Who sits where: people per stage and role, and what planning last told them."""

from sqlalchemy import Connection, Integer, and_, func, select

from accounts.coverage import Cell, Seats
from accounts.models import Account, Decision, Stakeholder
from accounts.vocabulary import EmailStatus, Reason, Role

_MAY_BE_WRITTEN_TO = and_(
    Stakeholder.consent_basis.is_not(None),
    Stakeholder.opted_out_at.is_(None),
    Stakeholder.email_status == EmailStatus.OK,
)
_WAITS = and_(Decision.reason.is_not(None), Decision.reason.in_([Reason.NO_CONTENT, Reason.CONTENT_EXPIRED]))
_FINISHED = and_(Decision.reason.is_not(None), Decision.reason == Reason.SEQUENCE_FINISHED)


def count_seats(connection: Connection, play: str) -> dict[Cell, Seats]:
    """(stage, role) -> people there, over the accounts of a play and those in no play. One query."""
    counted = [
        func.sum(func.coalesce(condition.cast(Integer), 0)) for condition in (_MAY_BE_WRITTEN_TO, _WAITS, _FINISHED)
    ]
    query = (
        select(Account.stage, Stakeholder.role, func.count(), *counted)
        .join(Stakeholder, Stakeholder.account_id == Account.id)
        .outerjoin(Decision, Decision.stakeholder_id == Stakeholder.id)
        .where((Account.play == play) | Account.play.is_(None))
        .group_by(Account.stage, Stakeholder.role)
    )
    return {(stage, Role(role)): Seats(*map(int, numbers)) for stage, role, *numbers in connection.execute(query)}
