"""`track-accounts` as Prefect runs it: a named run, a page for the marketer, an answer in counts."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from flows.prefect_server import PrefectServer
from tests.cast import NOW, World

pytestmark = pytest.mark.usefixtures("prefect_api")


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The cast's ledger is what the flows open."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world.engine


def test_a_run_says_for_whom_and_how_many_and_leaves_a_page(home: Engine, prefect_api: PrefectServer) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    from flows.track import track_accounts

    counts = track_accounts(as_of=NOW)

    assert counts["looked_at"] == 5
    with get_client(sync_client=True) as client:
        names = [run.name for run in client.read_flow_runs()]
        pages = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["track-new-business"])))
    assert any(name.startswith("track new-business · 5 looked at") for name in names)
    assert "What sales did" in str(pages[-1].data)
    assert "@" not in str(pages[-1].data), "no addresses in artifacts"
