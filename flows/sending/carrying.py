"""One batch on its way: each claimed touch is composed, noted in the journal, handed to the channel, and answered.

    compose  ->  may it still leave?  ->  journal: begun  ->  the channel  ->  journal: what became of it

A batch crosses on as many lanes as the channel has; a lane makes one call of the channel after the other. Mails are
composed a few at a time, whichever lane finds none ready.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock
from time import monotonic, perf_counter

from sqlalchemy import Engine

from accounts.errors import NotSent, OutcomeUnknown, TandemError, Unreachable
from accounts.ledger.engine import reading
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Claim, Claimed, Outcome
from accounts.ledger.sending.recipients import Recipient
from accounts.pace import Pace
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.channels.email import Answer, EmailChannel, Outgoing, Sent
from flows.clock import Clock
from flows.content.mailing import Mailroom, compose_touch, letter_touch
from flows.sending.journal import Journal
from flows.sending.stopping import Stop

T = TouchState

#: How old the ledger's word that a touch may leave can be when its mail begins to leave, in seconds.
HEARD_FOR = 2.0
#: Mails composed one after the other, not each between two answers of the server: beside other busy programs it saved a
#: tenth of the CPU, since code and tables stay at hand; on an idle machine nothing. More at once gained nothing.
AHEAD = 10
#: How long after its claim a batch may begin mails, in seconds: far inside the lease
#: (accounts/ledger/planning/touches.py). Later ones are claimed anew.
BEGINS_FOR = 600.0


@dataclass(slots=True)
class Stages:
    """Where the time of a run went, in seconds. The next claim and the record of the last batch run beside the lanes,
    and lanes run beside each other: what goes on at once is added up all the same."""

    claim: float = 0.0
    compose: float = 0.0
    send: float = 0.0
    record: float = 0.0


@dataclass(frozen=True)
class Route:
    """What every batch of a run has in common. by: who claims. journal: None where nothing outlives the process.
    pace: the limits that claims keep; None: there are none."""

    engine: Engine
    room: Mailroom
    channel: EmailChannel
    clock: Clock
    by: str
    #: A signal that asks for the end is heard here.
    stop: Stop
    journal: Journal | None = None
    pace: Pace | None = None

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Content -> the digest of its text as this process has it."""
        return {step.key: step.digest for step in self.room.compiled.play.steps}


@dataclass(frozen=True, slots=True)
class Batch:
    """A claim with what its mails need."""

    claim: Claim
    recipients: Mapping[int, Recipient]
    #: Of the claim, and of the mails.
    at: datetime
    #: When the ledger was asked, by `time.monotonic`.
    asked_at: float


class Crossing:
    """A batch on its way over the lanes of a channel."""

    def __init__(self, route: Route, batch: Batch, stages: Stages) -> None:
        #: Of those that were begun or given up. A touch that is missing here at the end had not begun.
        self.outcomes: dict[int, Outcome] = {}
        #: Those that somebody has stopped since the claim; the next claim says what becomes of them.
        self.recalled: set[int] = set()
        #: Those that left `sending` without us: nothing is to be recorded about them.
        self.gone: set[int] = set()
        #: Why nothing more begins; None when nothing is in the way.
        self.stopped: str | None = None
        self.batch, self._route, self._stages = batch, route, stages
        self._waiting = deque(batch.claim.touches)
        #: Composed and not taken by a lane yet; nothing of them has begun.
        self._ready: deque[tuple[Claimed, Outgoing]] = deque()
        self._one_composes = Lock()
        self._begun: set[int] = set()
        self._halted = False
        self._running: list[Future[None]] = []
        self._begun_at = monotonic()
        self._ask_again_at = batch.asked_at + HEARD_FOR
        self._one_asks = Lock()

    def start(self, lanes: Executor) -> None:
        """Over all lanes, while the caller does something else."""
        self._running = [lanes.submit(self._lane) for _ in range(self._route.channel.lanes)]

    def wait(self) -> None:
        """Until all of it is across, or nothing more begins. Raises what a lane ran into."""
        for lane in self._running:
            lane.result()

    def halt(self) -> None:
        """What is on its way comes to its end, and nothing else begins."""
        self._halted = True
        wait(self._running)

    @property
    def arrived(self) -> bool:
        """It has been on its way, and no lane is at work on it any more."""
        return bool(self._running) and all(lane.done() for lane in self._running)

    def settle(self) -> list[Outcome]:
        """What is to be recorded once no lane is at work on it. What was interrupted while it was handed over is
        unknown."""
        for touch_id in self._begun - self.outcomes.keys():
            self.outcomes[touch_id] = self._unanswered(touch_id, "interrupted while it was handed over")
        return list(self.outcomes.values())

    @property
    def not_begun(self) -> list[int]:
        """Touches without an outcome, once it is settled: they may be claimed again."""
        return [touch.id for touch in self.batch.claim.touches if touch.id not in self.outcomes]

    def _lane(self) -> None:
        try:
            while not self._is_halted and (call := self._next_call()):
                self._make(call)
        except BaseException:
            self._halted = True
            raise

    @property
    def _is_halted(self) -> bool:
        return self._halted or bool(self._route.stop)

    def _make(self, call: Sequence[tuple[Claimed, Outgoing]]) -> None:
        begun = perf_counter()
        allowed = self._still_allowed(call)
        if allowed:
            self._hand_over([touch for touch, _ in allowed], [mail for _, mail in allowed])
        self._stages.send += perf_counter() - begun

    def _next_call(self) -> list[tuple[Claimed, Outgoing]]:
        """As many mails as one call of the channel takes; none when the batch is through."""
        most, ready = self._route.channel.most, self._ready
        with self._one_composes:
            if len(ready) < most:
                self._compose(max(most, AHEAD))
            return [ready.popleft() for _ in range(min(most, len(ready)))]

    def _compose(self, enough: int) -> None:
        """Until so many mails are ready, or none is left to be composed."""
        begun = perf_counter()
        while self._waiting and len(self._ready) < enough:
            touch = self._waiting.popleft()
            mail = self._composed(touch)
            if mail is not None:
                self._ready.append((touch, mail))
        self._stages.compose += perf_counter() - begun

    def _composed(self, touch: Claimed) -> Outgoing | None:
        """The mail, or None for one that cannot be written; that is its outcome then."""
        route = self._route
        if route.digests.get(touch.content) != touch.content_digest:
            self.outcomes[touch.id] = Outcome(touch.id, T.CANCELLED, Refusal.CONTENT_CHANGED)
            return None
        write = letter_touch if route.channel.letters else compose_touch
        try:
            mail = write(route.room, self.batch.recipients[touch.id], self.batch.at)
        except TandemError as error:
            self.outcomes[touch.id] = Outcome(touch.id, T.FAILED, Refusal.NOT_COMPOSED, str(error))
            return None
        except Exception as error:  # whatever is odd about this one person, the next one gets theirs
            self.outcomes[touch.id] = Outcome(touch.id, T.FAILED, Refusal.NOT_COMPOSED, type(error).__name__)
            return None
        envelope = mail.envelope
        return Outgoing(
            envelope.message_id, envelope.return_path, touch.address, mail.raw, mail.letter, f"touch-{touch.id}"
        )

    def _still_allowed(self, call: Sequence[tuple[Claimed, Outgoing]]) -> Sequence[tuple[Claimed, Outgoing]]:
        """Without those that are recalled, by a word of the ledger that is fresh enough."""
        if monotonic() >= self._ask_again_at:
            with self._one_asks:
                if monotonic() >= self._ask_again_at:
                    self._ask()
        return [one for one in call if one[0].id not in self.recalled] if self.recalled else call

    def _ask(self) -> None:
        """Which of those that have not begun may still leave."""
        asked_at = monotonic()
        open_ = [touch.id for touch in self.batch.claim.touches if touch.id not in self._begun]
        if asked_at - self._begun_at > BEGINS_FOR:
            self.recalled.update(open_)
        else:
            with reading(self._route.engine) as connection:
                against = claims.still_allowed(connection, open_, self._route.clock(), by=self._route.by)
            self.recalled.update(touch_id for touch_id, reason in against.items() if reason is not None)
            self.gone.update(touch_id for touch_id, reason in against.items() if reason == Refusal.NOT_OURS)
        self._ask_again_at = asked_at + HEARD_FOR

    def _hand_over(self, touches: Sequence[Claimed], mails: Sequence[Outgoing]) -> None:
        """One call of the channel. What its journal cannot be told of does not leave."""
        journal = self._route.journal
        answers: Iterable[Answer]
        if self._is_halted:
            return
        self._begun.update(touch.id for touch in touches)
        try:
            if journal is not None:
                journal.begin(touch.id for touch in touches)
        except Unreachable as error:
            answers = [error] * len(touches)
        else:
            answers = self._answers(mails)
        for touch, answer in zip(touches, answers, strict=True):
            outcome = self._outcome(touch, answer)
            self.outcomes[touch.id] = outcome
            if journal is not None:
                journal.end(outcome)

    def _answers(self, mails: Sequence[Outgoing]) -> list[Answer]:
        """One for each mail, whatever the channel does."""
        try:
            answers = self._route.channel.send_many(mails)
        except (NotSent, OutcomeUnknown) as error:
            return [error] * len(mails)
        except Exception as error:  # a channel with a mistake in it: the bytes may have left
            return [OutcomeUnknown(type(error).__name__)] * len(mails)
        missing = len(mails) - len(answers)
        return answers if missing == 0 else [OutcomeUnknown("the channel gave answers for other mails")] * len(mails)

    def _outcome(self, touch: Claimed, answer: Answer) -> Outcome:
        if isinstance(answer, Sent):
            return Outcome(touch.id, T.SENT, provider=answer.provider, provider_id=answer.provider_id)
        if isinstance(answer, Unreachable):
            self._halted, self.stopped = True, str(answer)
            return Outcome(touch.id, T.CERTIFIED, error=answer.what)
        if isinstance(answer, NotSent):
            return self._not_sent(touch, answer)
        return self._unanswered(touch.id, answer.what)

    def _not_sent(self, touch: Claimed, error: NotSent) -> Outcome:
        again = None
        if not error.permanent:
            again = claims.retry_at(touch.attempts, self._route.clock(), touch.not_after, error.retry_after)
        if again is None:
            reason = error.reason or Refusal.REFUSED_BY_SERVER
            return Outcome(touch.id, T.FAILED, reason, error.what, self._route.channel.name)
        return Outcome(touch.id, T.CERTIFIED, error.reason, error.what, retry_at=again)

    def _unanswered(self, touch_id: int, why: str) -> Outcome:
        return Outcome(touch_id, T.UNKNOWN, Refusal.NO_ANSWER, why, self._route.channel.name)
