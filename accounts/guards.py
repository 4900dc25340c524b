"""The reasons not to touch somebody, whatever the next step would be. Read GUARDS downwards: the first one says why.

What a person said comes before what the account is up to, so that whoever asks about a person who opted out is never
told "the account is held until Tuesday". A guard answers with its reason and, where that is known, with the time at
which the reason ends.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from accounts.playbook import Play
from accounts.snapshots import Account, Hold, Person
from accounts.vocabulary import EmailStatus, HoldCause, Reason

#: Stands for "without end" where a time is compared; early enough to be a date in every time zone.
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


class Refusal(NamedTuple):
    """Not now, and why. `until`: when the reason ends by itself, if it does."""

    reason: Reason
    until: datetime | None = None


#: Looked up once: an enum's member costs more than the rest of a guard, and guards are asked millions of times.
COMPLAINED, GONE, BOUNCED = EmailStatus.COMPLAINED, EmailStatus.LEFT, EmailStatus.BOUNCED

PersonGuard = Callable[[Person, Account, datetime], Refusal | None]
AccountGuard = Callable[[Account, Play, datetime], Refusal | None]


# What the person, or their mailbox, said.


def opted_out(person: Person, account: Account, now: datetime) -> Refusal | None:
    """They unsubscribed, or marked a mail as spam, which says the same."""
    if person.email_status == COMPLAINED:
        return Refusal(Reason.OPTED_OUT)
    return Refusal(Reason.OPTED_OUT) if person.opted_out_at is not None and person.opted_out_at <= now else None


def suppressed(person: Person, account: Account, now: datetime) -> Refusal | None:
    """Their address or domain is on the list of those nobody may write to."""
    if person.suppressed_until is None or person.suppressed_until <= now:
        return None
    return Refusal(Reason.SUPPRESSED, None if person.suppressed_until == FOR_EVER else person.suppressed_until)


def left(person: Person, account: Account, now: datetime) -> Refusal | None:
    return Refusal(Reason.LEFT) if person.email_status == GONE else None


def bounced(person: Person, account: Account, now: datetime) -> Refusal | None:
    return Refusal(Reason.BOUNCED) if person.email_status == BOUNCED else None


def no_consent(person: Person, account: Account, now: datetime) -> Refusal | None:
    """Absence of a basis is a no; so is a basis that only begins later."""
    if person.consent_basis and (person.consent_at is None or person.consent_at <= now):
        return None
    return Refusal(Reason.NO_CONSENT, person.consent_at if person.consent_basis else None)


# Where the account stands.


def not_in_play(account: Account, play: Play, now: datetime) -> Refusal | None:
    """It is in another play, or in none yet and this one is not for accounts like it."""
    if account.play is not None:
        return None if account.play == play.key else Refusal(Reason.NOT_IN_PLAY)
    entry = play.entry
    asked = ((entry.tiers, account.tier), (entry.industries, account.industry), (entry.territories, account.territory))
    return None if all(not wanted or value in wanted for wanted, value in asked) else Refusal(Reason.NOT_IN_PLAY)


def not_contacted(account: Account, play: Play, now: datetime) -> Refusal | None:
    """Sales goes first: nobody is touched before a real two-way contact."""
    contacted = account.first_contacted_at
    return Refusal(Reason.NOT_CONTACTED) if contacted is None or contacted > now else None


def stage_not_nurtured(account: Account, play: Play, now: datetime) -> Refusal | None:
    rule = play.stage(account.stage)
    return None if rule is not None and rule.nurtured else Refusal(Reason.STAGE_NOT_NURTURED)


def account_held(account: Account, play: Play, now: datetime) -> Refusal | None:
    """Somebody stopped the account: a rep, a complaint, the law."""
    return _held(account.holds, None, HOLDS, Reason.ACCOUNT_HELD, now) if account.holds else None


def paused_after_reply(account: Account, play: Play, now: datetime) -> Refusal | None:
    """Somebody of the group wrote to us: the rep has the word, with all of them."""
    return _held(account.holds, None, (HoldCause.REPLY,), Reason.PAUSED_AFTER_REPLY, now) if account.holds else None


def paused_for_meeting(account: Account, play: Play, now: datetime) -> Refusal | None:
    """Sales has just met them: so does the rep."""
    return _held(account.holds, None, (HoldCause.MEETING,), Reason.PAUSED_FOR_MEETING, now) if account.holds else None


def stale_crm(account: Account, play: Play, now: datetime) -> Refusal | None:
    """Better no mail than one about last month's account."""
    if play.stale_crm_after is None or account.synced_at is None:
        return None
    return Refusal(Reason.STALE_CRM) if account.synced_at + play.stale_crm_after < now else None


def awaiting_approval(account: Account, play: Play, now: datetime) -> Refusal | None:
    """The play asks the rep before the first touch of an account like this, and the rep has not answered."""
    if not asks_for_approval(account, play) or (account.approved_at is not None and account.approved_at <= now):
        return None
    begun = any(person.used for person in account.people)
    return None if begun else Refusal(Reason.AWAITING_APPROVAL)


# What stops this person alone, while the rest of the group goes on.


def stakeholder_held(person: Person, account: Account, now: datetime) -> Refusal | None:
    """A hold on this person. A pause that was meant for one person keeps its own word."""
    if not account.holds:
        return None
    for causes, reason in PERSON_HOLDS:
        refusal = _held(account.holds, person.id, causes, reason, now)
        if refusal is not None:
            return refusal
    return None


def away(person: Person, account: Account, now: datetime) -> Refusal | None:
    """Out of office, by their own mailbox's word."""
    until = person.paused_until
    return Refusal(Reason.AWAY, until) if until is not None and until > now else None


def vetoed(person: Person, account: Account, now: datetime) -> Refusal | None:
    """A rep said: nothing at all for this person. (A no to one content skips that content only.)"""
    return Refusal(Reason.VETOED) if None in account.vetoes.get(person.id, ()) else None


def off_limits(person: Person, account: Account, now: datetime) -> Refusal | None:
    """The rep who works on the account asked that nobody writes to them, for as long as the lease stands."""
    limits = account.limits
    return Refusal(Reason.PERSON_OFF_LIMITS, limits.until) if limits and person.id in limits.people else None


def owner_conflict(person: Person, account: Account, now: datetime) -> Refusal | None:
    """The address stands in two accounts; two reps' mails to one person would be worse than none."""
    return Refusal(Reason.OWNER_CONFLICT) if person.owner_conflict else None


THE_PERSON_SAID_NO: tuple[PersonGuard, ...] = (opted_out, suppressed, left, bounced, no_consent)

THE_ACCOUNT_IS_NOT_READY: tuple[AccountGuard, ...] = (
    not_in_play,
    not_contacted,
    stage_not_nurtured,
    account_held,
    paused_after_reply,
    paused_for_meeting,
    stale_crm,
    awaiting_approval,
)

THE_PERSON_IS_NOT_READY: tuple[PersonGuard, ...] = (stakeholder_held, away, vetoed, off_limits, owner_conflict)

#: All of them, in the order in which they are asked.
GUARDS: tuple[PersonGuard | AccountGuard, ...] = (
    *THE_PERSON_SAID_NO,
    *THE_ACCOUNT_IS_NOT_READY,
    *THE_PERSON_IS_NOT_READY,
)

#: Causes of a hold that have no word of their own.
HOLDS = tuple(cause for cause in HoldCause if cause not in (HoldCause.REPLY, HoldCause.MEETING))
PERSON_HOLDS = (
    (HOLDS, Reason.STAKEHOLDER_HELD),
    ((HoldCause.REPLY,), Reason.PAUSED_AFTER_REPLY),
    ((HoldCause.MEETING,), Reason.PAUSED_FOR_MEETING),
)


def asks_for_approval(account: Account, play: Play) -> bool:
    """Whether the play asks the rep before the first touch of this account. No tiers named: all of them."""
    approvals = play.approvals
    return approvals.first_touch == "rep" and (not approvals.tiers or account.tier in approvals.tiers)


def active(holds: Iterable[Hold], person_id: int | None, causes: tuple[HoldCause, ...], now: datetime) -> list[Hold]:
    """The holds with one of these causes, on this person (None: on the account), that stand at `now`."""
    return [
        hold
        for hold in holds
        if hold.person_id == person_id
        and hold.cause in causes
        and hold.starts_at <= now
        and (hold.ends_at is None or hold.ends_at > now)
    ]


def _held(
    holds: Iterable[Hold], person_id: int | None, causes: tuple[HoldCause, ...], reason: Reason, now: datetime
) -> Refusal | None:
    """The refusal that ends when the last of the holds ends; without a time if one of them has no end."""
    standing = active(holds, person_id, causes, now)
    if not standing:
        return None
    ends = [hold.ends_at for hold in standing if hold.ends_at is not None]
    return Refusal(reason, max(ends) if len(ends) == len(standing) else None)
