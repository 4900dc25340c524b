"""All reps' briefs after a busy day, against bare Jinja2 rendering of the same briefs.

The limit fills the product's own HTML and text templates with plain Jinja2, holding templates and finished briefs. The
product reads the ledger, decides what is news, writes the briefs and renders both parts. Nights are whole passes: what
changed is planned anew, clocks are kept, briefs stored and delivered (memory channel). The busy one is played once,
since it plans every account. In the quiet ones nothing happened to any account and nothing fell due; in those between,
one person did one thing at one account of one rep in a hundred. A rep has a hundred accounts. CPU time of one core,
medians.

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
from sqlalchemy import Engine, insert, select, update

from accounts.briefs import LABELS, Brief
from accounts.briefs.account import SETTLED, STOP
from accounts.garbage import uncollected
from accounts.ledger.briefs.material import briefs_of
from accounts.ledger.briefs.written import read_looks, store_briefs
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Account, Decision, Rep, Signal, SlaClock, Stakeholder
from accounts.models import Brief as BriefRow
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.vocabulary import BriefState
from benchmarks.crowd import NOW, REPS, crowd_play, fill, write
from flows.briefs.briefing import brief_reps
from flows.briefs.links import Links
from flows.briefs.pages import MARGIN, RULE, STARTS, BriefPages, inlined
from flows.channels.email.memory import Memory
from flows.settings import TEMPLATES, Settings
from tests.statements import counting

TARGET = 0.2
#: A quiet night may cost so much of a busy one.
QUIET_TARGET = 0.05
ACCOUNTS_EACH = 100
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LIMIT, PRODUCT = "bare Jinja2: HTML and text", "Tandem: ledger to HTML and text"
BUSY, FEW, QUIET = "a busy night, whole", "a night with little news, whole", "a quiet night, whole"
#: Of so many reps one has news in the nights between.
ONE_IN = 100
KINDS = ("clicked", "visited", "downloaded", "replied", "opened", "ad_clicked", "webinar_attended")


def signals(engine: Engine, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Two signals a person over the last month, one in eight of them since yesterday; stored as they came in."""
    dice = random.Random(seed)
    with reading(engine) as connection:
        people = connection.execute(select(Stakeholder.id, Stakeholder.account_id).order_by(Stakeholder.id)).all()
    acts = [
        (dice.uniform(0.02, 1) if dice.random() < 0.125 else dice.uniform(1.1, 30), person, account)
        for person, account in people
        for _ in range(2)
    ]
    for number, (age, person, account) in enumerate(sorted(acts, reverse=True)):
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


def stages(engine: Engine, play: Play, pages: BriefPages) -> tuple[float, float]:
    """Ledger to HTML and text, brief by brief: seconds of CPU up to the briefs, and from them on."""
    started, laid_out = process_time(), 0.0
    with reading(engine) as connection, uncollected():
        for number, (_, brief) in enumerate(briefs_of(connection, read_looks(connection, NOW), play, NOW)):
            laid_out += spent(partial(lay_out, pages, brief, links_of(number)))
    return process_time() - started - laid_out, laid_out


def lay_out(pages: BriefPages, brief: Brief, links: Links) -> int:
    return len(pages.html(brief, links)) + len(pages.text(brief, links))


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


def spent(way: Callable[[], object]) -> float:
    """Seconds of CPU."""
    started = process_time()
    way()
    return process_time() - started


def timed(way: Callable[[], object], rounds: int) -> float:
    """The median of some rounds."""
    return median(spent(way) for _ in range(rounds))


def nothing_falls_due(engine: Engine, until: datetime) -> None:
    """Clocks that would run out after the busy night and up to then run out on the next day."""
    soon = (SlaClock.due_at > NOW, SlaClock.due_at <= until)
    with writing(engine) as connection:
        connection.execute(update(SlaClock).where(*soon).values(due_at=until + DAY))


def somebody_acts(engine: Engine, reps: int, at: datetime) -> int:
    """One visit, at the first account of one rep in a hundred; how many."""
    acts = [
        {
            "source": "crowd", "source_id": f"{account} {at.isoformat()}", "kind": "visited", "account_id": account,
            "occurred_at": at, "received_at": at,
        }
        for account in range(1, reps + 1, ONE_IN)
    ]  # fmt: skip
    with writing(engine) as connection:
        connection.execute(insert(Signal), acts)
    return len(acts)


def measure(engine: Engine, play: Play, rounds: int, home: Path, reps: int) -> dict[str, float]:
    """Milliseconds a brief, by stage and by night; the number of briefs, and of statements."""
    pages = BriefPages(TEMPLATES)
    with counting(engine) as to_write:
        briefs = written(engine, play)
    played = [stages(engine, play, pages) for _ in range(rounds)]
    found = {
        LIMIT: timed(bare_jinja(briefs), rounds),
        PRODUCT: median(sum(both) for both in played),
        "  of that: ledger to brief": median(written for written, _ in played),
        "  of that: brief to HTML and text": median(laid_out for _, laid_out in played),
        **nights(engine, play, rounds, home, reps),
    }
    with counting(engine) as of_quiet:
        night(engine, play, home, NOW + HOUR, 0)
    return {
        **{name: seconds * 1e3 / len(briefs) for name, seconds in found.items()},
        "briefs": len(briefs),
        "accounts told in full": sum(len(brief.accounts) for brief in briefs),
        "statements to write them": len(to_write),
        "statements of a quiet night": len(of_quiet),
    }


def nights(engine: Engine, play: Play, rounds: int, home: Path, reps: int) -> dict[str, float]:
    """Seconds of CPU of a busy night, of nights with a little news, and of quiet ones."""
    busy = spent(lambda: night(engine, play, home, NOW, reps))
    nothing_falls_due(engine, NOW + HOUR)
    few, none = [], []
    for number in range(1, rounds + 1):
        at = NOW + 2 * number * MINUTE
        told = somebody_acts(engine, reps, at - MINUTE / 2)
        few.append(spent(partial(night, engine, play, home, at, told)))
        none.append(spent(partial(night, engine, play, home, at + MINUTE, 0)))
    return {BUSY: busy, FEW: median(few), QUIET: median(none)}


def night(engine: Engine, play: Play, home: Path, at: datetime, briefs: int) -> None:
    """A whole pass, in which so many briefs leave."""
    left = brief_reps(engine, Settings(home=home, channel="memory"), play, at, channel=Memory()).delivered
    if left != briefs:
        raise AssertionError(f"{left} briefs left at {at:%H:%M}, not {briefs}: the night is not what it is called")


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
        found = measure(engine, play, asked.rounds, Path(folder), asked.reps)
        engine.dispose()
    show(found, asked.json)


def show(found: dict[str, float], as_json: bool) -> None:
    ratio, quiet = found[LIMIT] / found[PRODUCT], found[QUIET] / found[BUSY]
    if as_json:
        print(json.dumps({**found, "ratio": ratio, "target": TARGET, "quiet": quiet}, indent=2))
        return
    for name, value in found.items():
        print(f"{value:10.0f}  {name}" if isinstance(value, int) else f"{value:10.2f}  {name} (ms)")
    print(f"{1000 / found[PRODUCT]:10.0f}  briefs a second, data and rendering")
    print(f"{ratio:10.2f}  of bare Jinja2 rendering; target {TARGET}: {'reached' if ratio >= TARGET else 'MISSED'}")
    print(f"{found[FEW] / found[BUSY]:10.3f}  of a busy night is one in which one rep in {ONE_IN} has news")
    word = "reached" if quiet <= QUIET_TARGET else "MISSED"
    print(f"{quiet:10.3f}  of a busy night is a quiet one; target {QUIET_TARGET}: {word}")


if __name__ == "__main__":
    main()
