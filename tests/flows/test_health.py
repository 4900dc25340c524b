"""Who watches: dead runs give their places back, the living keep theirs, and a change is told once."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow, runtime
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from sqlalchemy import Engine, delete, insert

from accounts.ledger.engine import writing
from accounts.models import Decision
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from flows.operating.runs import dead_runs, mark_crashed, read_runs, retention, undigested
from tests.cast import NOW
from tests.flows.house import until
from tests.flows.test_flows import BARE, page
from tests.flows.test_flows import home as home

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
MINUTE = timedelta(minutes=1)


def test_a_run_without_a_sign_of_life_is_dead_and_one_that_beats_is_not(prefect_api: PrefectServer) -> None:
    """Both began a while ago; what was killed together with whoever watched it says nothing any more."""
    api = PrefectApi(prefect_api.url)
    silent, beating = _begin(api, "silent"), _begin(api, "beating")
    beat = datetime.now(UTC)
    _beat(prefect_api, beating, beat)
    ours, soon = {silent, beating}, beat + 9 * MINUTE
    assert {run.id for run in dead_runs(api, soon)}.isdisjoint(ours), "too early to say"
    then = beat + 10 * MINUTE - timedelta(milliseconds=1)
    give_up = time.monotonic() + 20
    while beating in {run.id for run in dead_runs(api, then)}:
        assert time.monotonic() < give_up, "the heartbeat did not reach the server"
        time.sleep(0.1)
    assert silent in {run.id for run in dead_runs(api, then)}
    for run in ours:
        _end(api, run)


def test_a_run_as_the_product_runs_it_beats_by_itself_and_is_dead_ten_minutes_after_its_last_beat(
    prefect_api: PrefectServer,
) -> None:
    """The other tests have it off: here it is Prefect's own, every three minutes, as we leave it."""
    api, ids, last = PrefectApi(prefect_api.url), list[str](), list[datetime]()

    @flow
    def works() -> None:
        ids.append(str(runtime.flow_run.id))
        until(lambda: bool(_beats_of(api, ids[0])))
        last.extend(_beats_of(api, ids[0]))
        assert ids[0] not in _dead(api, last[0] + 10 * MINUTE - timedelta(milliseconds=1))
        assert ids[0] in _dead(api, last[0] + 10 * MINUTE + timedelta(seconds=1))

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: PREFECT_FLOWS_HEARTBEAT_FREQUENCY.default()}):
        works()
    assert ids[0] not in _dead(api, last[0] + 11 * MINUTE), "it has ended"


def test_a_run_that_waited_for_hours_and_begins_just_now_is_not_dead(prefect_api: PrefectServer) -> None:
    """As after a night in which nobody served it: it was due long ago, and has had no time for a heartbeat."""
    api, now = PrefectApi(prefect_api.url), datetime.now(UTC)
    late = _begin(api, "late", due=now - timedelta(hours=8), states=("PENDING",))
    assert late not in {run.id for run in dead_runs(api, now + MINUTE)}
    _end(api, late)


def test_the_server_forgets_in_time(prefect_api: PrefectServer) -> None:
    """What we start it with is what it goes by."""
    assert retention(PrefectApi(prefect_api.url)) == (timedelta(days=14), timedelta(days=3))


@ON_SQLITE
def test_what_needs_a_person_is_told_once_and_that_it_was_seen_to_once(
    home: Engine, prefect_api: PrefectServer
) -> None:
    from flows.health import watch_health

    def look() -> dict[str, int]:
        counts: dict[str, int] = watch_health()
        return counts

    look()
    assert look()["changed"] == 0
    with writing(home) as connection:
        late = {"stakeholder_id": 1, "account_id": 1, "as_of": NOW, "answer": "wait", "reason": "late_step"}
        connection.execute(insert(Decision).values(late))
    assert look()["changed"] == 1
    assert look()["changed"] == 0
    assert "a step came too late for 1 person" in page("health")
    assert not BARE.search(page("health"))
    with writing(home) as connection:
        connection.execute(delete(Decision))
    assert look()["changed"] == 1
    assert _told(prefect_api, "tandem.health.late") == ["tandem.health.fail", "tandem.health.ok"]


@ON_SQLITE
def test_a_dead_run_is_buried_by_whoever_watches(home: Engine, prefect_api: PrefectServer) -> None:
    from flows.operating.health import look_after
    from flows.settings import load_settings

    api = PrefectApi(prefect_api.url)
    dead = _begin(api, "killed")
    looked = look_after(home, load_settings(), api, {}, datetime.now(UTC) + 11 * MINUTE)
    assert dead in {run.id for run in looked.crashed}
    assert api.get(f"/flow_runs/{dead}")["state_type"] == "CRASHED"


def test_a_server_that_keeps_up_has_no_backlog_and_nothing_late(prefect_api: PrefectServer) -> None:
    api, now = PrefectApi(prefect_api.url), datetime.now(UTC)
    assert undigested(api, now - MINUTE) == 0
    assert read_runs(api, now).late == ()


def test_no_task_of_a_run_that_was_marked_as_crashed_claims_to_run(prefect_api: PrefectServer) -> None:
    """Else the server would count as behind for ever, and whoever stops it would wait for them."""
    api, soon = PrefectApi(prefect_api.url), datetime.now(UTC) + MINUTE
    before, run = undigested(api, soon), _begin(api, "killed")
    task = {"flow_run_id": run, "task_key": "send", "dynamic_key": "0", "state": {"type": "RUNNING"}}
    api.post("/task_runs/", task)
    assert mark_crashed(api, [run], "its process is gone") == 1
    assert undigested(api, soon) == before


def _begin(
    api: PrefectApi, name: str, due: datetime | None = None, states: tuple[str, ...] = ("PENDING", "RUNNING")
) -> str:
    flow = api.post("/flows/", {"name": "watched"})
    scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()} if due else {}}
    run = api.post("/flow_runs/", {"flow_id": flow["id"], "name": name, "state": scheduled})
    for state in states:
        assert api.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": state}})["status"] == "ACCEPT"
    return str(run["id"])


def _end(api: PrefectApi, run: str) -> None:
    api.post(f"/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}})


def _beat(server: PrefectServer, run: str, at: datetime) -> None:
    """What a run's own thread sends every three minutes."""
    import requests

    heartbeat = {
        "id": str(uuid4()), "occurred": at.isoformat(), "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"}, "related": [], "payload": {},
    }  # fmt: skip
    assert requests.post(f"{server.url}/events", json=[heartbeat], timeout=5).status_code == 204


def _beats_of(api: PrefectApi, run: str) -> list[datetime]:
    """When it said that it lives, the latest first."""
    asked = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    return [datetime.fromisoformat(one["occurred"]) for one in api.post("/events/filter", {"filter": asked})["events"]]


def _dead(api: PrefectApi, at: datetime) -> set[str]:
    return {run.id for run in dead_runs(api, at)}


def _told(server: PrefectServer, resource: str) -> list[str]:
    """Names of the events about a sign, oldest first, once two have come: they travel on their own."""
    asked: dict[str, Any] = {"filter": {"resource": {"id": [resource]}}, "limit": 10}
    found: list[dict[str, Any]] = []
    give_up = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < give_up:
        found = PrefectApi(server.url).post("/events/filter", asked)["events"]
        time.sleep(0.1)
    return [event["event"] for event in sorted(found, key=lambda event: str(event["occurred"]))]
