"""What happened at accounts, for briefs: signals, mails, moves, holds, newcomers, objections, answers and the like.

Signals made by machines stay out of every query here.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from accounts.answers.kinds import AnswerKind
from accounts.briefs.material import (
    Answered,
    HandedOver,
    Held,
    Mail,
    Move,
    Newcomer,
    Objected,
    SalesTouch,
    Sign,
    clean,
)
from accounts.briefs.saying import DID
from accounts.engagement import BASELINE_WEEKS, WEEK
from accounts.ledger.briefs.written import Look
from accounts.ledger.bulk import among, chunks
from accounts.ledger.driver import Form, rows
from accounts.ledger.reps.answers import answers_since
from accounts.ledger.weeks import weekly
from accounts.models import (
    Account,
    Activity,
    Handover,
    Hold,
    Objection,
    Proposal,
    Rep,
    Signal,
    StageChange,
    Stakeholder,
    Touch,
)
from accounts.playbook import Play
from accounts.vocabulary import ActivityKind, Direction, HoldCause, HoldScope, ProposalState
from accounts.weeks import week_of

#: Signals may become visible this much after the time they carry: a transaction that was open while a brief was
#: written. The brief remembers the ids it knew of, so nothing is told twice.
LATE = timedelta(hours=1)
#: What came in later than this after it happened is history, not news.
STALE = timedelta(days=28)
#: As far back as heat looks.
_LOOK_BACK = (BASELINE_WEEKS + 1) * WEEK

#: When it came in, and what it answers to, are asked only of what may be news.
_SIGNS = """
    SELECT signal.account_id, signal.id, kind, signal.stakeholder_id, {time:occurred_at},
           CASE WHEN received_at > :received THEN {time:received_at} END, touch.content
      FROM signal LEFT JOIN touch ON touch.id = signal.touch_id AND received_at > :received
     WHERE {weekly:week} AND signal.account_id {among:accounts} AND is_machine = false AND kind {among:kinds}
       AND (occurred_at > :earliest OR received_at > :received) AND received_at <= :as_of
     ORDER BY signal.id"""


def signals_of_people(*columns: Any) -> Select[Any]:
    """Of people, about accounts we know, and worth a word."""
    return select(*columns).where(
        Signal.is_machine.is_(False), Signal.account_id.is_not(None), Signal.kind.in_(DID)
    )  # fmt: skip


def read_signs(
    connection: Connection, looks: dict[int, Look], play: Play, since: datetime, as_of: datetime
) -> dict[int, list[Sign]]:  # fmt: skip
    """What people did in the last weeks, and all that came in since the last brief."""
    kinds = {kind.value: kind for kind in {*DID, *(kind for kind, weight in play.engagement.weights.items() if weight)}}
    earliest, received = as_of - _LOOK_BACK, since - LATE
    told = rows(
        connection, weekly(connection, _SIGNS), accounts=list(looks), kinds=sorted(kinds), earliest=earliest,
        received=received, as_of=as_of, week=week_of(min(earliest, received)),
    )  # fmt: skip
    read, found = Form.of(connection).read, defaultdict[int, list[Sign]](list)
    for account, id, kind, person, happened, came_in, content in told:
        at, look = read(happened), looks[account]
        is_news = came_in is not None and is_new(id, at, read(came_in), look)
        found[account].append(Sign(id, kinds[kind], person, at, content, is_news))
    return found


def is_new(id: int, at: datetime, received_at: datetime, look: Look) -> bool:
    """Whether it is news to somebody whose last brief ended there."""
    return received_at > came_in_after(look) and at > look.since - STALE and id not in look.known


def came_in_after(look: Look) -> datetime:
    """What came in up to then is no news to them."""
    return look.since if look.is_first else look.since - LATE


def known_signals(connection: Connection, rep_ids: Sequence[int], as_of: datetime) -> dict[int, list[int]]:
    """Rep -> ids of the signals of the last hour before `as_of`: what a brief of that time knew of."""
    found: dict[int, list[int]] = defaultdict(list)
    for some in chunks(rep_ids):
        query = (
            signals_of_people(Account.owner_id, Signal.id)
            .join(Account, Account.id == Signal.account_id)
            .where(
                Signal.received_at > as_of - LATE,
                Signal.received_at <= as_of,
                among(connection, Account.owner_id, some),
            )
            .order_by(Signal.id)
        )
        for rep_id, signal_id in connection.execute(query).all():
            found[rep_id].append(signal_id)
    return found


def read_mails(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Mail]]:
    """What marketing sent to these accounts since then, oldest first."""
    query = (
        select(Touch.account_id, Touch.id, Touch.stakeholder_id, Touch.content, Touch.sent_at)
        .where(among(connection, Touch.account_id, ids), Touch.sent_at > since, Touch.sent_at <= as_of)
        .where(Touch.stakeholder_id.is_not(None))
        .order_by(Touch.sent_at, Touch.id)
    )
    found: dict[int, list[Mail]] = defaultdict(list)
    for account_id, *mail in connection.execute(query).all():
        found[account_id].append(Mail(*mail))
    return found


def read_moves(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Move]]:
    query = (
        select(StageChange)
        .where(among(connection, StageChange.account_id, ids), StageChange.at > since, StageChange.at <= as_of)
        .order_by(StageChange.at, StageChange.id)
    )
    found: dict[int, list[Move]] = defaultdict(list)
    for row in connection.execute(query).all():
        move = Move(row.id, row.from_stage, row.to_stage, row.at, clean(row.refused_reason) or None)
        found[row.account_id].append(move)
    return found


def read_holds(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, list[Held]]:
    """Holds that stand, and those that ended since the last brief."""
    over = func.coalesce(Hold.released_at, Hold.ends_at)
    query = (
        select(Hold)
        .where(among(connection, Hold.account_id, ids), Hold.starts_at <= as_of)
        .where(over.is_(None) | (over > since))
        .order_by(Hold.starts_at, Hold.id)
    )
    found: dict[int, list[Held]] = defaultdict(list)
    for row in connection.execute(query).all():
        held = Held(
            row.id, HoldScope(row.scope), row.stakeholder_id, HoldCause(row.cause), clean(row.by), row.starts_at,
            row.ends_at, row.released_at,
        )  # fmt: skip
        found[row.account_id].append(_as_known_at(held, as_of))
    return found


def _as_known_at(held: Held, as_of: datetime) -> Held:
    """A release that comes later was not known then."""
    return replace(held, released_at=None) if held.released_at and held.released_at > as_of else held


def read_newcomers(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, list[Newcomer]]:
    """Who waits for a yes or a no, the latest first."""
    there = Stakeholder.account_id == Proposal.account_id, Stakeholder.email_hash == Proposal.person_key
    query = (
        select(
            Proposal.account_id, Proposal.id, Proposal.first_name, Proposal.last_name, Proposal.email, Proposal.title,
            Proposal.why, Proposal.proposed_at,
        )
        .where(among(connection, Proposal.account_id, ids))
        .where(Proposal.state == ProposalState.OPEN, Proposal.proposed_at <= as_of)
        .where(~select(Stakeholder.id).where(*there).exists())
        .order_by(Proposal.proposed_at.desc(), Proposal.id.desc())
    )  # fmt: skip
    found: dict[int, list[Newcomer]] = defaultdict(list)
    for row in connection.execute(query).all():
        name = clean(f"{row.first_name or ''} {row.last_name or ''}") or clean((row.email or "").partition("@")[0])
        one = Newcomer(row.id, name, clean(row.title), clean(row.why), row.proposed_at)
        found[row.account_id].append(one)
    return found


def read_sales_touches(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, SalesTouch]:
    """Account -> what sales itself did last: not their mail to us, and no note."""
    place = func.row_number().over(
        partition_by=Activity.account_id, order_by=(Activity.occurred_at.desc(), Activity.id.desc())
    )
    ours = (Activity.direction.is_(None)) | (Activity.direction != Direction.INBOUND)
    ranked = (
        select(Activity.account_id, Activity.id, Activity.kind, Activity.stakeholder_id, Activity.occurred_at,
               place.label("place"))
        .where(among(connection, Activity.account_id, ids), Activity.kind != ActivityKind.NOTE, ours)
        .where(Activity.occurred_at <= as_of)
        .subquery()
    )  # fmt: skip
    query = select(ranked).where(ranked.c.place == 1)
    return {
        row.account_id: SalesTouch(row.id, clean(row.kind), row.stakeholder_id, row.occurred_at)
        for row in connection.execute(query).all()
    }


def read_objections(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, list[Objected]]:
    """What nobody has answered yet, the latest first."""
    query = (
        select(Objection)
        .where(among(connection, Objection.account_id, ids), Objection.at <= as_of)
        .where(Objection.closed_at.is_(None) | (Objection.closed_at > as_of))
        .order_by(Objection.at.desc(), Objection.id.desc())
    )
    found: dict[int, list[Objected]] = defaultdict(list)
    for row in connection.execute(query).all():
        one = Objected(row.id, clean(row.words), row.stakeholder_id, row.at, is_topic=row.kind == AnswerKind.TOPIC)
        found[row.account_id].append(one)
    return found


def read_answers(connection: Connection, looks: Mapping[int, Look], as_of: datetime) -> dict[int, list[Answered]]:
    """What was answered about each account since its rep's last brief, the latest first."""
    since = min(look.since for look in looks.values())
    return {
        account: [
            Answered(one.id, one.kind, one.rep_id, clean(one.by), clean(one.sentence), one.at)
            for one in reversed(given)
            if one.at > looks[account].since
        ]
        for account, given in answers_since(connection, since, as_of, accounts=list(looks)).items()
    }


def read_handovers(connection: Connection, ids: list[int], since: datetime, as_of: datetime) -> dict[int, HandedOver]:
    """Account -> the last time it changed hands since then."""
    query = (
        select(Handover.account_id, Handover.id, Rep.name, Handover.at)
        .outerjoin(Rep, Rep.id == Handover.from_rep_id)
        .where(among(connection, Handover.account_id, ids), Handover.at > since, Handover.at <= as_of)
        .order_by(Handover.at, Handover.id)
    )
    return {account: HandedOver(id, clean(name) or "nobody", at) for account, id, name, at in connection.execute(query)}
