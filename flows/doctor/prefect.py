"""The Prefect server that flows report to: that it answers, that its pages find it, that what is due gets run."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from importlib import metadata
from typing import Any

from flows.doctor.finding import Check, Finding, Patient
from flows.operating.prefect_api import PrefectApi

START = "tandem up"
#: A new deployment is scheduled within a minute; until then nobody worries.
SCHEDULED_WITHIN = timedelta(minutes=3)
#: Whoever serves a deployment asks for its runs every few seconds.
SERVED_WITHIN = timedelta(minutes=2)


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


def where_it_answers(check: Callable[[PrefectApi, datetime], Finding]) -> Check:
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
def late_runs(server: PrefectApi, now: datetime) -> Finding:
    """Whether what was due has started."""
    late = server.post("/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    if not late:
        return Finding("late runs", "ok", "none")
    says = f"{len(late)}, the first due {min(run['expected_start_time'] for run in late)[:16]} UTC"
    return Finding("late runs", "warn", says, f"nobody serves them: {START}, or start a worker")


@where_it_answers
def dead_runs(server: PrefectApi, now: datetime) -> Finding:
    """Whether a run claims to run although nobody serves it: it keeps the only place its deployment has."""
    unserved = {entry["id"] for entry in server.post("/deployments/filter", {}) if not _is_served(entry, now)}
    claims = server.post("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}})
    dead = [run["name"] for run in claims if run["deployment_id"] in unserved]
    if not dead:
        return Finding("dead runs", "ok", "none")
    says = f"{', '.join(dead[:3])}: said to be running, served by nobody; nothing after it can start"
    return Finding("dead runs", "fail", says, f"{START} marks them as crashed")


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


def _plain(url: str) -> str:
    """Localhost has two names."""
    return url.replace("//localhost", "//127.0.0.1").rstrip("/")
