"""A brief about an account that is somebody else's by now: its words stay its reader's, and nothing newer is said."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import insert, select

from accounts.briefs.stored import from_payload
from accounts.ledger.engine import reading, writing
from accounts.models import Brief, Objection
from flows.briefs.answered import answered_since, gone_from
from flows.briefs.briefing import write_briefs
from flows.briefs.links import read
from tests.cast import NOW, PLAY, World
from tests.sales.desk import say
from tests.signals.post import play, send, signal, tell
from tests.web.reps import DAY, hand_over, path, set_rep
from tests.web.visitor import SECRET, Browser, Clock, on_sqlite

MINUTE = timedelta(minutes=1)
#: The card of an account on the page of a brief, with what its links are for.
Card = tuple[str, list[str]]


@pytest.fixture
def brief(world: World) -> int:
    """Ravi's, of Acme after a click and of Globex after another; answered for Acme a minute later."""
    with writing(world.engine) as connection:
        touch = send(connection, world, "bob", f"{PLAY}/evaluation/three-numbers", sent_at=NOW - DAY)
        row = {"account_id": world.accounts["acme"], "kind": "objection", "words": "Too slow", "at": NOW - DAY}
        connection.execute(insert(Objection).values(row))
    tell(world.engine, signal("clicked", "bob@acme.example", NOW - DAY / 4, touch_id=touch))
    tell(world.engine, signal("replied", "gina@globex.example", NOW - DAY / 4))
    id = written(world, "ravi")
    say(world, "hold", now=NOW - MINUTE)
    return id


def written(world: World, rep: str) -> int:
    at = NOW - 2 * MINUTE
    write_briefs(world.engine, play(), at)
    with reading(world.engine) as connection:
        return int(connection.scalar(select(Brief.id).where(Brief.rep_id == world.reps[rep])) or 0)


def goes_to_sofia(world: World) -> None:
    """And there it goes on: she answers, Bob does something."""
    hand_over(world, "acme", "sofia")
    say(world, "objection", by="sofia", words="Their board is new", now=NOW + MINUTE)
    tell(world.engine, signal("booked_meeting", "bob@acme.example", NOW + MINUTE))


def card(web: Browser, world: World, brief: int, rep: str = "ravi") -> Callable[[str], Card]:
    page = web.get(path(world, "brief", None, rep=rep, brief=brief)).text

    def of(account: str) -> Card:
        (one,) = (one for one in page.split('<section class="card told">')[1:] if account in one.split("</h2>")[0])
        text = one.split("</section>")[0]
        kinds = [found.to.kind for token in re.findall(r'href="/r/([^"]+)"', text) if (found := read(token, SECRET))]
        return unescape(text), kinds

    return of


def test_the_words_stay_and_the_page_says_whose_it_is(web: Browser, clock: Clock, world: World, brief: int) -> None:
    theirs, kinds = card(web, world, brief)("Acme Works")
    assert ("They object: Too slow" in theirs, "no longer" in theirs) == (True, False)
    assert {"page", "hold", "close_objection"} <= set(kinds)
    goes_to_sofia(world)
    clock.now = NOW + 2 * MINUTE
    told, kinds = card(web, world, brief)("Acme Works")
    assert "Acme Works is no longer yours: Sofía Ortega has it now." in told
    assert "They object: Too slow" in told
    assert kinds == [], "nothing there can be answered"


def test_it_says_what_they_answered_and_nothing_that_came_after(
    web: Browser, clock: Clock, world: World, brief: int
) -> None:
    goes_to_sofia(world)
    clock.now = NOW + 2 * MINUTE
    told, _ = card(web, world, brief)("Acme Works")
    (said,) = re.findall(r'<p class="done">(.*?)</p>', told)
    assert "(Ravi Menon" in said
    behind = set(re.findall(r'<span class="who">(.*?)</span>', told))
    assert behind <= {"Plan", "Marketing"}, "of rows, none; the play and its texts are everybody's"
    assert not re.search("Sofía Ortega(?! has it now)|booked|board", told)


@on_sqlite
def test_other_accounts_of_the_brief_are_as_they_were(web: Browser, clock: Clock, world: World, brief: int) -> None:
    before = card(web, world, brief)("Globex")
    goes_to_sofia(world)
    assert card(web, world, brief)("Globex") == before


@on_sqlite
def test_an_account_that_came_back_is_theirs_with_all_that_happened(
    web: Browser, clock: Clock, world: World, brief: int
) -> None:
    goes_to_sofia(world)
    hand_over(world, "acme", "ravi")
    clock.now = NOW + 2 * MINUTE
    told, kinds = card(web, world, brief)("Acme Works")
    assert "no longer" not in told
    assert "(Sofía Ortega" in told
    assert "hold" in kinds


@on_sqlite
def test_who_only_stood_in_reads_no_more_than_that(web: Browser, clock: Clock, world: World) -> None:
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY / 4))
    set_rep(world, "ravi", away_from=NOW - DAY, away_until=NOW, backup_id=world.reps["sofia"])
    id = written(world, "sofia")
    clock.now = NOW + MINUTE
    told, kinds = card(web, world, id, "sofia")("Acme Works")
    assert "You no longer answer for Acme Works." in told
    assert kinds == []


def test_a_message_in_slack_is_brought_up_to_date_until_the_account_went(world: World, brief: int) -> None:
    goes_to_sofia(world)
    with reading(world.engine) as connection:
        told = from_payload(connection.scalar(select(Brief.payload).where(Brief.id == brief)) or {})
        gone = gone_from(connection, told, world.reps["ravi"], NOW + DAY)
        said = answered_since(connection, told, gone, NOW + DAY)[world.accounts["acme"]]
    assert ["(Ravi Menon" in one for one in said] == [True]
