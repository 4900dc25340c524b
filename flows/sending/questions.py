"""A held plan as a question to a person: why it waits, how large it is beside earlier ones, who is in it, its words.

No name and no whole address: the samples are rendered for the person of the documentation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import Engine

from accounts.ledger.engine import reading
from accounts.ledger.planning import plans
from accounts.ledger.planning.plans import Plan
from accounts.ledger.sending.delivery import Line, read_delivery
from accounts.playbook import Play
from accounts.vocabulary import PlanState
from flows.content.mailing import open_mailroom, read_touch
from flows.content.preview import sample_recipient
from flows.settings import Settings

#: People named in the question; `tandem plan N` shows everybody.
MOST = 100
#: Contents shown, without what stands at the foot of every mail.
SAMPLES = 3
FOOT = "\n--\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """One content of the plan as it would be read. `people`: how many of the plan get it."""

    content: str
    people: int
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a person needs to know to let a plan go, or not."""

    plan: Plan
    #: Sentences.
    reasons: Sequence[str]
    #: What earlier plans sent, newest first; empty: there were none.
    earlier: Sequence[int]
    lines: Sequence[Line]
    samples: Sequence[Sample]

    @property
    def is_open(self) -> bool:
        return self.plan.state is PlanState.HELD

    @property
    def usual(self) -> int | None:
        """The size of the usual plan; None where nothing was sent before."""
        return round(median(self.earlier)) if self.earlier else None


def question_of(engine: Engine, settings: Settings, play: Play, plan_id: int, now: datetime) -> Question:
    """The plan as it stands. Raises NotFound."""
    with reading(engine) as connection:
        delivery = read_delivery(connection, plan_id)
        earlier = [past.size for past in plans.past_plans(connection, delivery.plan.play, before=plan_id)]
    checks = delivery.plan.checks if isinstance(delivery.plan.checks, dict) else {}
    waiting = delivery.of("waiting")
    samples = _samples(settings, play, waiting, now)
    return Question(delivery.plan, checks.get("reasons", ()), earlier, waiting[:MOST], samples)


def _samples(settings: Settings, play: Play, lines: Sequence[Line], now: datetime) -> list[Sample]:
    """The contents most people of the plan get."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.content] = counts.get(line.content, 0) + 1
    found = []
    for content in sorted(counts, key=lambda key: -counts[key])[:SAMPLES]:
        if step := play.step(content):
            room = open_mailroom(settings, play, only=step.key)
            message = read_touch(room, sample_recipient(step), now)
            words = message.text.partition(FOOT)[0].strip()
            found.append(Sample(content, counts[content], message.subject, words))
    return found
