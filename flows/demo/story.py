"""Three weeks at Lumenflow, told by the real flows: virtual days, real imports, real plans, real mail in an outbox.

Each weekday the CRM is exported and imported, what buyers did is collected, accounts are tracked, and twice a day the
people whose hour it is get what is theirs. Between the runs buyers answer what they received, and reps their briefs.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from accounts.ledger.engine import reading
from accounts.ledger.planning.touches import Listed, list_touches
from accounts.ledger.sending.recipients import read_recipients
from accounts.vocabulary import TouchState, Verdict
from flows.demo.buyers import Received, Row, react
from flows.demo.sellers import Sellers
from flows.demo.world import World, write_csv
from flows.house import House
from flows.importing import Imported, import_paths
from flows.sales.answers import feedback, hold
from flows.signals.intake import inbox_of

SEED = 11
#: A Monday; the story has a calendar of its own, so it reads the same whenever it is told.
START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
DAYS = 21
#: More touches than three weeks can bring.
ALL = 100_000

#: The name of a flow on the command line, the play's key, the moment and the flow's own parameters; the run's counts.
RunFlow = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Chore:
    """One thing that happens at one virtual moment."""

    at: datetime
    says: str
    run: Callable[[datetime], object]


@dataclass
class Teller:
    """Tells the story: who does what, when. `counts` adds up what the flows answered."""

    house: House
    world: World
    run_flow: RunFlow
    counts: Counter[str] = field(default_factory=Counter)
    imported: Imported | None = None
    runs: int = 0

    def __post_init__(self) -> None:
        self.buyers = Buyers(self.house, inbox_of(self.house.settings))
        self.sellers = Sellers(self.house, self.world, SEED)

    def begin(self) -> None:
        """The first import, and what happened before the story begins, through the same doors."""
        self.imported = self.import_crm(START)
        write_csv(_made(self.buyers.inbox) / "signals-000.csv", self.world.past_signals)
        self.sellers.leave(START)

    def chores(self) -> Iterator[Chore]:
        """Everything that happens, in order."""
        for day in _weekdays():
            morning = f"{day:%a %d %b}"
            yield Chore(day, f"{morning}: buyers answered, CRM export", self.new_facts)
            for flow in ("signals", "track"):
                yield Chore(day, f"{morning}: {flow}", partial(self.flow, flow))
            if day in self.words:
                yield Chore(day + timedelta(minutes=10), f"{morning}: a rep says something", self.words[day])
            yield self.desk(day + timedelta(minutes=30), f"{morning}: Hamburg")
            yield Chore(day + timedelta(hours=2, minutes=30), f"{morning}: nurture", partial(self.flow, "nurture"))
            yield self.desk(day + timedelta(hours=6, minutes=15), f"{morning}: New York")
            yield Chore(day + timedelta(hours=9), f"{morning}: nurture, afternoon", partial(self.flow, "nurture"))
            if day.weekday() == 4:
                yield Chore(day + timedelta(hours=10), f"{morning}: ad audiences", partial(self.flow, "audiences"))
            yield self.desk(day + timedelta(hours=17, minutes=15), f"{morning}: Singapore")

    def desk(self, at: datetime, where: str) -> Chore:
        """A morning of the reps there: calls, and on Mondays and Thursdays briefs."""
        has_briefs = at.weekday() in (0, 3)
        return Chore(at, f"{where}, {'calls and briefs' if has_briefs else 'calls'}", partial(self.morning, has_briefs))

    @property
    def words(self) -> dict[datetime, Callable[[datetime], object]]:
        """What reps say in these weeks, as they would by `tandem hold` and `tandem feedback`."""
        engine, accounts = self.house.engine, self.world.accounts
        held, ripe = accounts[1], accounts[7]
        return {
            START + timedelta(days=3): lambda now: hold(
                engine, held["account"], by=held["owner_email"], now=now, until=now + timedelta(days=7),
                note="They reorganise the plant; quiet until the new lead is named.",
            ),
            START + timedelta(days=9): lambda now: feedback(
                engine, ripe["account"], Verdict.RIPE, by=ripe["owner_email"], now=now, topic="peak shaving",
            ),
        }  # fmt: skip

    def new_facts(self, now: datetime) -> None:
        self.buyers.answer(now)
        self.import_crm(now)

    def import_crm(self, now: datetime) -> Imported:
        export = self.world.export(self.house.settings.home / "crm-export", now)
        return import_paths(self.house.engine, export, now=now, play=self.house.play)

    def morning(self, has_briefs: bool, now: datetime) -> None:
        """For those whose morning it is: they call; then they read and answer."""
        self.sellers.call(now)
        if has_briefs:
            self.flow("briefs", now, only_due=True)
            self.sellers.read_briefs(now)

    def flow(self, name: str, now: datetime, **more: bool) -> None:
        self.runs += 1
        counts = self.run_flow(name, self.house.play.key, now, **more)
        self.counts.update({f"{name}.{word}": count for word, count in counts.items()})


class Buyers:
    """The buyers' side: reads each mail once, keeps answers until their hour has come."""

    def __init__(self, house: House, inbox: Path) -> None:
        self.house, self.inbox = house, inbox
        self._assets = {step.key: step.asset for step in house.play.steps}
        self._read: set[int] = set()
        self._pending: list[Row] = []
        self._files = 0

    def answer(self, now: datetime) -> None:
        """Write what they have done by `now` into the signals inbox, as a provider's export would bring it."""
        self._pending.extend(react(self._new_mail(), SEED))
        due = [row for row in self._pending if datetime.fromisoformat(row["occurred_at"]) <= now]
        self._pending = [row for row in self._pending if datetime.fromisoformat(row["occurred_at"]) > now]
        if due:
            self._files += 1
            write_csv(_made(self.inbox) / f"signals-{self._files:03d}.csv", due)

    def _new_mail(self) -> list[Received]:
        with reading(self.house.engine) as connection:
            sent = {touch.id: touch for touch in list_touches(connection, states=[TouchState.SENT], limit=ALL)}
            people = read_recipients(connection, sorted(sent.keys() - self._read))
        self._read |= people.keys()
        return [
            Received(
                id, who.account_key, who.address, who.role, who.content, self._assets[who.content], _when(sent[id])
            )
            for id, who in people.items()
        ]


def _when(touch: Listed) -> datetime:
    assert touch.sent_at is not None, "a sent touch has its time"  # noqa: S101
    return touch.sent_at


def _weekdays() -> Iterator[datetime]:
    days = (START + timedelta(days=number) for number in range(DAYS))
    return (day for day in days if day.weekday() < 5)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
