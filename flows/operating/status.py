"""`tandem status`: how the ledger, the runs and the databases are; one line each, and what needs a person.

Where the doctor asks whether everything is set up well, this asks how it is going.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from accounts.errors import TandemError
from accounts.health import Limits, Sign, ago, signs_of
from accounts.ledger.engine import reading
from accounts.ledger.pages.vitals import read_vitals
from accounts.playfiles import load_play
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import server_of
from flows.operating.runs import Runs, read_runs, retention, undigested
from flows.settings import Settings

#: A run that is due starts within seconds where somebody serves it.
LATE_BY = timedelta(minutes=10)
#: The server digests some thirty task runs a second, behind the flows' backs.
DIGESTS_WITHIN, BACKLOG = timedelta(minutes=1), 500
NAMED = 3


def status(engine: Engine, settings: Settings, server: PrefectApi | None, now: datetime) -> list[Sign]:
    """Every sign, the ledger's first."""
    with reading(engine) as connection:
        vitals = read_vitals(connection, now)
    signs = signs_of(vitals, limits_of(settings), now)
    size = Sign("database", "ok", _octets(vitals.size), figures={"octets": vitals.size})
    return [*signs, size, *signs_of_prefect(server, settings, now)]


def limits_of(settings: Settings) -> Limits:
    """What counts as old here: by the most patient of the plays that mind."""
    spans = []
    for path in settings.templates.glob("plays/*/play.yaml"):
        try:
            spans.append(load_play(path.parent).stale_crm_after)
        except TandemError:
            continue  # the doctor tells of a play that does not load
    minding = [span for span in spans if span is not None]
    return Limits(max(minding, default=None), reads_mailbox=settings.mailbox.host is not None)


def signs_of_prefect(server: PrefectApi | None, settings: Settings, now: datetime) -> list[Sign]:
    if server is None:
        return [Sign("Prefect", "warn", "no server runs here, so nothing runs by itself", "tandem up")]
    try:
        runs = read_runs(server, now)
        waiting = undigested(server, now - DIGESTS_WITHIN)
        kept = retention(server)
    except OSError as error:
        return [Sign("Prefect", "fail", f"{server.url} does not answer: {error}", "tandem up")]
    return [
        _next(runs, now),
        _late(runs, now),
        _dead(runs),
        _failing(runs),
        _paused(runs),
        _backlog(waiting),
        _database(server, settings, kept),
    ]


def _next(runs: Runs, now: datetime) -> Sign:
    figures = {"next": {name: at.isoformat() if at else None for name, at in runs.next.items()}}
    idle = [name for name, at in runs.next.items() if at is None]
    if not runs.next:
        return Sign("next runs", "fail", "nothing is on schedule", "tandem up, or prefect deploy --all", figures)
    if idle:
        return Sign("next runs", "fail", f"none planned for {_some(idle)}", "tandem doctor", figures)
    ahead = sorted((at, name) for name, at in runs.next.items() if at)
    says = ", ".join(f"{name} {at.astimezone(UTC):%H:%M}" for at, name in ahead)
    return Sign("next runs", "ok", f"{says} UTC", figures=figures)


def _late(runs: Runs, now: datetime) -> Sign:
    late = [run for run in runs.late if now - run.since > LATE_BY]
    figures = {"count": len(runs.late)}
    if not late:
        return Sign("late runs", "ok", "none", figures=figures)
    first = ago(now - min(run.since for run in late))
    says = f"{len(late)}, the first for {first}: {_some([run.name for run in late])}"
    return Sign("late runs", "fail", says, "nobody serves them: tandem up, or start a worker", figures)


def _dead(runs: Runs) -> Sign:
    figures = {"count": len(runs.dead)}
    if not runs.dead:
        return Sign("dead runs", "ok", "none", figures=figures)
    says = f"{_some([run.name for run in runs.dead])}: said to run, without a sign of life"
    return Sign("dead runs", "warn", says, "the next run of watch-health marks them as crashed", figures)


def _failing(runs: Runs) -> Sign:
    figures = {"deployments": list(runs.failing)}
    if not runs.failing:
        return Sign("failing", "ok", "no deployment", figures=figures)
    return Sign(
        "failing", "fail", f"the latest run of {_some(runs.failing)}", "see its log on Prefect's pages", figures
    )


def _paused(runs: Runs) -> Sign:
    figures = {"deployments": list(runs.paused)}
    if not runs.paused:
        return Sign("paused", "ok", "no deployment", figures=figures)
    cure = "switch it on again on Prefect's pages, under Deployments"
    return Sign("paused", "warn", _some(runs.paused), cure, figures)


def _backlog(waiting: int) -> Sign:
    figures = {"count": waiting}
    if waiting <= BACKLOG:
        return Sign("backlog", "ok", "the server keeps up", figures=figures)
    says = f"{waiting} task runs have ended and the server does not know yet"
    return Sign("backlog", "warn", says, "it catches up by itself; PostgreSQL is quicker (docs/deploy.md)", figures)


def _database(server: PrefectApi, settings: Settings, kept: tuple[timedelta | None, timedelta]) -> Sign:
    """What Prefect keeps, and how much that is, where the file is ours to see."""
    runs, events = kept
    home = settings.home / "prefect"
    octets = _size(home / "prefect.db") if server_of(home) == server.url else None
    figures = {"octets": octets, "runs_days": runs and runs.days, "events_days": events.days}
    held = f"events {events.days} days" if runs is None else f"runs {runs.days} days, events {events.days} days"
    says = f"{_octets(octets)}, keeps {held}" if octets else f"keeps {held}"
    if runs is None:
        cure = "start the server with PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs"
        return Sign("Prefect data", "warn", f"{says}, and runs for ever", cure, figures)
    return Sign("Prefect data", "ok", says, figures=figures)


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None


def _octets(number: int) -> str:
    return f"{number / 2**20:.0f} MiB" if number >= 2**20 else f"{number / 2**10:.0f} KiB"


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
