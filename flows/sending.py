"""How a certified plan leaves: claimed in batches, carried to a channel, each outcome kept.

    claim (durable)  ->  carry (carrying.py)  ->  outcomes of the batch in one commit

One bad recipient never fails a batch. A killed process leaves rows in `sending` and a journal that says what had begun
to leave (journal.py); without the journal they become `unknown` when their lease is over, and never leave again by
themselves.
"""

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from time import monotonic, perf_counter

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from accounts.errors import PlanRefused
from accounts.ledger import claims, plans
from accounts.ledger.claims import Outcome
from accounts.ledger.engine import reading, writing
from accounts.ledger.recipients import read_recipients
from accounts.playbook import Play
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.carrying import Batch, Crossing, Route, Stages
from flows.channels.email import EmailChannel
from flows.clock import Clock, standing
from flows.journal import Journal
from flows.mailing import Mailroom, marks, open_mailroom
from flows.settings import Settings
from flows.tokens import message_id

T = TouchState


@dataclass(frozen=True, slots=True)
class Despatch:
    """What became of a plan in this run."""

    plan_id: int
    #: Outcomes of claimed touches, by state; `certified` are those the server asked to bring again.
    outcomes: Mapping[TouchState, int] = field(default_factory=dict)
    #: Why planned touches did not leave, by reason.
    refused: Mapping[str, int] = field(default_factory=dict)
    #: Those whose reader's window is closed.
    postponed: int = 0
    #: Why it ended before the plan was through; None when it was.
    stopped: str | None = None
    #: Where the time went.
    stages: Stages = field(default_factory=Stages, compare=False)


def despatch(
    engine: Engine, room: Mailroom, plan_id: int, now: datetime, channel: EmailChannel, *,
    batch: int | None = None, journal: Journal | None = None, clock: Clock | None = None,
) -> Despatch:  # fmt: skip
    """Send what a certified plan still holds, as far as every "no", brake and window allows at this moment.

    The channel must be open. batch: touches claimed at once. journal: open, where a killed process shall leave word.
    clock: how time goes on from `now`; it stands still by default. A plan that is not what was certified is rejected,
    and nothing of it leaves.
    """
    tally = _Tally(plan_id)
    try:
        with reading(engine) as connection:
            seals = plans.live_seals(connection, plan_id, now)
        with ExitStack() as lanes:
            by = journal.worker if journal else f"pid {os.getpid()}"
            van = _Van(Route(engine, room, channel, clock or standing(now), by, journal), lanes, tally.stages)
            limit = batch or max(claims.BATCH, channel.most * channel.lanes)
            while tally.stopped is None and (load := van.load(plan_id, seals, limit)).claim.looked:
                tally.refuse(load.claim)
                van.deliver(load, tally)
        with writing(engine) as connection:
            plans.finish(connection, plan_id)
    except (PlanRefused, IntegrityError) as error:
        tally.stopped = str(error) if isinstance(error, PlanRefused) else _said_by_the_lock(error)
        _reject(engine, plan_id, tally.stopped, now)
    return tally.despatch()


def mailroom_of(settings: Settings, play: Play) -> Mailroom:
    """The play, compiled once per process for each edition of its texts and of the layout.

    Raises ContentRefused with file, line and cure.
    """
    layout = sorted((settings.templates / "layout").iterdir())
    edition = (
        play.key, play.version, *(f"{file.name} {file.stat().st_mtime_ns}" for file in layout), *marks(settings)
    )  # fmt: skip
    return _compiled(_Edition(edition, settings, play))


@dataclass(frozen=True, slots=True)
class _Edition:
    """Everything a mailroom is made of, known by its marks."""

    marks: tuple[str, ...] = field(repr=False)
    settings: Settings = field(compare=False)
    play: Play = field(compare=False)


@lru_cache(maxsize=4)
def _compiled(edition: _Edition) -> Mailroom:
    return open_mailroom(edition.settings, edition.play)


class _Tally:
    def __init__(self, plan_id: int) -> None:
        self.plan_id = plan_id
        self.outcomes: Counter[TouchState] = Counter()
        self.refused: Counter[str] = Counter()
        self.postponed = 0
        self.stopped: str | None = None
        self.stages = Stages()

    def refuse(self, claim: claims.Claim) -> None:
        self.refused.update(claim.refused.values())
        self.postponed += claim.postponed

    def despatch(self) -> Despatch:
        return Despatch(
            self.plan_id, dict(self.outcomes), dict(self.refused), self.postponed, self.stopped, self.stages
        )


class _Van:
    """Carries batches of one plan from the ledger to the channel and brings the outcomes back."""

    def __init__(self, route: Route, lanes: ExitStack, stages: Stages) -> None:
        self._route, self._stages = route, stages
        count = route.channel.lanes
        self._lanes = lanes.enter_context(ThreadPoolExecutor(count, "lane")) if count > 1 else None

    def load(self, plan_id: int, seals: Mapping[int, str], limit: int) -> Batch:
        """Claim the next batch and gather what its mails need. Raises PlanRefused, and claims nothing, when a claimed
        row is not the one that was certified."""
        begun, asked_at, at, route = perf_counter(), monotonic(), self._route.clock(), self._route
        with writing(route.engine) as connection:
            window = _play(route.room).window
            claim = claims.claim(
                connection, plan_id, at, by=route.by, window=window, limit=limit, names=self._message_id
            )
            for touch in claim.touches:
                if seals.get(touch.id) != touch.seal:
                    raise PlanRefused("a touch was altered after it was certified", where=f"plan {plan_id}")
            recipients = read_recipients(connection, [touch.id for touch in claim.touches])
        self._stages.claim += perf_counter() - begun
        return Batch(claim, recipients, at, asked_at)

    def _message_id(self, touch_id: int) -> str:
        return message_id(touch_id, self._route.room.secret, self._route.room.sending_domain)

    def deliver(self, batch: Batch, tally: _Tally) -> None:
        """The outcomes are kept whatever interrupts the sending."""
        crossing = Crossing(self._route, batch, self._stages)
        try:
            crossing.run(self._lanes)
        finally:
            self._keep(batch, crossing, tally)
        tally.stopped = crossing.stopped

    def _keep(self, batch: Batch, crossing: Crossing, tally: _Tally) -> None:
        """Those without an outcome were not begun: nothing of them had left, and they may be claimed again."""
        begun = perf_counter()
        outcomes = crossing.outcomes
        waiting = [touch.id for touch in batch.claim.touches if touch.id not in outcomes]
        back = [Outcome(touch_id, T.CERTIFIED) for touch_id in waiting if touch_id not in crossing.gone]
        with writing(self._route.engine) as connection:
            claims.record(connection, [*outcomes.values(), *back], self._route.clock())
        tally.outcomes.update(outcome.state for outcome in outcomes.values())
        tally.outcomes.update(T.CERTIFIED for touch_id in waiting if touch_id not in crossing.recalled)
        self._stages.record += perf_counter() - begun


def _play(room: Mailroom) -> Play:
    return room.compiled.play


def _said_by_the_lock(error: IntegrityError) -> str:
    return str(error.orig).splitlines()[0]


def _reject(engine: Engine, plan_id: int, why: str, now: datetime) -> None:
    """What is left of it never leaves; planning decides anew about everybody in it."""
    with writing(engine) as connection:
        checks = plans.read_plan(connection, plan_id).checks
        checks = {**checks, "stopped": why} if isinstance(checks, dict) else {"stopped": why}
        try:
            plans.reject(connection, plan_id, reason=Refusal.PLAN_REJECTED, now=now, checks=checks)
        except PlanRefused:
            return  # somebody else was faster, or it was never certified
