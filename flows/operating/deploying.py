"""`tandem deploy`: Prefect's deployments and automations brought in line with prefect.yaml and automations.yaml.

What is ours is known by its tag, or by the beginning of its name; what a person made in Prefect's pages stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import Automation
from prefect.exceptions import ObjectNotFound

from flows.operating.automations import OURS, Rule, automation, notification_block
from flows.operating.deployments import Deployment, Schedule, servable

#: The tag of our deployments.
TAG = "tandem"


class Was(StrEnum):
    """What became of one entry."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    kind: str
    name: str
    was: Was
    #: An automation that would tell somebody, if there were a notification block.
    is_mute: bool = False


def deploy(client: SyncPrefectClient, deployments: Sequence[Deployment], rules: Sequence[Rule]) -> list[Change]:
    """Create, update and remove until Prefect has what the files say; what was done, in the order of the files.

    For workers of each deployment's work pool, which is made if need be. Raises InputRefused for an automation that
    runs what is not deployed.
    """
    changes = list(_pools(client, deployments))
    changes += [_deploy(client, entry) for entry in deployments]
    changes += _remove_deployments(client, {entry.name for entry in deployments})
    return changes + apply_automations(client, rules)


def apply_automations(client: SyncPrefectClient, rules: Sequence[Rule]) -> list[Change]:
    """Only the automations; what they run must be deployed."""
    deployed = {one.name: one.id for one in client.read_deployments(deployment_filter=_ours(), limit=200)}
    block = notification_block(client)
    known = {one.name: one for one in client.read_automations() if one.name.startswith(OURS)}
    changes = [_automate(client, rule, known.get(rule.name), deployed, block) for rule in rules]
    for name in known.keys() - {rule.name for rule in rules}:
        client.delete_automation(known[name].id)
        changes.append(Change("automation", name, Was.REMOVED))
    return changes


def _pools(client: SyncPrefectClient, deployments: Sequence[Deployment]) -> Iterator[Change]:
    for name in sorted({entry.work_pool.name for entry in deployments}):
        try:
            client.read_work_pool(name)
            yield Change("work pool", name, Was.UNCHANGED)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))
            yield Change("work pool", name, Was.CREATED)


def _deploy(client: SyncPrefectClient, entry: Deployment) -> Change:
    wanted = servable(entry)
    before = _read(client, f"{wanted.flow_name}/{entry.name}")
    id = client.create_deployment(
        flow_id=client.create_flow_from_name(str(wanted.flow_name)),
        name=entry.name,
        description=entry.description,
        entrypoint=entry.entrypoint,
        parameters=entry.parameters,
        parameter_openapi_schema=wanted._parameter_openapi_schema.model_dump(exclude_unset=True),
        enforce_parameter_schema=True,
        schedules=[_schedule(one) for one in entry.schedules],
        concurrency_limit=wanted.concurrency_limit,
        concurrency_options=wanted.concurrency_options,
        tags=list(entry.tags),
        work_pool_name=entry.work_pool.name,
        pull_steps=[],
        path=".",  # without one a run looks for its code in a folder called None
        paused=False,
    )
    return Change("deployment", entry.name, _was(before, _facts(client.read_deployment(id))))


def _schedule(one: Schedule) -> DeploymentScheduleCreate:
    when = CronSchedule(cron=one.cron, timezone=one.timezone)
    return DeploymentScheduleCreate(schedule=when, active=one.active, parameters=one.parameters, slug=one.slug)


def _remove_deployments(client: SyncPrefectClient, stays: set[str]) -> Iterator[Change]:
    for one in client.read_deployments(deployment_filter=_ours(), limit=200):
        if one.name not in stays:
            client.delete_deployment(one.id)
            yield Change("deployment", one.name, Was.REMOVED)


def _automate(
    client: SyncPrefectClient, rule: Rule, known: Automation | None, deployed: Mapping[str, UUID], block: UUID | None
) -> Change:  # fmt: skip
    wanted = automation(rule, dict(deployed), block)
    is_mute = rule.notify is not None and block is None
    if known is None:
        client.create_automation(wanted)
        return Change("automation", rule.name, Was.CREATED, is_mute)
    if not any(isinstance(action, DoNothing) for action in known.actions):
        wanted = wanted.model_copy(update={"enabled": known.enabled})  # who switched it off meant it
    if _plain(known) == _plain(wanted):
        return Change("automation", rule.name, Was.UNCHANGED, is_mute)
    client.update_automation(known.id, wanted)
    return Change("automation", rule.name, Was.UPDATED, is_mute)


def _read(client: SyncPrefectClient, name: str) -> dict[str, Any] | None:
    try:
        return _facts(client.read_deployment_by_name(name))
    except ObjectNotFound:
        return None


def _facts(deployment: DeploymentResponse) -> dict[str, Any]:
    """What the file decides; schedules without the numbers they get anew each time."""
    names = {
        "description", "entrypoint", "parameters", "parameter_openapi_schema", "tags", "work_pool_name", "pull_steps",
        "paused", "concurrency_options",
    }  # fmt: skip
    limit = deployment.global_concurrency_limit
    schedules = [
        one.model_dump(mode="json", include={"schedule", "active", "parameters", "slug"})
        for one in sorted(deployment.schedules, key=lambda one: one.slug or "")
    ]
    return {
        **deployment.model_dump(mode="json", include=names), "limit": limit.limit if limit else None,
        "schedules": schedules,
    }  # fmt: skip


def _was(before: object, after: object) -> Was:
    if before is None:
        return Was.CREATED
    return Was.UNCHANGED if before == after else Was.UPDATED


def _plain(one: Any) -> Any:
    facts = one.model_dump(mode="json", include={"name", "description", "enabled", "trigger", "actions"})
    facts["trigger"].pop("id", None)
    return facts


def _ours() -> DeploymentFilter:
    return DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
