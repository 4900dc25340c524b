"""The people of an account: which seats they take, on what evidence, whether the group is complete, and on any day."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, and_, insert, literal, or_, select, text, update
from sqlalchemy.types import TypeEngine

from accounts.errors import NotFound
from accounts.group import Completeness, Member, measure
from accounts.identity import domain_hash, domain_of
from accounts.ledger.bulk import chunks
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.rows import rows_of
from accounts.models import Account, RoleChange, Stakeholder, Suppression
from accounts.playbook import Group
from accounts.roles import RoleFinding
from accounts.tracking import Person
from accounts.types import Key
from accounts.vocabulary import Role, RoleSource

#: Columns of a role on its way into the ledger, and of its history.
SEAT: dict[str, TypeEngine[Any]] = {"id": Key, "role": String(40), "source": String(40), "evidence": String(300)}
HISTORY = ("account_id", "stakeholder_id", "from_role", "to_role", "source", "evidence", "at")


class Seated(NamedTuple):
    """Who sat in which seat on a day, and who said so."""

    stakeholder_id: int
    role: Role
    source: str | None
    evidence: str | None
    since: datetime | None


def read_people(connection: Connection, accounts: Collection[int]) -> dict[int, list[Person]]:
    """Account -> its people, oldest row first."""
    columns = (getattr(Stakeholder, name) for name in Person._fields)
    found: dict[int, list[Person]] = defaultdict(list)
    query = select(*columns).order_by(Stakeholder.id)
    for chunk in chunks(sorted(accounts)):
        for row in connection.execute(query.where(Stakeholder.account_id.in_(chunk))).all():
            found[row.account_id].append(Person(*row))
    return found


def read_groups(
    connection: Connection, accounts: Collection[int], group: Group, now: datetime
) -> dict[int, Completeness]:
    """Account -> its buying group against the play's wish. Accounts without people are in it too."""
    people = read_people(connection, accounts)
    return measure_groups(connection, {account: people.get(account, []) for account in accounts}, group, now)


def measure_groups(
    connection: Connection,
    people: dict[int, list[Person]],
    group: Group,
    now: datetime,
    roles: dict[int, str] | None = None,
) -> dict[int, Completeness]:
    """Like `read_groups`, for people already read; `roles`: stakeholder -> role, where it is newer than the row."""
    silenced = _Suppressed(connection, [person for group_ in people.values() for person in group_], now)
    newer, wrong = roles or {}, set(connection.scalars(text(WRONG_PEOPLE)))
    return {
        account: measure(
            (
                Member(
                    newer.get(person.id, person.role), person.consent_basis, person.consent_at, person.email_status,
                    person.opted_out_at, silenced.has(person), person.id in wrong,
                )
                for person in members
            ),
            group,
            now,
        )
        for account, members in people.items()
    }  # fmt: skip


def write_roles(connection: Connection, found: Sequence[tuple[Person, RoleFinding]], now: datetime) -> int:
    """New roles, sources and evidence; a changed role goes into the history. Returns how many roles changed.

    A role set by a rep stays, whatever is found.
    """
    changed = 0
    for chunk in chunks(found):
        listed = [(person.id, finding.role, finding.source, finding.evidence) for person, finding in chunk]
        seat = rows_of(connection, "seat", SEAT, listed)
        here = and_(Stakeholder.id == seat.c.id, Stakeholder.role_source.is_distinct_from(RoleSource.REP))
        history = select(
            Stakeholder.account_id, Stakeholder.id, Stakeholder.role, seat.c.role, seat.c.source, seat.c.evidence,
            literal(now, RoleChange.at.type),
        ).where(here, Stakeholder.role != seat.c.role)  # fmt: skip
        record = insert(RoleChange).from_select(HISTORY, history.order_by(seat.c.id))
        changed += connection.execute(record, execution_options={"preserve_rowcount": True}).rowcount
        news = {"role": seat.c.role, "role_source": seat.c.source, "role_evidence": seat.c.evidence}
        connection.execute(update(Stakeholder).where(here).values(news))
    return changed


def set_role(connection: Connection, stakeholder_id: int, role: Role, *, by: str, now: datetime) -> None:
    """A rep's word about a person's role: from now on nothing else overwrites it. `by`: who says so.

    Raises NotFound for a person we do not know.
    """
    row = connection.execute(
        select(Stakeholder.account_id, Stakeholder.role).filter_by(id=stakeholder_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"no stakeholder {stakeholder_id}", cure="see who is in the account with `tandem why`")
    said = f"{by} said so"[:300]
    values = {"role": role, "role_source": RoleSource.REP, "role_evidence": said}
    # the account first: tracking holds its row while it writes roles
    connection.execute(update(Account).filter_by(id=row.account_id).values(replan_at=now))
    connection.execute(update(Stakeholder).filter_by(id=stakeholder_id).values(**values))
    connection.execute(
        insert(RoleChange).values(
            account_id=row.account_id, stakeholder_id=stakeholder_id, from_role=row.role, to_role=role,
            source=RoleSource.REP, evidence=said, at=now,
        )
    )  # fmt: skip


def group_as_of(connection: Connection, account_id: int, at: datetime) -> list[Seated]:
    """Who sat in which seat of an account at `at`, as we knew it then; people in order of their rows.

    Before the first change on record a person had the role that change began with.
    """
    now_seated = select(Stakeholder.id, Stakeholder.role, Stakeholder.role_source, Stakeholder.role_evidence)
    query = now_seated.filter_by(account_id=account_id).order_by(Stakeholder.id)
    seated = {id: Seated(id, Role(role), source, why, None) for id, role, source, why in connection.execute(query)}
    changes = select(RoleChange).filter_by(account_id=account_id).order_by(RoleChange.at, RoleChange.id)
    rows = list(connection.execute(changes.with_only_columns(*RoleChange.__table__.c)))
    for row in reversed(rows):
        if row.at > at and row.stakeholder_id in seated:
            seated[row.stakeholder_id] = Seated(
                row.stakeholder_id, Role(row.from_role or Role.UNKNOWN), None, None, None
            )
    for row in rows:
        if row.at <= at and row.stakeholder_id in seated:
            seated[row.stakeholder_id] = Seated(row.stakeholder_id, Role(row.to_role), row.source, row.evidence, row.at)
    return list(seated.values())


class _Suppressed:
    """Whom of these people nobody may write to, read once for all of them."""

    def __init__(self, connection: Connection, people: Iterable[Person], now: datetime) -> None:
        valid = or_(Suppression.expires_at.is_(None), Suppression.expires_at > now)
        self._domains = set(connection.scalars(select(Suppression.domain_hash).where(valid)).all()) - {None}
        self._addresses: set[Any] = set()
        for chunk in chunks(sorted({person.email_hash for person in people})):
            query = select(Suppression.email_hash).where(valid, Suppression.email_hash.in_(chunk))
            self._addresses.update(connection.scalars(query))

    def has(self, person: Person) -> bool:
        if person.email_hash in self._addresses:
            return True
        return bool(self._domains) and _domain_hash_of(person.email) in self._domains


@lru_cache(maxsize=65536)
def _domain_hash_of(email: str) -> str:
    return domain_hash(domain_of(email))
