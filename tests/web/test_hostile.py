"""What people try with links and answers, by name: each meets a friendly answer and, if its link was genuine once,
leaves a line in an audit that stays whole. The depths of each are tested beside what they are about.
"""

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import update

from accounts.errors import Refused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.models import Audit, Stakeholder
from flows.cli.privacy import audit
from tests.cast import NOW, PLAY, World
from tests.privacy.test_audit import unlocked
from tests.signals.post import send
from tests.web.reps import DAY, TODAY, path, rows_but_audit, set_rep
from tests.web.visitor import Browser, Clock, on_sqlite

RAVI, SOFIA = "ravi@lumenflow.example", "sofia@lumenflow.example"
UNTIL = {"until": "2026-12-24"}
OVER = "This link is over"

pytestmark = on_sqlite


@pytest.fixture(autouse=True)
def _at_home(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))


def verified() -> str:
    """`tandem audit --verify`."""
    return CliRunner().invoke(audit, ["--verify"], catch_exceptions=False, standalone_mode=False).output


def lines(world: World) -> list[tuple[str, str, str | None]]:
    """Who did what, and why it was refused; in the order of the audit, which is whole."""
    assert "whole" in verified()
    with reading(world.engine) as connection:
        return [(row.actor, row.action, (row.after or {}).get("why")) for row in reversed(read_audit(connection))]


def refused(answer: requests.Response) -> bool:
    """Friendly, and nothing of anybody in it."""
    return OVER in answer.text and not any(word in answer.text for word in ("Ravi", "Acme", "Initech"))


def test_a_tampered_link_does_nothing_and_says_nothing_of_anybody(web: Browser, world: World) -> None:
    """Nobody's link: it leaves no line, or anybody could fill the audit."""
    good, before = path(world, "hold"), rows_but_audit(world)
    for place in (4, len(good) // 2, len(good) - 1):
        bad = f"{good[:place]}{'A' if good[place] != 'A' else 'B'}{good[place + 1 :]}"
        assert refused(web.get(bad))
        assert refused(web.post(bad, data=UNTIL))
    assert rows_but_audit(world) == before
    assert lines(world) == []


def test_a_replayed_answer_changes_nothing_the_second_time(web: Browser, world: World) -> None:
    link = path(world, "hold")
    assert "Done" in web.post(link, data=UNTIL).text
    before = rows_but_audit(world)
    assert "It was so already, and it stays so." in web.post(link, data=UNTIL).text
    assert rows_but_audit(world) == before
    assert lines(world) == [(RAVI, "rep-link", None), (RAVI, "hold", None)] * 2, "it was said twice"


def test_an_expired_link_says_that_it_is_over(web: Browser, world: World, clock: Clock) -> None:
    link = path(world, "hold")
    clock.now = NOW + 15 * DAY
    assert refused(web.post(link, data=UNTIL))
    assert lines(world) == [(RAVI, "rep-link-refused", "over")]


def test_a_forwarded_link_asks_who_is_there_before_anything_happens(web: Browser, world: World) -> None:
    before = rows_but_audit(world)
    assert "You answer as Ravi Menon. Not you? Then please close this page." in web.get(path(world, "hold")).text
    assert rows_but_audit(world) == before
    assert lines(world) == [(RAVI, "rep-link", None)]


def test_script_in_a_name_or_a_note_stays_text_and_out_of_the_audit(web: Browser, world: World) -> None:
    evil = "<script>alert(1)</script>"
    newcomer = {"name": evil, "email": "zoe@acme.example"}
    for kind, typed in (("objection", {"words": evil}), ("add_person", newcomer)):
        assert "<script" not in web.post(path(world, kind), data=typed).text
    page = web.get(path(world, "page")).text
    assert ("<script" in page, page.count("&lt;script&gt;alert(1)") > 1) == (False, True)
    assert [action for _, action, _ in lines(world) if action != "rep-link"] == ["objection", "add-person"]
    with reading(world.engine) as connection:
        assert "script" not in str(read_audit(connection))


def test_a_formula_in_a_name_is_none_in_the_table(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        alice = Stakeholder.id == world.people["alice"]
        connection.execute(update(Stakeholder).where(alice).values(first_name='=HYPERLINK("http://x")', last_name=""))
    table = web.get(f"{path(world, 'page')}/history.csv").text
    assert "'=HYPERLINK" in table
    assert not any(cell.startswith("=") for cell in table.replace('"', "").replace("\n", ",").split(","))
    assert lines(world) == [(RAVI, "rep-link", None)]


def test_a_rep_who_guesses_another_reps_account_learns_nothing(web: Browser, world: World) -> None:
    """Even with a genuine link, which nobody can make without the key."""
    before = rows_but_audit(world)
    assert refused(web.get(path(world, "page", "initech-south")))
    assert refused(web.post(path(world, "hold", "initech-south"), data=UNTIL))
    assert rows_but_audit(world) == before
    assert lines(world) == [(RAVI, "rep-link-refused", "the account is no longer theirs")] * 2


def test_an_answer_to_a_mail_that_left_says_when_it_did(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        send(connection, world, "alice")
    link = f"{path(world, 'veto', about=world.people['alice'])}"
    told = web.post(link, data={"content": f"{PLAY}/evaluation/pilot"}).text
    assert "That mail to Alice Example left on Tuesday at 10:00; nothing to stop." in told
    assert lines(world) == [(RAVI, "rep-link", None), (RAVI, "too-late", None)]


def test_of_two_reps_who_answer_the_second_is_told_of_the_first(web: Browser, world: World) -> None:
    set_rep(world, "ravi", away_from=NOW - DAY, away_until=NOW + DAY, backup_id=world.reps["sofia"])
    web.post(path(world, "hold"), data=UNTIL)
    told = web.post(path(world, "hold", rep="sofia"), data={"until": "2026-12-01"}).text
    assert "This replaces what Ravi Menon said" in told
    assert [line for line in lines(world) if line[1] == "hold"] == [(RAVI, "hold", None), (SOFIA, "hold", None)]


def test_clocks_may_differ_by_a_night_and_by_no_more(web: Browser, world: World) -> None:
    assert web.get(path(world, "hold", issued=TODAY + DAY)).status_code == 200
    assert refused(web.get(path(world, "hold", issued=TODAY + 2 * DAY)))
    assert lines(world) == [(RAVI, "rep-link", None), (RAVI, "rep-link-refused", "made for a later day")]


def test_an_entry_that_somebody_changed_is_named_by_the_command(web: Browser, world: World) -> None:
    for kind in ("hold", "page", "take"):
        web.get(path(world, kind))
    unlocked(world.engine, update(Audit).where(Audit.id == 2).values(actor="nobody"))
    with pytest.raises(Refused, match="the audit is broken: its content was changed") as told:
        verified()
    assert "entry 2" in str(told.value)
