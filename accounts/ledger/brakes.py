"""Kill switches: global, for a play, for an account, for a rep. A pulled brake stops the next claim, not the planning.

A braked touch keeps its state: it goes on when the brake is released, or expires when it is too late.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, or_, select, update
from sqlalchemy.orm import aliased

from accounts.errors import NotFound
from accounts.models import Account, Brake, Rep, Touch
from accounts.vocabulary import BrakeScope


def pull(connection: Connection, scope: BrakeScope, target: str, *, by: str, now: datetime, note: str = "") -> int:
    """Stop all sending in `scope` from the next claim on; returns the brake's id, also when it was pulled already.

    `target`: play key, account key or rep's address; empty for global. Raises NotFound for an unknown account or rep.
    """
    target = "" if scope is BrakeScope.GLOBAL else target.strip()
    _must_exist(connection, scope, target)
    pulled = connection.scalar(select(Brake.id).where(_is(scope, target), Brake.released_at.is_(None)))
    if pulled is not None:
        return pulled
    row = insert(Brake).values(scope=scope, target=target, by=by, note=note or None, at=now).returning(Brake.id)
    return connection.execute(row).scalar_one()


def release(connection: Connection, scope: BrakeScope, target: str, *, by: str, now: datetime) -> int:
    """Let `scope` go on; returns how many brakes were released (0: none was pulled)."""
    target = "" if scope is BrakeScope.GLOBAL else target.strip()
    free = update(Brake).where(_is(scope, target), Brake.released_at.is_(None)).values(released_at=now, released_by=by)
    return connection.execute(free).rowcount


def pulled(connection: Connection) -> list[tuple[BrakeScope, str, str, datetime]]:
    """The brakes that hold now: scope, target, who pulled it, since when."""
    rows = select(Brake.scope, Brake.target, Brake.by, Brake.at).where(Brake.released_at.is_(None)).order_by(Brake.at)
    return [(BrakeScope(scope), target, by, at) for scope, target, by, at in connection.execute(rows)]


def brakes_touch() -> ColumnElement[bool]:
    """SQL: a brake holds this row of `touch`."""
    account, rep = aliased(Account), aliased(Rep)
    account_key = select(account.key).where(account.id == Touch.account_id).correlate(Touch).scalar_subquery()
    rep_email = select(rep.email).where(rep.id == Touch.rep_id).correlate(Touch).scalar_subquery()
    reaches = or_(
        Brake.scope == BrakeScope.GLOBAL,
        _is(BrakeScope.PLAY, Touch.play),
        _is(BrakeScope.ACCOUNT, account_key),
        _is(BrakeScope.REP, rep_email),
    )
    return exists(select(Brake.id).where(Brake.released_at.is_(None), reaches).correlate(Touch))


def _is(scope: BrakeScope, target: object) -> ColumnElement[bool]:
    return and_(Brake.scope == scope, Brake.target == target)


def _must_exist(connection: Connection, scope: BrakeScope, target: str) -> None:
    named = {
        BrakeScope.ACCOUNT: select(Account.id).where(Account.key == target),
        BrakeScope.REP: select(Rep.id).where(Rep.email == target),
    }
    if scope in named and connection.scalar(named[scope]) is None:
        raise NotFound(f"no {scope} {target!r}", cure="a brake on nobody would stop nothing")
