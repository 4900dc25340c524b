"""A history: everything about a run that can be decided beforehand, drawn from one number.

The same seed draws the same people, faults and moments. What the processes make of them is their own affair: a seed
that failed fails again most of the time, not always.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tests.chaos.board import SLOTS
from tests.chaos.post import Deed, Incident, Moment


class Database(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Strike(StrEnum):
    """What the conductor does at a time, and a worker at a statement of its own."""

    KILL_WORKER = "kill worker"
    INTERRUPT_WORKER = "interrupt worker"
    KILL_OFFICE = "kill office"
    #: All processes of PostgreSQL at once.
    KILL_POSTGRES = "kill postgres"
    #: One process of it, as the kernel does when memory runs out; PostgreSQL starts anew by itself.
    KILL_BACKEND = "kill backend"
    SHUT_POSTGRES = "shut postgres down at once"
    FILL_DISK = "fill disk"


class No(StrEnum):
    """What a naysayer says, and of whom."""

    OPT_OUT = "opt out"
    HOLD = "hold"
    VETO = "veto"
    VETO_CONTENT = "veto content"
    STOP_ALL = "stop all"
    STOP_ACCOUNT = "stop account"
    STOP_REP = "stop rep"


@dataclass(frozen=True, slots=True)
class AtStatement:
    """A worker's own n-th SQL statement (or commit): before it or after it, this happens."""

    number: int
    deed: Strike
    commit: bool = False
    after: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One nurture run of a worker."""

    #: Its clock, from the beginning of the history on.
    clock: timedelta
    #: Connections to the post office, and touches claimed at once.
    connections: int
    batch: int
    #: Seconds before it begins.
    rest: float
    strike: AtStatement | None = None
    #: When a run ended in an error: another one in the same process, as a retry does it.
    retries: int = 0


@dataclass(frozen=True, slots=True)
class AtTime:
    """So many seconds after the beginning the conductor strikes."""

    second: float
    deed: Strike
    slot: int = 0
    #: How long it lasts: a full disk, a closed office, PostgreSQL down.
    lasts: float = 0.0


@dataclass(frozen=True, slots=True)
class Naysaying:
    """From this letter and this second on, a no about this person. Brakes are released after a while."""

    no: No
    person: int
    letter: int
    second: float
    lasts: float


@dataclass(frozen=True, slots=True)
class History:
    seed: int
    database: Database
    people: int
    #: For each worker, its runs one after the other.
    workers: tuple[tuple[Run, ...], ...]
    incidents: tuple[Incident, ...]
    strikes: tuple[AtTime, ...]
    nos: tuple[Naysaying, ...]
    #: Seconds the post office takes over a letter.
    pace: float


def draw(seed: int, database: Database | None = None) -> History:
    """The history of this seed; even ones live on SQLite, odd ones on PostgreSQL, unless it is said."""
    dice = random.Random(seed)
    where = database or (Database.SQLITE, Database.POSTGRESQL)[seed % 2]
    people = dice.randint(20, 60)
    workers = dice.choice((1, 1, 2, 2, 3))
    return History(
        seed, where, people,
        workers=tuple(_runs(dice, where) for _ in range(workers)),
        incidents=_incidents(dice, people, workers, where),
        strikes=_strikes(dice, workers, where),
        nos=tuple(_no(dice, people) for _ in range(dice.choice((0, 1, 2, 4)))),
        pace=dice.choice((0.0, 0.0, 0.001, 0.004)),
    )  # fmt: skip


def _runs(dice: random.Random, where: Database) -> tuple[Run, ...]:
    return tuple(_run(dice, where) for _ in range(dice.randint(1, 3)))


def _run(dice: random.Random, where: Database) -> Run:
    strike = _at_statement(dice, where) if dice.random() < 0.3 else None
    return Run(
        clock=_clock(dice), connections=dice.choice((1, 1, 2, 3)), batch=dice.choice((5, 10, 25, 100)),
        rest=dice.choice((0.0, 0.0, dice.uniform(0, 0.1))), strike=strike, retries=dice.choice((0, 0, 1)),
    )  # fmt: skip


def _clock(dice: random.Random) -> timedelta:
    """Mostly a few minutes on; now and then a jump: over a lease, over a certificate, a day, and back."""
    jumps = ((timedelta(minutes=35), 2), (timedelta(hours=5), 2), (timedelta(days=1), 1), (-timedelta(hours=3), 2))
    ordinary = timedelta(minutes=dice.uniform(0, 10))
    choices, weights = zip((ordinary, 10), *jumps, strict=True)
    return dice.choices(choices, weights)[0]


def _at_statement(dice: random.Random, where: Database) -> AtStatement:
    deeds = [Strike.KILL_WORKER] * 3 + [Strike.KILL_POSTGRES] * (where is Database.POSTGRESQL)
    commit = dice.random() < 0.4
    number = dice.randint(1, 14 if commit else 90)
    return AtStatement(number, dice.choice(deeds), commit, after=dice.random() < 0.5)


def _incidents(dice: random.Random, people: int, workers: int, where: Database) -> tuple[Incident, ...]:
    """At most one for each moment of a letter."""
    drawn = (_incident(dice, people, workers, where) for _ in range(dice.choice((0, 1, 2, 4, 6))))
    return tuple({(one.letter, one.moment): one for one in drawn}.values())


def _incident(dice: random.Random, people: int, workers: int, where: Database) -> Incident:
    deeds = [
        *[Deed.DROP] * 4, Deed.LATER, Deed.NEVER, Deed.CLOSING, Deed.SLOW, *[Deed.KILL_WORKER] * 4,
        *[Deed.KILL_OFFICE] * 2, *[Deed.KILL_POSTGRES] * (where is Database.POSTGRESQL),
    ]  # fmt: skip
    deed = dice.choice(deeds)
    refusal = deed in (Deed.LATER, Deed.NEVER, Deed.CLOSING)
    moment = dice.choice((Moment.ENVELOPE, Moment.DOT) if refusal else tuple(Moment))
    return Incident(dice.randint(1, people), moment, deed, dice.randrange(workers), dice.uniform(0, 0.05))


def _strikes(dice: random.Random, workers: int, where: Database) -> tuple[AtTime, ...]:
    deeds = [*[Strike.KILL_WORKER] * 4, Strike.INTERRUPT_WORKER, Strike.KILL_OFFICE, Strike.FILL_DISK]
    if where is Database.POSTGRESQL:
        deeds += [Strike.KILL_POSTGRES, Strike.KILL_BACKEND, Strike.SHUT_POSTGRES]
    number = dice.choice((0, 1, 1, 2, 3))
    drawn = [
        AtTime(dice.uniform(0.02, 0.5), dice.choice(deeds), dice.randrange(workers), dice.uniform(0, 0.15))
        for _ in range(number)
    ]
    return tuple(sorted(drawn, key=lambda one: one.second))


def _no(dice: random.Random, people: int) -> Naysaying:
    person, letter = dice.randrange(people), dice.randint(0, people)
    return Naysaying(dice.choice(tuple(No)), person, letter, dice.uniform(0, 0.4), dice.uniform(0.02, 0.2))


assert SLOTS == 3, "as many workers as a history draws at most"
