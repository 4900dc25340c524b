"""Nurturing: who is due gets what was certified. Chapters of short transactions, each safe to kill.

    tidy  ->  decide  ->  freeze  ->  judge  ->  send

What a killed run left behind is taken up by the next: its journal says what had left, claims without one become
`unknown` when their lease is over, drafts are judged, certified plans are sent. The same facts and the same clock
change nothing the second time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from accounts.errors import PlanRefused, Unreachable
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages.why import account_named
from accounts.ledger.planning import plans, touches
from accounts.playbook import Play
from accounts.tick import Decided, decide
from accounts.touch_states import Refusal
from accounts.vocabulary import PlanState, TouchState
from expectations import gate
from expectations.audience import Limits
from expectations.gate import Verdict, Word
from flows.channels.email import EmailChannel
from flows.channels.email.registry import open_channel
from flows.clock import running, standing
from flows.sending.braking import watch
from flows.sending.journal import Journal
from flows.sending.leaving import Despatch, despatch, mailroom_of
from flows.sending.recovering import alive, recover
from flows.settings import Settings

#: How long the gate's word holds. A plan speaks of the facts of its hour; afterwards planning decides anew.
CERTIFIED_FOR = timedelta(hours=4)
#: A plan that a person approved may have to wait for its readers' working hours, over a long weekend.
APPROVED_FOR = timedelta(hours=84)
#: A run waits this long for a limit of the pace to have room again; what takes longer is for the next run.
PATIENCE = timedelta(minutes=1)
#: A draft older than this was left behind by a killed run and is not judged any more.
DRAFT_KEEPS = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Tidied:
    """What earlier runs had left behind. All are numbers of touches or plans."""

    #: Touches whose claim never got an outcome: they may have arrived.
    unknown: tuple[int, ...] = ()
    #: Touches that were claimed and had not begun to leave: they go with the next claim.
    again: tuple[int, ...] = ()
    #: Outcomes a killed run had got and could not keep, by state.
    answered: Mapping[TouchState, int] = field(default_factory=dict)
    #: Touches that came too late.
    expired: tuple[int, ...] = ()
    #: Plans that waited too long; planning decides anew about everybody in them.
    lapsed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Nurtured:
    """What a run came to. Counts are of touches."""

    play: str
    as_of: datetime
    decided: Decided
    #: The plan this run froze; None: nobody was due.
    plan_id: int | None = None
    #: Of every plan that was judged, oldest first; the last is this run's own.
    verdicts: tuple[Verdict, ...] = ()
    #: Of every plan that was sent from.
    despatches: tuple[Despatch, ...] = ()
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    #: The server asked to bring them again, or could not be reached.
    later: int = 0
    #: Did not leave after all, by a rule of the gate or a "no" at the last moment.
    cancelled: int = 0
    expired: int = 0
    #: Certified, but their reader's window is closed now.
    postponed: int = 0
    #: Certified, but a limit of the pace is full; they wait for their turn.
    paced: int = 0
    #: Why touches did not leave, the most frequent first.
    reasons: Mapping[str, int] = field(default_factory=dict)
    #: Plans that wait for a person; `tandem approve` lets them go.
    held: tuple[int, ...] = ()
    tidied: Tidied = Tidied()
    #: Why sending ended before it was through; empty when it did not.
    stopped: tuple[str, ...] = ()


def nurture(
    engine: Engine, settings: Settings, play: Play, now: datetime, *,
    channel: EmailChannel | None = None, flow_run: str | None = None, limits: Limits | None = None, live: bool = False,
) -> Nurtured:  # fmt: skip
    """Everybody who is due gets what was certified for them, after what earlier runs left behind was taken up.

    channel: instead of the one the settings name. limits: from when on a plan looks odd enough to ask a person.
    live: see `send`. Raises ContentRefused when the play cannot be compiled; nothing is claimed then.
    """
    tidied = tidy(engine, settings, now)
    decided = decide(engine, play, now)
    plan_id = freeze(engine, play, now, flow_run)
    verdicts = [judge(engine, play, draft, now, limits=limits) for draft in plans_of(engine, play, PlanState.DRAFT)]
    watch(engine, settings.reputation, now)
    despatches = send(
        engine, settings, play, plans_of(engine, play, PlanState.CERTIFIED), now, channel=channel, live=live
    )
    held = tuple(plans_of(engine, play, PlanState.HELD))
    summary = Nurtured(play.key, now, decided, plan_id, tuple(verdicts), tuple(despatches), held=held, tidied=tidied)
    return add_up(summary)


def tidy(engine: Engine, settings: Settings, now: datetime) -> Tidied:
    """Take up what killed senders left, give up claims without an outcome, let expire what is too late, drop plans
    that waited too long."""
    left = recover(engine, settings.journal, now)
    with writing(engine) as connection:
        unknown = touches.give_up_leases(connection, now, alive=alive(settings.journal))
        expired = touches.expire(connection, now)
        lapsed = plans.lapse(connection, now, drafts_before=now - DRAFT_KEEPS)
        for plan in plans.plans_in(connection, PlanState.CERTIFIED):
            plans.finish(connection, plan.id)
    return Tidied((*left.unknown, *unknown), left.again, left.answered, tuple(expired), tuple(lapsed))


def freeze(
    engine: Engine, play: Play, now: datetime, flow_run: str | None = None, *, accounts: Sequence[int] | None = None
) -> int | None:  # fmt: skip
    """The plan of everybody whose decision is "touch, now", None when there is nobody; `accounts`: of these (ids)."""
    with writing(engine) as connection:
        return plans.freeze(connection, play, now, flow_run, accounts=accounts)


def ids_of(engine: Engine, keys: Iterable[str]) -> list[int]:
    """The accounts with these keys. Raises NotFound for one nobody knows, with the closest."""
    with reading(engine) as connection:
        return [account_named(connection, key) for key in dict.fromkeys(keys)]


def plans_of(engine: Engine, play: Play, state: PlanState) -> list[int]:
    """The plans of this play that stand in `state`, oldest first."""
    with reading(engine) as connection:
        return [plan.id for plan in plans.plans_in(connection, state, play=play.key)]


def judge(engine: Engine, play: Play, plan_id: int, now: datetime, *, limits: Limits | None = None) -> Verdict:
    """The gate's verdict on a frozen plan, carried out: certified, held or rejected."""
    return carry_out(engine, gate.judge(engine, plan_id, play, now, limits=limits), now)


def carry_out(engine: Engine, verdict: Verdict, now: datetime, *, approved_by: str | None = None) -> Verdict:
    """Certify, hold or reject, as the verdict says; returns what was done in the end.

    approved_by: the person who lets a held plan go. A run that loses the race against another one changes nothing.
    """
    try:
        with writing(engine) as connection:
            plans.expect_undecided(connection, verdict.plan_id)
            _carry_out(connection, verdict, now, approved_by)
    except PlanRefused as refusal:
        return _refused(engine, verdict, refusal, now)
    return verdict


def send(
    engine: Engine, settings: Settings, play: Play, plan_ids: Sequence[int], now: datetime, *,
    channel: EmailChannel | None = None, live: bool = False,
) -> list[Despatch]:  # fmt: skip
    """Send certified plans, oldest first, over one channel. One that cannot be reached claims nothing.

    live: `now` is the present, so time goes on while mails leave; otherwise it stands still.
    Raises ContentRefused when the play cannot be compiled, SettingsRefused when the channel cannot work.
    """
    if not plan_ids:
        return []
    recover(engine, settings.journal, now)  # a run that broke off and is tried again has left its journal
    room = mailroom_of(settings, play)
    clock = running(now) if live else standing(now)
    try:
        with channel or open_channel(settings) as opened, Journal.open(settings.journal, engine) as journal:
            return [
                despatch(
                    engine,
                    room,
                    plan_id,
                    clock(),
                    opened,
                    journal=journal,
                    clock=clock,
                    pace=settings.pace,
                    patience=PATIENCE if live else timedelta(),
                )
                for plan_id in plan_ids
            ]
    except Unreachable as error:
        return [Despatch(plan_id, stopped=str(error)) for plan_id in plan_ids]


def _carry_out(connection: Connection, verdict: Verdict, now: datetime, approved_by: str | None) -> None:
    if verdict.word is Word.CERTIFY:
        plans.certify(
            connection, verdict.plan_id, digest=verdict.digest, suite_version=verdict.suite_version, now=now,
            expires_at=now + (APPROVED_FOR if approved_by else CERTIFIED_FOR), failing=verdict.failing,
            checks=verdict.checks(), approved_by=approved_by,
        )  # fmt: skip
    elif verdict.word is Word.HOLD:
        plans.hold(connection, verdict.plan_id, verdict.checks())
    else:
        touches.move(connection, verdict.failing, TouchState.CANCELLED, now=now, sources=(TouchState.PLANNED,))
        plans.reject(
            connection, verdict.plan_id, reason=Refusal.PLAN_REJECTED, now=now, checks=verdict.checks(), by=approved_by
        )


def _refused(engine: Engine, verdict: Verdict, refusal: PlanRefused, now: datetime) -> Verdict:
    """The plan is not what was judged: it is rejected, unless another run has decided about it meanwhile."""
    rejected = replace(verdict, word=Word.REJECT, reasons=(f"{refusal.what[0].upper()}{refusal.what[1:]}.",))
    with writing(engine) as connection:
        state = plans.read_plan(connection, verdict.plan_id).state
        if state not in (PlanState.DRAFT, PlanState.HELD):
            return verdict
        _carry_out(connection, rejected, now, None)
    return rejected


def add_up(summary: Nurtured) -> Nurtured:
    """The summary with its counts, from what was tidied, judged and sent."""
    outcomes: Counter[TouchState] = Counter()
    reasons: Counter[str] = Counter()
    for verdict in summary.verdicts:
        left_out = verdict.failing.values() if verdict.word is not Word.HOLD else ()
        reasons.update(map(str, left_out))
    for one in summary.despatches:
        outcomes.update(one.outcomes)
        reasons.update({str(reason): count for reason, count in one.refused.items()})
    late = reasons.get(Refusal.TOO_LATE, 0)
    return replace(
        summary,
        sent=outcomes[TouchState.SENT],
        failed=outcomes[TouchState.FAILED],
        unknown=outcomes[TouchState.UNKNOWN] + len(summary.tidied.unknown),
        later=outcomes[TouchState.CERTIFIED],
        cancelled=outcomes[TouchState.CANCELLED] + reasons.total() - late,
        expired=late + len(summary.tidied.expired),
        postponed=sum(one.postponed for one in summary.despatches),
        paced=sum(one.paced for one in summary.despatches),
        reasons=dict(reasons.most_common()),
        stopped=tuple(one.stopped for one in summary.despatches if one.stopped),
    )
