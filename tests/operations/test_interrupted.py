"""A run that is told to stop leaves work that the next run takes up, and the ledger comes out the same.

Sending has tests of its own (tests/sending/test_killed_runs.py): there SIGKILL strikes real processes.
"""

import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select, text

from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.ledger.signals.recorded import Incoming, record
from accounts.models import Brief, Touch
from accounts.playfiles import load_play
from accounts.tick import decide
from flows import nurturing
from flows.cli.run import plain_function
from flows.house import House
from flows.operating.backup import digest_of
from flows.operating.health import look_after
from flows.settings import TEMPLATES, Settings
from flows.signals.intake import collect
from tests.cast import NOW, address_of, build_world
from tests.sending.desk import certified, claim

HOUR = timedelta(hours=1)
PLAY = load_play(TEMPLATES / "plays" / "new-business")
#: Who did what, and nobody has drawn the consequences.
WORDS = (("alice", "acme", "replied"), ("bob", "acme", "clicked"), ("gina", "globex", "unsubscribed"))
#: Of each kind of run: each costs a second run.
MOST_STOPS, FEW_STOPS = 12, 6
Copy = Callable[[], House]
Work = Callable[[House, datetime], object]


class Stopped(BaseException):
    """What Prefect makes of SIGTERM: no code of ours may hold it up."""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every flow has something to do: facts nobody tracked yet, signals nobody applied yet."""
    home = tmp_path_factory.mktemp("seeded")
    engine = open_ledger(f"sqlite:///{home / 'tandem.db'}")
    create_tables(engine)
    world = build_world(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE account SET first_contacted_at = NULL, stage = 'target' WHERE key = 'globex'"))
        told = [
            Incoming("hand", f"s{number}", kind, NOW - HOUR, email=address_of(name, account))
            for number, (name, account, kind) in enumerate(WORDS)
        ]
        record(connection, told, NOW - HOUR)
    claim(world, certified(world, {"ivan": "discovery/why-now"}), now=NOW - HOUR)  # and its sender died elsewhere
    engine.dispose()
    return home


@pytest.fixture
def copy(seeded: Path, tmp_path: Path) -> Iterator[Copy]:
    """Makes a house like the seeded one, as often as asked."""
    engines: list[Engine] = []

    def make() -> House:
        home = tmp_path / f"home-{len(engines)}"
        shutil.copytree(seeded, home)
        engines.append(open_ledger(f"sqlite:///{home / 'tandem.db'}"))
        return House(Settings(home=home), engines[-1], PLAY)

    yield make
    for engine in engines:
        engine.dispose()


def _take_in(house: House, now: datetime) -> object:
    """The flow's work without its letters, which are claimed before they leave: of those below."""
    return collect(house.engine, house.settings, house.play, now)


def _watch(house: House, now: datetime) -> object:
    """As with a Prefect server that has nothing to bury."""
    return look_after(house.engine, house.settings, None, {}, now)


def _nurture_account(house: House, now: datetime) -> object:
    """What the flow of that name does for Acme."""
    acme = nurturing.ids_of(house.engine, ["acme"])
    decide(house.engine, house.play, now, accounts=acme)
    plan = nurturing.freeze(house.engine, house.play, now, accounts=acme)
    assert plan is not None
    nurturing.judge(house.engine, house.play, plan, now)
    return nurturing.send(house.engine, house.settings, house.play, [plan], now)


WORK: dict[str, Work] = {
    "track": plain_function("track"),
    "listen": _take_in,
    "audiences": plain_function("audiences"),
    "health": _watch,
}


@pytest.mark.parametrize("flow", WORK)
def test_a_run_that_is_stopped_is_finished_by_the_next(copy: Copy, flow: str) -> None:
    """Stopped before each commit and right after it; then run again, and every row is as without the stop."""
    work, whole = WORK[flow], copy()
    moments = _moments(whole, work)
    meant = digest_of(whole.engine)
    assert len(moments) >= 2
    for at in moments:
        stopped = _stopped(copy(), work, at)
        work(stopped, NOW)
        assert digest_of(stopped.engine) == meant, f"stopped at {at}"


def test_a_rep_is_told_once_wherever_the_run_is_stopped(copy: Copy) -> None:
    """A brief that had not left is told by the next run; one that may have arrived is not sent again."""
    work, whole = plain_function("briefs"), copy()
    moments = _moments(whole, work)
    assert _told(whole) == ({"delivered": 1}, 1)
    ends = set()
    for at in moments:
        stopped = _stopped(copy(), work, at)
        work(stopped, NOW + HOUR)
        states, letters = _told(stopped)
        assert letters <= 1, f"stopped at {at}: told twice"
        assert letters == 1 or states.get("unknown"), f"stopped at {at}: {states}, and nobody was told"
        assert set(states) <= {"delivered", "unknown", "superseded"}, f"stopped at {at}: left open"
        ends.add(letters)
    assert 1 in ends


def test_an_account_whose_run_is_stopped_is_written_to_by_the_run_for_all(copy: Copy) -> None:
    """Everybody gets what they would have got, once, wherever the run for one account was stopped."""
    work, nurture, whole = _nurture_account, plain_function("nurture"), copy()
    moments = _moments(whole, work, most=FEW_STOPS)
    nurture(whole, NOW)
    meant, letters = _written_to(whole)
    assert Counter(meant.values()) == {"sent": letters, "unknown": 1}
    assert letters > 0
    for at in moments:
        stopped = _stopped(copy(), work, at)
        nurture(stopped, NOW)
        assert _written_to(stopped) == (meant, letters), f"stopped at {at}"


def _written_to(house: House) -> tuple[dict[tuple[int | None, str], str], int]:
    """Person and content -> how it ended; and the letters that left."""
    with reading(house.engine) as connection:
        rows = connection.execute(select(Touch.stakeholder_id, Touch.content, Touch.state)).all()
    return {(person, content): state for person, content, state in rows}, _letters(house)


def _stopped(house: House, work: Work, at: int) -> House:
    with _watching(house.engine, at), pytest.raises(Stopped):
        work(house, NOW)
    return house


def _moments(house: House, work: Work, most: int = MOST_STOPS) -> list[int]:
    """Run it whole, and choose where to stop the others: a stop inside a transaction is one before its commit."""
    with _watching(house.engine) as seen:
        work(house, NOW)
    commits = [number for number, what in enumerate(seen, 1) if what == "commit"]
    every = sorted({moment for at in commits for moment in (at, at + 1) if moment <= len(seen)})
    return every[:: -(-len(every) // most)]


@contextmanager
def _watching(engine: Engine, stop_at: int | None = None) -> Iterator[list[str]]:
    """What is said to the database, in order; before the one of that number comes a real SIGTERM."""
    seen: list[str] = []

    def stop(_number: int, _frame: object) -> None:
        raise Stopped

    def note(what: str) -> None:
        seen.append(what)
        if len(seen) == stop_at:
            signal.raise_signal(signal.SIGTERM)

    def statement(_connection: object, _cursor: object, words: str, *_more: object) -> None:
        note(words)

    def commit(_connection: object) -> None:
        note("commit")

    before = signal.signal(signal.SIGTERM, stop)
    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", statement)
        event.remove(engine, "commit", commit)
        signal.signal(signal.SIGTERM, before)


def _told(house: House) -> tuple[dict[str, int], int]:
    """Briefs by state, and the letters that left."""
    with reading(house.engine) as connection:
        states = Counter(connection.scalars(select(Brief.state)))
    return dict(states), _letters(house)


def _letters(house: House) -> int:
    return len(list(house.settings.outbox.glob("*.eml")))
