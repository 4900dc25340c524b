"""The pages a rep reads: an account, all accounts, a brief, a table for a spreadsheet; fast, and without machines."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, update

from accounts.answers import Via
from accounts.briefs.stored import from_payload
from accounts.engagement import Contribution, HeatReading, Reading, Score
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Activity, Brief, Objection, Proposal, Rep, Signal, SlaClock, Stakeholder
from accounts.rep_pages.points import in_tenths, parts
from accounts.vocabulary import Heat, SignalKind
from flows.briefs.briefing import write_briefs
from tests.cast import NOW, PLAY, World
from tests.sales.desk import say
from tests.signals.post import play, send, signal, tell
from tests.web.reps import DAY, brief, count, path, planned, press, set_rep
from tests.web.visitor import Browser, on_sqlite

MACHINE = {"user_agent": "Mimecast/1.0", "machine": True}
FORMULA = "=HYPERLINK(1)"


def history(page: str) -> list[str]:
    """The lines of the history, latest first."""
    return re.findall(r'<span class="what">(.*?)</span></li>', page.split('id="history"')[1])


def proposal(world: World, **values: Any) -> int:
    more = {"person_key": "f" * 64, "source": "fair", "why": "came to the fair", "proposed_at": NOW - DAY}
    with writing(world.engine) as connection:
        row = insert(Proposal).values(account_id=world.accounts["acme"], **{**more, **values})
        return int(connection.execute(row.returning(Proposal.id)).scalar_one())


def owed(world: World, account: str, due: timedelta) -> None:
    with writing(world.engine) as connection:
        row = insert(SlaClock).values(
            play=PLAY, side="sales", duty="answer", subject=f"signal:{account}", account_id=world.accounts[account],
            rep_id=world.reps["ravi"], evidence=[], happened_at=NOW - DAY, started_at=NOW - DAY, due_at=NOW + due,
            paused=[], warned=[], state="running",
        )  # fmt: skip
        connection.execute(row)


def test_the_page_tells_group_plan_and_history_of_an_account(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "bob", f"{PLAY}/evaluation/three-numbers", sent_at=NOW - 2 * DAY)
        acme = world.accounts["acme"]
        connection.execute(insert(Objection).values(account_id=acme, kind="objection", words="Too slow", at=NOW - DAY))
    tell(world.engine, signal("clicked", "bob@acme.example", NOW - DAY, touch_id=touch))
    planned(world, "alice", "evaluation/pilot")
    owed(world, "acme", timedelta(hours=-3))
    page = web.get(path(world, "page")).text
    for words in (
        "Acme Works", "Your answer was due Tue 08:00", "“About evaluation/pilot” to Alice Example", "Thu 11:00",
        "Do not send", "<strong>Bob Example</strong>, economic buyer", "Warm: followed link Mon", "“Too slow”",
    ):  # fmt: skip
        assert words in page
    assert history(page)[:2] == [
        "Bob Example followed a link in “About evaluation/three-numbers”",
        "“About evaluation/three-numbers” to Bob Example",
    ]


@on_sqlite
def test_what_a_rep_said_stands_there_once_and_a_hold_by_a_buyer_names_no_program(web: Browser, world: World) -> None:
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY))
    web.post(path(world, "wrong_person", about=world.people["erin"]), data={"words": ""})
    page = web.get(path(world, "page")).text
    assert "On hold until 3 Dec, after a reply</span>" in page
    assert history(page)[0] == "Ravi Menon: No more mail to Erin Example; colleagues go on."
    erin = page.split("<strong>Erin Example</strong>")[1].split("</li>")[0]
    assert ("Out: wrong person" in erin, "Ready" in erin) == (True, False)


@on_sqlite
def test_what_machines_did_is_nowhere_on_the_page(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        touch = send(connection, world, "alice")
    tell(world.engine, signal("clicked", "alice@acme.example", NOW - DAY, touch_id=touch, data=MACHINE))
    page = web.get(path(world, "page")).text
    assert "followed" not in page
    assert "Nobody there has done anything lately" in page


@on_sqlite
def test_the_lines_of_the_score_add_up_to_it(web: Browser, world: World) -> None:
    days = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    tell(world.engine, *(signal("clicked", "alice@acme.example", NOW - day * DAY) for day in days))
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY))
    page = web.get(path(world, "page")).text
    table = page.split('<table class="sums">')[1].split("</table>")[0]
    *lines, total = [round(float(points) * 10) for points in re.findall(r'<td class="number">(-?[\d.]+)</td>', table)]
    assert sum(lines) == total > 0
    assert len(lines) == 9, "eight told, the others in one line"
    people = re.findall(r"([\d.]+) points</p>", page)
    assert sum(round(float(points) * 10) for points in people) == total


@pytest.mark.parametrize("values", [[], [0.04], [1.06, 2.06, 3.06], [-0.35, 5.25, 1.31], [0.05] * 7])
def test_tenths_add_up_whatever_is_rounded(values: list[float]) -> None:
    total = round(sum(values) * 10)
    assert sum(in_tenths(values, total)) == total
    assert all(abs(tenths - value * 10) < 1 for tenths, value in zip(in_tenths(values, total), values, strict=True))


def test_a_score_of_few_signals_has_no_line_for_the_rest() -> None:
    one = Contribution(7, 1, SignalKind.CLICKED, NOW, 3.0)
    score = Score(3.0, {1: 3.0}, 1, 1.0, {1: 1.0})
    told = parts(Reading(score, (one,), HeatReading(Heat.STEADY, 0, 0, {})), {1: "Bob Example"})
    assert [(part.text, part.points) for part in told] == [("Bob Example followed a link", "3.0")]


@on_sqlite
def test_a_long_history_is_leafed_through(web: Browser, world: World) -> None:
    minutes = [NOW - timedelta(minutes=minute) for minute in range(1, 66)]
    tell(world.engine, *(signal("clicked", "alice@acme.example", at) for at in minutes))
    link = path(world, "page")
    pages = [history(web.get(f"{link}?page={number}").text) for number in (1, 2, 3)]
    assert [len(lines) for lines in pages] == [30, 30, 6], "the meeting comes last"
    assert "?page=2#history" in web.get(link).text
    for odd in ("0", "-1", "abc", "9999999", "%00", "2&page=1"):
        assert web.get(f"{link}?page={odd}").status_code == 200
    assert "Nothing older." in web.get(f"{link}?page=99").text


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The queries that are made meanwhile."""
    made: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            made.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield made
    event.remove(engine, "before_cursor_execute", note)


def test_a_page_makes_as_many_queries_for_much_as_for_little(web: Browser, world: World) -> None:
    links = [path(world, "page"), path(world, "page", None), path(world, "hold")]
    for link in links:
        web.get(link)  # the first opening of a day is put on record
    few = [_queries(web, world, link) for link in links]
    _crowd(world)
    assert [_queries(web, world, link) for link in links] == few
    assert few == [35, 10, 14]


def _queries(web: Browser, world: World, link: str) -> int:
    with counted(world.engine) as made:
        assert web.get(link).status_code == 200
    return len(made)


def _crowd(world: World) -> None:
    """Many accounts, many people, much that happened."""
    acme, ravi = world.accounts["acme"], world.reps["ravi"]
    with writing(world.engine) as connection:
        connection.execute(
            insert(Account), [{"key": f"a{n}", "name": f"A{n}", "owner_id": ravi, "stage": "target"} for n in range(60)]
        )
        people = [
            {"account_id": acme, "email": f"p{n}@acme.example", "email_hash": f"{n:064}", "role": "influencer"}
            for n in range(40)
        ]
        connection.execute(insert(Stakeholder), people)
        calls = [
            {"account_id": acme, "kind": "call", "occurred_at": NOW - n * DAY, "source_id": f"c{n}"} for n in range(60)
        ]
        connection.execute(insert(Activity), calls)
    tell(world.engine, *(signal("clicked", f"p{n}@acme.example", NOW - DAY) for n in range(40)))


def test_a_rep_sees_all_accounts_what_is_owed_first(web: Browser, world: World) -> None:
    tell(world.engine, signal("replied", "gina@globex.example", NOW - DAY))
    owed(world, "initech-north", timedelta(hours=5))
    page = web.get(path(world, "page", None)).text
    names = re.findall(r'<h2><a href="[^"]+">([^<]+)</a></h2>', page)
    assert names == ["Initech North", "Globex", "Acme Works"], "Initech South and Hooli are Sofía's"
    assert "your answer, by Tue 16:00" in page
    assert "rising" in page
    first = re.findall(r'<h2><a href="([^"]+)">', page)[1]
    assert "<h1>Globex</h1>" in web.get(first).text


@on_sqlite
def test_who_stands_in_sees_those_accounts_and_whose_they_are(web: Browser, world: World) -> None:
    set_rep(world, "ravi", away_from=NOW - DAY, away_until=NOW + DAY, backup_id=world.reps["sofia"])
    page = web.get(path(world, "page", None, rep="sofia")).text
    assert page.count("for Ravi Menon") == 3


@on_sqlite
def test_somebody_who_was_seen_is_taken_in_or_not(web: Browser, world: World) -> None:
    zoe = {"email": "zoe@acme.example", "first_name": "Zoe", "last_name": "Lin"}
    proposal(world, **zoe)
    proposal(world, person_key="e" * 64, first_name="Yan", last_name="Wu")
    link = path(world, "page")
    page = web.get(link)
    done = press(web, page, 0, do="accept", role="procurement")
    assert "Zoe Lin is in the group now. They get no mail before they agreed to it." in done.text
    assert "That question is not open any more" in press(web, page, 0, do="accept").text
    assert "nobody knows the address of Yan Wu" in press(web, page, 1, do="accept").text
    assert "Yan Wu is not in the group" in press(web, page, 1, do="reject").text
    with reading(world.engine) as connection:
        query = select(Stakeholder.role, Stakeholder.consent_basis).where(Stakeholder.email == zoe["email"])
        assert connection.execute(query).one() == ("procurement", None)


@on_sqlite
@pytest.mark.parametrize("number", ["", "x", "999", "1", "-1", "9" * 30])
def test_a_question_about_another_account_is_not_answered_here(web: Browser, world: World, number: str) -> None:
    with writing(world.engine) as connection:
        values = {"account_id": world.accounts["hooli"], "person_key": "f" * 64, "email": "zoe@hooli.example"}
        more = {"source": "fair", "why": "came to the fair", "proposed_at": NOW}
        connection.execute(insert(Proposal).values(id=1, **values, **more))
    before = count(world, Stakeholder)
    done = web.post(path(world, "page"), data={"proposal": number, "do": "accept"})
    assert (done.status_code, "Nothing has changed" in done.text) == (409, True)
    assert count(world, Stakeholder) == before


def test_the_history_as_a_table_takes_no_cell_for_a_formula(web: Browser, world: World) -> None:
    with writing(world.engine) as connection:
        bob = Stakeholder.id == world.people["bob"]
        connection.execute(update(Stakeholder).where(bob).values(first_name=FORMULA, last_name="\r\n@SUM(1)"))
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY))
    answer = web.get(f"{path(world, 'page')}/history.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["when"] for row in rows] == [
        "2026-11-23 11:00+01:00",
        "2026-11-23 11:00+01:00",
        "2026-10-25 11:00+01:00",
    ]
    assert {cell[:1] for row in rows for cell in row.values() if FORMULA in cell} <= {"'"}
    assert web.get(f"{path(world, 'hold')}/history.csv").status_code == 404
    assert web.get(f"{path(world, 'page', None)}/history.csv").status_code == 404
    assert web.get("/r/hello/history.csv").status_code == 404


@on_sqlite
def test_a_brief_can_be_read_on_a_page_with_its_answers(web: Browser, world: World) -> None:
    tell(world.engine, signal("replied", "bob@acme.example", NOW - DAY))
    write_briefs(world.engine, play(), NOW, world.reps["ravi"])
    with reading(world.engine) as connection:
        id, payload = connection.execute(select(Brief.id, Brief.payload)).one()
    written = from_payload(payload)
    link = path(world, "brief", None, brief=id)
    page = web.get(link).text
    account = written.accounts[0]
    assert account.headline.text in page
    assert "Bob Example" in page
    wrong = re.search(r'<a href="([^"]+)">Something is wrong</a>', page)
    assert wrong is not None
    lines = [statement.text for statement in account.statements()]
    asked = web.get(wrong[1]).text
    assert all(line.replace("'", "&#39;") in asked for line in lines)
    assert "line 2 about Acme Works is marked as wrong" in press(web, web.get(wrong[1]), line="2", words="He left").text


@on_sqlite
def test_a_brief_of_another_rep_is_not_shown(web: Browser, world: World) -> None:
    theirs = brief(world, rep="sofia")
    assert web.get(path(world, "brief", None, brief=theirs)).status_code == 404
    assert count(world, Signal) == 0


def test_reps_are_called_by_their_names_and_by_addresses_only_where_two_share_one(web: Browser, world: World) -> None:
    """In the history, in what holds, and in the table; whoever is no rep as they signed."""
    say(world, "hold", now=NOW - 3 * DAY)
    say(world, "release", now=NOW - 2 * DAY)
    say(world, "hold", by=None, signed="Mia", via=Via.CLI, now=NOW - DAY)
    say(world, "veto", person="alice", now=NOW - DAY)
    set_rep(world, "ravi", manager_email="sofia@lumenflow.example")  # who may look as well
    mine, hers = (web.get(path(world, "page", rep=rep)).text for rep in ("ravi", "sofia"))
    for words in ("The whole account released by Ravi Menon", "Ravi Menon: ", "Mia: ", "(Mia)"):
        assert words in mine
    assert ("no, said you" in mine, "no, said Ravi Menon" in hers) == (True, True)
    assert "Ravi Menon: " in web.get(f"{path(world, 'page')}/history.csv").content.decode("utf-8-sig")
    assert "@lumenflow" not in mine + hers

    with writing(world.engine) as connection:
        connection.execute(update(Rep).values(name="Ravi Menon"))
    mine, hers = (web.get(path(world, "page", rep=rep)).text for rep in ("ravi", "sofia"))
    assert "released by ravi@lumenflow.example" in mine
    assert ("no, said you" in mine, "no, said ravi@lumenflow.example" in hers) == (True, True)
