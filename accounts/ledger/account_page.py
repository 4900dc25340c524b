"""What the page of an account shows, in a fixed number of queries, however much happened there."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from accounts.briefs.material import AccountMaterial, Held, Mail, Newcomer, Outlook, Person, SalesTouch, Sign, clean
from accounts.briefs.saying import DID_SHORT
from accounts.errors import NotFound
from accounts.ledger.proposals import OpenProposal, read_open
from accounts.ledger.scores import read_engagement
from accounts.ledger.sla import list_clocks
from accounts.ledger.timeline import read_history
from accounts.models import (
    Account,
    Activity,
    Decision,
    Delay,
    Hold,
    Lease,
    Objection,
    Rep,
    Signal,
    Stakeholder,
    Touch,
    Veto,
)
from accounts.pauses import PAUSE
from accounts.playbook import Play
from accounts.rep_pages import facts
from accounts.vocabulary import (
    ActivityKind,
    Answer,
    Direction,
    EmailStatus,
    HoldCause,
    HoldScope,
    Reason,
    Role,
    SignalKind,
)

#: First mails as fresh as this were no chance to answer yet.
JUST_MAILED = timedelta(days=3)


def read_account_page(
    connection: Connection, account_id: int, play: Play, now: datetime, page: int = 1
) -> facts.AccountFacts:
    """The account as of now, and one page of its history. Raises NotFound."""
    account = _account(connection, account_id)
    people, proposals = _people(connection, account_id, now), read_open(connection, account.key)
    named = {person.email: person.name for person in people}
    return facts.AccountFacts(
        material=_material(connection, account, people, proposals, now),
        owner=account.owner and clean(account.owner),
        awaits_approval=any(p.outlook and p.outlook.reason == Reason.AWAITING_APPROVAL for p in people),
        reading=read_engagement(connection, [account_id], play.engagement, now)[account_id],
        clocks=tuple(
            facts.Clock(
                clock.id, clock.side, clock.duty, named.get(clock.person) if clock.person else None, clock.due_at
            )
            for clock in list_clocks(connection, account=account.key)
        ),
        proposals=tuple(
            facts.Proposed(one.id, clean(one.name), clean(one.title), clean(one.why), bool(one.email))
            for one in proposals
        ),
        lease=_lease(connection, account_id, now),
        heard=_heard(connection, account_id),
        refused=_refused(connection, account_id),
        put_off=_put_off(connection, account_id, now),
        history=read_history(connection, account_id, now, page),
    )


def _account(connection: Connection, account_id: int) -> Row[Any]:
    query = (
        select(Account.id, Account.key, Account.name, Account.division, Account.stage, Rep.name.label("owner"))
        .outerjoin(Rep, Rep.id == Account.owner_id)
        .where(Account.id == account_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"no account {account_id}")
    return row


def _material(
    connection: Connection, account: Row[Any], people: tuple[Person, ...], proposals: Sequence[OpenProposal],
    now: datetime,
) -> AccountMaterial:  # fmt: skip
    """As briefs know it, with what everybody did and got, whenever that was."""
    division = account.division or ""
    name = account.name if division.lower() in account.name.lower() else f"{account.name} {division}"
    return AccountMaterial(
        id=account.id,
        key=account.key,
        name=clean(name),
        stage=account.stage,
        people=people,
        mails=_mails(connection, account.id, now),
        holds=_holds(connection, account.id, now),
        sales_touch=_sales_touch(connection, account.id, now),
        newcomers=tuple(
            Newcomer(one.id, clean(one.name), clean(one.title), clean(one.why), one.proposed_at) for one in proposals
        ),
    )


def _people(connection: Connection, account_id: int, now: datetime) -> tuple[Person, ...]:
    """The group: what each did last, what they got, what planning answers for them."""
    acts, had = _last_acts(connection, account_id, now), _had(connection, account_id, now)
    refused = (
        select(Veto.id)
        .where(Veto.stakeholder_id == Stakeholder.id)
        .where(or_(Veto.content.is_(None), Veto.content == Decision.content))
    )
    query = (
        select(
            Stakeholder.id, Stakeholder.first_name, Stakeholder.last_name, Stakeholder.title, Stakeholder.email,
            Stakeholder.role, Stakeholder.email_status, Stakeholder.opted_out_at, Decision.answer, Decision.reason,
            Decision.until, Decision.content, refused.exists().label("vetoed"),
        )
        .outerjoin(Decision, Decision.stakeholder_id == Stakeholder.id)
        .where(Stakeholder.account_id == account_id)
        .order_by(Stakeholder.id)
    )  # fmt: skip
    return tuple(
        Person(
            row.id, _called(row), row.email, Role(row.role), EmailStatus(row.email_status), row.opted_out_at,
            acts.get(row.id), _outlook(row), row.vetoed, *_split(had.get(row.id, ())),
        )
        for row in connection.execute(query)
    )  # fmt: skip


def _called(row: Row[Any]) -> str:
    name = clean(f"{row.first_name or ''} {row.last_name or ''}")
    return name or clean(row.title) or clean(row.email.partition("@")[0])


def _outlook(row: Row[Any]) -> Outlook | None:
    if row.answer is None:
        return None
    reason = Reason(row.reason) if row.reason in list(Reason) else None
    return Outlook(Answer(row.answer), reason, row.until, row.content)


def _split(touches: Sequence[tuple[int, str]]) -> tuple[tuple[int, ...], frozenset[str]]:
    return tuple(id for id, _ in touches), frozenset(content for _, content in touches)


def _last_acts(connection: Connection, account_id: int, now: datetime) -> dict[int, Sign]:
    """Person -> the last thing they did of their own accord."""
    place = func.row_number().over(
        partition_by=Signal.stakeholder_id, order_by=(Signal.occurred_at.desc(), Signal.id.desc())
    )
    ranked = (
        select(Signal.id, Signal.kind, Signal.stakeholder_id, Signal.occurred_at, place.label("place"))
        .where(Signal.account_id == account_id, Signal.is_machine.is_(False), Signal.stakeholder_id.is_not(None))
        .where(Signal.kind.in_(sorted(DID_SHORT)), Signal.occurred_at <= now)
        .subquery()
    )
    rows = connection.execute(select(ranked).where(ranked.c.place == 1))
    return {row.stakeholder_id: Sign(row.id, SignalKind(row.kind), row.stakeholder_id, row.occurred_at) for row in rows}


def _had(connection: Connection, account_id: int, now: datetime) -> dict[int, list[tuple[int, str]]]:
    """Person -> every mail they got: touch and content."""
    query = (
        select(Touch.stakeholder_id, Touch.id, Touch.content)
        .where(Touch.account_id == account_id, Touch.sent_at <= now, Touch.stakeholder_id.is_not(None))
        .order_by(Touch.id)
    )
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for person, id, content in connection.execute(query):
        found[person].append((id, content))
    return found


def _mails(connection: Connection, account_id: int, now: datetime) -> tuple[Mail, ...]:
    """What went out in the last days: who only just got their first mail is not silent yet."""
    query = (
        select(Touch.id, Touch.stakeholder_id, Touch.content, Touch.sent_at)
        .where(Touch.account_id == account_id, Touch.stakeholder_id.is_not(None))
        .where(Touch.sent_at > now - JUST_MAILED, Touch.sent_at <= now)
    )
    return tuple(Mail(*row) for row in connection.execute(query.order_by(Touch.sent_at, Touch.id)))


def _holds(connection: Connection, account_id: int, now: datetime) -> tuple[Held, ...]:
    """Those that stand."""
    standing = (Hold.released_at.is_(None)) & (Hold.starts_at <= now) & or_(Hold.ends_at.is_(None), Hold.ends_at > now)
    query = select(Hold.__table__).where(Hold.account_id == account_id, standing).order_by(Hold.starts_at, Hold.id)
    return tuple(
        Held(
            row.id, HoldScope(row.scope), row.stakeholder_id, HoldCause(row.cause), clean(row.by), row.starts_at,
            row.ends_at,
        )
        for row in connection.execute(query)
    )  # fmt: skip


def _sales_touch(connection: Connection, account_id: int, now: datetime) -> SalesTouch | None:
    """What sales itself did last: not their mail to us, and no note."""
    ours = (Activity.direction.is_(None)) | (Activity.direction != Direction.INBOUND)
    query = (
        select(Activity.id, Activity.kind, Activity.stakeholder_id, Activity.occurred_at)
        .where(Activity.account_id == account_id, Activity.kind != ActivityKind.NOTE, ours)
        .where(Activity.occurred_at <= now)
        .order_by(Activity.occurred_at.desc(), Activity.id.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return SalesTouch(row.id, clean(row.kind), row.stakeholder_id, row.occurred_at) if row else None


def _lease(connection: Connection, account_id: int, now: datetime) -> facts.Lease | None:
    query = (
        select(Rep.name, Lease.ends_at, Lease.touches_per_week, Lease.people, Lease.topics, Lease.ads)
        .join(Rep, Rep.id == Lease.rep_id)
        .where(Lease.account_id == account_id, Lease.ended_at.is_(None), Lease.ends_at > now)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    people, topics = tuple(row.people or ()), tuple(row.topics or ())
    return facts.Lease(clean(row.name), row.ends_at, row.touches_per_week, people, topics, row.ads)


def _heard(connection: Connection, account_id: int) -> tuple[facts.Heard, ...]:
    query = (
        select(Objection.id, Objection.kind, Objection.words, Objection.stakeholder_id, Objection.at)
        .where(Objection.account_id == account_id, Objection.closed_at.is_(None))
        .order_by(Objection.at.desc(), Objection.id.desc())
    )
    return tuple(
        facts.Heard(id, kind, clean(words), person, at) for id, kind, words, person, at in connection.execute(query)
    )  # fmt: skip


def _refused(connection: Connection, account_id: int) -> tuple[facts.Refused, ...]:
    """What reps said no to; what a pause left out is nobody's no."""
    query = (
        select(Veto.stakeholder_id, Veto.content, Veto.by, Veto.at)
        .join(Stakeholder, Stakeholder.id == Veto.stakeholder_id)
        .where(Stakeholder.account_id == account_id, Veto.by != PAUSE)
        .order_by(Veto.at.desc(), Veto.id.desc())
    )
    return tuple(facts.Refused(*row) for row in connection.execute(query))


def _put_off(connection: Connection, account_id: int, now: datetime) -> tuple[facts.Put, ...]:
    query = (
        select(Delay.stakeholder_id, Delay.content, Delay.until, Delay.by)
        .join(Stakeholder, Stakeholder.id == Delay.stakeholder_id)
        .where(Stakeholder.account_id == account_id, Delay.until > now)
        .order_by(Delay.until)
    )
    return tuple(facts.Put(*row) for row in connection.execute(query))
