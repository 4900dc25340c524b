"""The automations of automations.yaml: what Prefect does by itself when one of our events happens."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from accounts.errors import InputRefused
from flows.operating.deployments import Strict, beside_the_package, read_entries

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.actions import ActionTypes
    from prefect.events.schemas.automations import AutomationCore

#: Automations whose name begins so are ours; a person's own are never touched.
OURS = "tandem: "
#: The notification block that `notify` sends through.
BLOCK = "tandem"


class Run(Strict):
    """A run of a deployment. Parameters may hold ``{{ event.… }}``."""

    deployment: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Notify(Strict):
    """A message through the notification block; both may hold ``{{ event.… }}``."""

    subject: str
    body: str


class Rule(Strict):
    """One automation: an event, and one thing to do."""

    name: str = Field(pattern=f"^{OURS}")
    description: str
    when: str = Field(pattern=r"^tandem\.[a-z.\-]+$")
    run: Run | None = None
    notify: Notify | None = None

    @model_validator(mode="after")
    def does_one_thing(self) -> Self:
        if (self.run is None) == (self.notify is None):
            raise ValueError("say either run or notify")
        return self


def automations_file() -> Path:
    """automations.yaml: of the checkout, or the copy inside the installed package."""
    return beside_the_package("automations.yaml")


def read_automations(path: Path) -> tuple[Rule, ...]:
    """All automations of the file. Raises InputRefused with the file, the key and what is wrong with it."""
    return read_entries(path, "automations", Rule)


def notification_block(client: "SyncPrefectClient") -> UUID | None:
    """The block that messages go through, if somebody has made one."""
    for block in client.read_block_documents():
        if block.name == BLOCK and block.block_schema and "notify" in block.block_schema.capabilities:
            return block.id
    return None


def automation(rule: Rule, deployments: dict[str, UUID], block: UUID | None) -> "AutomationCore":
    """As Prefect wants it; switched off where it would tell somebody and cannot.

    deployments: name -> id. block: to send through. Raises InputRefused for a deployment that is not there.
    """
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    mute = rule.notify is not None and block is None
    return AutomationCore(
        name=rule.name,
        description=rule.description + (f" Off until there is a notification block called {BLOCK}." if mute else ""),
        enabled=not mute,
        trigger=EventTrigger(expect={rule.when}, posture=Posture.Reactive, threshold=1),
        actions=[_action(rule, deployments, block)],
    )


def _action(rule: Rule, deployments: dict[str, UUID], block: UUID | None) -> "ActionTypes":
    from prefect.events.actions import DoNothing, RunDeployment, SendNotification

    if rule.run:
        if rule.run.deployment not in deployments:
            raise InputRefused(f"there is no deployment {rule.run.deployment!r}", where=rule.name)
        return RunDeployment(deployment_id=deployments[rule.run.deployment], parameters=rule.run.parameters)
    if block is None or rule.notify is None:
        return DoNothing()
    return SendNotification(block_document_id=block, subject=rule.notify.subject, body=rule.notify.body)
