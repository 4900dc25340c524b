"""When mails fare badly, the runs that notice it tell the operator: a page, and a word for automations."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes
from accounts.ledger.sending import claims
from accounts.ledger.signals.recorded import Incoming, record
from accounts.vocabulary import BrakeScope, TouchState
from flows.operating.prefect_api import PrefectApi
from flows.operating.prefect_server import PrefectServer
from tests.cast import NOW, PLAY, World
from tests.flows.house import until
from tests.flows.test_flows import BARE, page, run
from tests.flows.test_flows import home as home
from tests.sending.desk import certified, claim, crowd

pytestmark = pytest.mark.usefixtures("prefect_api")
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def _notes(server: PrefectServer, *subjects: str) -> dict[str, str]:
    """Subject -> what was told of it, once all were; the server takes a moment to write them down."""
    asked = {"filter": {"event": {"name": ["tandem.brake.pulled"]}, "resource": {"id": list(subjects)}}}
    found: dict[str, str] = {}

    def is_told() -> bool:
        events = PrefectApi(server.url).post("/events/filter", asked)["events"]
        found.update({event["resource"]["prefect.resource.id"]: event["payload"]["note"] for event in events})
        return len(found) == len(subjects)

    until(is_told, 20)
    return found


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
    notes = _notes(prefect_api, "tandem.brake.domain.big.example", f"tandem.brake.play.{PLAY}")
    assert all("3 of 6 messages" in note for note in notes.values())
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
