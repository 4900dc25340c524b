"""How a certified plan leaves: claimed in batches, carried to a channel, each outcome kept.

    claim (durable)  ->  carry (carrying.py)  ->  outcomes of the batch in one commit

One bad recipient never fails a batch. A killed process leaves rows in `sending` and a journal that says what had begun
to leave (journal.py); without the journal they become `unknown` when their lease is over, and never leave again by
themselves.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic, perf_counter
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from accounts.errors import PlanRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.locks import refusal_in
from accounts.ledger.planning import members, plans
from accounts.ledger.sending import claims
from accounts.ledger.sending.links import remember_links
from accounts.ledger.sending.recipients import read_recipients
from accounts.ledger.sending.recovery import give_back, in_the_name_of
from accounts.pace import Pace
from accounts.playbook import Play
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.channels.email import EmailChannel
from flows.clock import Clock, standing
from flows.content.mailing import Mailroom, marks, open_mailroom
from flows.sending.carrying import Batch, Crossing, Route, Stages
from flows.sending.journal import Journal
from flows.sending.stopping import stopping
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
    #: Those for whom a limit of the pace is full; they wait for their turn.
    paced: int = 0
    #: Why it ended before the plan was through; None when it was.
    stopped: str | None = None
    #: Where the time went.
    stages: Stages = field(default_factory=Stages, compare=False)


def despatch(
    engine: Engine, room: Mailroom, plan_id: int, now: datetime, channel: EmailChannel, *,
    batch: int | None = None, journal: Journal | None = None, clock: Clock | None = None,
    pace: Pace | None = None, patience: timedelta = timedelta(),
) -> Despatch:  # fmt: skip
    """Send what a certified plan still holds, as far as every "no", brake and window allows at this moment.

    The channel must be open. batch: touches claimed at once. journal: open, where a killed process shall leave word.
    clock: how time goes on from `now`; it stands still by default. pace: limits that are kept together with all other
    workers; where the next turn comes within `patience`, it is waited for.
    A plan that is not what was certified is rejected, and nothing of it leaves. On Ctrl-C and SIGTERM the mails on
    their way get there, whatever else was claimed is certified again, and then the signal has its usual effect.
    """
    tally = _Tally(plan_id)
    with stopping() as stop:
        route = Route(
            engine, room, channel, clock or standing(now), journal.worker if journal else f"pid {os.getpid()}", stop,
            journal, pace,
        )  # fmt: skip
        _empty(route, tally, batch or max(claims.BATCH, channel.most * channel.lanes), now, patience)
    return tally.despatch()


def _empty(route: Route, tally: "_Tally", limit: int, now: datetime, patience: timedelta) -> None:
    engine, plan_id = route.engine, tally.plan_id
    try:
        with reading(engine) as connection:
            members.prove(connection, plan_id, now)
        with writing(engine) as connection:  # before anything leaves: a click must arrive, whatever becomes of the text
            remember_links(connection, route.room.compiled.links_by_digest())
        with _Van(route, plan_id, limit, tally) as van:
            van.carry_all()
            while tally.stopped is None and van.has_a_turn_within(patience):
                van.carry_all()
        with writing(engine) as connection:
            plans.finish(connection, plan_id)
    except (PlanRefused, IntegrityError) as error:
        why = str(error) if isinstance(error, PlanRefused) else refusal_in(error)
        if why is None:
            raise
        tally.stopped = why
        _reject(engine, plan_id, why, now)


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
        self.paced = 0
        self.stopped: str | None = None
        self.stages = Stages()

    def refuse(self, claim: claims.Claim) -> None:
        self.refused.update(claim.refused.values())
        self.postponed += claim.postponed

    def count(self, crossing: Crossing) -> None:
        """Those that were recalled are counted by the claim that finds out why, those that never set out by none."""
        self.outcomes.update(outcome.state for outcome in crossing.outcomes.values())
        if crossing.arrived:
            self.outcomes.update(T.CERTIFIED for touch_id in crossing.not_begun if touch_id not in crossing.recalled)

    def despatch(self) -> Despatch:
        return Despatch(
            self.plan_id, dict(self.outcomes), dict(self.refused), self.postponed, self.paced, self.stopped, self.stages
        )


class _Van:
    """Brings batches of one plan from the ledger to the lanes and their outcomes back. While one is on its way, the
    outcomes of the last are recorded and the next is claimed."""

    def __init__(self, route: Route, plan_id: int, limit: int, tally: _Tally) -> None:
        self._route, self._plan_id, self._limit, self._tally = route, plan_id, limit, tally
        #: Claimed and not recorded yet: at most the one that arrived, the one on its way, and the one after it.
        self._open: list[Crossing] = []

    def __enter__(self) -> Self:
        self._lanes = ThreadPoolExecutor(self._route.channel.lanes, "lane")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever interrupts it, every touch that was claimed gets an outcome."""
        for crossing in self._open:
            crossing.halt()
        self._lanes.shutdown()
        self._record(list(self._open))

    def carry_all(self) -> None:
        """Batch after batch, until nothing may leave any more or the channel cannot be reached."""
        following = self._claim()
        while following.batch.claim.looked and not self._is_over(None):
            crossing = following
            crossing.start(self._lanes)
            following = self._claim()
            crossing.wait()
            if not (self._is_over(crossing.stopped) or following.batch.claim.looked):
                following = self._claim()  # what came back may have its turn again

    def _is_over(self, why: str | None) -> bool:
        """Whether nothing more begins: for the reason why the last batch stopped, or since a signal asks for it."""
        stop = self._route.stop
        self._tally.stopped = self._tally.stopped or why or (f"interrupted by {stop.by.name}" if stop.by else None)
        return self._tally.stopped is not None

    def has_a_turn_within(self, patience: timedelta) -> bool:
        """Waits until a limit of the pace has room again; False when that takes too long, or nobody waits for it."""
        if not self._route.pace:
            return False
        now = self._route.clock()
        with reading(self._route.engine) as connection:
            queue = claims.queue_of(connection, self._plan_id, now)
        self._tally.paced = queue.length
        if queue.next_at is None or queue.next_at - now > patience:
            return False
        self._route.stop.wait((queue.next_at - now).total_seconds())
        return not self._is_over(None)

    def _claim(self) -> Crossing:
        """Record what has arrived, claim the next batch and gather what its mails need.

        Raises PlanRefused, and claims nothing, when a claimed row is not the one that was certified.
        """
        self._record([crossing for crossing in self._open if crossing.arrived])
        begun, asked_at, at, route = perf_counter(), monotonic(), self._route.clock(), self._route
        with writing(route.engine) as connection:
            in_the_name_of(connection, route.by)
            claim = claims.claim(
                connection, self._plan_id, at, by=route.by, window=_play(route.room).window, limit=self._limit,
                names=self._message_id, pace=route.pace,
            )  # fmt: skip
            claimed = [touch.id for touch in claim.touches]
            seals = members.seals_of(connection, self._plan_id, claimed)
            for touch in claim.touches:
                if seals.get(touch.id) != touch.seal:
                    raise PlanRefused("a touch was altered after it was certified", where=f"plan {self._plan_id}")
            recipients = read_recipients(connection, claimed)
        self._tally.refuse(claim)
        self._tally.stages.claim += perf_counter() - begun
        crossing = Crossing(route, Batch(claim, recipients, at, asked_at), self._tally.stages)
        self._open.append(crossing)
        return crossing

    def _message_id(self, touch_id: int) -> str:
        return message_id(touch_id, self._route.room.secret, self._route.room.sending_domain)

    def _record(self, crossings: Sequence[Crossing]) -> None:
        """Outcomes of batches that no lane is at work on, or that never set out."""
        begun = perf_counter()
        outcomes = [outcome for crossing in crossings for outcome in crossing.settle()]
        back = [touch_id for crossing in crossings for touch_id in crossing.not_begun if touch_id not in crossing.gone]
        if outcomes or back:
            with writing(self._route.engine) as connection:
                claims.record(connection, outcomes, self._route.clock(), by=self._route.by)
                give_back(connection, back, self._route.clock(), by=self._route.by)
        for crossing in crossings:
            self._open.remove(crossing)
            self._tally.count(crossing)
        self._tally.stages.record += perf_counter() - begun


def _play(room: Mailroom) -> Play:
    return room.compiled.play


def _reject(engine: Engine, plan_id: int, why: str, now: datetime) -> None:
    """What is left of it never leaves; planning decides anew about everybody in it."""
    with writing(engine) as connection:
        checks = plans.read_plan(connection, plan_id).checks
        checks = {**checks, "stopped": why} if isinstance(checks, dict) else {"stopped": why}
        try:
            plans.reject(connection, plan_id, reason=Refusal.PLAN_REJECTED, now=now, checks=checks)
        except PlanRefused:
            return  # somebody else was faster, or it was never certified
