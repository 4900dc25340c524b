"""All reps' briefs after a busy day, against bare Jinja2 rendering of the same briefs.

The limit fills the product's own HTML and text templates with plain Jinja2, holding templates and finished briefs. The
product reads the ledger, decides what is news, writes the briefs and renders both parts; further lines add storing and
delivering (memory channel), and a night when nothing is new: an hour later, after what fell due meanwhile was told. A
rep has a hundred accounts. CPU time of one core, medians; a night, which plans all accounts anew, is measured half as
often.

    python benchmarks/briefs.py [--reps 1000] [--rounds 3] [--database URL] [--json]
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from jinja2 import Environment
from sqlalchemy import Engine, delete, insert, select, update

from accounts.briefs import LABELS, Brief
from accounts.briefs.account import SETTLED, STOP
from accounts.garbage import uncollected
from accounts.ledger.brief_material import briefs_of
from accounts.ledger.briefs import read_looks, store_briefs
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Account, BriefDelivery, Decision, Rep, Signal, Stakeholder
from accounts.models import Brief as BriefRow
from accounts.playbook import Play, load_play
from accounts.vocabulary import BriefState
from benchmarks.crowd import NOW, REPS, crowd_play, fill, write
from flows.briefs.briefing import brief_reps
from flows.briefs.links import Links
from flows.briefs.pages import MARGIN, RULE, STARTS, BriefPages, inlined
from flows.channels.email.memory import Memory
from flows.settings import TEMPLATES, Settings

TARGET = 0.2
#: A quiet night may cost so much of a busy one.
QUIET_TARGET = 0.05
ACCOUNTS_EACH = 100
DAY = timedelta(days=1)
KINDS = ("clicked", "visited", "downloaded", "replied", "opened", "ad_clicked", "webinar_attended")


def signals(engine: Engine, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Two signals a person over the last month, one in eight of them since yesterday."""
    dice = random.Random(seed)
    with reading(engine) as connection:
        people = connection.execute(select(Stakeholder.id, Stakeholder.account_id).order_by(Stakeholder.id)).all()
    for number, (person, account) in enumerate(row for row in people for _ in range(2)):
        age = dice.uniform(0.02, 1) if dice.random() < 0.125 else dice.uniform(1.1, 30)
        at = NOW - timedelta(days=age)
        yield {
            "source": "crowd", "source_id": str(number), "kind": dice.choice(KINDS), "account_id": account,
            "stakeholder_id": person, "occurred_at": at, "received_at": at, "is_machine": dice.random() < 0.2,
        }  # fmt: skip


def decisions(engine: Engine, play: Play, seed: int = 8) -> Iterator[dict[str, Any]]:
    """For everybody a next mail, half of them within seven days."""
    dice, contents = random.Random(seed), [step.key for step in play.steps]
    with reading(engine) as connection:
        people = connection.execute(select(Stakeholder.id, Stakeholder.account_id).order_by(Stakeholder.id)).all()
    for person, account in people:
        until = NOW + timedelta(days=dice.uniform(0, 14))
        yield {
            "stakeholder_id": person, "account_id": account, "as_of": NOW, "answer": "wait", "until": until,
            "reason": "waiting_step", "content": dice.choice(contents),
        }  # fmt: skip


def build(engine: Engine, reps: int, play: Play) -> None:
    create_tables(engine)
    fill(engine, reps * ACCOUNTS_EACH)
    with writing(engine) as connection:
        more = [{"id": n, "email": f"rep{n}@lumenflow.example", "name": f"Rep {n}"} for n in range(REPS + 1, reps + 1)]
        if more:
            connection.execute(insert(Rep), more)
        connection.execute(update(Account).values(owner_id=1 + (Account.id - 1) % reps))
    for table, rows in ((Signal, signals(engine)), (Decision, decisions(engine, play))):
        with writing(engine) as connection:
            write(connection, table, rows)
    with writing(engine) as connection:
        yesterday = {"since": (NOW - 2 * DAY).isoformat(), "known": []}
        store_briefs(connection, [(rep, NOW - DAY, 0, yesterday) for rep in range(1, max(reps, REPS) + 1)])
        connection.execute(BriefRow.__table__.update().values(state=BriefState.DELIVERED))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def written(engine: Engine, play: Play) -> list[Brief]:
    """Ledger to briefs, as `write_briefs` does it."""
    with reading(engine) as connection, uncollected():
        return [brief for _, brief in briefs_of(connection, read_looks(connection, NOW), play, NOW)]


def links_of(number: int) -> Links:
    return Links("https://go.lumenflow.example", "a secret of the house", number, number, NOW.date())


def rendered(pages: BriefPages, briefs: list[Brief]) -> int:
    total = 0
    for number, brief in enumerate(briefs):
        links = links_of(number)
        total += len(pages.html(brief, links)) + len(pages.text(brief, links))
    return total


def bare_jinja(briefs: list[Brief]) -> Callable[[], int]:
    """The limit: the same templates in plain environments, briefs and links ready, nothing wrapped."""
    folder = TEMPLATES / "briefs"
    furniture: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    comments = Environment(autoescape=True, block_start_string="<!--%", block_end_string="%-->", **furniture)
    plain = Environment(autoescape=False, **furniture)  # noqa: S701
    for environment in (comments, plain):
        environment.filters.update(
            ids=lambda said: " ".join(said.evidence), hang=lambda said, _: said, proof=lambda *_: ""
        )
    html = comments.from_string(inlined((folder / "brief.html").read_text(encoding="utf-8")))
    text = plain.from_string((folder / "brief.txt").read_text(encoding="utf-8"))
    facts = {
        "labels": LABELS, "starts": STARTS, "with_evidence": False, "margin": MARGIN, "rule": RULE, "stop": STOP,
        "settled": SETTLED, "good_until": "8 December",
    }  # fmt: skip
    linked = [(one, links_of(number)) for number, one in enumerate(briefs)]
    render = [html.render, text.render]
    return lambda: sum(len(way(facts, brief=one, link=links)) for one, links in linked for way in render)


def count_from(at: datetime, step: timedelta) -> Iterator[datetime]:
    while True:
        yield at
        at += step


def timed(
    way: Callable[[], object], rounds: int, before: Callable[[], object] = lambda: None, *, warm: int = 0
) -> float:  # fmt: skip
    """Median seconds of CPU; `warm`: runs before that are not counted."""
    spent = []
    for _ in range(warm):
        way()
    for _ in range(rounds):
        before()
        started = process_time()
        way()
        spent.append(process_time() - started)
    return median(spent)


def forget_today(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(delete(BriefDelivery))
        connection.execute(delete(BriefRow).where(BriefRow.as_of >= NOW))


def measure(engine: Engine, play: Play, rounds: int, home: Path) -> dict[str, float]:
    """Milliseconds a brief, and the number of briefs."""
    settings = Settings(home=home, channel="memory")
    pages, briefs = BriefPages(TEMPLATES), written(engine, play)
    count = len(briefs)
    deliver = partial(brief_reps, engine, settings, play, channel=Memory())
    nights = max(1, rounds // 2)
    later = count_from(NOW + timedelta(hours=1), timedelta(minutes=1))
    found = {
        "bare Jinja2: HTML and text": timed(bare_jinja(briefs), rounds) / count,
        "Tandem: ledger to HTML and text": timed(lambda: rendered(pages, written(engine, play)), rounds) / count,
        "  of that: ledger to brief": timed(lambda: written(engine, play), rounds) / count,
        "  of that: brief to HTML and text": timed(lambda: rendered(pages, briefs), rounds) / count,
        "a busy night: with storing and delivering": timed(lambda: deliver(NOW), nights, lambda: forget_today(engine))
        / count,
        "a quiet night: later, nothing new": timed(lambda: deliver(next(later)), nights, warm=1) / count,
    }
    return {**{name: seconds * 1e3 for name, seconds in found.items()}, "briefs": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", default=None, help="An empty database; default: SQLite in a temporary folder.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    play = crowd_play().model_copy(update={"engagement": load_play(TEMPLATES / "plays" / "new-business").engagement})
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(asked.database or f"sqlite:///{folder}/tandem.db")
        build(engine, asked.reps, play)
        found = measure(engine, play, asked.rounds, Path(folder))
        engine.dispose()
    show(found, asked.json)


def show(found: dict[str, float], as_json: bool) -> None:
    limit, product = list(found.values())[:2]
    ratio = limit / product
    if as_json:
        print(json.dumps({**found, "ratio": ratio, "target": TARGET}, indent=2))
        return
    for name, value in found.items():
        print(f"{value:10.2f}  {name}" + ("" if name == "briefs" else " (ms)"))
    print(f"{1000 / product:10.0f}  briefs a second, data and rendering")
    print(f"{ratio:10.2f}  of bare Jinja2 rendering; target {TARGET}: {'reached' if ratio >= TARGET else 'MISSED'}")
    busy, quiet = list(found.values())[-3:-1]
    word = "reached" if quiet <= QUIET_TARGET * busy else "MISSED"
    print(f"{quiet / busy:10.2f}  of a busy night is a quiet one; target {QUIET_TARGET}: {word}")


if __name__ == "__main__":
    main()
