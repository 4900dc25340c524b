"""A run that is spread: shares meet in the database only, and together they do what one process would have done."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from accounts.ledger.engine import open_ledger, reading
from accounts.ledger.planning import Span
from accounts.models import Decision, Touch
from accounts.tick import Decided, decide, divide, together
from accounts.vocabulary import TouchState
from flows import spreading
from flows.operating.child import running
from flows.operating.deployments import are_polled, deployments_file, read_deployments
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from flows.sending.leaving import Despatch
from tests.cast import NOW, World
from tests.plays import small_play


def answers(engine: Engine) -> list[tuple[object, ...]]:
    columns = (Decision.stakeholder_id, Decision.answer, Decision.reason, Decision.until, Decision.content)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(Decision.stakeholder_id))]


def decide_elsewhere(url: str, span: Span) -> Decided:
    engine = open_ledger(url)
    try:
        return decide(engine, small_play(), NOW, span=span)
    finally:
        engine.dispose()


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
    with ProcessPoolExecutor(2, get_context("forkserver")) as processes:
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


@contextmanager
def shares_served(server: PrefectServer, folder: Path) -> Iterator[None]:
    """Somebody takes runs of the two deployments for shares, as a worker of the pool would."""
    entries = deployments_file().read_text().split("  - name: ")
    file = folder / "prefect.yaml"
    shares = [entry for entry in entries if entry.startswith(("decide-span", "send-plans"))]
    file.write_text("  - name: ".join([entries[0], *shares]))
    api, began, program = (
        PrefectApi(server.url),
        datetime.now(UTC),
        ["flows.operating.deployments:serve_all", str(file)],
    )
    with running("Shares", program, env=os.environ | server.env, log=folder / "shares.log") as child:
        child.wait_until(lambda: are_polled(api, [entry.name for entry in read_deployments(file)], began), 60)
        yield


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("over", ["dask", "workers"])
def test_a_run_that_is_spread_sends_to_everybody_who_is_due_and_to_nobody_twice(
    over: str, home: Engine, prefect_api: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.nurture import nurture_accounts

    monkeypatch.setenv("TANDEM_SCALE__OVER", over)
    with shares_served(prefect_api, tmp_path) if over == "workers" else nullcontext():
        counts = nurture_accounts(as_of=NOW)
    sent = len(list((tmp_path / "outbox").rglob("*.eml")))
    assert counts["sent"] == sent > 1
    with reading(home) as connection:
        assert connection.scalar(select(func.count()).where(Touch.state == "sent", Touch.claimed_at == NOW)) == sent
    assert nurture_here(monkeypatch)["sent"] == 0


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
