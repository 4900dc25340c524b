"""Ad audiences: who could be in them, what each platform has confirmed, and what we still owe it."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, and_, exists, func, literal, or_, select, update

from accounts.audiences import AudienceKey, Firm, Prospect
from accounts.identity import domain_hash, domain_of
from accounts.ledger.bulk import chunks, insert_into
from accounts.ledger.reps.leases import read_limits
from accounts.ledger.rows import rows_of
from accounts.models import Account, Audience, AudienceMember, Brake, Hold, Rep, Stakeholder, Suppression, Veto
from accounts.vocabulary import BrakeScope, HoldScope, MemberState

#: Members of one statement, and rows fetched at once.
BATCH = 20_000


class AudienceState(NamedTuple):
    """An audience as the ledger knows it."""

    id: int
    key: AudienceKey
    added: int
    pending_add: int
    pending_remove: int
    synced_at: datetime | None


def read_prospects(connection: Connection, play: str, stages: Collection[str], now: datetime) -> Iterator[Prospect]:
    """Everybody in the play's accounts in these stages, with what speaks against showing them ads; streamed."""
    stops = _Stops(connection, play, now)
    person = Stakeholder
    query = (
        select(
            person.id, person.account_id, person.email, person.email_hash, person.is_home, person.owner_conflict,
            Account.stage, Account.first_contacted_at, person.ads_consent_basis, person.ads_consent_at,
            person.email_status, person.opted_out_at,
        )
        .join(Account, Account.id == person.account_id)
        .where(Account.play == play, Account.stage.in_(stages))
    )  # fmt: skip
    for row in connection.execution_options(yield_per=BATCH).execute(query):
        yield Prospect(
            row.email, row.stage, row.first_contacted_at, row.ads_consent_basis, row.ads_consent_at,
            row.email_status, row.opted_out_at,
            suppressed=row.email_hash in stops.addresses or stops.suppresses(domain_of(row.email)),
            account_held=row.account_id in stops.accounts,
            person_held=row.id in stops.people,
            vetoed=row.id in stops.vetoed,
            off_limits=row.account_id in stops.without_ads or row.id in stops.off_limits,
            owner_conflict=row.owner_conflict or (row.email_hash in stops.homes and not row.is_home),
        )  # fmt: skip


def read_firms(connection: Connection, play: str, stages: Collection[str], now: datetime) -> list[Firm]:
    """All accounts that share a domain with one of the play's accounts in these stages, of whatever play and stage."""
    stops = _Stops(connection, play, now)
    shown = select(Account.domain).where(Account.play == play, Account.stage.in_(stages), Account.domain.is_not(None))
    query = select(
        Account.id, Account.domain, Account.name, Account.play, Account.stage, Account.first_contacted_at
    ).where(Account.domain.in_(shown))
    return [
        Firm(
            row.domain, row.name, row.stage if row.play == play and row.stage in stages else None,
            row.first_contacted_at, row.id in stops.accounts | stops.without_ads, stops.suppresses(row.domain),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def adds_are_stopped(connection: Connection, play: str) -> str | None:
    """Who pulled a brake on everything or on the play: nobody is added meanwhile, only removed. None: nobody did."""
    scope = or_(Brake.scope == BrakeScope.GLOBAL, and_(Brake.scope == BrakeScope.PLAY, Brake.target == play))
    return connection.scalar(select(Brake.by).where(Brake.released_at.is_(None), scope).order_by(Brake.at).limit(1))


def open_audiences(connection: Connection, play: str, keys: Collection[AudienceKey]) -> dict[AudienceKey, int]:
    """The ids of these audiences of the play; new ones are written down."""
    known = _ids(connection, play)
    fresh = [{**key._asdict(), "name": key.name} for key in keys if key not in known]
    if fresh:
        connection.execute(insert_into(connection, Audience).on_conflict_do_nothing(), fresh)
        known = _ids(connection, play)
    return {key: known[key] for key in keys}


def _ids(connection: Connection, play: str) -> dict[AudienceKey, int]:
    query = select(Audience.id, Audience.platform, Audience.stage, Audience.kind).where(Audience.play == play)
    return {AudienceKey(platform, play, stage, kind): id for id, platform, stage, kind in connection.execute(query)}


def owing(connection: Connection, play: str, state: MemberState) -> set[int]:
    """The play's audiences, by id, in which somebody is still to be added or removed."""
    owed = exists().where(AudienceMember.audience_id == Audience.id, AudienceMember.state == state)
    return set(connection.scalars(select(Audience.id).where(Audience.play == play, owed)))


def read_audiences(connection: Connection, play: str) -> list[AudienceState]:
    """The play's audiences with how many members are in which state, by platform, kind and name."""

    def count(state: MemberState) -> Any:
        return func.count().filter(AudienceMember.state == state)

    query = (
        select(
            Audience.id, Audience.platform, Audience.play, Audience.stage, Audience.kind,
            count(MemberState.ADDED), count(MemberState.PENDING_ADD), count(MemberState.PENDING_REMOVE),
            Audience.synced_at,
        )
        .outerjoin(AudienceMember, AudienceMember.audience_id == Audience.id)
        .where(Audience.play == play)
        .group_by(Audience.id)
        .order_by(Audience.platform, Audience.kind, Audience.name)
    )  # fmt: skip
    return [
        AudienceState(id, AudienceKey(platform, name, stage, kind), *counts)
        for id, platform, name, stage, kind, *counts in connection.execute(query)
    ]


def read_states(connection: Connection, audience_id: int) -> dict[str, MemberState]:
    """Member -> state, of everybody the platform has, or is owed; removed members are left out."""
    query = select(AudienceMember.member_hash, AudienceMember.state).where(
        AudienceMember.audience_id == audience_id, AudienceMember.state != MemberState.REMOVED
    )
    known = {state.value: state for state in MemberState}
    return {member: known[state] for member, state in connection.execute(query).all()}


def read_owed(connection: Connection, audience_id: int, state: MemberState) -> list[str]:
    """The members still to be added or removed on the platform, in order."""
    query = select(AudienceMember.member_hash).where(
        AudienceMember.audience_id == audience_id, AudienceMember.state == state
    )
    return list(connection.scalars(query.order_by(AudienceMember.member_hash)))


def owe(connection: Connection, audience_id: int, members: Collection[str], state: MemberState) -> None:
    """These members are to be added or removed: `pending_add` or `pending_remove`."""
    for chunk in chunks(sorted(members), BATCH):
        member = rows_of(connection, "member", {"hash": String(255)}, [(hashed,) for hashed in chunk])
        # the condition tells SQLite where the SELECT ends and ON CONFLICT begins
        rows = select(literal(audience_id), member.c.hash, literal(state.value)).where(literal(1) == 1)
        statement = insert_into(connection, AudienceMember).from_select(["audience_id", "member_hash", "state"], rows)
        again = statement.on_conflict_do_update(
            index_elements=["audience_id", "member_hash"], set_={"state": statement.excluded.state}
        )
        connection.execute(again)


def confirm(connection: Connection, audience_id: int, members: Sequence[str], owed: MemberState, now: datetime) -> None:
    """The platform took what we owed it. Members that something else is owed for by now keep that state."""
    done = {MemberState.PENDING_ADD: MemberState.ADDED, MemberState.PENDING_REMOVE: MemberState.REMOVED}[owed]
    for chunk in chunks(members, BATCH):
        # IN, not a join: SQLite would go through the whole list once for every member that is owed
        listed = select(rows_of(connection, "member", {"hash": String(255)}, [(hashed,) for hashed in chunk]).c.hash)
        here = and_(AudienceMember.audience_id == audience_id, AudienceMember.state == owed)
        here = and_(here, AudienceMember.member_hash.in_(listed))
        connection.execute(update(AudienceMember).where(here).values(state=done, synced_at=now))
    connection.execute(update(Audience).where(Audience.id == audience_id).values(synced_at=now))


class _Stops:
    """Everything that keeps people and accounts out of ads, read once: far fewer rows than people."""

    def __init__(self, connection: Connection, play: str, now: datetime) -> None:
        standing = and_(
            Hold.released_at.is_(None), Hold.starts_at <= now, or_(Hold.ends_at.is_(None), Hold.ends_at > now)
        )
        valid = or_(Suppression.expires_at.is_(None), Suppression.expires_at > now)
        held = connection.execute(select(Hold.scope, Hold.account_id, Hold.stakeholder_id).where(standing)).all()
        self.accounts = {account for scope, account, _ in held if scope == HoldScope.ACCOUNT}
        self.accounts.update(_braked_accounts(connection))
        self.people = {person for scope, _, person in held if scope == HoldScope.STAKEHOLDER}
        self.vetoed = set(connection.scalars(select(Veto.stakeholder_id).where(Veto.content.is_(None))))
        self.addresses = set(connection.scalars(select(Suppression.email_hash).where(valid)))
        self.domains = set(connection.scalars(select(Suppression.domain_hash).where(valid))) - {None}
        self.homes = set(connection.scalars(select(Stakeholder.email_hash).where(Stakeholder.is_home.is_(True))))
        leased = read_limits(connection, now)
        #: What reps who work on an account asked for: no ads there, and people whom nobody touches.
        self.without_ads = {account for account, limits in leased.items() if limits.ads is False}
        self.off_limits = {person for limits in leased.values() for person in limits.people or ()}
        self._known: dict[str, bool] = {}

    def suppresses(self, domain: str | None) -> bool:
        if not self.domains or not domain:
            return False
        if domain not in self._known:
            self._known[domain] = domain_hash(domain) in self.domains
        return self._known[domain]


def _braked_accounts(connection: Connection) -> Sequence[int]:
    """Accounts that a kill switch stops by their own name or their rep's."""
    pulled = select(Brake.target).where(Brake.released_at.is_(None))
    by_account = Account.key.in_(pulled.where(Brake.scope == BrakeScope.ACCOUNT))
    by_rep = Rep.email.in_(pulled.where(Brake.scope == BrakeScope.REP))
    return connection.scalars(
        select(Account.id).outerjoin(Rep, Rep.id == Account.owner_id).where(or_(by_account, by_rep))
    ).all()
