"""The accounts of a rep and of reps they stand in for, and what a manager's reps owe: nine queries, however many
accounts, and one more for a manager.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, func, literal_column, or_, select

from accounts.briefs.material import clean
from accounts.engagement import BASELINE_WEEKS, WEEK, Told, heat_of
from accounts.ledger.bulk import as_list, listed
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.engagement.scores import read_scores, read_told
from accounts.ledger.reps.spokesmen import stands_in_for
from accounts.models import Account, Decision, Hold, Rep, SlaClock, Stakeholder, Veto
from accounts.playbook import Play
from accounts.rep_pages.accounts import AccountLine, in_order
from accounts.vocabulary import Answer, Duty, HoldScope, Role, Side

#: Accounts on one page.
MOST = 500


_NOW: BindParameter[datetime] = bindparam("now")
_ACCOUNTS = (
    select(
        Account.id, Account.key, Account.name, Account.division, Account.stage, Account.owner_id,
        Rep.name.label("owner"),
    )
    .join(Rep, Rep.id == Account.owner_id)
    .where(Rep.id.in_(bindparam("owners", expanding=True)))
    .order_by(Account.id)
    .limit(MOST)
)  # fmt: skip
_MANAGED = select(Rep.id).where(
    Rep.manager_email == select(Rep.email).where(Rep.id == bindparam("rep")).correlate(None).scalar_subquery()
)
#: Of these a manager sees where something is owed: all of them are too many to read.
_OWING = _ACCOUNTS.where(
    select(SlaClock.id)
    .where(SlaClock.account_id == Account.id, SlaClock.side == Side.SALES, SlaClock.closed_at.is_(None))
    .exists()
)
_REFUSED = select(Veto.id).where(
    Veto.stakeholder_id == Decision.stakeholder_id, or_(Veto.content.is_(None), Veto.content == Decision.content)
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about many accounts, as statements that are made once for each kind of database."""

    #: With who is the wrong person.
    roles: Select[Any]
    #: What sales owes, the next first.
    owed: Select[Any]
    #: When the next mail leaves, by what planning answers now.
    coming: Select[Any]
    #: On hold as a whole.
    held: Select[Any]


@cache
def _asked(dialect: str) -> _Asked:
    def of(column: Any) -> Any:
        return listed(dialect, column, "ids")

    owed = (
        select(SlaClock.account_id, SlaClock.duty, SlaClock.due_at)
        .where(of(SlaClock.account_id), SlaClock.side == Side.SALES, SlaClock.closed_at.is_(None))
        .order_by(SlaClock.due_at.is_(None), SlaClock.due_at, SlaClock.id)
    )
    coming = (
        select(Decision.account_id, func.min(Decision.until))
        .join(Account, Account.id == Decision.account_id)
        .where(of(Decision.account_id), Decision.answer != Answer.NEVER, ~_REFUSED.exists())
        .where(Decision.content.is_not(None), Decision.until.is_not(None), Decision.stage == Account.stage)
        .group_by(Decision.account_id)
    )
    held = select(Hold.account_id).where(
        of(Hold.account_id), Hold.scope == HoldScope.ACCOUNT, Hold.released_at.is_(None), Hold.starts_at <= _NOW,
        or_(Hold.ends_at.is_(None), Hold.ends_at > _NOW),
    )  # fmt: skip
    wrong: ColumnElement[bool] = literal_column(f"stakeholder.id IN ({WRONG_PEOPLE})")
    people = select(Stakeholder.account_id, Stakeholder.id, Stakeholder.role, wrong)
    roles = people.where(of(Stakeholder.account_id))
    return _Asked(roles, owed, coming, held)


def read_rep_accounts(connection: Connection, rep_id: int, play: Play, now: datetime) -> tuple[AccountLine, ...]:
    """Whatever this rep answers for at the moment, what is owed first; of a manager's reps, what they owe."""
    owners = [rep_id, *sorted(stands_in_for(connection, rep_id, now))]
    managed = sorted(set(connection.scalars(_MANAGED, {"rep": rep_id})) - set(owners))
    accounts = list(connection.execute(_ACCOUNTS, {"owners": owners}))
    if managed:
        accounts += connection.execute(_OWING, {"owners": managed})
    ids = [row.id for row in accounts]
    asked, here = _asked(connection.dialect.name), {"ids": as_list(connection.dialect.name, ids), "now": now}
    scores = read_scores(connection, play.engagement, now, ids)
    told = read_told(connection, ids, play.engagement, since=now - (BASELINE_WEEKS + 1) * WEEK)
    roles, wrong = _roles(connection.execute(asked.roles, here))
    owed = _owed(connection.execute(asked.owed, here))
    coming = {account: max(at, now) for account, at in connection.execute(asked.coming, here)}
    held = set(connection.scalars(asked.held, here))
    lines = [
        AccountLine(
            id=row.id,
            key=row.key,
            name=_name(row),
            stage=row.stage,
            score=scores[row.id].value if row.id in scores else 0.0,
            heat=heat_of(_counted(told.get(row.id, ()), wrong), roles.get(row.id, {}), play.engagement, now),
            owed=owed[row.id][0] if row.id in owed else None,
            due_at=owed[row.id][1] if row.id in owed else None,
            next_at=None if row.id in held else coming.get(row.id),
            is_held=row.id in held,
            instead_of=None if row.owner_id == rep_id else clean(row.owner),
        )
        for row in accounts
    ]
    return in_order(lines)


def _name(row: Any) -> str:
    division = row.division or ""
    return clean(row.name if division.lower() in row.name.lower() else f"{row.name} {division}")


def _counted(told: Iterable[Told], wrong: Collection[int]) -> Iterator[Told]:
    return (one for one in told if one.person not in wrong)


def _roles(rows: Iterable[Any]) -> tuple[dict[int, dict[int, Role]], set[int]]:
    """Account -> the role of each person; and whoever is the wrong person."""
    found: dict[int, dict[int, Role]] = {}
    wrong = set()
    for account, person, role, is_wrong in rows:
        found.setdefault(account, {})[person] = Role(role)
        wrong |= {person} if is_wrong else set()
    return found, wrong


def _owed(rows: Iterable[Any]) -> dict[int, tuple[Duty, datetime | None]]:
    """Account -> what sales owes it next."""
    found: dict[int, tuple[Duty, datetime | None]] = {}
    for account, duty, due_at in rows:
        found.setdefault(account, (Duty(duty), due_at))
    return found
