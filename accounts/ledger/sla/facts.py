"""The facts that start and stop clocks, read set by set: a fixed number of queries, whatever the number of accounts.

What is read of all of a play is read of some of its accounts where `only` names them.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true, union_all

from accounts.ledger.bulk import among
from accounts.ledger.driver import Form, rows
from accounts.ledger.weeks import in_any_week, weekly
from accounts.models import (
    Account,
    Activity,
    Decision,
    Feedback,
    Hold,
    Rep,
    SendPlan,
    Signal,
    StageChange,
    Stakeholder,
)
from accounts.sla.causes import HISTORY, MEETINGS, SALES_HAS_THE_WORD, Fact, Told
from accounts.sla.facts import PlanFact, Stood, Waiting
from accounts.sla.hours import Desk, Span
from accounts.vocabulary import ActivityKind, Answer, Direction, HoldScope, Reason, Role, Side, SignalKind, Verdict
from accounts.weeks import week_of

_ASKS = """
    SELECT signal.account_id, signal.id, {time:signal.occurred_at}, {time:signal.received_at}, signal.stakeholder_id
      FROM signal JOIN account ON account.id = signal.account_id
     WHERE account.play = :play AND signal.kind {among:kinds} AND signal.is_machine = false
       AND signal.received_at > :after AND signal.received_at <= :now
       AND signal.occurred_at > :after AND signal.occurred_at <= :now"""
#: Found by their accounts rather than by the time.
_OF_SOME = " AND {weekly:week} AND signal.account_id {among:only}"
_SALES_TOUCHES = """
    SELECT account_id, id, {time:occurred_at}, stakeholder_id FROM activity
     WHERE account_id {among:accounts} AND kind <> 'note' AND (direction IS NULL OR direction <> 'inbound')
       AND occurred_at > :earliest AND occurred_at <= :now"""
_MAILS_SENT = """
    SELECT account_id, id, {time:sent_at}, stakeholder_id FROM touch
     WHERE account_id {among:accounts} AND sent_at > :earliest AND sent_at <= :now"""
_SEATS_GIVEN = """
    SELECT account_id, id, {time:at}, stakeholder_id FROM role_change
     WHERE account_id {among:accounts} AND at <= :now"""


def read_desks(connection: Connection) -> dict[int, Desk]:
    query = select(
        Rep.id, Rep.email, Rep.timezone, Rep.manager_email, Rep.away_from, Rep.away_until, Rep.backup_id
    )  # fmt: skip
    return {row.id: Desk(*row) for row in connection.execute(query)}


def read_accounts(connection: Connection, play: str, ids: Collection[int]) -> dict[int, Stood]:
    query = select(Account.id, Account.key, Account.stage, Account.owner_id)
    theirs = query.where(Account.play == play, among(connection, Account.id, sorted(ids)))
    return {row.id: Stood(*row) for row in connection.execute(theirs)}


def newly_contacted(
    connection: Connection, play: str, now: datetime, only: Collection[int] | None = None
) -> dict[int, Fact]:  # fmt: skip
    """Account -> its first contact, if that was lately; known since tracking moved the account, where it did."""
    moved = (
        select(StageChange.account_id, func.min(StageChange.at).label("at"))
        .where(StageChange.refused_reason.is_(None), StageChange.from_stage == "target", StageChange.at <= now)
        .where(_of(connection, StageChange.account_id, only))
        .group_by(StageChange.account_id)
        .subquery()
    )
    query = (
        select(Account.id, Account.first_contacted_at, moved.c.at)
        .outerjoin(moved, moved.c.account_id == Account.id)
        .where(Account.play == play, Account.first_contacted_at > now - HISTORY, Account.first_contacted_at <= now)
        .where(_of(connection, Account.id, only))
    )
    return {
        id: Fact(f"account:{id}@{at:%Y-%m-%dT%H:%M}", at, max(at, moved_at) if moved_at else at)
        for id, at, moved_at in connection.execute(query)
        if at is not None
    }


def read_asks(
    connection: Connection, play: str, kinds: Collection[SignalKind], now: datetime, since: datetime | None = None,
    only: Collection[int] | None = None,
) -> dict[int, list[Fact]]:  # fmt: skip
    """Account -> what people did of these kinds since then, or lately; no machines, nothing we do not know yet."""
    after, query = since or now - HISTORY, _ASKS if only is None else weekly(connection, _ASKS + _OF_SOME)
    read, found = Form.of(connection).read, defaultdict[int, list[Fact]](list)
    told = rows(
        connection, f"{query} ORDER BY signal.id", play=play, kinds=sorted(kind.value for kind in kinds), after=after,
        now=now, week=week_of(after), only=sorted(only or ()),
    )  # fmt: skip
    for account, id, happened, came_in, person in told:
        at, received = read(happened), read(came_in)
        found[account].append(Fact(f"signal:{id}", at, max(at, received), person))
    return found


def read_verdicts(
    connection: Connection, play: str, now: datetime, only: Collection[int] | None = None
) -> dict[int, list[Told]]:  # fmt: skip
    """Account -> what reps said of it lately."""
    query = (
        select(Feedback.account_id, Feedback.id, Feedback.at, Feedback.stakeholder_id, Feedback.verdict)
        .join(Account, Account.id == Feedback.account_id)
        .where(Account.play == play, Feedback.at > now - HISTORY, Feedback.at <= now)
        .where(_of(connection, Feedback.account_id, only))
        .order_by(Feedback.at, Feedback.id)
    )
    found: dict[int, list[Told]] = defaultdict(list)
    for account, id, at, person, verdict in connection.execute(query):
        found[account].append(Told(Fact(f"feedback:{id}", at, at, person), Verdict(verdict)))
    return found


def sales_touches(connection: Connection, accounts: Collection[int], now: datetime) -> dict[int, list[Fact]]:
    """Account -> what sales itself did lately: not their mail to us, and no note."""
    return _facts(connection, "activity", _SALES_TOUCHES, accounts, now)


def last_words(connection: Connection, accounts: Collection[int], now: datetime) -> dict[int, datetime]:
    """Account -> when sales last did something there, a rep last gave a verdict, or people last agreed to meet."""
    ids = sorted(accounts)
    ours = or_(Activity.direction.is_(None), Activity.direction != Direction.INBOUND)
    done = union_all(
        select(Activity.account_id, Activity.occurred_at.label("at")).where(
            among(connection, Activity.account_id, ids), Activity.kind != ActivityKind.NOTE, ours,
            Activity.occurred_at <= now,
        ),
        select(Feedback.account_id, Feedback.at).where(
            among(connection, Feedback.account_id, ids), Feedback.at <= now
        ),
        select(Signal.account_id, Signal.occurred_at).where(
            in_any_week(), among(connection, Signal.account_id, ids), Signal.kind.in_(sorted(MEETINGS)),
            Signal.is_machine.is_(False),
            Signal.occurred_at <= now,
        ),
    ).subquery()  # fmt: skip
    query = select(done.c.account_id, func.max(done.c.at)).group_by(done.c.account_id)
    return {account: at for account, at in connection.execute(query) if at is not None}


def mails_sent(connection: Connection, accounts: Collection[int], now: datetime) -> dict[int, list[Fact]]:
    """Account -> what marketing sent lately."""
    return _facts(connection, "touch", _MAILS_SENT, accounts, now)


def seats_given(connection: Connection, accounts: Collection[int], now: datetime) -> dict[int, list[Fact]]:
    """Account -> changes in who has which seat of the buying group."""
    return _facts(connection, "role_change", _SEATS_GIVEN, accounts, now)


def read_pauses(connection: Connection, accounts: Collection[int], now: datetime) -> dict[tuple[int, Side], list[Span]]:
    """(account, side) -> the spans in which a hold on the whole account pauses that side's clocks.

    Holds that mean "sales has the word" pause marketing only.
    """
    query = select(Hold.account_id, Hold.cause, Hold.starts_at, Hold.ends_at, Hold.released_at).where(
        among(connection, Hold.account_id, sorted(accounts)),
        Hold.scope == HoldScope.ACCOUNT,
        Hold.starts_at <= now,
    )
    found: dict[tuple[int, Side], list[Span]] = defaultdict(list)
    for account, cause, starts, ends, released in connection.execute(query):
        over = min((at for at in (ends, released if released and released <= now else None) if at), default=None)
        for side in Side:
            if side is Side.MARKETING or cause not in SALES_HAS_THE_WORD:
                found[account, side].append((starts, over))
    return found


def read_plans(connection: Connection, play: str, now: datetime) -> list[PlanFact]:
    """The send plans of the play lately, oldest first."""
    query = (
        select(SendPlan.id, SendPlan.state, SendPlan.created_at, SendPlan.approved_at, SendPlan.checks)
        .where(SendPlan.play == play, SendPlan.created_at <= now, SendPlan.created_at > now - HISTORY)
        .order_by(SendPlan.id)
    )
    return [
        PlanFact(id, state, made, approved, checks or {})
        for id, state, made, approved, checks in connection.execute(query)
    ]


def people_waiting(connection: Connection, play: str) -> list[Waiting]:
    """People whom planning told to wait for a content, or that theirs has expired; counted by stage and role."""
    for_something = and_(Decision.answer.in_([Answer.TOUCH, Answer.WAIT]), Decision.content.is_not(None))
    query = (
        select(Decision.stage, Stakeholder.role, Decision.content, Decision.reason, func.count())
        .join(Stakeholder, Stakeholder.id == Decision.stakeholder_id)
        .where(Decision.play == play, or_(for_something, Decision.reason == Reason.CONTENT_EXPIRED))
        .group_by(Decision.stage, Stakeholder.role, Decision.content, Decision.reason)
    )
    return [Waiting(stage or "", Role(role), *rest) for stage, role, *rest in connection.execute(query)]


def _facts(
    connection: Connection, noun: str, query: str, accounts: Collection[int], now: datetime
) -> dict[int, list[Fact]]:  # fmt: skip
    read, found = Form.of(connection).read, defaultdict[int, list[Fact]](list)
    told = rows(connection, query, accounts=sorted(accounts), earliest=now - 4 * HISTORY, now=now) if accounts else ()
    for account, id, happened, person in told:
        at = read(happened)
        found[account].append(Fact(f"{noun}:{id}", at, at, person))
    return found


def _of(connection: Connection, column: Any, only: Collection[int] | None) -> ColumnElement[bool]:
    """Of these accounts; of all, where none are named."""
    return true() if only is None else among(connection, column, sorted(only))
