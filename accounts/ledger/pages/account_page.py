"""What the page of an account shows, in a fixed number of queries, however much happened there."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, func, literal_column, or_, select

from accounts.briefs.material import AccountMaterial, Held, Mail, Newcomer, Outlook, Person, SalesTouch, Sign, clean
from accounts.briefs.saying import DID_SHORT
from accounts.errors import NotFound
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.engagement.scores import read_engagement
from accounts.ledger.pages.timeline import read_history
from accounts.ledger.people.proposals import OpenProposal, read_open
from accounts.ledger.planning.ahead import coming
from accounts.ledger.reps.spokesmen import called
from accounts.ledger.weeks import in_any_week
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
    SlaClock,
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
    Duty,
    EmailStatus,
    HoldCause,
    HoldScope,
    Reason,
    Role,
    Side,
    SignalKind,
)

#: First mails as fresh as this were no chance to answer yet.
JUST_MAILED = timedelta(days=3)


HERE: BindParameter[int] = bindparam("account")
AS_OF: BindParameter[datetime] = bindparam("now")
#: Made once: to write a statement anew for each page costs more than to perform it.
_ACCOUNT = (
    select(Account.id, Account.key, Account.name, Account.division, Account.stage, Rep.name.label("owner"))
    .outerjoin(Rep, Rep.id == Account.owner_id)
    .where(Account.id == HERE)
)
_PEOPLE = (
    select(
        Stakeholder.id, Stakeholder.first_name, Stakeholder.last_name, Stakeholder.title, Stakeholder.email,
        Stakeholder.role, Stakeholder.email_status, Stakeholder.opted_out_at, Decision.answer, Decision.reason,
        Decision.content,
        literal_column(f"stakeholder.id IN ({WRONG_PEOPLE})").label("is_wrong"),
    )
    .outerjoin(Decision, Decision.stakeholder_id == Stakeholder.id)
    .where(Stakeholder.account_id == HERE)
    .order_by(Stakeholder.id)
)  # fmt: skip
_PLACE = func.row_number().over(
    partition_by=Signal.stakeholder_id, order_by=(Signal.occurred_at.desc(), Signal.id.desc())
)
_RANKED = (
    select(Signal.id, Signal.kind, Signal.stakeholder_id, Signal.occurred_at, _PLACE.label("place"))
    .where(in_any_week(), Signal.account_id == HERE, Signal.is_machine.is_(False), Signal.stakeholder_id.is_not(None))
    .where(Signal.kind.in_(sorted(DID_SHORT)), Signal.occurred_at <= AS_OF)
    .subquery()
)
_LAST_ACTS = select(_RANKED).where(_RANKED.c.place == 1)
_HAD = (
    select(Touch.stakeholder_id, Touch.id, Touch.content, Touch.sent_at)
    .where(Touch.account_id == HERE, Touch.sent_at <= AS_OF, Touch.stakeholder_id.is_not(None))
    .order_by(Touch.sent_at, Touch.id)
)
_HOLDS = (
    select(Hold.__table__, called(Hold.by).label("said_by"))
    .where(Hold.account_id == HERE, Hold.released_at.is_(None), Hold.starts_at <= AS_OF)
    .where(or_(Hold.ends_at.is_(None), Hold.ends_at > AS_OF))
    .order_by(Hold.starts_at, Hold.id)
)
_SALES_TOUCH = (
    select(Activity.id, Activity.kind, Activity.stakeholder_id, Activity.occurred_at)
    .where(Activity.account_id == HERE, Activity.kind != ActivityKind.NOTE, Activity.occurred_at <= AS_OF)
    .where(or_(Activity.direction.is_(None), Activity.direction != Direction.INBOUND))
    .order_by(Activity.occurred_at.desc(), Activity.id.desc())
    .limit(1)
)
_LEASE = (
    select(Rep.name, Lease.ends_at, Lease.touches_per_week, Lease.people, Lease.topics, Lease.ads)
    .join(Rep, Rep.id == Lease.rep_id)
    .where(Lease.account_id == HERE, Lease.ended_at.is_(None), Lease.ends_at > AS_OF)
)
_HEARD = (
    select(Objection.id, Objection.kind, Objection.words, Objection.stakeholder_id, Objection.at)
    .where(Objection.account_id == HERE, Objection.closed_at.is_(None))
    .order_by(Objection.at.desc(), Objection.id.desc())
)
#: What reps said no to; what a pause left out is nobody's no.
_REFUSED = (
    select(Veto.stakeholder_id, Veto.content, called(Veto.by), Veto.at)
    .join(Stakeholder, Stakeholder.id == Veto.stakeholder_id)
    .where(Stakeholder.account_id == HERE, Veto.by != PAUSE)
    .order_by(Veto.at.desc(), Veto.id.desc())
)
_CLOCKS = (
    select(SlaClock.id, SlaClock.side, SlaClock.duty, SlaClock.stakeholder_id, SlaClock.due_at)
    .where(SlaClock.account_id == HERE, SlaClock.closed_at.is_(None))
    .order_by(SlaClock.due_at.is_(None), SlaClock.due_at, SlaClock.id)
)
_PUT_OFF = (
    select(Delay.stakeholder_id, Delay.content, Delay.until, called(Delay.by))
    .join(Stakeholder, Stakeholder.id == Delay.stakeholder_id)
    .where(Stakeholder.account_id == HERE, Delay.until > AS_OF)
    .order_by(Delay.until)
)


def read_account_page(
    connection: Connection, account_id: int, play: Play, now: datetime, page: int = 1
) -> facts.AccountPage:
    """The account as of now, and one page of its history. Raises NotFound."""
    known = looked_ahead(connection, read_account_facts(connection, account_id, now), play, now)
    clocks = connection.execute(_CLOCKS, {"account": account_id})
    return facts.AccountPage(
        facts=known,
        reading=read_engagement(connection, [account_id], play.engagement, now)[account_id],
        clocks=tuple(
            facts.Clock(id, Side(side), Duty(duty), known.names.get(person), due_at)
            for id, side, duty, person, due_at in clocks
        ),
        history=read_history(connection, account_id, now, page),
    )


def read_account_facts(connection: Connection, account_id: int, now: datetime) -> facts.AccountFacts:
    """What its forms have to know. Raises NotFound."""
    here = {"account": account_id, "now": now}
    account = connection.execute(_ACCOUNT, here).one_or_none()
    if account is None:
        raise NotFound(f"no account {account_id}")
    touches = connection.execute(_HAD, here).all()
    people = _people(connection, touches, here)
    proposals = read_open(connection, account.key)
    return facts.AccountFacts(
        material=_material(connection, account, people, touches, proposals, here),
        owner=account.owner and clean(account.owner),
        awaits_approval=any(p.outlook and p.outlook.reason == Reason.AWAITING_APPROVAL for p in people),
        proposals=tuple(
            facts.Proposed(one.id, clean(one.name), clean(one.title), clean(one.why), bool(one.email))
            for one in proposals
        ),
        lease=_lease(connection.execute(_LEASE, here).one_or_none()),
        heard=tuple(
            facts.Heard(id, kind, clean(words), person, at)
            for id, kind, words, person, at in connection.execute(_HEARD, here)
        ),
        refused=tuple(facts.Refused(*row) for row in connection.execute(_REFUSED, here)),
        put_off=tuple(facts.Put(*row) for row in connection.execute(_PUT_OFF, here)),
    )


def looked_ahead(connection: Connection, known: facts.AccountFacts, play: Play, now: datetime) -> facts.AccountFacts:
    """The same, with what leaves to each of the group in the days to come."""
    material = known.material
    (ahead,) = coming(connection, [material.id], play, now)
    people = tuple(
        replace(person, leaving=ahead.to(person.id), is_braked=person.id in ahead.braked) for person in material.people
    )
    return replace(known, material=replace(material, people=people))


def _material(
    connection: Connection, account: Row[Any], people: tuple[Person, ...], touches: Sequence[Row[Any]],
    proposals: Sequence[OpenProposal], here: Mapping[str, Any],
) -> AccountMaterial:  # fmt: skip
    """As briefs know it, with what everybody did and got, whenever that was."""
    division = account.division or ""
    name = account.name if division.lower() in account.name.lower() else f"{account.name} {division}"
    spoken = connection.execute(_SALES_TOUCH, here).one_or_none()
    return AccountMaterial(
        id=account.id,
        key=account.key,
        name=clean(name),
        stage=account.stage,
        people=people,
        mails=tuple(
            Mail(row.id, row.stakeholder_id, row.content, row.sent_at)
            for row in touches
            if row.sent_at > here["now"] - JUST_MAILED
        ),
        holds=tuple(
            Held(
                row.id, HoldScope(row.scope), row.stakeholder_id, HoldCause(row.cause), clean(row.said_by),
                row.starts_at, row.ends_at,
            )
            for row in connection.execute(_HOLDS, here)
        ),
        sales_touch=SalesTouch(spoken.id, clean(spoken.kind), *spoken[2:]) if spoken else None,
        newcomers=tuple(
            Newcomer(one.id, clean(one.name), clean(one.title), clean(one.why), one.proposed_at) for one in proposals
        ),
    )  # fmt: skip


def _people(connection: Connection, touches: Sequence[Row[Any]], here: Mapping[str, Any]) -> tuple[Person, ...]:
    """The group: what each did last, what they got, what planning answers for them."""
    acts = {
        row.stakeholder_id: Sign(row.id, SignalKind(row.kind), row.stakeholder_id, row.occurred_at)
        for row in connection.execute(_LAST_ACTS, here)
    }
    had: dict[int, list[Row[Any]]] = defaultdict(list)
    for touch in touches:
        had[touch.stakeholder_id].append(touch)
    return tuple(
        Person(
            row.id, _called(row), row.email, Role(row.role), EmailStatus(row.email_status), row.opted_out_at,
            acts.get(row.id), _outlook(row), touches=tuple(touch.id for touch in had[row.id]),
            contents=frozenset(touch.content for touch in had[row.id]), is_wrong=bool(row.is_wrong),
        )
        for row in connection.execute(_PEOPLE, here)
    )  # fmt: skip


def _called(row: Row[Any]) -> str:
    name = clean(f"{row.first_name or ''} {row.last_name or ''}")
    return name or clean(row.title) or clean(row.email.partition("@")[0])


def _outlook(row: Row[Any]) -> Outlook | None:
    if row.answer is None:
        return None
    reason = Reason(row.reason) if row.reason in list(Reason) else None
    return Outlook(Answer(row.answer), reason, row.content)


def _lease(row: Row[Any] | None) -> facts.Lease | None:
    if row is None:
        return None
    people, topics = tuple(row.people or ()), tuple(row.topics or ())
    return facts.Lease(clean(row.name), row.ends_at, row.touches_per_week, people, topics, row.ads)
