"""What there is to tell automations, and whoever else listens: events about facts that nobody was told of.

Whoever wrote the fact need not live to tell it: flows tell all there is, whoever wrote it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from accounts.ledger.briefs import delivery as brief_delivery
from accounts.ledger.people import holds
from accounts.ledger.planning import brakes, decisions, plans, stages
from accounts.ledger.signals import recorded
from accounts.ledger.sla import clocks
from accounts.ledger.sla.clocks import Listed
from accounts.vocabulary import About, Side
from flows.masking import mask, mask_within
from flows.sending.braking import TANDEM

#: What happened longer ago is no news. Of what still stands (a hold, a held plan, a brake) people hear however old.
LATELY = timedelta(days=7)
OURS = uuid5(NAMESPACE_OID, "tandem.news")


@dataclass(frozen=True, slots=True)
class News:
    """One event, about one row of the ledger; no address unmasked."""

    about: About
    fact_id: int
    at: datetime
    event: str
    #: The resource, such as ``tandem.account.acme``, and what a person calls it.
    subject: str
    name: str
    says: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The same however often it is told: whoever has it takes a second one for the first."""
        return uuid5(OURS, f"{self.event} {self.fact_id} {self.subject} {self.at.isoformat()}")


def gather_news(connection: Connection, now: datetime) -> list[News]:
    """All that nobody was told of, in the order in which a person would want it."""
    return [one for source in SOURCES for one in source(connection, now)]


def _replies(connection: Connection, now: datetime) -> Iterable[News]:
    for reply in recorded.unannounced_replies(connection, now - LATELY, now):
        yield _of_account(About.REPLY, reply.id, reply.at, "tandem.signal.reply", reply.account)


def _holds(connection: Connection, now: datetime) -> Iterable[News]:
    """Not who said so: that is a person's address."""
    for hold in holds.unannounced(connection, now):
        said = {"cause": hold.cause.value, "until": hold.ends_at.isoformat() if hold.ends_at else None}
        yield _of_account(About.HOLD, hold.id, hold.starts_at, "tandem.account.held", hold.account, **said)


def _plans(connection: Connection, now: datetime) -> Iterable[News]:
    for plan in plans.unannounced(connection):
        checks = plan.checks if isinstance(plan.checks, dict) else {}
        said = {"play": plan.play, "plan": plan.id, "why": " ".join(checks.get("reasons", ()))}
        subject, name = f"tandem.plan.{plan.id}", f"plan {plan.id}"
        yield News(About.PLAN, plan.id, plan.created_at, "tandem.plan.held", subject, name, said)


def _brakes(connection: Connection, now: datetime) -> Iterable[News]:
    """Those that nobody pulled by hand: who did knows."""
    for id, brake in brakes.unannounced(connection, by=TANDEM).items():
        said = {"scope": brake.scope.value, "target": brake.target, "by": brake.by, "note": brake.note}
        subject = f"tandem.brake.{brake.scope}.{brake.target}"
        yield News(About.BRAKE, id, brake.at, "tandem.brake.pulled", subject, brake.what, said)


def _promises(connection: Connection, now: datetime) -> Iterable[News]:
    for clock in clocks.unannounced(connection, now):
        name = clock.account or clock.play
        subject = f"tandem.account.{name}" if clock.account else f"tandem.play.{name}"
        at, said = clock.escalated_at or now, _said_of(clock)
        yield News(About.PROMISE, clock.id, at, "tandem.sla.breached", subject, name, said)


def _said_of(clock: Listed) -> dict[str, str]:
    owes = clock.rep if clock.side is Side.SALES else None
    return {
        "side": clock.side.value, "duty": clock.duty.value, "cause": clock.subject,
        "due": clock.due_at.isoformat() if clock.due_at else "", "owes": mask(owes) if owes else clock.side.value,
        "told": mask(clock.escalated_to) if clock.escalated_to else "",
    }  # fmt: skip


def _briefs(connection: Connection, now: datetime) -> Iterable[News]:
    for brief in brief_delivery.unannounced_failures(connection, now - LATELY, now):
        rep, said = mask(brief.rep_email), {"why": mask_within(brief.why or "")}
        yield News(About.BRIEF, brief.id, brief.as_of, "tandem.brief.failed", f"tandem.rep.{rep}", rep, said)


def _moves(connection: Connection, now: datetime) -> Iterable[News]:
    for move in stages.unannounced(connection, now - LATELY, now):
        said = {"from_stage": move.from_stage, "to_stage": move.to_stage}
        yield _of_account(About.STAGE, move.id, move.at, "tandem.account.stage-changed", move.account, **said)


def _silence(connection: Connection, now: datetime) -> Iterable[News]:
    for one in decisions.unannounced_silence(connection, now - LATELY, now):
        subject = f"tandem.play.{one.play}"
        yield News(About.STALE, one.id, one.at, "tandem.crm.stale", subject, one.play, {"people": one.people})


def _of_account(about: About, fact_id: int, at: datetime, event: str, account: str, **says: Any) -> News:
    return News(about, fact_id, at, event, f"tandem.account.{account}", account, says)


SOURCES: tuple[Callable[[Connection, datetime], Iterable[News]], ...] = (
    _plans, _brakes, _replies, _holds, _promises, _briefs, _moves, _silence,
)  # fmt: skip
