"""Why a touch must not leave at this moment: every "no" there is, as one SQL expression over the rows as they stand.

The claim asks it twice, at the look and inside the UPDATE that takes; a worker asks it once more before it begins.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Case, ColumnElement, Select, String, and_, case, cast, exists, null, or_, select
from sqlalchemy.orm import aliased

from accounts.models import Account, Hold, PlanMember, SendPlan, Stakeholder, Suppression, Touch, Veto
from accounts.touch_states import Refusal
from accounts.vocabulary import EmailStatus, HoldCause, HoldScope, Reason


def refusal_of(now: datetime) -> Case[str | None]:
    """SQL: the reason why this touch must not leave at `now`, or null. Over touch, its stakeholder and its account.

    The first that is true says why, in the order of accounts/guards.py: what the person said comes first.
    """
    return case(
        (or_(Stakeholder.id.is_(None), Stakeholder.email != Touch.address), said(Refusal.ADDRESS_CHANGED)),
        (_anybody_at_this_address(_said_no), said(Reason.OPTED_OUT)),
        (_suppressed(now), said(Reason.SUPPRESSED)),
        (_anybody_at_this_address(_status(EmailStatus.LEFT)), said(Reason.LEFT)),
        (_anybody_at_this_address(_status(EmailStatus.BOUNCED)), said(Reason.BOUNCED)),
        (or_(Stakeholder.consent_basis.is_(None), Stakeholder.consent_at > now), said(Reason.NO_CONSENT)),
        (or_(Account.first_contacted_at.is_(None), Account.first_contacted_at > now), said(Reason.NOT_CONTACTED)),
        (Account.stage != Touch.stage, said(Refusal.STAGE_CHANGED)),
        (_held(now, Hold.cause == HoldCause.REPLY), said(Reason.PAUSED_AFTER_REPLY)),
        (_held(now, Hold.cause == HoldCause.MEETING), said(Reason.PAUSED_FOR_MEETING)),
        (_held(now, Hold.scope == HoldScope.ACCOUNT), said(Reason.ACCOUNT_HELD)),
        (_held(now), said(Reason.STAKEHOLDER_HELD)),
        (Stakeholder.paused_until > now, said(Reason.AWAY)),
        (_chosen_since(Stakeholder.mail_every_days), said(Reason.PERSON_CAP)),
        (_chosen_since(Stakeholder.only_topic), said(Reason.OTHER_TOPIC)),
        (_vetoed(), said(Reason.VETOED)),
        (Stakeholder.owner_conflict, said(Reason.OWNER_CONFLICT)),
        (Touch.not_after < now, said(Refusal.TOO_LATE)),
        else_=null(),
    )


def said(reason: str) -> ColumnElement[str]:
    """A reason as an SQL value."""
    return cast(reason, String(40))


def _exists(rows: Select[Any]) -> ColumnElement[bool]:
    """Exists for this touch, its stakeholder, its account: however deep the question stands in another one."""
    return exists(rows.correlate(Touch, Stakeholder, Account))


def _anybody_at_this_address(condition: Any) -> ColumnElement[bool]:
    """A no counts for the address, in whichever account it was said."""
    namesake = aliased(Stakeholder)
    return _exists(select(namesake.id).where(namesake.email_hash == Stakeholder.email_hash, condition(namesake)))


def _said_no(namesake: Any) -> ColumnElement[bool]:
    return or_(namesake.opted_out_at.is_not(None), namesake.email_status == EmailStatus.COMPLAINED)


def _status(status: EmailStatus) -> Any:
    return lambda namesake: namesake.email_status == status


def _suppressed(now: datetime) -> ColumnElement[bool]:
    """By address, or by domain; the domain's hash stands with the plan's member."""
    holds = or_(Suppression.expires_at.is_(None), Suppression.expires_at > now)
    address = select(Suppression.id).where(Suppression.email_hash == Stakeholder.email_hash, holds)
    domain = (
        select(Suppression.id)
        .join(PlanMember, PlanMember.domain_hash == Suppression.domain_hash)
        .where(PlanMember.plan_id == Touch.plan_id, PlanMember.touch_id == Touch.id)
        .where(Suppression.email_hash.is_(None), holds)
    )
    return or_(_exists(address), _exists(domain))


def _held(now: datetime, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    reaches = or_(Hold.scope == HoldScope.ACCOUNT, Hold.stakeholder_id == Touch.stakeholder_id)
    lasts = and_(Hold.released_at.is_(None), Hold.starts_at <= now, or_(Hold.ends_at.is_(None), Hold.ends_at > now))
    return _exists(select(Hold.id).where(Hold.account_id == Touch.account_id, reaches, lasts, *conditions))


def _vetoed() -> ColumnElement[bool]:
    concerns = or_(Veto.content.is_(None), Veto.content == Touch.content)
    return _exists(select(Veto.id).where(Veto.stakeholder_id == Touch.stakeholder_id, concerns))


def _chosen_since(wish: Any) -> ColumnElement[bool]:
    """A wish that planning did not know of: the page cannot stop a plan that is being frozen at that very moment.
    Planning, which knows what the content is about, decides anew."""
    frozen_at = select(SendPlan.created_at).where(SendPlan.id == Touch.plan_id).correlate(Touch).scalar_subquery()
    return and_(wish.is_not(None), Stakeholder.preferred_at > frozen_at)
