"""prefect.yaml: flows that exist, parameters they take, times that exist; `prefect deploy --all` takes it as it is."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.errors import InputRefused
from accounts.playfiles import load_play
from flows.operating.deployments import (
    Deployment,
    deployments_file,
    read_deployments,
    servable,
)
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from flows.operating.serving import are_polled, bury_the_dead
from flows.settings import TEMPLATES

ALL = read_deployments(deployments_file())
each = pytest.mark.parametrize("deployment", ALL, ids=[entry.name for entry in ALL])


def test_every_flow_is_deployed_under_its_own_name() -> None:
    assert {"collect-signals", "track-accounts", "nurture-accounts", "nurture-account", "approve-plan",
            "sync-audiences", "brief-reps"} <= {entry.name for entry in ALL}  # fmt: skip


@each
def test_its_flow_can_be_imported_and_takes_its_parameters(deployment: Deployment) -> None:
    module, _, name = deployment.entrypoint.partition(":")
    flow = getattr(import_module(module), name)
    assert flow.name == deployment.name
    assert set(deployment.parameters) <= set(signature(flow.fn).parameters)
    required = {name for name, one in signature(flow.fn).parameters.items() if one.default is Parameter.empty}
    assert not deployment.schedules or required <= set(deployment.parameters), "a schedule enters nothing"


@each
def test_a_marketer_reads_what_it_does_and_what_each_parameter_means(deployment: Deployment) -> None:
    assert len(deployment.description) > 60
    described = servable(deployment)._parameter_openapi_schema.properties
    assert all(field.get("description") for field in described.values()), described


@each
def test_its_schedules_are_times_that_exist_in_the_plays_zone_or_do_not_depend_on_one(deployment: Deployment) -> None:
    play = load_play(TEMPLATES / "plays" / "new-business")
    slugs = [schedule.slug for schedule in deployment.schedules]
    assert len(slugs) == len(set(slugs))
    for schedule in deployment.schedules:
        assert ZoneInfo(schedule.timezone)
        every_hour = schedule.cron.endswith("* * * *")
        assert every_hour or schedule.timezone == play.window.default_timezone
    assert len(servable(deployment).schedules or ()) == len(deployment.schedules)


@each
def test_what_is_scheduled_runs_once_at_a_time(deployment: Deployment) -> None:
    """Two nurture runs at once are safe, and of no use."""
    if deployment.schedules:
        assert deployment.concurrency_limit
        assert deployment.concurrency_limit.limit == 1


@pytest.fixture
def forget_deployments(prefect_api: PrefectServer) -> Iterator[None]:
    """Other tests share the server: no schedule of ours goes on planning runs."""
    yield
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)


class TestReading:
    def test_a_key_nobody_knows_is_refused_with_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "prefect.yaml"
        path.write_text(deployments_file().read_text().replace("entrypoint:", "entrypiont:", 1))
        with pytest.raises(InputRefused, match=r"prefect\.yaml: entrypoint: Field required"):
            read_deployments(path)

    def test_a_schedule_without_a_zone_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "prefect.yaml"
        path.write_text(deployments_file().read_text().replace(", timezone: UTC", "", 1))
        with pytest.raises(InputRefused, match=r"schedules\.0\.timezone"):
            read_deployments(path)

    @pytest.mark.parametrize("content", ["deployments: [", "- 1", "", "name: tandem"])
    def test_what_is_no_list_of_deployments_is_one_line(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "prefect.yaml"
        path.write_text(content)
        with pytest.raises(InputRefused, match="cannot read the deployments") as refusal:
            read_deployments(path)
        assert "\n" not in str(refusal.value)


def test_deploy_all_takes_the_file_as_it_is(prefect_api: PrefectServer, forget_deployments: None) -> None:
    api = PrefectApi(prefect_api.url)
    api.post("/work_pools/", {"name": "tandem", "type": "process"})
    _deploy_all()
    first = _deployed(api)
    assert set(first) == {entry.name for entry in ALL}
    for entry in ALL:
        deployed = first[entry.name]
        assert deployed["entrypoint"] == entry.entrypoint
        assert deployed["pull_steps"] == []  # nothing in it leads to a folder of this machine
        assert [it["schedule"]["timezone"] for it in deployed["schedules"]] == [it.timezone for it in entry.schedules]
        limit = entry.concurrency_limit
        assert (deployed["global_concurrency_limit"] or {}).get("limit") == (limit and limit.limit)
        assert deployed["tags"] == list(entry.tags)
        assert all(field["description"] for field in deployed["parameter_openapi_schema"]["properties"].values())


def test_a_run_left_behind_by_a_killed_machine_gives_its_place_back(
    prefect_api: PrefectServer, forget_deployments: None
) -> None:
    """It claims to run for ever; with a limit of one and CANCEL_NEW everything after it would be cancelled."""
    api = PrefectApi(prefect_api.url)
    for name in ("left-behind", "elsewhere"):
        entry = ALL[0].model_copy(update={"name": name, "schedules": ()})
        servable(entry).apply()
    left, elsewhere = (_start(api, _deployed(api)[name]["id"]) for name in ("left-behind", "elsewhere"))
    assert _places_taken(api, "left-behind") == 1
    assert bury_the_dead(api, ["left-behind"]) == 1
    assert api.get(f"/flow_runs/{left}")["state_type"] == "CRASHED"
    assert _places_taken(api, "left-behind") == 0
    assert api.get(f"/flow_runs/{elsewhere}")["state_type"] == "RUNNING"
    assert bury_the_dead(api, ["left-behind"]) == 0
    bury_the_dead(api, ["elsewhere"])


def test_a_deployment_that_nobody_asks_about_is_not_served(
    prefect_api: PrefectServer, forget_deployments: None
) -> None:
    api = PrefectApi(prefect_api.url)
    servable(ALL[0].model_copy(update={"name": "deserted", "schedules": ()})).apply()
    assert not are_polled(api, ["deserted"], datetime.now(UTC) - timedelta(days=1))


def _start(api: PrefectApi, deployment: str) -> str:
    run = api.post(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    for state in ("PENDING", "RUNNING"):
        assert api.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": state}})["status"] == "ACCEPT"
    return str(run["id"])


def _deployed(api: PrefectApi) -> dict[str, Any]:
    return {entry["name"]: entry for entry in api.post("/deployments/filter", {})}


def _places_taken(api: PrefectApi, name: str) -> int:
    return int(_deployed(api)[name]["global_concurrency_limit"]["active_slots"])


def _deploy_all() -> None:
    program = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(program, cwd=deployments_file().parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
