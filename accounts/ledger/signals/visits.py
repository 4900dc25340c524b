"""Who may be followed on our own sites: only people who said yes to it."""

from datetime import datetime

from sqlalchemy import Connection, or_, select

from accounts.models import Stakeholder, Touch
from accounts.vocabulary import ConsentBasis


def may_be_followed(connection: Connection, touch_id: int, now: datetime) -> bool:
    """Whether the reader of this touch consented and has not opted out. A legitimate interest is not enough."""
    agreed = (
        select(Stakeholder.id)
        .join(Touch, Touch.stakeholder_id == Stakeholder.id)
        .where(Touch.id == touch_id, Stakeholder.consent_basis == ConsentBasis.CONSENT)
        .where(or_(Stakeholder.consent_at.is_(None), Stakeholder.consent_at <= now), Stakeholder.opted_out_at.is_(None))
    )
    return connection.scalar(agreed) is not None
