"""A run that is spread: shares meet in the database only, and together they do what one process would have done."""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from sqlalchemy import Engine, func, select

from accounts.errors import Refused, TandemError
from accounts.ledger.engine import reading
from accounts.models import Decision, Touch
from accounts.tick import decide, divide, together
from accounts.vocabulary import TouchState
from flows import spreading
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from flows.sending.leaving import Despatch
from tests.cast import NOW, World
from tests.flows.elsewhere import decide_elsewhere
from tests.flows.house import deployed, only_sqlite, runs_of
from tests.nursery import NURSERY
from tests.plays import small_play
from tests.served import SHARES, served

SCHEDULED = {"state": {"type": {"any_": ["SCHEDULED"]}}}


def answers(engine: Engine) -> list[tuple[object, ...]]:
    columns = (Decision.stakeholder_id, Decision.answer, Decision.reason, Decision.until, Decision.content)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(Decision.stakeholder_id))]


def test_spans_are_of_one_size_and_hold_every_due_account_once(world: World) -> None:
    spans = divide(world.engine, small_play(), NOW, 2)
    assert len(spans) == 2
    assert spans[0].last < spans[1].first
    assert divide(world.engine, small_play(), NOW, 100)[-1].last == spans[-1].last
    for span in spans:
        decide(world.engine, small_play(), NOW, span=span)
    assert len(answers(world.engine)) == len(world.people)


def test_two_processes_decide_what_one_would_have_decided(world: World) -> None:
    play, url = small_play(), world.engine.url.render_as_string(hide_password=False)
    spans = divide(world.engine, play, NOW, 2)
    with ProcessPoolExecutor(2, NURSERY) as processes:
        parts = list(processes.map(decide_elsewhere, [url] * 4, [*spans, *spans]))  # and each share runs twice
    said = answers(world.engine)
    whole = together(parts, play, NOW)
    assert whole.changed == len(said) > 0
    again = decide(world.engine, play, NOW, only_due=False)
    assert (again.changed, answers(world.engine)) == (0, said)


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The cast's ledger is what the flows open, with the play of the product."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TANDEM_SCALE__SHARES", "2")
    return world.engine


@pytest.mark.timeout(300)  # several programs start, which takes its time on a busy machine
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("over", ["dask", "workers"])
def test_a_run_that_is_spread_sends_to_everybody_who_is_due_and_to_nobody_twice(
    over: str, home: Engine, prefect_api: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distributed

    from flows.nurture import nurture_accounts

    made: list[int | None] = []

    class Counted(distributed.LocalCluster):  # type: ignore[misc]
        def __init__(self, **how: Any) -> None:
            made.append(how.get("n_workers"))
            super().__init__(**how)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(distributed, "LocalCluster", Counted)
    monkeypatch.setenv("TANDEM_SCALE__OVER", over)
    environment = os.environ | prefect_api.env
    serving = served(SHARES, prefect_api.url, tmp_path, environment) if over == "workers" else nullcontext()
    with serving:
        counts = nurture_accounts(as_of=NOW)
    sent = len(list((tmp_path / "outbox").rglob("*.eml")))
    assert counts["sent"] == sent > 1
    assert made == ([2] if over == "dask" else []), "one cluster, of as many as there are shares, for all of the run"
    with reading(home) as connection:
        assert connection.scalar(select(func.count()).where(Touch.state == "sent", Touch.claimed_at == NOW)) == sent
    assert nurture_here(monkeypatch)["sent"] == 0


@only_sqlite
def test_without_the_deployments_of_shares_a_run_says_what_to_do(
    home: Engine, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.nurture import nurture_accounts

    monkeypatch.setenv("TANDEM_SCALE__OVER", "workers")
    with deployed("decide-span"):
        pass  # gone, whoever had deployed it before
    with pytest.raises(Refused) as refused:
        nurture_accounts(as_of=NOW)
    assert str(refused.value) == "there is no deployment decide-span (tandem deploy)"
    (last,) = PrefectApi(prefect_api.url).post("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    assert last["state_name"] == "Failed"
    assert "there is no deployment decide-span (tandem deploy)" in last["state"]["message"], "so it says in the pages"
    with reading(home) as connection:
        assert connection.scalar(select(func.count()).select_from(Touch)) == 0
    assert nurture_here(monkeypatch)["sent"] > 0


@only_sqlite
def test_a_share_that_fails_is_named_once_all_have_ended_and_the_next_run_does_its_part(
    home: Engine, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has taken both shares. One process dies, and later the other one comes to its end."""
    from flows.nurture import nurture_accounts

    monkeypatch.setenv("TANDEM_SCALE__OVER", "workers")
    api, ends = PrefectApi(prefect_api.url), ["CRASHED", "COMPLETED"]

    def one_ends(_seconds: float) -> None:
        """While the run waits, at each look at its shares."""
        open_shares = {"deployments": {"name": {"any_": ["decide-span"]}}, "flow_runs": SCHEDULED, "sort": "NAME_DESC"}
        share = api.post("/flow_runs/filter", open_shares)[0]["id"]
        api.post(f"/flow_runs/{share}/set_state", {"state": {"type": ends.pop(0)}, "force": True})

    monkeypatch.setattr(spreading, "sleep", one_ends)
    with deployed("decide-span"), pytest.raises(TandemError) as failed:
        nurture_accounts(as_of=NOW)
    assert ends == []
    assert str(failed.value) == (
        "1 of 2 shares did not come to their end: decide-span, share 2 of 2 (Crashed) "
        "(their logs say why; the next run takes up what they left)"
    )
    assert nurture_here(monkeypatch)["sent"] > 0


@only_sqlite
def test_shares_that_nobody_begins_are_done_by_the_run_itself_after_a_while(
    home: Engine, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything is deployed, and no worker runs."""
    from flows.nurture import nurture_accounts

    monkeypatch.setenv("TANDEM_SCALE__OVER", "workers")
    monkeypatch.setenv("TANDEM_SCALE__WAIT_MINUTES", "0.001")
    monkeypatch.setattr(spreading, "POLL_SECONDS", 0.1)
    with deployed(*SHARES) as client:
        earlier = {run.id for run in runs_of(client, *SHARES)}
        counts = nurture_accounts(as_of=NOW)
        states = [run.state for run in runs_of(client, *SHARES) if run.id not in earlier]
    assert counts["sent"] == len(list((tmp_path / "outbox").rglob("*.eml"))) > 1
    assert len(states) == 4
    assert {(state.name, state.message) for state in states if state} == {
        ("Taken back", "nobody began it within 0.001 minutes: no worker serves it (tandem doctor)")
    }


def test_a_share_that_waits_for_a_worker_which_is_busy_with_another_one_is_left_to_it(
    prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, looks = PrefectApi(prefect_api.url), iter(("RUNNING", "RUNNING", "COMPLETED", "COMPLETED"))
    seen: list[str] = []

    with deployed("send-plans") as client:
        deployment = client.read_deployment_by_name("send-plans/send-plans").id
        busy, other = (
            client.create_flow_run_from_deployment(deployment, name=name, parameters={"play": "new-business"})
            for name in ("busy", "other")
        )

        def work_goes_on(_seconds: float) -> None:
            seen.append(str(client.read_flow_run(other.id).state_name))
            api.post(f"/flow_runs/{busy.id}/set_state", {"state": {"type": next(looks)}, "force": True})

        monkeypatch.setattr(spreading, "sleep", work_goes_on)

        @flow
        def waits() -> list[str | None]:
            return [run.state_name for run in spreading._wait(client, [busy, other], minutes=0)]

        ends = waits()
    assert seen == ["Scheduled", "Scheduled", "Scheduled", "Taken back"], "left alone while the first one was at work"
    assert ends == ["Completed", "Taken back"]


def nurture_here(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    from flows.nurture import nurture_accounts

    monkeypatch.setenv("TANDEM_SCALE__OVER", "here")
    return nurture_accounts(as_of=NOW)


def test_what_several_senders_did_is_added_up_and_who_waits_is_counted_once() -> None:
    one = Despatch(7, {TouchState.SENT: 3}, {"opted_out": 1}, postponed=4, paced=2)
    other = Despatch(
        7, {TouchState.SENT: 2, TouchState.FAILED: 1}, {"opted_out": 1}, postponed=4, stopped="the server is away"
    )
    whole = spreading._as_one([one, other])
    assert whole.outcomes == {TouchState.SENT: 5, TouchState.FAILED: 1}
    assert whole.refused == {"opted_out": 2}
    assert (whole.plan_id, whole.postponed, whole.paced, whole.stopped) == (7, 4, 2, "the server is away")
