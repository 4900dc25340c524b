"""The doctor looks at the Prefect server: what looks healthy in its pages and is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import pytest

from flows.doctor import CHECKS, Finding, Patient, examine, prefect
from flows.operating.prefect_api import PrefectApi
from flows.settings import Settings
from tests.cast import NOW
from tests.operations.fake_prefect import fake_prefect
from tests.operations.patients import closed_port

pytestmark = pytest.mark.usefixtures("house")

LONG_AGO, JUST_NOW = (NOW - timedelta(days=1)).isoformat(), (NOW - timedelta(seconds=5)).isoformat()


def test_nobody_answers() -> None:
    found = prefect.api(Patient(Settings(), NOW, PrefectApi(f"http://127.0.0.1:{closed_port()}/api")))
    assert found.state == "fail"
    assert "Connection refused" in found.says


def test_somebody_else_answers() -> None:
    with fake_prefect({"/admin/version": b"<html>a printer</html>"}) as url:
        found = prefect.api(Patient(Settings(), NOW, PrefectApi(url)))
    assert (found.state, "does not speak as Prefect does" in found.says) == ("fail", True)


def test_a_server_of_another_version() -> None:
    with _server() as sound:
        assert prefect.api(sound).state == "ok"
    with _server({"/admin/version": "3.4.0"}) as other:
        assert prefect.api(other).says.endswith(f"has version 3.4.0, we have {version('prefect')}")


def test_pages_that_look_for_the_server_on_another_port() -> None:
    with _server() as sound:
        assert _state(prefect.pages(sound)) == "ok"
    with _server({"/ui-settings": {"api_url": "http://127.0.0.1:4200/api"}}) as astray:
        found = prefect.pages(astray)
    assert found is not None
    assert found.says == "they look for the server at http://127.0.0.1:4200/api, and stay empty"


def test_a_scheduler_that_died_in_silence() -> None:
    with _server() as sound:
        assert _state(prefect.schedules(sound)) == "ok"
    with _server({"/flow_runs/filter": []}) as dead:
        found = prefect.schedules(dead)
    assert found is not None
    assert (found.state, found.says) == ("fail", "nothing is planned for nurture-accounts")


@pytest.mark.parametrize("change", [{"paused": True}, {"updated": JUST_NOW}, {"schedules": [{"active": False}]}])
def test_a_deployment_that_is_paused_new_or_without_a_schedule_needs_no_run_ahead(change: Any) -> None:
    with _server({"/flow_runs/filter": [], "/deployments/filter": [_deployment(**change)]}) as quiet:
        assert _state(prefect.schedules(quiet)) == "ok"


def test_runs_that_were_due_and_never_started() -> None:
    with _server() as late:
        found = prefect.late_runs(late)
    assert found is not None
    assert (found.state, found.says) == ("warn", "1, the first due 2026-11-23T10:00 UTC")


def test_runs_that_were_due_and_that_nobody_is_there_to_start() -> None:
    """Such as the shares of a big run, on machines without a worker."""
    deserted = {"/deployments/filter": [_deployment(name="decide-span", last_polled=LONG_AGO)]}
    with _server(deserted) as server:
        found = prefect.late_runs(server)
    assert found is not None
    assert (found.state, found.says) == ("fail", "1, the first due 2026-11-23T10:00 UTC; nobody serves decide-span")
    soon = {**deserted, "/flow_runs/filter": [_late(minutes=9)]}
    with _server(soon) as server:
        assert _state(prefect.late_runs(server)) == "warn"


def test_a_run_that_claims_to_run_and_is_served_by_nobody() -> None:
    with _server() as served:
        assert _state(prefect.dead_runs(served)) == "ok"
    with _server({"/deployments/filter": [_deployment(last_polled=LONG_AGO)]}) as deserted:
        found = prefect.dead_runs(deserted)
    assert found is not None
    assert (found.state, found.says.partition(":")[0]) == ("fail", "nurture new-business")


def test_a_run_whose_deployment_is_served_and_that_shows_no_sign_of_life() -> None:
    with _server({"/events/filter": {"events": []}}) as silent:
        found = prefect.dead_runs(silent)
    assert found is not None
    assert (found.state, "without a sign of life" in found.says) == ("warn", True)
    assert found.cure == "the flow watch-health marks them as crashed"


def test_a_deployment_that_somebody_switched_off() -> None:
    with _server() as sound:
        assert _state(prefect.paused(sound)) == "ok"
    with _server({"/deployments/filter": [_deployment(paused=True)]}) as off:
        found = prefect.paused(off)
    assert found is not None
    assert (found.state, found.says) == ("warn", "nothing runs of nurture-accounts")


def test_a_flow_that_was_renamed_since_it_was_deployed() -> None:
    """Of two broken ones both are counted: one whose module is gone, one whose function is."""
    broken = [
        _deployment(entrypoint="flows.clock:clock"),
        _deployment(name="brief-reps", entrypoint="flows.letter:brief_reps"),
        _deployment(name="track-accounts", entrypoint="flows.clock:no_such_flow"),
    ]
    with _server({"/deployments/filter": broken}) as astray:
        found = prefect.entrypoints(astray)
    assert found is not None
    assert found.state == "fail"
    assert "brief-reps (flows.letter:brief_reps)" in found.says
    assert found.says.endswith("No module named 'flows.letter', and 1 more")


def test_a_server_that_lets_everybody_in_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.2 stands for an address that others could reach; at home nobody is asked for a password."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "ops:quiet")
    with _server() as at_home:
        assert prefect.guard(at_home) is None
    with _server({"/flows/count": 3}, host="127.0.0.2") as open_to_all:
        found = prefect.guard(open_to_all)
    assert found is not None
    assert (found.state, found.says.endswith("lets everybody in")) == ("fail", True)
    with _server({"/flows/count": None}, host="127.0.0.2") as guarded:
        assert _state(prefect.guard(guarded)) == "ok"


def test_a_server_that_never_forgets() -> None:
    with _server() as sound:
        assert _state(prefect.memory(sound)) == "ok"
    with _server({"/admin/settings": _remembers(["events"])}) as elephant:
        found = prefect.memory(elephant)
    assert found is not None
    assert (found.state, found.says) == ("warn", "runs are kept for ever")


def test_a_server_that_has_fallen_behind() -> None:
    with _server() as sound:
        assert _state(prefect.backlog(sound)) == "ok"
    with _server({"/task_runs/count": 4_000}) as behind:
        found = prefect.backlog(behind)
    assert found is not None
    assert (found.state, found.says.partition(" ")[0]) == ("warn", "4000")


def test_where_no_server_answers_only_that_is_said() -> None:
    nobody = Patient(Settings(), NOW, PrefectApi(f"http://127.0.0.1:{closed_port()}/api"))
    about_prefect = [check for check in CHECKS if check.__module__ == prefect.__name__]
    assert len(about_prefect) == 10
    assert [found.name for found in examine(nobody, tuple(about_prefect))] == ["Prefect"]


def _deployment(**change: Any) -> dict[str, Any]:
    sound = {"id": "d1", "name": "nurture-accounts", "paused": False, "schedules": [{"active": True}],
             "entrypoint": "flows.nurture:nurture_accounts"}  # fmt: skip
    return {**sound, "updated": LONG_AGO, "last_polled": JUST_NOW, **change}


def _late(minutes: int) -> dict[str, Any]:
    return {"id": "r1", "deployment_id": "d1", "expected_start_time": (NOW - timedelta(minutes=minutes)).isoformat()}


def _remembers(enabled: list[str]) -> dict[str, Any]:
    vacuum = {"enabled": enabled, "retention_period": 1209600}
    return {"server": {"services": {"db_vacuum": vacuum}, "events": {"retention_period": "P3D"}}}


@contextmanager
def _server(change: dict[str, Any] | None = None, host: str = "127.0.0.1") -> Iterator[Patient]:
    """Somebody whose Prefect answers as a sound one does, but for `change`."""
    run = {"id": "r1", "name": "nurture new-business", "deployment_id": "d1", "expected_start_time": LONG_AGO,
           "state": {"timestamp": LONG_AGO}}  # fmt: skip
    answers = {
        "/health": True,
        "/admin/version": version("prefect"),
        "/ui-settings": {"api_url": "API"},
        "/deployments/filter": [_deployment()],
        "/flow_runs/filter": [run],
        "/events/filter": {"events": [{}]},
        "/task_runs/count": 12,
        "/admin/settings": _remembers(["events", "flow_runs"]),
    }
    with fake_prefect({**answers, **(change or {})}, host) as url:
        yield Patient(Settings(), NOW, PrefectApi(url))


def _state(found: Finding | None) -> str | None:
    return found.state if found else None
