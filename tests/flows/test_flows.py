"""The five flows as Prefect runs them: a named run, a page for the marketer, an answer in counts."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import Artifact
from sqlalchemy import Engine

from accounts.ledger.engine import reading
from accounts.ledger.planning.touches import list_touches
from flows.cli.run import FLOWS
from flows.sending.progress import shown
from tests.cast import NOW, World
from tests.flows.house import only_sqlite, until

pytestmark = pytest.mark.usefixtures("prefect_api")

#: An address that is not masked.
BARE = re.compile(r"\b[a-z]{2,}\\?@[a-z]+\.example")


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The cast's ledger is what the flows open."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world.engine


def run(word: str, **more: Any) -> dict[str, Any]:
    module, _, name = FLOWS[word].partition(":")
    counts: dict[str, Any] = getattr(import_module(module), name)(as_of=NOW, **more)
    return counts


def page(key: str) -> str:
    """The newest page under a key."""
    return str(pages(key)[0].data)


def pages(key: str) -> Sequence[Artifact]:
    """The newest page under a key, if there is one."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        return client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC, limit=1
        )


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
    pages["brief"] = page("brief-of-rep-1")
    assert f"| sent | **{nurtured['sent']}** |" in pages["plan"]
    assert "may leave" in pages["verdict"]
    assert {kind for kind, text in pages.items() if BARE.search(text)} == set()
    assert "# Acme" in pages["brief"]
    assert not re.search("Alice|Bob|https?:", pages["brief"]), "people by their initials, and no link"


def test_a_second_run_at_the_same_time_sends_nothing(home: Engine) -> None:
    run("track")
    assert run("nurture")["sent"] > 0
    assert run("nurture")["sent"] == 0


@only_sqlite
def test_a_dry_run_tells_everything_and_does_nothing(home: Engine, tmp_path: Path) -> None:
    run("track")
    foreseen = run("nurture", dry_run=True)
    assert foreseen["touch"] > 0
    assert newest_name() == f"dry run of new-business · {foreseen['touch']} of {foreseen['people']} would get a mail"
    pages = page("dry-run-new-business") + page("dry-run-touches-new-business")
    assert "| 1 | opted out |" in pages
    assert not BARE.search(pages)
    with reading(home) as connection:
        assert list_touches(connection) == []
    assert run("nurture")["due"] == foreseen["touch"]


def test_named_accounts_are_the_only_ones_that_get_something(home: Engine) -> None:
    run("track")
    assert run("nurture", accounts=("initech-north",))["sent"] == 1
    with reading(home) as connection:
        assert {touch.account for touch in list_touches(connection)} == {"initech-north"}
    assert newest_name() == "nurture new-business · 1 sent"


@only_sqlite
def test_sending_that_takes_long_has_a_bar(home: Engine) -> None:
    run("track")
    assert run("nurture")["sent"] > 0

    @flow
    def sends() -> None:
        with shown(home, "new-business", [1], every=0.01):
            until(lambda: bool(pages("sending-new-business")))

    sends()
    assert float(page("sending-new-business")) == 100
