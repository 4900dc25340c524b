"""How a certified plan leaves: claimed in batches, composed, handed to a channel, each outcome kept.

    claim (durable)  ->  compose  ->  the channel  ->  outcomes of the batch in one commit

One bad recipient never fails a batch. Whatever kills the process leaves rows in `sending`; their lease turns them into
`unknown`, and they are never sent again by themselves.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from threading import Event

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from accounts.errors import NotSent, OutcomeUnknown, PlanRefused, TandemError, Unreachable
from accounts.ledger import claims, plans
from accounts.ledger.claims import Claimed, Outcome
from accounts.ledger.engine import reading, writing
from accounts.ledger.recipients import Recipient, read_recipients
from accounts.playbook import Play
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.channels.email import EmailChannel, Outgoing
from flows.mailing import Mailroom, compose_touch, marks, open_mailroom
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


def despatch(
    engine: Engine, room: Mailroom, plan_id: int, now: datetime, channel: EmailChannel, *, batch: int = claims.BATCH
) -> Despatch:
    """Send what a certified plan still holds, as far as every "no", brake and window allows at this moment.

    The channel must be open. A plan that is not what was certified is rejected, and nothing of it leaves.
    """
    tally = _Tally(plan_id)
    try:
        with reading(engine) as connection:
            seals = plans.live_seals(connection, plan_id, now)
        with ExitStack() as lanes:
            van = _Van(engine, room, channel, lanes, now)
            while tally.stopped is None and (load := van.load(plan_id, seals, batch)).looked:
                tally.refuse(load)
                van.deliver(load.touches, tally)
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

    def refuse(self, claim: claims.Claim) -> None:
        self.refused.update(claim.refused.values())
        self.postponed += claim.postponed

    def despatch(self) -> Despatch:
        return Despatch(self.plan_id, dict(self.outcomes), dict(self.refused), self.postponed, self.stopped)


class _Van:
    """Carries batches of one plan from the ledger to the channel and brings the outcomes back."""

    def __init__(self, engine: Engine, room: Mailroom, channel: EmailChannel, lanes: ExitStack, now: datetime) -> None:
        self._engine, self._room, self._channel, self._now = engine, room, channel, now
        self._digests = {step.key: step.digest for step in _play(room).steps}
        self._recipients: Mapping[int, Recipient] = {}
        self._pool = lanes.enter_context(ThreadPoolExecutor(channel.lanes)) if channel.lanes > 1 else None
        self._halt = Event()
        self._why: str | None = None

    def load(self, plan_id: int, seals: Mapping[int, str], limit: int) -> claims.Claim:
        """Claim the next batch and gather what its mails need. Raises PlanRefused, and claims nothing, when a claimed
        row is not the one that was certified."""
        with writing(self._engine) as connection:
            window = _play(self._room).window
            claim = claims.claim(connection, plan_id, self._now, by=f"pid {os.getpid()}", window=window, limit=limit)
            for touch in claim.touches:
                if seals.get(touch.id) != touch.seal:
                    raise PlanRefused("a touch was altered after it was certified", where=f"plan {plan_id}")
            names = {touch.id: self._name(touch) for touch in claim.touches}
            claims.name_messages(connection, names)
            self._recipients = read_recipients(connection, list(names))
        return claim

    def _name(self, touch: Claimed) -> str:
        return message_id(touch.id, self._room.secret, self._room.sending_domain)

    def deliver(self, batch: Sequence[Claimed], tally: _Tally) -> None:
        """Every touch of the batch gets an outcome, and the outcomes are kept whatever interrupts the sending."""
        outcomes: dict[int, Outcome] = {}
        try:
            if self._pool is None:
                for touch in batch:
                    self._send(touch, outcomes)
            else:
                list(self._pool.map(lambda touch: self._send(touch, outcomes), batch))
        except BaseException:  # Ctrl-C: what is on its way comes to its end, nothing else begins
            self._halt.set()
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
            raise
        finally:
            self._keep(batch, outcomes, tally)
        tally.stopped = self._why

    def _keep(self, batch: Sequence[Claimed], outcomes: Mapping[int, Outcome], tally: _Tally) -> None:
        """Those without an outcome were not begun: nothing of them had left."""
        kept = [outcomes.get(touch.id) or Outcome(touch.id, T.CERTIFIED) for touch in batch]
        with writing(self._engine) as connection:
            claims.record(connection, kept, self._now)
        tally.outcomes.update(outcome.state for outcome in kept)

    def _send(self, touch: Claimed, outcomes: dict[int, Outcome]) -> None:
        """One touch. Interrupted while its bytes leave, its outcome is unknown."""
        if self._halt.is_set():
            return
        prepared = self._compose(touch)
        if isinstance(prepared, Outcome):
            outcomes[touch.id] = prepared
            return
        outcomes[touch.id] = Outcome(touch.id, T.UNKNOWN, Refusal.NO_ANSWER, "interrupted while it was handed over")
        outcomes[touch.id] = self._hand_over(touch, prepared)

    def _compose(self, touch: Claimed) -> Outgoing | Outcome:
        if self._digests.get(touch.content) != touch.content_digest:
            return Outcome(touch.id, T.CANCELLED, Refusal.CONTENT_CHANGED)
        try:
            mail = compose_touch(self._room, self._recipients[touch.id], self._now)
        except TandemError as error:
            return Outcome(touch.id, T.FAILED, Refusal.NOT_COMPOSED, str(error))
        except Exception as error:  # whatever is odd about this one person, the next one gets theirs
            return Outcome(touch.id, T.FAILED, Refusal.NOT_COMPOSED, type(error).__name__)
        return Outgoing(mail.envelope.message_id, mail.envelope.return_path, touch.address, mail.raw)

    def _hand_over(self, touch: Claimed, message: Outgoing) -> Outcome:
        try:
            sent = self._channel.send(message)
        except Unreachable as error:
            self._why = str(error)
            self._halt.set()
            return Outcome(touch.id, T.CERTIFIED, error=error.what)
        except NotSent as error:
            return self._not_sent(touch, error)
        except OutcomeUnknown as error:
            return Outcome(touch.id, T.UNKNOWN, Refusal.NO_ANSWER, error.what, self._channel.name)
        except Exception as error:  # a channel with a mistake in it: the bytes may have left
            return Outcome(touch.id, T.UNKNOWN, Refusal.NO_ANSWER, type(error).__name__, self._channel.name)
        return Outcome(touch.id, T.SENT, provider=sent.provider, provider_id=sent.provider_id)

    def _not_sent(self, touch: Claimed, error: NotSent) -> Outcome:
        asked = error.retry_after
        again = None if error.permanent else claims.retry_at(touch.attempts, self._now, touch.not_after, asked)
        if again is None:
            return Outcome(touch.id, T.FAILED, Refusal.REFUSED_BY_SERVER, error.what, self._channel.name)
        return Outcome(touch.id, T.CERTIFIED, error=error.what, retry_at=again)


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
