"""The deployments of prefect.yaml: reading them, and serving them all from one process.

Several machines use `prefect deploy` and workers instead; the file is the same.
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accounts.errors import InputRefused
from flows.operating.prefect_api import PrefectApi
from flows.operating.runs import mark_crashed

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

#: How often a served deployment asks for runs that are due, in seconds.
POLL_SECONDS = 2
#: How often to ask whether they are served: it costs the server 0.09 s of CPU, which it needs to serve them.
ASK_SECONDS = 1.0


class Strict(BaseModel):
    """An entry of one of our YAML files: a key nobody knows is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(Strict):
    """When; the zone is asked for, since "at six" without one is somebody else's six."""

    slug: str
    cron: str
    timezone: str
    active: bool = True
    parameters: dict[str, Any] = Field(default_factory=dict)


class Limit(Strict):
    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]


class Pool(Strict):
    name: str


class Deployment(Strict):
    """A flow, when it runs and with what. `entrypoint` is ``module:function``."""

    name: str
    description: str
    entrypoint: str = Field(pattern=r"^[\w.]+:\w+$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    tags: tuple[str, ...] = ()
    work_pool: Pool
    concurrency_limit: Limit | None = None


Entry = TypeVar("Entry", bound=Strict)


def deployments_file() -> Path:
    """prefect.yaml: of the checkout, or the copy inside the installed package."""
    return beside_the_package("prefect.yaml")


def beside_the_package(name: str) -> Path:
    """A file of the checkout's top folder, or its copy inside the installed package."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / name
    return beside if beside.is_file() else package / name


def read_deployments(path: Path) -> tuple[Deployment, ...]:
    """All deployments of the file. Raises InputRefused with the file, the key and what is wrong with it."""
    return read_entries(path, "deployments", Deployment)


def read_entries(path: Path, key: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """The list under `key` of a YAML file. Raises InputRefused with the file, the key and what is wrong with it."""
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))[key]
        return tuple(kind.model_validate(entry) for entry in entries)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputRefused(f"{place}: {first['msg']}", where=str(path)) from None
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputRefused(f"cannot read the {key}: {reason}", where=str(path)) from None


def serve_all() -> None:
    """The program `tandem up` starts: serve every deployment of the file named on the command line, until stopped, with
    the automations that run them.

    Schedules stay as they are when it stops; what was missed meanwhile runs late, or is dropped by the limit of one.
    """
    from prefect import get_client
    from prefect.exceptions import TerminationSignal
    from prefect.runner import Runner

    from flows.operating.automations import automations_file, read_automations
    from flows.operating.deploying import apply_automations

    deployments = read_deployments(Path(sys.argv[1]))
    served = {entry.name for entry in deployments}
    rules = [rule for rule in read_automations(automations_file()) if not rule.run or rule.run.deployment in served]
    at_once = max(2, os.cpu_count() or 2)
    runner = Runner(pause_on_shutdown=False, limit=at_once, query_seconds=POLL_SECONDS)
    for entry in deployments:
        runner.add_deployment(servable(entry))
    with get_client(sync_client=True) as client:
        apply_automations(client, rules)
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())


def servable(deployment: Deployment) -> "RunnerDeployment":
    """As Prefect wants it; the flow's module is imported, so a flow that cannot be imported says so now."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule as PrefectSchedule

    limit = deployment.concurrency_limit
    return RunnerDeployment.from_entrypoint(
        deployment.entrypoint,
        name=deployment.name,
        description=deployment.description,
        parameters=deployment.parameters,
        tags=list(deployment.tags),
        schedules=[PrefectSchedule(**schedule.model_dump()) for schedule in deployment.schedules],
        concurrency_limit=ConcurrencyLimitConfig.model_validate(limit.model_dump()) if limit else None,
    )


def are_polled(api: PrefectApi, names: Iterable[str], since: datetime) -> bool:
    """Whether somebody has asked for runs of each of these deployments after `since`: they are served."""
    wanted = list(names)
    found: Sequence[dict[str, Any]] = api.post("/deployments/filter", {"deployments": {"name": {"any_": wanted}}})
    polled = {entry["name"] for entry in found if _instant(entry["last_polled"]) > since}
    return polled == set(wanted)


def bury_the_dead(api: PrefectApi, names: Iterable[str]) -> int:
    """Mark runs of these deployments as crashed that claim to run although nothing serves them; how many there were.

    Only for somebody who knows that nothing does: the owner of the server, before serving. A killed machine leaves such
    runs behind, each holds the one place its deployment has, and everything after it would be cancelled for ever.
    """
    claim = {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}
    question = {"deployments": {"name": {"any_": list(names)}}, "flow_runs": {"state": claim}}
    dead = [str(run["id"]) for run in api.post("/flow_runs/filter", question)]
    return mark_crashed(api, dead, "Its process ended before this server started.")


def _instant(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
