"""What the Prefect server says of runs: what is due next, what is late, what failed, and what only claims to run.

A run whose process was killed together with whoever watched it stays "running" for ever and keeps the one place its
deployment has. Every run sends a heartbeat every three minutes; one that has not for ten is dead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flows.operating.prefect_api import PrefectApi

#: Three heartbeats and a bit: the server hears of them behind the run's back.
SILENT_FOR = timedelta(minutes=10)
#: What a run says that ended badly; a cancelled one was told to.
BADLY = frozenset({"FAILED", "CRASHED"})
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
#: Runs that one question brings.
MOST = 200


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a server, at one moment."""

    #: Deployment -> its next run; only those with a schedule that is active.
    next: Mapping[str, datetime | None]
    paused: tuple[str, ...]
    #: Due, and nobody has started them.
    late: tuple[Run, ...]
    #: They claim to run and show no sign of life.
    dead: tuple[Run, ...]
    #: Deployments whose latest run ended badly.
    failing: tuple[str, ...]


def read_runs(api: PrefectApi, now: datetime) -> Runs:
    """Raises OSError where the server does not answer."""
    deployments = sorted(api.post("/deployments/filter", {}), key=lambda entry: str(entry["name"]))
    active = [entry for entry in deployments if not entry["paused"] and _has_schedule(entry)]
    return Runs(
        next={entry["name"]: _next(api, entry["id"]) for entry in active},
        paused=tuple(entry["name"] for entry in deployments if entry["paused"]),
        late=tuple(_run(entry) for entry in _filter(api, {"state": {"name": {"any_": ["Late"]}}})),
        dead=dead_runs(api, now),
        failing=tuple(entry["name"] for entry in deployments if _ended_badly(api, entry["id"])),
    )


def dead_runs(api: PrefectApi, now: datetime) -> tuple[Run, ...]:
    """Runs that claim to begin or to run and have shown no sign of life for ten minutes."""
    claims = _filter(api, {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}})
    old = [entry for entry in claims if now - _claimed(entry) > SILENT_FOR]
    return tuple(_run(entry) for entry in old if not _beats(api, entry["id"], now - SILENT_FOR))


def mark_crashed(api: PrefectApi, runs: Iterable[str], why: str) -> int:
    """Their deployments get their places back, and no task of theirs claims to run any more; how many there were."""
    ids, crashed = list(runs), {"state": {"type": "CRASHED", "message": why}}
    for run in ids:
        api.post(f"/flow_runs/{run}/set_state", crashed)
        for task in _open_tasks(api, run):
            api.post(f"/task_runs/{task}/set_state", crashed)
    return len(ids)


def undigested(api: PrefectApi, before: datetime) -> int:
    """Task runs that count as unfinished although their flow ended before: the server has not caught up."""
    ended = {"state": {"type": {"any_": ENDED}}, "end_time": {"before_": before.isoformat()}}
    open_tasks = {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}
    return int(api.post("/task_runs/count", {"task_runs": open_tasks, "flow_runs": ended}))


def retention(api: PrefectApi) -> tuple[timedelta | None, timedelta]:
    """How long the server keeps runs (None: for ever), and events."""
    server = api.get("/admin/settings")["server"]
    vacuum = server["services"]["db_vacuum"]
    enabled = vacuum["enabled"]
    keeps_runs = enabled is not True and "flow_runs" not in (enabled or ())
    runs = None if keeps_runs else _span(vacuum["retention_period"])
    return runs, _span(server["events"]["retention_period"])


def _filter(api: PrefectApi, flow_runs: dict[str, Any], **more: Any) -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = api.post("/flow_runs/filter", {"flow_runs": flow_runs, "limit": MOST, **more})
    return found


def _open_tasks(api: PrefectApi, run: str) -> list[str]:
    theirs = {"flow_runs": {"id": {"any_": [run]}}, "task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    return [str(task["id"]) for task in api.post("/task_runs/filter", {**theirs, "limit": MOST})]


def _next(api: PrefectApi, deployment: str) -> datetime | None:
    ahead = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"any_": [deployment]}}
    found = _filter(api, ahead, sort="EXPECTED_START_TIME_ASC", limit=1)
    return _since(found[0]) if found else None


def _ended_badly(api: PrefectApi, deployment: str) -> bool:
    ended = {"state": {"type": {"any_": ENDED}}, "deployment_id": {"any_": [deployment]}}
    found = _filter(api, ended, sort="END_TIME_DESC", limit=1)
    return bool(found) and found[0]["state_type"] in BADLY


def _beats(api: PrefectApi, run: str, since: datetime) -> bool:
    asked = {
        "occurred": {"since": since.isoformat()},
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run}"]},
    }
    return bool(api.post("/events/filter", {"filter": asked, "limit": 1})["events"])


def _has_schedule(deployment: dict[str, Any]) -> bool:
    return any(schedule["active"] for schedule in deployment["schedules"])


def _run(entry: dict[str, Any]) -> Run:
    return Run(entry["id"], entry["name"], _since(entry))


def _claimed(entry: dict[str, Any]) -> datetime:
    """When it came into this state: a run that waited for hours may have begun just now."""
    return datetime.fromisoformat(entry["state"]["timestamp"])


def _since(entry: dict[str, Any]) -> datetime:
    """When it began; when it was to begin, if it has not."""
    return datetime.fromisoformat(entry.get("start_time") or entry["expected_start_time"])


def _span(value: Any) -> timedelta:
    """Seconds, or as ISO 8601 writes them."""
    from pydantic import TypeAdapter

    return TypeAdapter(timedelta).validate_python(value)
