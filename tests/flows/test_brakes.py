"""When mails fare badly, the runs that notice it tell the operator: a page, and a word for automations."""

import time
from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from accounts.ledger import brakes, claims
from accounts.ledger.engine import reading, writing
from accounts.ledger.signals import Incoming, record
from accounts.vocabulary import BrakeScope, TouchState
from flows.operating.prefect_server import PrefectServer
from tests.cast import NOW, PLAY, World
from tests.flows.test_flows import BARE, page, run
from tests.flows.test_flows import home as home
from tests.sending.desk import certified, claim, crowd

pytestmark = pytest.mark.usefixtures("prefect_api")
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def _events(server: PrefectServer, name: str) -> list[dict[str, Any]]:
    """What was told under a name; events travel on their own, so it may take a moment."""
    asked = {"filter": {"event": {"name": [name]}}, "limit": 10}
    for _ in range(50):
        found: list[dict[str, Any]] = requests.post(f"{server.url}/events/filter", json=asked, timeout=5).json()[
            "events"
        ]
        if found:
            return found
        time.sleep(0.1)
    return []


def _complaints(world: World) -> None:
    """Six mails left an hour ago, and three of their readers called them spam."""
    before = NOW - timedelta(hours=1)
    plan_id = certified(world, crowd(world, {"big.example": 6}), now=before)
    touches = claim(world, plan_id, now=before).touches
    with writing(world.engine) as connection:
        claims.record(connection, [claims.Outcome(touch.id, TouchState.SENT) for touch in touches], before)
        told = [Incoming("provider", f"c{one.id}", "complained", NOW, touch_id=one.id) for one in touches[:3]]
        record(connection, told, NOW)


@ON_SQLITE
def test_complaints_stop_the_play_with_an_event_and_a_page_and_nothing_of_it_leaves(
    home: Engine, world: World, prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_REPUTATION__LEAST_SENT", "5")
    _complaints(world)
    run("track")
    run("signals")
    events = _events(prefect_api, "tandem.brake.pulled")
    assert {event["resource"]["prefect.resource.id"] for event in events} == {
        "tandem.brake.domain.big.example", f"tandem.brake.play.{PLAY}"
    }  # fmt: skip
    assert all("3 of 6 messages" in event["payload"]["note"] for event in events)
    assert run("nurture")["sent"] == 0
    told = page("brakes")
    assert f"play {PLAY}" in told
    assert "called spam by their readers: 50.00%" in told


@ON_SQLITE
def test_the_page_of_brakes_shows_no_address(home: Engine, world: World) -> None:
    with writing(world.engine) as connection:
        brakes.pull(
            connection, BrakeScope.REP, "sofia@lumenflow.example", by="ravi@lumenflow.example", now=NOW, note="|"
        )
    run("signals")
    told = page("brakes")
    assert r"s…a\@lumenflow.example" in told
    assert not BARE.search(told)
    with reading(world.engine) as connection:
        assert len(brakes.pulled(connection)) == 1
