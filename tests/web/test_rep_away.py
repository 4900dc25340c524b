"""A rep says in the browser when they are away: from the end of each brief, in two clicks, and back again."""

from datetime import UTC, datetime

from accounts.briefs import write_brief
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.reps.profiles import Absence, absence_of
from accounts.models import Decision
from flows.briefs.links import Links
from flows.briefs.pages import brief_pages
from flows.settings import TEMPLATES
from tests.briefs.sample import YESTERDAY, acme, ravi
from tests.cast import NOW, World
from tests.plays import small_play
from tests.web.reps import TODAY, Forms, path, planned, press, rows_but_audit
from tests.web.visitor import SECRET, Browser, on_sqlite

FRIDAY, TUESDAY = datetime(2026, 11, 26, 23, 0, tzinfo=UTC), datetime(2026, 11, 30, 23, 0, tzinfo=UTC)


def away(world: World) -> Absence | None:
    with reading(world.engine) as connection:
        return absence_of(connection, world.reps["ravi"], NOW)


def test_two_clicks_and_the_backup_stands_in_from_midnight_to_midnight_where_the_rep_is(
    web: Browser, world: World
) -> None:
    page = web.get(path(world, "away", None))
    assert "When are you away?" in page.text
    days = {"since": "2026-11-27", "until": "2026-12-01"}
    done = press(web, page, **days, backup=str(world.reps["sofia"]))
    assert "You are away from 27 November until 1 December. Sofía Ortega stands in." in done.text
    assert away(world) == Absence(FRIDAY, TUESDAY, world.reps["sofia"])
    with reading(world.engine) as connection:
        (entry,) = [row for row in read_audit(connection) if row.action == "away"]
    assert (entry.actor, entry.subject) == ("ravi@lumenflow.example", f"rep:{world.reps['ravi']}")
    again = web.get(path(world, "away", None))
    assert "You are away from 27 November" in again.text
    assert "You are there" in press(web, again, here="yes").text
    assert away(world) is None


@on_sqlite
def test_days_and_colleagues_that_cannot_be_are_asked_again_and_change_nothing(web: Browser, world: World) -> None:
    before = rows_but_audit(world)
    good = {"since": "2026-11-27", "until": "2026-12-01", "backup": ""}
    for wrong, said in (
        ({"until": "2026-11-20"}, "is over"), ({"until": ""}, "is missing"),
        ({"since": "2026-12-05"}, "1 december is not after 5 december"),
        ({"backup": "999"}, "nobody has that number"), ({"backup": str(world.reps["ravi"])}, "nobody has that number"),
        ({"until": "<b>soon</b>"}, "is no day"),
    ):  # fmt: skip
        page = web.post(path(world, "away", None), data={**good, **wrong})
        assert page.status_code == 400
        assert said in page.text.lower(), wrong
        assert "<b>" not in page.text
        filled = dict(Forms(page.text).found[0][1])
        assert filled["since"] == {**good, **wrong}["since"], "what was typed stands there still"
    assert rows_but_audit(world) == before


@on_sqlite
def test_every_brief_and_the_list_of_accounts_lead_there(web: Browser, world: World) -> None:
    links = Links("https://go.lumenflow.example", SECRET, world.reps["ravi"], 7, TODAY)
    brief = write_brief(ravi(acme(), since=YESTERDAY), small_play(), NOW)
    assert brief is not None
    pages, address = brief_pages(TEMPLATES), links("away")
    assert address in pages.html(brief, links)
    assert address in pages.text(brief, links)
    assert "When you are away" in web.get(path(world, "page", None)).text


@on_sqlite
def test_who_stands_in_several_accounts_can_be_claimed_on_the_account_page(web: Browser, world: World) -> None:
    planned(world, "bob", "evaluation/pilot")
    assert "Belongs here" not in web.get(path(world, "page")).text
    with writing(world.engine) as connection:
        connection.execute(Decision.__table__.update().values(reason="owner_conflict"))
    assert "Belongs here" in web.get(path(world, "page")).text
