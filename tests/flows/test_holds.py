"""Whoever listens hears of each hold on an account, once, whoever put it there."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from accounts.ledger import holds
from accounts.ledger.engine import reading, writing
from accounts.ledger.holds import SignalHold
from accounts.vocabulary import HoldCause
from flows.cli import tandem
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from flows.sales.holding import tell_of_holds
from tests.cast import NOW, World
from tests.flows.house import only_sqlite, until
from tests.plays import small_play
from tests.sales.desk import say

HOUR = timedelta(hours=1)


@pytest.fixture
def world_at_home(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return world


def hold_three(world: World) -> None:
    """A rep in the web app, somebody at the command line, and a buyer who replied."""
    say(world, "hold", "acme", until=NOW + 9 * HOUR)
    assert CliRunner().invoke(tandem, ["hold", "globex", "--as-of", NOW.isoformat()]).exit_code == 0
    reply = SignalHold(1, world.accounts["initech-north"], HoldCause.REPLY, NOW, NOW + HOUR)
    with writing(world.engine) as connection:
        holds.hold_for_signals(connection, [reply])


def waiting(world: World, at: Any = NOW) -> dict[str, str]:
    """Account -> cause of holds that nobody was told of."""
    with reading(world.engine) as connection:
        return {hold.account: str(hold.cause) for hold in holds.unannounced(connection, "new-business", at)}


def test_every_hold_on_an_account_waits_to_be_told_as_long_as_it_stands(world_at_home: World) -> None:
    world = world_at_home
    hold_three(world)
    say(world, "hold", "acme", "bob")
    assert waiting(world) == {"acme": "rep", "globex": "rep", "initech-north": "reply"}
    assert waiting(world, NOW + 2 * HOUR) == {"acme": "rep", "globex": "rep"}, "the reply's is over"
    say(world, "release", "globex", now=NOW + HOUR)
    assert waiting(world, NOW + 2 * HOUR) == {"acme": "rep"}
    with reading(world.engine) as connection:
        ids = [hold.id for hold in holds.unannounced(connection, "new-business", NOW)]
    with writing(world.engine) as connection:
        holds.mark_announced(connection, ids, NOW)
    assert waiting(world) == {}


def test_a_hold_that_no_server_took_is_not_taken_for_told(world_at_home: World) -> None:
    hold_three(world_at_home)
    assert tell_of_holds(world_at_home.engine, small_play(), NOW) == 0
    assert len(waiting(world_at_home)) == 3


@only_sqlite
def test_the_next_run_tells_all_of_them_once_and_no_address(world_at_home: World, prefect_api: PrefectServer) -> None:
    from flows.track import track_accounts

    hold_three(world_at_home)
    before = len(told(prefect_api))
    track_accounts(as_of=NOW)
    until(lambda: len(told(prefect_api)) == before + 3)
    assert waiting(world_at_home) == {}
    events = {one["resource"]["prefect.resource.name"]: one["payload"] for one in told(prefect_api)[:3]}
    assert events["acme"] == {"cause": "rep", "until": (NOW + 9 * HOUR).isoformat()}
    assert events["initech-north"]["cause"] == "reply"
    assert "@" not in str(events)
    track_accounts(as_of=NOW)
    assert len(told(prefect_api)) == before + 3


def told(server: PrefectServer) -> list[dict[str, Any]]:
    """The newest first."""
    asked = {"filter": {"event": {"name": ["tandem.account.held"]}}, "limit": 50}
    found: list[dict[str, Any]] = PrefectApi(server.url).post("/events/filter", asked)["events"]
    return found
