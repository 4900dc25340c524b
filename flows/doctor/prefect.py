"""The Prefect server that flows report to: that it answers, that its pages find it, that what is due gets run."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from importlib import metadata
from typing import Any

from flows.doctor.finding import Check, Finding, Patient
from flows.operating.prefect_api import PrefectApi, is_loopback
from flows.operating.runs import dead_runs as without_a_sign_of_life
from flows.operating.runs import retention, undigested

START = "tandem up"
#: A new deployment is scheduled within a minute; until then nobody worries.
SCHEDULED_WITHIN = timedelta(minutes=3)
#: Whoever serves a deployment asks for its runs every few seconds.
SERVED_WITHIN = timedelta(minutes=2)
#: A run that is due starts within seconds where somebody serves it.
LATE_BY = timedelta(minutes=10)
#: The server hears of ended tasks behind the flows' backs; of so many it has not heard, and it has fallen behind.
DIGESTED_WITHIN, MUCH = timedelta(minutes=1), 500
#: Importing all flows brings Prefect and its server's parts: seconds, more on a busy machine.
IMPORT_SECONDS = 120


def api(patient: Patient) -> Finding:
    """Whether it answers, and is of the version our flows speak."""
    if patient.prefect is None:
        return Finding("Prefect", "warn", "no server runs here: flows run by hand only, and show on no page", START)
    url, ours = patient.prefect.url, metadata.version("prefect")
    try:
        theirs = patient.prefect.get("/admin/version")
    except OSError as error:
        return Finding("Prefect", "fail", f"{url} does not answer: {error}", f"{START}, or set prefect_api_url")
    if theirs != ours:
        cure = f"pip install prefect=={ours} where the server is"
        return Finding("Prefect", "fail", f"{url} has version {theirs}, we have {ours}", cure)
    return Finding("Prefect", "ok", f"{url}, version {theirs}")


def where_it_answers(check: Callable[[PrefectApi, datetime], Finding | None]) -> Check:
    """The check, asked only of a server that answers: that none does is the finding of `api`."""

    @wraps(check)
    def ask(patient: Patient) -> Finding | None:
        if patient.prefect is None or not patient.prefect.is_healthy():
            return None
        return check(patient.prefect, patient.now)

    return ask


@where_it_answers
def pages(server: PrefectApi, now: datetime) -> Finding:
    """Whether its pages look for the server where it is: else they stay empty, and nothing says why."""
    looks_at = str(server.ui_settings()["api_url"])
    if _plain(looks_at) == _plain(server.url):
        return Finding("Prefect pages", "ok", looks_at.removesuffix("/api"))
    says = f"they look for the server at {looks_at}, and stay empty"
    return Finding("Prefect pages", "fail", says, f"start the server with PREFECT_UI_API_URL={server.url}")


@where_it_answers
def schedules(server: PrefectApi, now: datetime) -> Finding:
    """Whether each deployment with an active schedule has a run ahead: a dead scheduler looks healthy otherwise."""
    scheduled = {
        entry["name"]: entry["id"] for entry in server.post("/deployments/filter", {}) if _is_scheduled(entry, now)
    }
    idle = sorted(name for name, key in scheduled.items() if not _has_a_run_ahead(server, key))
    if idle:
        cure = "restart the server; with SQLAlchemy 2.1 or later its scheduler dies in silence"
        return Finding("schedules", "fail", f"nothing is planned for {', '.join(idle)}", cure)
    says = f"{len(scheduled)} active, each with a run ahead" if scheduled else "none that is older than three minutes"
    return Finding("schedules", "ok", says)


@where_it_answers
def paused(server: PrefectApi, now: datetime) -> Finding:
    """Whether a deployment was switched off: whoever stopped serving it may have done so, and nothing of it runs."""
    off = sorted(entry["name"] for entry in server.post("/deployments/filter", {}) if entry["paused"])
    if not off:
        return Finding("paused", "ok", "no deployment")
    cure = "switch it on again on Prefect's pages, under Deployments"
    return Finding("paused", "warn", f"nothing runs of {', '.join(off)}", cure)


@where_it_answers
def entrypoints(server: PrefectApi, now: datetime) -> Finding:
    """Whether the flows that the server would start can be imported here, as whoever serves them would import them."""
    stored = {entry["name"]: entry["entrypoint"] for entry in server.post("/deployments/filter", {})}
    broken = _cannot_be_imported({name: entry for name, entry in stored.items() if entry})
    if not broken:
        return Finding("flows", "ok", f"all {len(stored)} can be imported")
    name, why = min(broken.items())
    says = f"{name} ({stored[name]}) cannot be imported: {why}" + (f", and {len(broken) - 1} more" * (len(broken) > 1))
    return Finding("flows", "fail", says, "tandem deploy, with the Tandem that runs them")


@where_it_answers
def guard(server: PrefectApi, now: datetime) -> Finding | None:
    """Whether a server that others can reach asks who they are: whoever gets in may start every flow."""
    if is_loopback(server.url):
        return None
    try:
        replace(server, logs_in=False).post("/flows/count", {})
    except OSError:
        return Finding("Prefect's door", "ok", "asks for a password")
    says = f"{server.url} lets everybody in"
    cure = "set PREFECT_SERVER_API_AUTH_STRING=user:password where the server runs, PREFECT_API_AUTH_STRING elsewhere"
    return Finding("Prefect's door", "fail", says, cure)


@where_it_answers
def memory(server: PrefectApi, now: datetime) -> Finding:
    """Whether the server forgets: else its database grows by some forty megabytes a day, for ever."""
    runs, events = retention(server)
    if runs is None:
        cure = "start the server with PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=events,flow_runs"
        return Finding("Prefect data", "warn", "runs are kept for ever", cure)
    return Finding("Prefect data", "ok", f"runs are kept {runs.days} days, events {events.days}")


@where_it_answers
def backlog(server: PrefectApi, now: datetime) -> Finding:
    """Whether the server keeps up with what flows report: it hears of it behind their backs, some thirty a second."""
    waiting = undigested(server, now - DIGESTED_WITHIN)
    if waiting <= MUCH:
        return Finding("backlog", "ok", "the server keeps up")
    says = f"{waiting} task runs have ended and the server does not know yet"
    return Finding("backlog", "warn", says, "let it catch up; Prefect's own database on PostgreSQL is quicker")


@where_it_answers
def late_runs(server: PrefectApi, now: datetime) -> Finding:
    """Whether what was due has started, and whether anybody is there who could start it."""
    late = server.post("/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    if not late:
        return Finding("late runs", "ok", "none")
    says = f"{len(late)}, the first due {min(run['expected_start_time'] for run in late)[:16]} UTC"
    long_ago = {run["deployment_id"] for run in late if now - _due(run) > LATE_BY}
    entries = server.post("/deployments/filter", {})
    deserted = sorted(entry["name"] for entry in entries if entry["id"] in long_ago and not _is_served(entry, now))
    if deserted:
        says += f"; nobody serves {', '.join(deserted)}"
        return Finding("late runs", "fail", says, f"{START}, or prefect worker start --pool tandem")
    return Finding("late runs", "warn", says, "all places are taken: wait, or start another worker")


@where_it_answers
def dead_runs(server: PrefectApi, now: datetime) -> Finding:
    """Whether a run claims to run although nobody serves it: it keeps the only place its deployment has."""
    unserved = {entry["id"] for entry in server.post("/deployments/filter", {}) if not _is_served(entry, now)}
    claims = server.post("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}})
    dead = [run["name"] for run in claims if run["deployment_id"] in unserved]
    if dead:
        says = f"{', '.join(dead[:3])}: said to be running, served by nobody; nothing after it can start"
        return Finding("dead runs", "fail", says, f"{START} marks them as crashed")
    silent = [run.name for run in without_a_sign_of_life(server, now)]
    if silent:
        says = f"{', '.join(silent[:3])}: said to be running, without a sign of life for ten minutes"
        return Finding("dead runs", "warn", says, "the flow watch-health marks them as crashed")
    return Finding("dead runs", "ok", "none")


#: Runs each entrypoint's import, and prints those that fail: in a process of its own, since it brings Prefect along.
_IMPORTER = """
import importlib, json, sys
broken = {}
for name, entrypoint in json.loads(sys.argv[1]).items():
    module, _, function = entrypoint.partition(":")
    try:
        getattr(importlib.import_module(module), function)
    except Exception as error:
        broken[name] = f"{type(error).__name__}: {error}"
print(json.dumps(broken))
"""


def _cannot_be_imported(entrypoints: dict[str, str]) -> dict[str, str]:
    """Name -> why, for those that cannot."""
    asked = [sys.executable, "-c", _IMPORTER, json.dumps(entrypoints)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=True)  # noqa: S603
    broken: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return broken


def _is_scheduled(deployment: dict[str, Any], now: datetime) -> bool:
    """Whether its scheduler has had the time to plan a run, and a schedule to plan it by."""
    active = not deployment["paused"] and any(schedule["active"] for schedule in deployment["schedules"])
    return active and now - datetime.fromisoformat(deployment["updated"]) > SCHEDULED_WITHIN


def _has_a_run_ahead(server: PrefectApi, deployment: str) -> bool:
    ahead = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"any_": [deployment]}}
    return bool(server.post("/flow_runs/filter", {"flow_runs": ahead, "limit": 1}))


def _is_served(deployment: dict[str, Any], now: datetime) -> bool:
    polled = deployment["last_polled"]
    return polled is not None and now - datetime.fromisoformat(polled) < SERVED_WITHIN


def _due(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["expected_start_time"])


def _plain(url: str) -> str:
    """Localhost has two names."""
    return url.replace("//localhost", "//127.0.0.1").rstrip("/")
