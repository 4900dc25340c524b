"""Asking a person about held plans in Prefect's pages: one run of `approve-plan` for each, however often it is asked.

The run is found again by its key: a plan is asked about once, and what a dying run could not ask is asked by the next.
A question whose own run died is put again, since its answer may be lost; one that nobody answered in time is not. A
plan that somebody decided elsewhere leaves no question behind.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

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
#: A question is put this often, if its runs keep dying; after that, `tandem approve` is left.
MOST_RUNS = 10
#: What Prefect says of a question nobody answered in time.
SILENCE = "never resumed"


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
            _put(client, deployment.id, play, plan)
        _take_back(client, play, plans)


def _put(client: SyncPrefectClient, deployment: UUID, play: str, plan: int) -> None:
    for earlier in range(MOST_RUNS):
        run = client.create_flow_run_from_deployment(
            deployment,
            parameters={"plan": plan, "play": play},
            idempotency_key=f"{DEPLOYMENT}-{plan}" + (f"-{earlier}" if earlier else ""),
            name=f"approve plan {plan}?",
        )
        if not _died(run):
            return


def _died(run: FlowRun) -> bool:
    state = run.state
    if state is None:
        return False
    return state.is_crashed() or (state.is_failed() and SILENCE not in (state.message or ""))


def _take_back(client: SyncPrefectClient, play: str, held: Collection[int]) -> None:
    for run in _open_questions(client):
        about = run.parameters
        if about.get("play") == play and about.get("plan") not in held:
            client.set_flow_run_state(run.id, Cancelled(message="It was decided elsewhere."), force=True)


def _open_questions(client: SyncPrefectClient) -> list[FlowRun]:
    paused = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    named = DeploymentFilter(name=DeploymentFilterName(any_=[DEPLOYMENT]))
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(state=paused), deployment_filter=named)
