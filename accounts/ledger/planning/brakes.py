"""Kill switches: for everything, a play, an account, a rep, a recipient domain.

A pulled brake stops the next claim, and within seconds what is claimed and has not begun; planning goes on.

A braked touch keeps its state: it goes on when the brake is released, or expires when it is too late.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, literal, or_, select, update
from sqlalchemy.orm import aliased

from accounts.errors import InputRefused, NotFound
from accounts.ledger.announcements import untold
from accounts.ledger.bulk import among, insert_into
from accounts.models import PULLED, Account, Brake, Rep, Stakeholder, Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import About, BrakeScope, TouchState


class Pulled(NamedTuple):
    """A brake that holds."""

    scope: BrakeScope
    #: Play key, account key, rep's address or recipient domain; empty for global.
    target: str
    by: str
    at: datetime
    note: str | None

    @property
    def what(self) -> str:
        """What it stops, as a person says it."""
        return f"{self.scope} {self.target}" if self.target else "everything"


def pull(connection: Connection, scope: BrakeScope, target: str, *, by: str, now: datetime, note: str = "") -> int:
    """Stop all sending in `scope` from the next claim on; returns the brake's id, also when it was pulled already.

    `target`: play key, account key, rep's address or recipient domain; empty for global. Raises NotFound for an unknown
    account or rep, InputRefused for what is no domain.
    """
    target = _spelt(scope, target)
    _must_exist(connection, scope, target)
    row = insert_into(connection, Brake).on_conflict_do_nothing(index_elements=["scope", "target"], index_where=PULLED)
    connection.execute(row.values(scope=scope, target=target, by=by, note=note or None, at=now))
    return connection.execute(select(Brake.id).where(_is(scope, target), Brake.released_at.is_(None))).scalar_one()


def release(connection: Connection, scope: BrakeScope, target: str, *, by: str, now: datetime) -> int:
    """Let `scope` go on; returns how many brakes were released (0: none was pulled)."""
    target = _spelt(scope, target)
    free = update(Brake).where(_is(scope, target), Brake.released_at.is_(None)).values(released_at=now, released_by=by)
    return connection.execute(free).rowcount


def pulled(connection: Connection) -> list[Pulled]:
    """The brakes that hold now, the longest-standing first."""
    columns = (Brake.scope, Brake.target, Brake.by, Brake.at, Brake.note)
    rows = connection.execute(select(*columns).where(Brake.released_at.is_(None)).order_by(Brake.at, Brake.id))
    return [Pulled(BrakeScope(scope), *rest) for scope, *rest in rows]


def unannounced(connection: Connection, by: str) -> dict[int, Pulled]:
    """The brakes that `by` has pulled, that hold, and that nobody who listens was told of, by id."""
    columns = (Brake.id, Brake.scope, Brake.target, Brake.by, Brake.at, Brake.note)
    query = select(*columns).where(Brake.by == by, Brake.released_at.is_(None), untold(About.BRAKE, Brake.id))
    return {id: Pulled(BrakeScope(scope), *rest) for id, scope, *rest in connection.execute(query.order_by(Brake.id))}


def brakes_touch() -> ColumnElement[bool]:
    """SQL: a brake holds this row of `touch`."""
    account, rep = aliased(Account), aliased(Rep)
    account_key = select(account.key).where(account.id == Touch.account_id).correlate(Touch).scalar_subquery()
    rep_email = select(rep.email).where(rep.id == Touch.rep_id).correlate(Touch).scalar_subquery()
    reaches = _reaches(Touch.play, account_key, rep_email, Touch.address)
    return exists(select(Brake.id).where(Brake.released_at.is_(None), reaches).correlate(Touch))


def braked_people(connection: Connection, play: str, accounts: Collection[int]) -> set[int]:
    """Of these accounts the people to whom nothing of this play leaves as long as a brake holds."""
    if not pulled(connection):
        return set()
    reaches = _reaches(literal(play), Account.key, Rep.email, Stakeholder.email)
    people = (
        select(Stakeholder.id)
        .join(Account, Account.id == Stakeholder.account_id)
        .outerjoin(Rep, Rep.id == Account.owner_id)
        .where(among(connection, Account.id, sorted(accounts)))
        .where(exists(select(Brake.id).where(Brake.released_at.is_(None), reaches)))
    )
    return set(connection.scalars(people))


def reason_now() -> ColumnElement[str | None]:
    """SQL: why a touch is where it is, and of one that could be claimed, that a brake holds it."""
    held = and_(Touch.state == TouchState.CERTIFIED, brakes_touch())
    return case((held, literal(Refusal.BRAKED.value)), else_=Touch.reason)


def _reaches(play: Any, account_key: Any, rep_email: Any, address: Any) -> ColumnElement[bool]:
    """SQL: a brake stops mail of this play, to this account, in the name of this rep, to this address."""
    return or_(
        Brake.scope == BrakeScope.GLOBAL,
        _is(BrakeScope.PLAY, play),
        _is(BrakeScope.ACCOUNT, account_key),
        _is(BrakeScope.REP, rep_email),
        and_(Brake.scope == BrakeScope.DOMAIN, _ends_in_its_domain(address)),
    )


def _ends_in_its_domain(address: Any) -> ColumnElement[bool]:
    """The address is at the brake's domain: exactly it, and no other one that ends alike."""
    end = func.substr(address, func.length(address) - func.length(Brake.target))
    return end == literal("@") + Brake.target


def _spelt(scope: BrakeScope, target: str) -> str:
    """The target as it is kept; addresses have their domains in lower case."""
    if scope is BrakeScope.GLOBAL:
        return ""
    return target.strip().lower().lstrip("@") if scope is BrakeScope.DOMAIN else target.strip()


def _is(scope: BrakeScope, target: object) -> ColumnElement[bool]:
    return and_(Brake.scope == scope, Brake.target == target)


def _must_exist(connection: Connection, scope: BrakeScope, target: str) -> None:
    if scope is BrakeScope.DOMAIN and ("@" in target or "." not in target):
        raise InputRefused(f"{target!r} is no domain", cure="give what stands after the @, such as acme.example")
    named = {
        BrakeScope.ACCOUNT: select(Account.id).where(Account.key == target),
        BrakeScope.REP: select(Rep.id).where(Rep.email == target),
    }
    if scope in named and connection.scalar(named[scope]) is None:
        raise NotFound(f"no {scope} {target!r}", cure="a brake on nobody would stop nothing")
