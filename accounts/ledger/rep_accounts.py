"""The accounts of a rep, and of reps they stand in for: seven queries, however many accounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from accounts.briefs.material import clean
from accounts.engagement import BASELINE_WEEKS, WEEK, heat_of
from accounts.ledger.bulk import among
from accounts.ledger.scores import read_scores, read_told
from accounts.models import Account, Decision, Hold, Rep, SlaClock, Stakeholder, Veto
from accounts.playbook import Play
from accounts.rep_pages.accounts import AccountLine, in_order
from accounts.vocabulary import Answer, Duty, HoldScope, Role, Side

#: Accounts on one page.
MOST = 500


def read_rep_accounts(connection: Connection, rep_id: int, play: Play, now: datetime) -> tuple[AccountLine, ...]:
    """Whatever this rep answers for at the moment, what is owed first."""
    accounts = _accounts(connection, rep_id, now)
    ids = [row.id for row in accounts]
    scores = read_scores(connection, play.engagement, now, ids)
    told = read_told(connection, ids, play.engagement, since=now - (BASELINE_WEEKS + 1) * WEEK)
    roles, owed = _roles(connection, ids), _owed(connection, ids)
    coming, held = _coming(connection, ids, now), _held(connection, ids, now)
    lines = [
        AccountLine(
            id=row.id,
            key=row.key,
            name=_name(row),
            stage=row.stage,
            score=scores[row.id].value if row.id in scores else 0.0,
            heat=heat_of(told.get(row.id, ()), roles.get(row.id, {}), play.engagement, now),
            owed=owed[row.id][0] if row.id in owed else None,
            due_at=owed[row.id][1] if row.id in owed else None,
            next_at=None if row.id in held else coming.get(row.id),
            is_held=row.id in held,
            instead_of=None if row.owner_id == rep_id else clean(row.owner),
        )
        for row in accounts
    ]
    return in_order(lines)


def _accounts(connection: Connection, rep_id: int, now: datetime) -> list[Any]:
    """Their own, and those of who is away and named them: the same whose pages open for them."""
    is_away = and_(Rep.away_from <= now, or_(Rep.away_until.is_(None), Rep.away_until > now))
    query = (
        select(
            Account.id, Account.key, Account.name, Account.division, Account.stage, Account.owner_id,
            Rep.name.label("owner"),
        )
        .join(Rep, Rep.id == Account.owner_id)
        .where(or_(Rep.id == rep_id, and_(Rep.backup_id == rep_id, is_away)))
        .order_by(Account.id)
    )  # fmt: skip
    return list(connection.execute(query.limit(MOST)))


def _name(row: Any) -> str:
    division = row.division or ""
    return clean(row.name if division.lower() in row.name.lower() else f"{row.name} {division}")


def _roles(connection: Connection, ids: list[int]) -> dict[int, dict[int, Role]]:
    query = select(Stakeholder.account_id, Stakeholder.id, Stakeholder.role).where(
        among(connection, Stakeholder.account_id, ids)
    )
    found: dict[int, dict[int, Role]] = {}
    for account, person, role in connection.execute(query):
        found.setdefault(account, {})[person] = Role(role)
    return found


def _owed(connection: Connection, ids: list[int]) -> dict[int, tuple[Duty, datetime | None]]:
    """Account -> what sales owes it next."""
    query = (
        select(SlaClock.account_id, SlaClock.duty, SlaClock.due_at)
        .where(among(connection, SlaClock.account_id, ids), SlaClock.side == Side.SALES, SlaClock.closed_at.is_(None))
        .order_by(SlaClock.due_at.is_(None), SlaClock.due_at, SlaClock.id)
    )
    found: dict[int, tuple[Duty, datetime | None]] = {}
    for account, duty, due_at in connection.execute(query):
        found.setdefault(account, (Duty(duty), due_at))
    return found


def _coming(connection: Connection, ids: list[int], now: datetime) -> dict[int, datetime]:
    """Account -> when the next mail leaves, by what planning answers now."""
    refused = select(Veto.id).where(
        Veto.stakeholder_id == Decision.stakeholder_id,
        or_(Veto.content.is_(None), Veto.content == Decision.content),
    )
    query = (
        select(Decision.account_id, func.min(Decision.until))
        .join(Account, Account.id == Decision.account_id)
        .where(among(connection, Decision.account_id, ids), Decision.answer != Answer.NEVER, ~refused.exists())
        .where(Decision.content.is_not(None), Decision.until.is_not(None), Decision.stage == Account.stage)
        .group_by(Decision.account_id)
    )
    return {account: max(at, now) for account, at in connection.execute(query)}


def _held(connection: Connection, ids: list[int], now: datetime) -> set[int]:
    """Accounts that are on hold as a whole."""
    query = select(Hold.account_id).where(
        among(connection, Hold.account_id, ids), Hold.scope == HoldScope.ACCOUNT, Hold.released_at.is_(None),
        Hold.starts_at <= now, or_(Hold.ends_at.is_(None), Hold.ends_at > now),
    )  # fmt: skip
    return set(connection.scalars(query))
