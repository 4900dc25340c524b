"""Whose account it is, kept: accounts that changed hands, leases that end, and whoever has to hear of it.

Each account is one transaction, with the letters it causes; a run that is killed leaves the rest to the next.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.answers import Limits, saying
from accounts.answers.saying import counted
from accounts.ledger import audit
from accounts.ledger.briefs.letters import write_letter_row
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning.open_touches import keep_still, take_back
from accounts.ledger.reps import handovers, leases
from accounts.ledger.reps.answering import read_account
from accounts.ledger.reps.handovers import Change
from accounts.ledger.reps.leases import Leased
from accounts.ledger.reps.spokesmen import read_rep
from accounts.ledger.signals.effects import replan
from accounts.letters import LetterKind, Words
from accounts.playbook import LeaseRule
from accounts.touch_states import Refusal

MOVED_LEASE = "The lease on the account moved along, with its limits."


@dataclass(frozen=True, slots=True)
class Kept:
    """What one look came to: numbers of accounts."""

    handed_over: int = 0
    #: Leases that nobody renewed, and reps who were told that theirs is about to end.
    lapsed: int = 0
    warned: int = 0


def keep_territory(engine: Engine, rule: LeaseRule, now: datetime) -> Kept:
    """Settle owner changes, end leases that nobody renewed, and give notice of those about to end."""
    with reading(engine) as connection:
        changes = handovers.unsettled(connection, now)
    handed = sum(_hand_over(engine, change, now) for change in changes)
    with writing(engine) as connection:
        lapsed = leases.end_overdue(connection, now)
        ending = leases.ending(connection, rule, now)
        for lease in ending:
            _give_notice(connection, lease, now)
    return Kept(handed, len(lapsed), len(ending))


def _hand_over(engine: Engine, change: Change, now: datetime) -> bool:
    with writing(engine) as connection:
        keep_still(connection, change.account_id)
        moved = handovers.settle(connection, change, now)
        if moved is None:
            return False
        signed = handovers.signed_by_others(connection, change.account_id, change.to_rep_id)
        taken = len(take_back(connection, dict.fromkeys(signed, Refusal.OWNER_CHANGED), now))
        after = {"from": change.from_rep_id, "to": change.to_rep_id, **moved, "taken_back": taken}
        subject = f"account:{change.account}"
        audit.append(connection, actor="tandem", action="hand-over", subject=subject, at=now, after=after)
        _tell_both(connection, change, moved, taken, now)
        replan(connection, {change.account_id}, now)
    return True


def _tell_both(
    connection: Connection, change: Change, moved: dict[str, list[int]], taken: int, now: datetime
) -> None:  # fmt: skip
    what = [
        f"{counted(len(moved['holds']), 'hold').capitalize()} still in force." if moved["holds"] else "",
        MOVED_LEASE if moved["leases"] and change.to_rep_id else "",
        f"{saying.taken_back(taken)} They will be planned again in the new name." if taken else "",
    ]
    lines = tuple(filter(None, what))
    if change.from_rep_id and change.from_email:
        follows = f"{change.to_name} has it now" if change.to_name else "nobody has it now"
        told = Words(f"{change.name} is no longer yours: {follows}", ("Your briefs leave it out from now on.", *lines))
        key = f"handover:{change.id}:from"
        _write(connection, key, LetterKind.HANDOVER, change.from_rep_id, change.from_email, told, now)
    if change.to_rep_id and change.to_email:
        came = f"{change.name} is yours now; {change.from_name or 'somebody else'} had it before"
        told = Words(came, ("It stands in your briefs from now on.", *lines), change.account_id)
        _write(
            connection, f"handover:{change.id}:to", LetterKind.HANDOVER, change.to_rep_id, change.to_email, told, now
        )


def _give_notice(connection: Connection, lease: Leased, now: datetime) -> None:
    """Once for each end of a lease: a renewed one is told of again."""
    rep = read_rep(connection, lease.rep_id)
    account = read_account(connection, lease.account_id)
    end = saying.day(lease.ends_at, now, rep.zone)
    told = Words(
        f"{account.name}: your lease ends on {end}",
        (
            f"Then your limits end too: {_said(lease.limits)}.",
            "Real contact with the account renews it, and so does saying that you are still on it.",
        ),
        lease.account_id, "take", f"tandem lease {account.key}",
    )  # fmt: skip
    subject = f"lease:{lease.id}:ending:{lease.ends_at:%Y-%m-%dT%H:%M}"
    _write(connection, subject, LetterKind.LEASE_ENDING, lease.rep_id, rep.by, told, now)


def _said(limits: Limits) -> str:
    parts = [
        f"{counted(len(limits.people), 'person').replace('persons', 'people')} off limits" if limits.people else "",
        f"nothing about {' or '.join(limits.topics)}" if limits.topics else "",
        f"at most {counted(limits.per_week, 'mail')} a week" if limits.per_week else "",
        "no ads" if limits.ads is False else "",
    ]
    return ", ".join(filter(None, parts))


def _write(
    connection: Connection, subject: str, kind: LetterKind, rep_id: int, address: str, told: Words, now: datetime
) -> None:
    write_letter_row(connection, subject, kind, rep_id, address, told.payload(), now)
