"""`tandem status` where Prefect is in a bad way: one line says what, and what to do; a program gets an exit code."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from accounts.health import Sign
from flows.cli import tandem
from flows.operating.prefect_api import PrefectApi
from flows.operating.status import signs_of_prefect
from flows.settings import Settings
from tests.cast import NOW
from tests.operations.fake_prefect import fake_prefect
from tests.operations.patients import closed_port

pytestmark = pytest.mark.usefixtures("house")

MINUTE = timedelta(minutes=1)
SOON = (NOW + 5 * MINUTE).isoformat()


def test_a_server_that_is_well() -> None:
    with _server() as signs:
        assert {sign.name: sign.state for sign in signs} == {
            "next runs": "ok", "late runs": "ok", "dead runs": "ok", "failing": "ok", "paused": "ok", "backlog": "ok",
            "Prefect data": "ok",
        }  # fmt: skip
        assert _of(signs, "next runs").says == "nurture-accounts 10:05 UTC"


def test_a_server_that_is_gone_is_one_line_and_what_to_do() -> None:
    url = f"http://127.0.0.1:{closed_port()}/api"
    (sign,) = signs_of_prefect(PrefectApi(url), Settings(), NOW)
    assert (sign.name, sign.state, sign.cure) == ("Prefect", "fail", "tandem up")
    assert sign.says.startswith(f"{url} does not answer")


def test_no_server_at_all_is_worth_knowing() -> None:
    (sign,) = signs_of_prefect(None, Settings(), NOW)
    assert (sign.state, sign.says) == ("warn", "no server runs here, so nothing runs by itself")


def test_a_scheduler_that_is_dead_has_planned_nothing() -> None:
    with _server(runs=[]) as signs:
        found = _of(signs, "next runs")
    assert (found.state, found.says, found.cure) == ("fail", "none planned for nurture-accounts", "tandem doctor")


def test_a_server_on_which_nothing_is_deployed() -> None:
    with _server(deployments=[]) as signs:
        found = _of(signs, "next runs")
    assert (found.state, found.says) == ("fail", "nothing is on schedule")


@pytest.mark.parametrize(
    ("minutes", "state", "says"),
    [(9, "ok", "none"), (12, "fail", "1, the first for 12 min: decide-span, share 1 of 2")],
)
def test_runs_that_nobody_starts_are_named_once_they_are_late_enough(minutes: int, state: str, says: str) -> None:
    due = (NOW - minutes * MINUTE).isoformat()
    late = {"id": "r2", "name": "decide-span, share 1 of 2", "state_type": "SCHEDULED", "state_name": "Late",
            "expected_start_time": due}  # fmt: skip
    with _server(runs=[late]) as signs:
        found = _of(signs, "late runs")
    assert (found.state, found.says) == (state, says)
    assert found.figures == {"count": 1}


def test_deployments_that_are_switched_off() -> None:
    off = [_deployment(id=f"d{number}", name=f"flow-{number}", paused=True) for number in range(4)]
    with _server(deployments=off) as signs:
        found = _of(signs, "paused")
    assert (found.state, found.says) == ("warn", "flow-0, flow-1, flow-2 and 1 more")


def test_a_run_that_claims_to_run_without_a_sign_of_life() -> None:
    began = (NOW - 20 * MINUTE).isoformat()
    running = {"id": "r3", "name": "nurture new-business", "state_type": "RUNNING", "start_time": began,
               "state": {"timestamp": began}}  # fmt: skip
    with _server(runs=[running]) as signs:
        found = _of(signs, "dead runs")
    assert (found.state, found.says) == ("warn", "nurture new-business: said to run, without a sign of life")


def test_a_deployment_whose_latest_run_failed() -> None:
    with _server(runs=[{"id": "r4", "state_type": "FAILED", "deployment_id": "d1"}]) as signs:
        found = _of(signs, "failing")
    assert (found.state, found.says) == ("fail", "the latest run of nurture-accounts")


def test_a_server_that_cannot_keep_up_and_never_forgets() -> None:
    vacuum = {"enabled": ["events"], "retention_period": 1209600}
    with _server({"/task_runs/count": 501, "/admin/settings": _keeps(vacuum)}) as signs:
        assert _of(signs, "backlog").says == "501 task runs have ended and the server does not know yet"
        assert _of(signs, "Prefect data").says == "keeps events 3 days, and runs for ever"
        assert {_of(signs, name).state for name in ("backlog", "Prefect data")} == {"warn"}


def test_the_command_shows_it_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{closed_port()}/api")
    shown = CliRunner().invoke(tandem, ["status"])
    assert shown.exit_code == 1
    assert "does not answer" in shown.output
    told = json.loads(CliRunner().invoke(tandem, ["status", "--json"]).output)
    assert {sign["name"]: sign["state"] for sign in told}["Prefect"] == "fail"


def _deployment(**change: Any) -> dict[str, Any]:
    sound = {"id": "d1", "name": "nurture-accounts", "paused": False, "schedules": [{"active": True}]}
    return {**sound, **change}


def _keeps(vacuum: dict[str, Any]) -> dict[str, Any]:
    return {"server": {"services": {"db_vacuum": vacuum}, "events": {"retention_period": "P3D"}}}


@contextmanager
def _server(
    change: dict[str, Any] | None = None, *, deployments: Any = None, runs: Any = None
) -> Iterator[list[Sign]]:  # fmt: skip
    """What is said of one that answers as a sound one does, but for these."""
    planned = {"id": "r1", "name": "nurture", "state_type": "SCHEDULED", "deployment_id": "d1",
               "expected_start_time": SOON}  # fmt: skip
    answers = {
        "/deployments/filter": [_deployment()] if deployments is None else deployments,
        "/flow_runs/filter": _choose([planned] if runs is None else runs),
        "/events/filter": {"events": []},
        "/task_runs/count": 12,
        "/admin/settings": _keeps({"enabled": ["events", "flow_runs"], "retention_period": 1209600}),
    }
    with fake_prefect({**answers, **(change or {})}) as url:
        yield signs_of_prefect(PrefectApi(url), Settings(), NOW)


def _choose(runs: list[dict[str, Any]]) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """Those in the state that is asked for, by the name or by the type of it."""

    def choose(asked: dict[str, Any]) -> list[dict[str, Any]]:
        ((kind, wanted),) = asked["flow_runs"]["state"].items()
        return [run for run in runs if run.get(f"state_{kind}") in wanted["any_"]]

    return choose


def _of(signs: list[Sign], name: str) -> Sign:
    (sign,) = [sign for sign in signs if sign.name == name]
    return sign
