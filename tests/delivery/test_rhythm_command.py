"""`tandem rhythm`: the twin of the page on which reps choose when they are briefed."""

import json

import pytest
from click.testing import CliRunner, Result

from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading
from accounts.ledger.reps.profiles import Rhythm, rhythm_of
from flows.cli.rhythm import rhythm
from flows.settings import Settings
from tests.cast import NOW, World

RAVI = {"every": "daily", "hour": "07:00", "timezone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def at_home(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(settings.home))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))


def ask(*words: str) -> Result:
    said = ("--as-of", NOW.isoformat(), "--by", "mia")
    return CliRunner().invoke(rhythm, ["ravi", *words, *said], catch_exceptions=False)


def test_what_is_not_named_stays_as_it_was_said(world: World) -> None:
    ravi = world.reps["ravi"]
    assert json.loads(ask("--json").output) == {"rep": ravi, **RAVI}
    assert ask("--hour", "16").output == "ravi: daily, 16:00 Europe/Berlin\n"
    assert ask("--every", "weekly").output == "ravi: weekly, 16:00 Europe/Berlin\n"
    assert ask("--every", "off").output == "ravi: off\n"
    assert json.loads(ask("--usual", "--hour", "0:00", "--json").output)["hour"] == "00:00"
    with reading(world.engine) as connection:
        assert rhythm_of(connection, ravi) == Rhythm(None, 0)
        said = [entry for entry in read_audit(connection) if entry.action == "brief-rhythm"]
    assert [entry.after["brief_hour"] for entry in said if entry.after] == [0, 16, 16, 16]
    assert {entry.actor for entry in said} == {"mia"}


@pytest.mark.parametrize("hour", ["24", "16:30", "noon", "-1"])
def test_no_full_hour_is_refused(world: World, hour: str) -> None:
    refused = ask(f"--hour={hour}")
    assert (refused.exit_code, "no full hour" in refused.output) == (2, True)
    with reading(world.engine) as connection:
        assert rhythm_of(connection, world.reps["ravi"]) == Rhythm(None, None)
