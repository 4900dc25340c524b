"""Send plans: frozen from decisions, certified by digest, held for a person, rejected, done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Row,
    Select,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.orm import aliased

from accounts.errors import NotFound, PlanRefused
from accounts.ledger.announcements import untold
from accounts.ledger.bulk import among
from accounts.ledger.planning import members
from accounts.ledger.planning.touches import move
from accounts.models import Account, Certificate, Decision, SendPlan, Stakeholder, Touch
from accounts.playbook import Play
from accounts.touch_states import OPEN, Refusal, plan_sources_of
from accounts.vocabulary import About, Answer, Channel, PlanState, TouchState


@dataclass(frozen=True, slots=True)
class Plan:
    """A send plan as it stands."""

    id: int
    state: PlanState
    play: str
    created_at: datetime
    #: Members it was frozen or certified with.
    size: int
    #: SHA-256 over the seals of its members; None only while it is being frozen.
    digest: str | None
    flow_run: str | None
    checks: Any
    approved_by: str | None
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier plan, for comparing sizes and mixes: how many touches left, by stage."""

    plan_id: int
    stages: Mapping[str, int]

    @property
    def size(self) -> int:
        return sum(self.stages.values())


_PLAN = select(
    SendPlan.id, SendPlan.state, SendPlan.play, SendPlan.created_at, SendPlan.size, SendPlan.digest, SendPlan.flow_run,
    SendPlan.checks, SendPlan.approved_by, SendPlan.approved_at,
)  # fmt: skip


def read_plan(connection: Connection, plan_id: int) -> Plan:
    """Raises NotFound."""
    row = connection.execute(_PLAN.where(SendPlan.id == plan_id)).one_or_none()
    if row is None:
        raise NotFound(f"no send plan {plan_id}", cure="tandem touches lists touches with their plans")
    return _plan(row)


def unannounced(connection: Connection) -> list[Plan]:
    """Held plans that nobody who listens was told of, the oldest first."""
    held = _PLAN.where(SendPlan.state == PlanState.HELD, untold(About.PLAN, SendPlan.id))
    return [_plan(row) for row in connection.execute(held.order_by(SendPlan.id))]


def plans_in(connection: Connection, *states: PlanState, play: str | None = None) -> list[Plan]:
    """The plans in these states, oldest first; of one play, or of all."""
    query = _PLAN.where(SendPlan.state.in_(states)).order_by(SendPlan.id)
    return [_plan(row) for row in connection.execute(query.where(SendPlan.play == play) if play else query)]


def planned_touches(connection: Connection, plan_id: int) -> dict[int, tuple[int | None, str]]:
    """The planned touches of a plan: touch -> (stakeholder, content)."""
    query = select(Touch.id, Touch.stakeholder_id, Touch.content)
    rows = connection.execute(query.where(Touch.plan_id == plan_id, Touch.state == TouchState.PLANNED))
    return {row.id: (row.stakeholder_id, row.content) for row in rows}


def freeze(
    connection: Connection, play: Play, now: datetime, flow_run: str | None = None, *,
    accounts: Sequence[int] | None = None,
) -> int | None:  # fmt: skip
    """Make a plan of everybody whose decision is to be touched now; None when there is nobody.

    accounts: only of these (ids).

    A row of `touch` that was cancelled is used again; in any other state that content is used up for that person.
    Nobody who still has an open touch gets a second one. The plan comes out as a draft with its digest.
    """
    _one_freeze_at_a_time(connection)
    draft = insert(SendPlan).values(flow_run=flow_run, created_at=now, play=play.key, state=PlanState.DRAFT)
    plan_id: int = connection.execute(draft.returning(SendPlan.id)).scalar_one()
    due = _due(play, now, plan_id)
    if accounts is not None:
        due = due.where(among(connection, Account.id, accounts))
    connection.execute(_insert_touches(due))
    roll = members.enrol(connection, plan_id)
    if not roll.size:
        connection.execute(delete(SendPlan).where(SendPlan.id == plan_id))
        return None
    connection.execute(update(SendPlan).where(SendPlan.id == plan_id).values(digest=roll.digest, size=roll.size))
    return plan_id


def certify(
    connection: Connection, plan_id: int, *, digest: str, suite_version: str, now: datetime, expires_at: datetime,
    failing: Mapping[int, str], checks: Any, approved_by: str | None = None,
) -> int:  # fmt: skip
    """The gate's word becomes a certificate: failing rows are cancelled with their reason, the rest may be claimed.

    digest: the one the gate judged. failing: touch id -> reason. Returns the number of members certified.
    Raises PlanRefused when somebody else was faster, when a member was altered since the freezing, or nobody is left.
    """
    _advance(connection, plan_id, PlanState.CERTIFIED, SendPlan.digest == digest)
    move(connection, failing, TouchState.CANCELLED, now=now, sources=_NOT_YET_CLAIMED)
    members.leave_out_all_but_planned(connection, plan_id)
    roll = members.call_roll(connection, plan_id)
    if not roll.size:
        raise PlanRefused("nobody is left in it", where=f"plan {plan_id}")
    values = {
        "digest": roll.digest, "members": roll.size, "suite_version": suite_version,
        "certified_at": now, "expires_at": expires_at, "revoked_at": None,
    }  # fmt: skip
    connection.execute(insert(Certificate).values(plan_id=plan_id, **values))
    approval = {"approved_by": approved_by, "approved_at": now} if approved_by else {}
    whole = {"digest": roll.digest, "size": roll.size, "checks": checks, **approval}
    connection.execute(update(SendPlan).where(SendPlan.id == plan_id).values(**whole))
    connection.execute(
        update(Touch).where(_planned(plan_id)).values(state=TouchState.CERTIFIED, reason=None, error=None)
    )
    return roll.size


def expect_undecided(connection: Connection, plan_id: int) -> None:
    """Locks the plan until the transaction ends. Raises PlanRefused when it is a draft or held no longer: a verdict
    speaks of a plan nobody has decided about, and two runs may have judged it at once."""
    row = select(SendPlan.state).where(SendPlan.id == plan_id).with_for_update()
    state = connection.scalar(row)
    if state not in (PlanState.DRAFT, PlanState.HELD):
        raise PlanRefused(f"it is {state}: somebody has decided about it", where=f"plan {plan_id}")


def hold(connection: Connection, plan_id: int, checks: Any) -> None:
    """Wait for a person; the members stay planned. Raises PlanRefused when the plan has moved on."""
    _advance(connection, plan_id, PlanState.HELD)
    connection.execute(update(SendPlan).where(SendPlan.id == plan_id).values(checks=checks))


def reject(
    connection: Connection, plan_id: int, *, reason: str, now: datetime, checks: Any = None, by: str | None = None
) -> int:
    """Nothing more of it leaves: its open touches are cancelled with `reason`, its certificate revoked.

    Returns how many touches were cancelled; planning looks at their accounts again. Raises PlanRefused when the plan
    has moved on.
    """
    _advance(connection, plan_id, PlanState.REJECTED)
    if checks is not None:
        connection.execute(update(SendPlan).where(SendPlan.id == plan_id).values(checks=checks))
    if by is not None:
        connection.execute(update(SendPlan).where(SendPlan.id == plan_id).values(approved_by=by, approved_at=now))
    connection.execute(
        update(Certificate)
        .where(Certificate.plan_id == plan_id, Certificate.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    leaving = select(Touch.id).where(Touch.plan_id == plan_id, Touch.state.in_(_NOT_YET_CLAIMED))
    reasons = dict.fromkeys(connection.scalars(leaving), reason)
    return len(move(connection, reasons, TouchState.CANCELLED, now=now, sources=_NOT_YET_CLAIMED))


def finish(connection: Connection, plan_id: int) -> bool:
    """Mark a certified plan as done when none of its touches is open any more; says whether it is."""
    is_open = exists(select(Touch.id).where(Touch.plan_id == plan_id, Touch.state.in_(OPEN)))
    done = update(SendPlan).where(SendPlan.id == plan_id, SendPlan.state == PlanState.CERTIFIED, ~is_open)
    return connection.execute(done.values(state=PlanState.DONE)).rowcount == 1


def lapse(connection: Connection, now: datetime, *, drafts_before: datetime) -> list[int]:
    """Reject what waited too long: certified plans whose certificate ended, drafts frozen before `drafts_before`,
    held plans of which nothing is left.

    A plan speaks of the facts of its hour; planning decides anew. Returns the plans rejected.
    """
    ended = select(Certificate.plan_id).where(Certificate.expires_at <= now)
    is_open = exists(select(Touch.id).where(Touch.plan_id == SendPlan.id, Touch.state.in_(OPEN)))
    old = select(SendPlan.id).where(
        ((SendPlan.state == PlanState.CERTIFIED) & SendPlan.id.in_(ended))
        | ((SendPlan.state == PlanState.DRAFT) & (SendPlan.created_at < drafts_before))
        | ((SendPlan.state == PlanState.HELD) & ~is_open)
    )  # fmt: skip
    lapsed = list(connection.scalars(old.order_by(SendPlan.id)))
    for plan_id in lapsed:
        reject(connection, plan_id, reason=Refusal.PLAN_LAPSED, now=now)
    _drop_leftovers(connection, now)
    return lapsed


def _drop_leftovers(connection: Connection, now: datetime) -> None:
    """What was on its way while its plan was rejected, and came back for "later", waits for nothing any more."""
    rejected = select(SendPlan.id).where(SendPlan.state == PlanState.REJECTED)
    left = select(Touch.id).where(Touch.state == TouchState.CERTIFIED, Touch.plan_id.in_(rejected))
    reasons = dict.fromkeys(connection.scalars(left), str(Refusal.PLAN_LAPSED))
    move(connection, reasons, TouchState.CANCELLED, now=now, sources=_NOT_YET_CLAIMED)


def past_plans(connection: Connection, play: str, *, before: int, last: int = 10) -> list[Past]:
    """What the `last` plans of this play before plan `before` really sent, newest first.

    Plans for a single account are left out: beside them every plan of a whole day would look too large.
    """
    left = SendPlan.state.in_([PlanState.CERTIFIED, PlanState.DONE])
    recent = (
        select(SendPlan.id)
        .where(SendPlan.play == play, SendPlan.id < before, left, _of_several_accounts())
        .order_by(SendPlan.id.desc())
        .limit(last)
    )
    counts = (
        select(Touch.plan_id, Touch.stage, func.count())
        .where(Touch.plan_id.in_(recent), Touch.state == TouchState.SENT)
        .group_by(Touch.plan_id, Touch.stage)
    )
    stages: dict[int, dict[str, int]] = {}
    for plan_id, stage, count in connection.execute(counts):
        stages.setdefault(plan_id, {})[stage] = count
    return [Past(plan_id, stages[plan_id]) for plan_id in sorted(stages, reverse=True)]


def _of_several_accounts() -> ColumnElement[bool]:
    first = select(Touch.account_id).where(Touch.plan_id == SendPlan.id).limit(1).correlate(SendPlan).scalar_subquery()
    another = aliased(Touch)
    return exists(select(another.id).where(another.plan_id == SendPlan.id, another.account_id != first))


def _due(play: Play, now: datetime, plan_id: int) -> Select[Any]:
    """Everybody whose decision says: touch, now, with a content this edition of the play has."""
    digests = {step.key: step.digest for step in play.steps}
    due_at = func.coalesce(Decision.until, Decision.as_of)
    other = aliased(Touch)
    has_open = exists(select(other.id).where(other.stakeholder_id == Stakeholder.id, other.state.in_(OPEN)))
    return (
        select(
            Stakeholder.account_id, Stakeholder.id.label("stakeholder_id"), Account.owner_id,
            literal(Channel.EMAIL.value), Decision.play, literal(play.version), Decision.stage, Decision.content,
            case(digests, value=Decision.content, else_=null()) if digests else null(),
            Stakeholder.email, Decision.timezone, Decision.timezone_source, literal(TouchState.PLANNED.value),
            due_at, Decision.not_after, literal(plan_id),
        )
        .select_from(Decision)
        .join(Stakeholder, Stakeholder.id == Decision.stakeholder_id)
        .join(Account, Account.id == Stakeholder.account_id)
        .where(
            Decision.answer == Answer.TOUCH, Decision.play == play.key, Decision.content.in_(digests),
            due_at <= now, (Decision.not_after.is_(None)) | (Decision.not_after >= now), ~has_open,
        )
        .order_by(due_at, Stakeholder.id)
    )  # fmt: skip


_FILLED = (
    "account_id", "stakeholder_id", "rep_id", "channel", "play", "play_version", "stage", "content", "content_digest",
    "address", "timezone", "timezone_source", "state", "due_at", "not_after", "plan_id",
)  # fmt: skip
_EMPTIED = ("reason", "error", "retry_at", "claimed_at", "claimed_by")


#: A row that was cancelled is filled anew. Written out, since SQLAlchemy compiles its own ON CONFLICT every time.
_ANEW = text(
    "ON CONFLICT (stakeholder_id, channel, content) DO UPDATE SET "
    + ", ".join([*(f"{name} = excluded.{name}" for name in _FILLED), *(f"{name} = NULL" for name in _EMPTIED)])
    + f" WHERE touch.state = '{TouchState.CANCELLED}'"
)


def _insert_touches(rows: Select[Any]) -> Insert:
    return insert(Touch).from_select(list(_FILLED), rows.suffix_with(_ANEW), include_defaults=False)


_NOT_YET_CLAIMED = (TouchState.PLANNED, TouchState.CERTIFIED)


def _planned(plan_id: int) -> ColumnElement[bool]:
    return (Touch.plan_id == plan_id) & (Touch.state == TouchState.PLANNED)


def _advance(connection: Connection, plan_id: int, to: PlanState, *conditions: ColumnElement[bool]) -> None:
    """Compare and set: losing the race is normal and said."""
    step = update(SendPlan).where(SendPlan.id == plan_id, SendPlan.state.in_(plan_sources_of(to)), *conditions)
    if connection.execute(step.values(state=to)).rowcount == 0:
        state = read_plan(connection, plan_id).state
        raise PlanRefused(f"it is {state} and cannot become {to}", where=f"plan {plan_id}")


def _one_freeze_at_a_time(connection: Connection) -> None:
    """Two freezes at once could each give a person a touch. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE send_plan IN SHARE ROW EXCLUSIVE MODE"))


def _plan(row: Row[Any]) -> Plan:
    return Plan(**{**row._mapping, "state": PlanState(row.state)})
