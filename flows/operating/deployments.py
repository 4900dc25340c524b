"""The deployments of prefect.yaml, whoever carries them out: one process that serves them all, or `prefect deploy` and
workers on several machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accounts.errors import InputRefused

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment


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
