"""The demo's story, its first days told without Prefect: real imports, plans, mail and signals in a throw-away home."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import func, select

from accounts.ledger.engine import reading
from accounts.ledger.planning.touches import Listed, list_touches
from accounts.models import Brief, Rep
from flows.cli.run import run_plainly
from flows.demo.run import living_in, make_ledger, make_room, only_demo
from flows.demo.story import START, Teller
from flows.demo.world import build_world
from flows.house import House, open_house
from flows.settings import load_settings
from tests.web.conftest import board as board
from tests.web.conftest import serve as serve
from tests.web.conftest import settings as settings
from tests.web.visitor import Clock, Serve

TWO_DAYS = 16  # chores


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teller]:
    home = tmp_path_factory.mktemp("demo") / "home"
    with living_in(home):
        make_room(home)
        make_ledger(load_settings().ledger_url)
        with open_house("new-business") as house:
            teller = Teller(house, build_world(11, START), run_plainly)
            teller.begin()
            for _, chore in zip(range(TWO_DAYS), teller.chores(), strict=False):
                chore.run(chore.at)
            yield teller


def test_mail_went_only_to_accounts_sales_had_talked_to(told: Teller) -> None:
    talked = {
        dated.row["account"]
        for dated in told.world.activities
        if dated.row["kind"] == "meeting" and dated.row["outcome"] == "held"
    }
    sent = {touch.account for touch in touches(told.house) if touch.state == "sent"}

    assert sent
    assert sent <= talked


def test_nobody_who_had_opted_out_bounced_or_left_was_written_to(told: Teller) -> None:
    gone = {row["email"] for row in told.world.past_signals}

    assert not gone & {touch.address for touch in touches(told.house)}


def test_each_mail_lies_in_the_outbox_once(told: Teller) -> None:
    sent = [touch for touch in touches(told.house) if touch.state == "sent"]
    files = list(told.house.settings.outbox.glob("tandem.*.eml"))

    assert len(files) == len(sent) == told.counts["nurture.sent"]


def test_what_the_export_got_wrong_waits_in_quarantine(told: Teller) -> None:
    assert told.imported is not None
    assert told.imported.quarantined == 4


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("not yours")

    with pytest.raises(Exception, match="not made by the demo"):
        make_room(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        only_demo(tmp_path / "home"),
        pytest.raises(Exception, match="running here already"),
        only_demo(tmp_path / "home"),
    ):
        pass


def touches(house: House) -> list[Listed]:
    with reading(house.engine) as connection:
        return list_touches(connection, limit=10_000)


def test_every_link_of_a_brief_opens_and_says_for_whom_it_is(told: Teller, serve: Serve) -> None:
    """One of them as its rep has it in the mail, on the web app at the moment it came."""
    house = told.house
    mail = message_from_bytes(min(house.settings.outbox.glob("tandem-brief.*.eml")).read_bytes(), policy=policy.default)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    links = set(re.findall(rf"{re.escape(house.settings.base_url)}(/r/\S+)", text))
    assert len(links) > 8
    clock = Clock()
    clock.now = mail["date"].datetime
    web = serve(house.engine, clock, house.play, house.settings)
    name = text.splitlines()[0].removeprefix("Brief for ")
    shown = [web.get(link) for link in sorted(links)]
    assert {(page.status_code, f"For {name} only" in unescape(page.text)) for page in shown} == {(200, True)}


def test_reps_open_their_briefs_or_do_not(told: Teller) -> None:
    with reading(told.house.engine) as connection:
        counts = select(Rep.name, func.count(Brief.opened_at)).join(Brief, Brief.rep_id == Rep.id).group_by(Rep.name)
        opened = dict(connection.execute(counts).tuples().all())
    assert opened["Ravi Menon"] > 0
    assert opened["Marcus Webb"] == 0, "who reads nothing, and whose briefs get rarer and shorter"
