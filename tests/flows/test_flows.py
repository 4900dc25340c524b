"""The five flows as Prefect runs them: a named run, a page for the marketer, an answer in counts."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from flows.cli.run import FLOWS
from tests.cast import NOW, World

pytestmark = pytest.mark.usefixtures("prefect_api")

#: An address that is not masked.
BARE = re.compile(r"\b[a-z]{2,}\\?@[a-z]+\.example")


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The cast's ledger is what the flows open."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world.engine


def run(word: str) -> dict[str, Any]:
    module, _, name = FLOWS[word].partition(":")
    counts: dict[str, Any] = getattr(import_module(module), name)(as_of=NOW)
    return counts


def page(key: str) -> str:
    """The newest page under a key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC, limit=1
        )
    return str(found[0].data)


def newest_name() -> str:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        return str(client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0].name)


def test_tracking_says_for_whom_and_how_many(home: Engine) -> None:
    assert run("track")["looked_at"] == 5
    assert newest_name().startswith("track new-business · 5 looked at")
    assert "What sales did" in page("track-new-business")


def test_a_day_in_flows_reaches_outbox_and_reps_and_shows_no_address(home: Engine, tmp_path: Path) -> None:
    run("track")
    run("signals")
    nurtured = run("nurture")
    briefed = run("briefs")
    run("audiences")

    assert (
        nurtured["sent"] == len([path for path in (tmp_path / "outbox").glob("*.eml") if "brief" not in path.name]) > 0
    )
    assert briefed["delivered"] == len(list((tmp_path / "briefs").glob("*.html"))) > 0
    pages = {
        kind: page(f"{kind}-new-business") for kind in ("track", "signals", "nurture", "verdict", "briefs", "audiences")
    }
    pages["touches"] = page("touches-new-business")
    pages["plan"] = page("plan-1")
    assert f"| sent | **{nurtured['sent']}** |" in pages["plan"]
    assert "may leave" in pages["verdict"]
    assert {kind for kind, text in pages.items() if BARE.search(text)} == set()


def test_a_second_run_at_the_same_time_sends_nothing(home: Engine) -> None:
    run("track")
    assert run("nurture")["sent"] > 0
    assert run("nurture")["sent"] == 0
