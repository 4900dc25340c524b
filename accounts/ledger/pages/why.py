"""Who is meant, and the background of their answer: small queries about one person."""

from collections.abc import Collection, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from accounts.errors import NotFound
from accounts.identity import domain_hash, domain_of, email_hash, normalise_email
from accounts.ledger.bulk import chunks
from accounts.ledger.reps.spokesmen import called
from accounts.ledger.weeks import in_any_week
from accounts.models import Account, Activity, Hold, Rep, SendPlan, Signal, Stakeholder, Suppression, Touch, Veto
from accounts.outcomes import read_instant
from accounts.pauses import PAUSE
from accounts.vocabulary import ActivityKind, SignalKind
from accounts.why import Background, Who

#: Candidates looked through for a name that was mistyped.
CANDIDATES = 500


def find(connection: Connection, who: str) -> list[Who]:
    """Everybody meant by an address or a full name, one for each account they stand in.

    Raises NotFound with the closest matches.
    """
    name = " ".join(who.split()).lower()
    meant = Stakeholder.email == normalise_email(who) if "@" in who else _full_name() == name
    found = _read(connection, _WHO.where(meant).order_by(Account.key))
    if not found:
        close = _close(connection, who)
        cure = f"did you mean {' or '.join(close)}?" if close else "tandem plan --all lists everybody"
        raise NotFound(f"nobody called {who!r}", cure=cure)
    return found


def read_who(connection: Connection, people: Collection[int]) -> dict[int, Who]:
    """Stakeholder id -> who that is."""
    found: dict[int, Who] = {}
    for chunk in chunks(sorted(people)):
        found.update((who.id, who) for who in _read(connection, _WHO.where(Stakeholder.id.in_(chunk))))
    return found


def account_named(connection: Connection, key: str) -> int:
    """The id of an account. Raises NotFound with the closest keys."""
    id = connection.scalar(select(Account.id).where(Account.key == key))
    if id is None:
        near = select(Account.key).where(Account.key.like(f"{key[:2]}%")).limit(CANDIDATES)
        close = get_close_matches(key, connection.scalars(near).all())
        raise NotFound(f"no account {key!r}", cure=f"did you mean {' or '.join(close)}?" if close else None)
    return id


def read_background(connection: Connection, who: Who, now: datetime) -> Background:
    """What is told beside the answer of one person, as of `now`."""
    return Background(
        names=_names(connection, who.account_id),
        elsewhere=_elsewhere(connection, who),
        bounced_at=_bounced_at(connection, who, now),
        suppressed=_suppressed(connection, who, now),
        notes=_notes(connection, who),
        held_by=_held_by(connection, who),
        refused_by=_refused_by(connection, who, now),
        left_out=_left_out(connection, who, now),
        pause_asked=_pause_asked(connection, who, now),
        attempt=_attempt(connection, who, now),
        plan=_plan(connection, who),
    )


_WHO = (
    select(
        Stakeholder.id, Stakeholder.account_id, Stakeholder.email, Stakeholder.first_name, Stakeholder.last_name,
        Stakeholder.title, Stakeholder.role, Account.name, Account.division, Account.key, Rep.name.label("owner"),
    )
    .join(Account, Account.id == Stakeholder.account_id)
    .outerjoin(Rep, Rep.id == Account.owner_id)
)  # fmt: skip


def _read(connection: Connection, query: Select[Any]) -> list[Who]:
    return [
        Who(
            row.id, row.account_id, row.email, _joined(row.first_name, row.last_name), row.title, row.role,
            _joined(row.name, row.division), row.key, row.owner,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _full_name() -> ColumnElement[str]:
    return func.lower(
        func.trim(func.coalesce(Stakeholder.first_name, "") + " " + func.coalesce(Stakeholder.last_name, ""))
    )


def _close(connection: Connection, who: str) -> list[str]:
    """Up to three addresses that look like it: of the same beginning, the same domain, or a name with its beginning."""
    typed = normalise_email(who)
    start = typed[:2]
    alike = [Stakeholder.email.like(f"{start}%"), _full_name().like(f"{start}%")]
    if domain_of(typed):
        alike.append(Stakeholder.email.like(f"%@{domain_of(typed)}"))
    people = _read(connection, _WHO.where(or_(*alike)).limit(CANDIDATES))
    addresses = {
        name: who.email for who in people for name in (who.email, who.name.lower(), who.name.partition(" ")[0].lower())
    }
    matches = get_close_matches(typed, list(addresses), n=5, cutoff=0.6)
    return list(dict.fromkeys(addresses[match] for match in matches))[:3]


def _names(connection: Connection, account_id: int) -> dict[int, str]:
    group = _read(connection, _WHO.where(Stakeholder.account_id == account_id))
    return {who.id: who.name or who.email for who in group}


def _elsewhere(connection: Connection, who: Who) -> Sequence[str]:
    others = _read(connection, _WHO.where(Stakeholder.email == who.email, Stakeholder.id != who.id))
    return [other.account for other in others]


def _bounced_at(connection: Connection, who: Who, now: datetime) -> datetime | None:
    theirs = (Signal.account_id == who.account_id) & (Signal.stakeholder_id == who.id)
    bounces = (Signal.kind == SignalKind.BOUNCED) & (Signal.occurred_at <= now)
    return connection.scalar(select(func.max(Signal.occurred_at)).where(in_any_week(), theirs, bounces))


def _pause_asked(connection: Connection, who: Who, now: datetime) -> datetime | None:
    """The latest pause asked for, by this person in any of their accounts."""
    of_person = Stakeholder.email == who.email
    groups, people = (select(column).where(of_person) for column in (Stakeholder.account_id, Stakeholder.id))
    theirs = Signal.account_id.in_(groups) & Signal.stakeholder_id.in_(people)
    asked = (Signal.kind == SignalKind.PREFERRED) & (Signal.occurred_at <= now)
    query = select(Signal.data).where(in_any_week(), theirs, asked).order_by(Signal.occurred_at.desc())
    ends = (read_instant((data or {}).get("until")) for data in connection.scalars(query))
    return next((end for end in ends if end is not None), None)


def _suppressed(connection: Connection, who: Who, now: datetime) -> tuple[str, datetime] | None:
    theirs = or_(
        Suppression.email_hash == email_hash(who.email), Suppression.domain_hash == domain_hash(domain_of(who.email))
    )
    standing = or_(Suppression.expires_at.is_(None), Suppression.expires_at > now) & (Suppression.at <= now)
    query = select(Suppression.reason, Suppression.at).where(theirs, standing).order_by(Suppression.at)
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else (row.reason, row.at)


def _notes(connection: Connection, who: Who) -> dict[datetime, str]:
    query = select(Hold.starts_at, Hold.note).where(Hold.account_id == who.account_id, Hold.note.is_not(None))
    return {starts: note for starts, note in connection.execute(query) if note}


def _held_by(connection: Connection, who: Who) -> dict[str, str]:
    query = select(Hold.by, called(Hold.by)).where(Hold.account_id == who.account_id)
    return dict(connection.execute(query).tuples().all())


def _refused_by(connection: Connection, who: Who, now: datetime) -> dict[str | None, str]:
    said = select(Veto.content, called(Veto.by)).where(Veto.stakeholder_id == who.id, Veto.at <= now)
    return dict(connection.execute(said.order_by(Veto.at)).tuples().all())


def _left_out(connection: Connection, who: Who, now: datetime) -> dict[str, str]:
    """What pauses left out while the account was at its stage."""
    query = (
        select(Veto.content, Veto.note)
        .join(Stakeholder, Stakeholder.id == Veto.stakeholder_id)
        .join(Account, Account.id == Stakeholder.account_id)
        .where(Veto.stakeholder_id == who.id, Veto.by == PAUSE, Veto.at >= Account.stage_entered_at, Veto.at <= now)
        .order_by(Veto.at)
    )
    return {content: note for content, note in connection.execute(query) if content and note}


def _attempt(connection: Connection, who: Who, now: datetime) -> tuple[str, datetime] | None:
    """The last call, mail or meeting that was no contact."""
    tried = (Activity.account_id == who.account_id) & ~Activity.is_contact & (Activity.occurred_at <= now)
    query = select(Activity.kind, Activity.occurred_at).where(tried, Activity.kind != ActivityKind.NOTE)
    row = connection.execute(query.order_by(Activity.occurred_at.desc()).limit(1)).one_or_none()
    return None if row is None else (row.kind, row.occurred_at)


def _plan(connection: Connection, who: Who) -> tuple[int, str] | None:
    query = (
        select(SendPlan.id, SendPlan.state)
        .join(Touch, Touch.plan_id == SendPlan.id)
        .where(Touch.stakeholder_id == who.id, Touch.state.in_(["planned", "certified", "sending"]))
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else (row.id, row.state)
