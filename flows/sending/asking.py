"""Asking a person about held plans in Prefect's pages: one run of `approve-plan` for each, however often it is asked.

The run is found again by its key: a plan is asked about once, and what a dying run could not ask is asked by the next.
A plan that somebody decided elsewhere leaves no question behind.
"""

from collections.abc import Collection, Iterable

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

DEPLOYMENT = "approve-plan"


def ask(play: str, held: Iterable[int]) -> None:
    """Put a question for each held plan of the play, and take back those about plans that are held no longer.

    Where `approve-plan` is not deployed, nothing is asked; `tandem approve` works all the same.
    """
    if FlowRunContext.get() is None:
        return
    plans = set(held)
    with get_client(sync_client=True) as client:
        try:
            deployment = client.read_deployment_by_name(f"{DEPLOYMENT}/{DEPLOYMENT}")
        except ObjectNotFound:
            return
        for plan in sorted(plans):
            client.create_flow_run_from_deployment(
                deployment.id,
                parameters={"plan": plan, "play": play},
                idempotency_key=f"{DEPLOYMENT}-{plan}",
                name=f"approve plan {plan}?",
            )
        _take_back(client, play, plans)


def _take_back(client: SyncPrefectClient, play: str, held: Collection[int]) -> None:
    for run in _open_questions(client):
        about = run.parameters
        if about.get("play") == play and about.get("plan") not in held:
            client.set_flow_run_state(run.id, Cancelled(message="It was decided elsewhere."), force=True)


def _open_questions(client: SyncPrefectClient) -> list[FlowRun]:
    paused = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    named = DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT]))
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(state=paused), deployment_filter=named)
