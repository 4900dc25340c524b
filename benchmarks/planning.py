"""How fast is planning? Beside one bare SQL window query over the same rows, and beside a loop over ORM objects.

    python -m benchmarks.planning                            # 100,000 accounts on SQLite: some ten minutes
    python -m benchmarks.planning --accounts 10000
    python -m benchmarks.planning --database-url postgresql://…/an_empty_database

The query answers less than planning does (no time zones, no holds, no pauses, no late steps, no reasons, nothing
stored); it stands for what the database alone needs to look at the same rows. Query and product take turns in one
process. Medians. On SQLite, where everything happens in this process, the ratios are of CPU time, which other work on
the machine moves least; on PostgreSQL they are of wall-clock time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.orm import Session

from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Account, Activity, Decision, Rep, Stakeholder, Touch
from accounts.planning import Planner
from accounts.playbook import Play
from accounts.snapshots import Account as Snapshot
from accounts.snapshots import Mail, Person
from accounts.tick import decide
from benchmarks.crowd import NOW, crowd_play, fill

DAY = timedelta(days=1)

#: The next content for everybody who may be written to: caps, gap and at most five an account. `+` keeps SQLite from
#: choosing the index on states, which makes the query three times slower.
WINDOW_QUERY = """
    WITH past AS (
        SELECT stakeholder_id, max(sent_at) AS last_at, count(*) FILTER (WHERE sent_at > :week) AS week
        FROM touch WHERE {state} = 'sent' GROUP BY account_id, stakeholder_id
    ), next AS (
        SELECT s.id, s.account_id, r.content, p.last_at, row_number() OVER (PARTITION BY s.id ORDER BY r.step) AS nth
        FROM stakeholder s
        JOIN account a ON a.id = s.account_id
        JOIN rule r ON r.stage = a.stage AND r.role = s.role
        LEFT JOIN past p ON p.stakeholder_id = s.id
        WHERE s.consent_basis IS NOT NULL AND s.opted_out_at IS NULL AND s.email_status = 'ok'
          AND a.first_contacted_at <= :now AND coalesce(p.week, 0) < 2
          AND (p.last_at IS NULL OR p.last_at < :gap)
          AND NOT EXISTS (SELECT 1 FROM suppression x WHERE x.email_hash = s.email_hash)
          AND NOT EXISTS (SELECT 1 FROM touch t
                          WHERE t.stakeholder_id = s.id AND t.channel = 'email' AND t.content = r.content)
    ), turns AS (
        SELECT id, content, row_number() OVER (
            PARTITION BY account_id ORDER BY CASE WHEN last_at IS NULL THEN 0 ELSE 1 END, last_at, id) AS turn
        FROM next WHERE nth = 1
    )
    SELECT id, content FROM turns WHERE turn <= 5"""


def main() -> None:
    options = read_options()
    if options.memory:
        print(json.dumps(peak_of_a_full_run(options.memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        url = options.database_url or f"sqlite:///{Path(folder) / 'full.db'}"
        engine = built(url, options.accounts)
        full = compare(engine, options.repetitions)
        if not options.database_url:
            growth(folder, options.accounts, full, options.repetitions)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--database-url", help="An empty PostgreSQL database; default: a SQLite file in a new folder.")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    return parser.parse_args()


def built(url: str, accounts: int) -> Engine:
    engine = open_ledger(url)
    create_tables(engine)
    begin = perf_counter()
    rows = fill(engine, accounts)
    sizes = ", ".join(f"{count:,} {table}s" for table, count in rows.items() if count > 999)
    print(f"world: {sizes} ({perf_counter() - begin:.0f} s to build)\n", flush=True)
    return engine


def compare(engine: Engine, repetitions: int) -> float:
    """All measurements on one world, reported; CPU seconds of a full run."""
    play = crowd_play()
    decide(engine, play, NOW)  # the first run notices the play; everything after it is alike
    seconds: dict[str, list[tuple[float, float]]] = {}
    marked = 0
    for _ in range(repetitions):
        with engine.connect() as connection:
            rules(connection, play)
            seconds.setdefault("window query", []).append(timed(lambda: window_query(connection)))
        forget(engine)
        seconds.setdefault("all written", []).append(timed(lambda: decide(engine, play, NOW, only_due=False)))
        seconds.setdefault("nothing changed", []).append(timed(lambda: decide(engine, play, NOW, only_due=False)))
        marked = mark_a_hundredth(engine)
        seconds.setdefault("tick", []).append(timed(lambda: decide(engine, play, NOW)))
    wall = {name: median(wall for wall, _ in both) for name, both in seconds.items()}
    cpu = {name: median(cpu for _, cpu in both) for name, both in seconds.items()}
    report(engine, wall, cpu, marked)
    return cpu["all written"]


def report(engine: Engine, wall: dict[str, float], cpu: dict[str, float], marked: int) -> None:
    with reading(engine) as connection:
        people = connection.scalar(select(func.count()).select_from(Stakeholder)) or 0
    orm_wall, seen, orm_cpu = orm_loop(engine, people)
    by = cpu if engine.dialect.name == "sqlite" else wall
    one, base = by["all written"], by["window query"]
    orm = orm_cpu if by is cpu else orm_wall
    print(f"{'':42}{'wall s':>8}{'CPU s':>8}   ratio of {'CPU' if by is cpu else 'wall-clock'} time")
    line("bare window query, rows fetched", wall["window query"], cpu["window query"], "1")
    for name, label in (
        ("all written", "plan all, every decision written"),
        ("nothing changed", "plan all, unchanged"),
    ):
        line(label, wall[name], cpu[name], f"{by[name] / base:.2f}x the query, limit 5x")
    line(f"ORM loop ({seen:,} people, extrapolated)", orm_wall, orm_cpu, f"{orm / one:.1f}x planning, limit >= 20x")
    line(
        f"tick, {marked:,} accounts due", wall["tick"], cpu["tick"], f"{by['tick'] / one:.1%} of a full run, limit 3 %"
    )
    print(
        f"per stakeholder: {wall['all written'] / people * 1e6:.1f} us wall, "
        f"{cpu['all written'] / people * 1e6:.1f} us CPU"
    )
    url = engine.url.render_as_string(hide_password=False)
    print(
        f"peak memory of a full run in a process of its own: {peak_in_a_process(url)} MiB, limit 1024 MiB\n", flush=True
    )


def line(label: str, wall: float, cpu: float, ratio: str) -> None:
    print(f"{label:42}{wall:8.2f}{cpu:8.2f}   {ratio}", flush=True)


def growth(folder: str, accounts: int, full: float, repetitions: int) -> None:
    """Half the world, in a file of its own."""
    engine = built(f"sqlite:///{Path(folder) / 'half.db'}", accounts // 2)
    play, times = crowd_play(), []
    decide(engine, play, NOW)
    for _ in range(repetitions):
        forget(engine)
        times.append(timed(lambda: decide(engine, play, NOW, only_due=False))[1])
    half = median(times)
    growth = f"{full / half:.2f}x, limit 2.2x"
    print(f"growth: {accounts // 2:,} accounts {half:.2f} CPU s, {accounts:,} accounts {full:.2f} CPU s: {growth}")


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """(wall, CPU of this process) in seconds."""
    wall, cpu = perf_counter(), process_time()
    work()
    return perf_counter() - wall, process_time() - cpu


def rules(connection: Connection, play: Play) -> None:
    """The play as a table, for the query; it lives as long as the connection."""
    connection.execute(text("CREATE TEMPORARY TABLE rule (stage TEXT, role TEXT, step INTEGER, content TEXT)"))
    rows = [
        {"stage": step.stage, "role": str(role), "step": step.step, "content": step.key}
        for step in play.steps
        for role in step.roles
    ]
    connection.execute(text("INSERT INTO rule VALUES (:stage, :role, :step, :content)"), rows)
    connection.execute(text("CREATE INDEX ix_rule ON rule (stage, role, step, content)"))
    connection.execute(text("ANALYZE rule"))


def window_query(connection: Connection) -> Sequence[Any]:
    state = "+state" if connection.dialect.name == "sqlite" else "state"
    times = {"now": NOW, "week": NOW - 7 * DAY, "gap": NOW - 4 * DAY}
    if connection.dialect.name == "sqlite":
        times = {name: at.strftime("%Y-%m-%d %H:%M:%S.%f") for name, at in times.items()}  # type: ignore[misc]
    result = connection.execute(text(WINDOW_QUERY.format(state=state)), times)
    rows: Sequence[Any] = result.cursor.fetchall()  # type: ignore[union-attr]
    return rows


def forget(engine: Engine) -> None:
    """No decision was ever made."""
    with writing(engine) as connection:
        connection.execute(Decision.__table__.delete())


def mark_a_hundredth(engine: Engine) -> int:
    """1 % of the accounts changed; nobody else is due. Three in four of them really changed: a person opted out."""
    with writing(engine) as connection:
        connection.execute(update(Account).values(replan_at=NOW + 30 * DAY))
        hundredth = Account.id % 100 == 7
        connection.execute(update(Account).where(hundredth).values(replan_at=NOW))
        changed = Stakeholder.account_id % 400 != 7
        people = (Stakeholder.account_id % 100 == 7) & changed & (Stakeholder.role == "champion")
        flipped = update(Stakeholder).where(people).values(paused_until=NOW + 5 * DAY)
        connection.execute(flipped)
        count: int = connection.scalar(select(func.count()).select_from(Account).where(hundredth)) or 0
    return count


# The ORM loop: objects, one account after the other, the very same rules.


def orm_loop(engine: Engine, people: int, sample: int = 400) -> tuple[float, int, float]:
    """(seconds for all people, people in the sample, CPU seconds for all): a sample of accounts, extrapolated."""
    planner = Planner(crowd_play(), NOW)
    seen = 0
    wall, cpu = perf_counter(), process_time()
    with Session(engine) as session:
        for account in session.scalars(select(Account).order_by(Account.id).limit(sample)):
            seen += orm_account(session, planner, account)
            session.commit()
    scale = people / max(seen, 1)
    return (perf_counter() - wall) * scale, seen, (process_time() - cpu) * scale


def orm_account(session: Session, planner: Planner, account: Account) -> int:
    """What a first version would do: entities in, entities out."""
    group = session.scalars(select(Stakeholder).where(Stakeholder.account_id == account.id)).all()
    touches = session.scalars(select(Touch).where(Touch.account_id == account.id)).all()
    activities = session.scalars(select(Activity).where(Activity.account_id == account.id)).all()
    owner = session.get(Rep, account.owner_id)
    people = [as_person(one, [touch for touch in touches if touch.stakeholder_id == one.id]) for one in group]
    mails = [Mail(touch.stakeholder_id, touch.content, touch.sent_at) for touch in touches if touch.sent_at]
    mails += [Mail(one.stakeholder_id, None, one.occurred_at) for one in activities if one.kind == "email"]
    snapshot = Snapshot(
        account.id, account.key, account.stage, people, account.stage_entered_at, account.first_contacted_at,
        account.play, country=account.country, owner_timezone=owner.timezone if owner else None,
        synced_at=account.synced_at, mails=sorted(mails, key=lambda mail: mail.at, reverse=True),
    )  # fmt: skip
    for person, said in zip(people, planner.plan(snapshot), strict=True):
        decision = session.get(Decision, person.id) or Decision(stakeholder_id=person.id)
        decision.account_id, decision.as_of, decision.answer = account.id, NOW, str(said.answer)
        decision.reason, decision.content = said.reason and str(said.reason), said.content
        session.add(decision)
    return len(people)


def as_person(one: Stakeholder, touches: list[Touch]) -> Person:
    last = max((touch.sent_at or touch.due_at for touch in touches), default=None)
    return Person(
        one.id, one.email, one.role, one.timezone, one.country, one.consent_basis, one.consent_at, one.email_status,
        one.opted_out_at, one.paused_until, one.owner_conflict, used=[touch.content for touch in touches], last_at=last,
    )  # fmt: skip


# Memory.


def peak_in_a_process(url: str) -> int:
    """MiB a full run takes at its peak, Python and libraries included."""
    command = [sys.executable, "-m", "benchmarks.planning", "--memory", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


def peak_of_a_full_run(url: str) -> int:
    engine = open_ledger(url)
    forget(engine)
    decide(engine, crowd_play(), NOW, only_due=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
