"""How the demo ended: ten lines, and a page that links all of it."""

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from accounts.ledger.engine import reading
from accounts.ledger.planning.plans import plans_in, read_plan
from accounts.ledger.planning.touches import list_touches
from accounts.vocabulary import PlanState
from expectations.gate import describe
from flows.demo.story import DAYS, START, Teller
from flows.house import House


@dataclass(frozen=True, slots=True)
class Ending:
    """What happened, as counts of what the flows answered, and what to open."""

    seconds: float
    accounts: int
    people: int
    reps: int
    quarantined: int
    contacted: int
    moved: int
    refused_moves: int
    sent: int
    cancelled: int
    signals: int
    replies: int
    briefs: int
    flow_runs: int
    plan: int | None
    home: Path
    brief: Path | None

    def lines(self) -> list[str]:
        """The lines at the end of `tandem demo`."""
        end = f"{_end():%Y-%m-%d}"
        return [
            "",
            f"Three weeks at Lumenflow, told by {self.flow_runs} flow runs in {self.seconds:.0f} s:",
            f"  {self.accounts} accounts, {self.people} people, {self.reps} reps; {self.quarantined} rows quarantined",
            f"  {self.contacted} contacted by sales, {self.moved} stage moves, {self.refused_moves} refused, reported",
            f"  {self.sent} e-mails went out, none twice; {self.cancelled} were stopped at the last check",
            f"  {self.signals} signals came back, {self.replies} replies paused their accounts",
            f"  {self.briefs} briefs went to reps",
            f"Open    {self.home / 'index.html'} (links everything below)",
            f"Brief   {self.brief or 'none: nothing changed'}",
            f"Answer  TANDEM_HOME={self.home} {program()} serve --as-of {end} (then a brief's links open)",
            f"Mail    {self.home / 'outbox' / 'index.html'}",
            f"Plan    TANDEM_HOME={self.home} {program()} plan --as-of {end}",
            f"Prefect {program()} up --ui-only --home {self.home}",
        ]

    def as_json(self) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def look_back(house: House, teller: Teller, *, seconds: float) -> Ending:
    counts: Counter[str] = teller.counts
    home = house.settings.home
    recent = f"{_end() - timedelta(days=7):%Y-%m-%d}"  # a page's name ends with its day and time
    pages = [path for path in (home / "briefs").glob("*.html") if path.stem[-15:-5] >= recent]
    with reading(house.engine) as connection:
        done = plans_in(connection, PlanState.DONE)
    return Ending(
        seconds=seconds,
        accounts=len(teller.world.accounts),
        people=len(teller.world.people),
        reps=len(teller.world.reps),
        quarantined=teller.imported.quarantined if teller.imported else 0,
        contacted=counts["track.contacted"],
        moved=counts["track.moves"],
        refused_moves=counts["track.refused"],
        sent=counts["nurture.sent"],
        cancelled=counts["nurture.cancelled"],
        signals=counts["signals.applied"],
        replies=counts["signals.replies"],
        briefs=counts["briefs.delivered"],
        flow_runs=teller.runs,
        plan=max((plan.id for plan in done), default=None),
        home=home,
        brief=max(pages, key=lambda path: path.stat().st_size, default=None),
    )


def program() -> str:
    """How this program was called, so that a command can be pasted: ``.venv/bin/tandem`` or ``tandem``."""
    return sys.argv[0] if Path(sys.argv[0]).name == "tandem" else "tandem"


def _end() -> datetime:
    return START + timedelta(days=DAYS)


def write_index(house: House, ending: Ending) -> None:
    """`index.html` in the demo's home: what happened, and links to brief, outbox, verdict and ads."""
    pages = Environment(
        loader=FileSystemLoader(house.settings.templates / "pages"), undefined=StrictUndefined, autoescape=True
    )
    home = house.settings.home
    with reading(house.engine) as connection:
        latest = list_touches(connection, limit=1)
    page = pages.get_template("demo.html").render(
        ending=ending,
        program=program(),
        briefs=_briefs(home),
        ads=_lists(home),
        somebody=latest[0].address if latest else None,
        verdict=Markup(_verdict(house, ending.plan)),  # noqa: S704  our own sentences, rendered from Markdown
        begins=START,
        ends=_end(),
    )
    (home / "index.html").write_text(page, encoding="utf-8")


def _briefs(home: Path) -> dict[str, list[tuple[Path, datetime]]]:
    """Rep -> their briefs, each with the time in its name: ``ravi-lumenflow-example-2026-11-16-0730.html``."""
    told: dict[str, list[tuple[Path, datetime]]] = {}
    for path in sorted((home / "briefs").glob("*.html")):
        who, at = path.stem[:-16], datetime.strptime(path.stem[-15:], "%Y-%m-%d-%H%M")  # noqa: DTZ007  the rep's own clock
        told.setdefault(who.partition("-")[0].title(), []).append((path.relative_to(home), at))
    return told


def _lists(home: Path) -> dict[str, list[Path]]:
    """Platform -> the lists of its audiences, the latest first."""
    found: dict[str, list[Path]] = {}
    for path in sorted((home / "audiences").rglob("*.csv"), reverse=True):
        found.setdefault(path.parent.name, []).append(path.relative_to(home))
    return dict(sorted(found.items()))


def _verdict(house: House, plan: int | None) -> str:
    """The gate's word on a plan, as HTML."""
    if plan is None:
        return "<p>No plan was certified.</p>"
    with reading(house.engine) as connection:
        checks = read_plan(connection, plan).checks
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(describe(checks)))
