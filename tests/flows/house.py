"""A ledger that flows open, and runs of deployments as a worker would carry them out, in this process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.flows import Flow

from flows.operating.deployments import deployments_file, read_deployments, servable


@contextmanager
def deployed(*names: str) -> Iterator[SyncPrefectClient]:
    """These deployments of prefect.yaml, without their schedules; gone afterwards, with their runs."""
    entries = {entry.name: entry for entry in read_deployments(deployments_file())}
    with get_client(sync_client=True) as client:
        ids = [servable(entries[name].model_copy(update={"schedules": ()})).apply() for name in names]
        yield client
        for run in runs_of(client, *names):
            client.delete_flow_run(run.id)
        for id in ids:
            client.delete_deployment(id)


def runs_of(client: SyncPrefectClient, *names: str) -> list[FlowRun]:
    named = DeploymentFilter(name=DeploymentFilterName(any_=list(names)))
    return client.read_flow_runs(deployment_filter=named)


def carry_out(client: SyncPrefectClient, flow: Flow[..., Any], run: FlowRun, as_of: datetime, **more: Any) -> FlowRun:
    """What a worker does with a run that is due; how it stands afterwards."""
    with suppress(Pause):
        run_flow(flow, flow_run=client.read_flow_run(run.id), parameters={**run.parameters, "as_of": as_of, **more})
    return client.read_flow_run(run.id)


only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def until(holds: Callable[[], bool], seconds: float = 60.0, every: float = 0.2) -> None:
    """Comes back once it holds; a busy machine is given time."""
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(every)
