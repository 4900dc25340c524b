"""The page that the demo ends with: everything it links is there, and each rep has a line."""

import re
from pathlib import Path

import pytest

from flows.demo.ending import Ending, write_index
from flows.demo.run import living_in, make_ledger, make_room
from flows.house import open_house
from flows.settings import load_settings


@pytest.fixture
def page(tmp_path: Path) -> str:
    home = tmp_path / "home"
    with living_in(home):
        make_room(home)
        make_ledger(load_settings().ledger_url)
        for name in ("briefs/ravi-lumenflow-example-2026-11-05-0730", "briefs/ravi-lumenflow-example-2026-11-16-0730",
                     "briefs/mei-lumenflow-example-2026-11-03-0715"):  # fmt: skip
            _write(home / f"{name}.html")
        _write(home / "audiences" / "meta" / "20261106T160000Z-discovery-people-add.csv")
        with open_house("new-business") as house:
            write_index(house, _ending(home))
    return (home / "index.html").read_text(encoding="utf-8")


def test_the_briefs_stand_by_rep_and_day_and_the_links_lead_to_them(page: str) -> None:
    lines = [re.sub(r"<[^>]+>", "", line).strip() for line in page.splitlines()]
    assert "Ravi: Thu 5 November, Mon 16 November" in lines
    assert "Mei: Tue 3 November" in lines
    assert 'href="briefs/ravi-lumenflow-example-2026-11-16-0730.html"' in page
    assert 'href="audiences/meta/20261106T160000Z-discovery-people-add.csv"' in page


def test_nobody_is_offered_to_be_asked_about_where_nothing_was_sent(page: str) -> None:
    assert "tandem why" not in page
    assert "plan --as-of 2026-11-23" in page


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def _ending(home: Path) -> Ending:
    return Ending(
        seconds=1, accounts=1, people=1, reps=2, quarantined=0, contacted=0, moved=0, refused_moves=0, sent=0,
        cancelled=0, signals=0, replies=0, briefs=3, flow_runs=1, plan=None, home=home, brief=None,
    )  # fmt: skip
