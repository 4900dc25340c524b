"""`tandem links`: a fresh link, and the end of all a rep has."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from accounts.ledger.engine import open_ledger
from accounts.ledger.reps import links as rep_links
from accounts.ledger.schema import upgrade
from flows.briefs.links import RepLink, read
from flows.cli import tandem
from tests.cast import NOW, World, build_world
from tests.web.reps import audited

Run = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A ledger as `tandem init` leaves it, with the cast in it."""
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_SECRET_KEY", "a secret of the tests")
    engine = open_ledger(f"sqlite:///{tmp_path / 'tandem.db'}")
    upgrade(engine)
    return build_world(engine)


def run(*words: str) -> Result:
    return CliRunner().invoke(tandem, ["links", *words])


def test_a_fresh_link_leads_to_all_accounts_of_the_rep(here: World) -> None:
    made = json.loads(run("page", "ravi", "--as-of", NOW.isoformat(), "--json").output)
    assert made["last_day"] == "2026-12-08"
    genuine = read(made["link"].rpartition("/")[2], "a secret of the tests")
    assert genuine is not None
    assert genuine.to == RepLink(here.reps["ravi"], 0, 0, "page", 0, NOW.date())


def test_revoking_ends_what_there_is_and_says_when_a_new_one_can_be_had(here: World) -> None:
    assert "open nothing any more" in run("revoke", "ravi", "--by", "ops", "--as-of", NOW.isoformat()).output
    (entry,) = audited(here, rep_links.REVOKED)
    assert (entry.actor, entry.subject) == ("ops", f"rep:{here.reps['ravi']}")
    refused = run("page", "ravi", "--as-of", NOW.isoformat())
    assert "all links of today were revoked" in str(refused.exception)
    assert "/r/" in run("page", "ravi", "--as-of", "2026-11-25T09:00+00:00").output
