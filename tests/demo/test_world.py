"""The demo's world: the same for the same seed, as large as promised, with what every CRM export gets wrong."""

import csv
from collections import Counter
from datetime import timedelta
from pathlib import Path

from flows.demo.buyers import Received, react
from flows.demo.story import START
from flows.demo.world import build_world

WORLD = build_world(11, START)


def test_the_same_seed_builds_the_same_world() -> None:
    assert build_world(11, START) == WORLD
    assert build_world(12, START) != WORLD


def test_forty_accounts_of_four_to_seven_people_and_six_reps_in_three_zones() -> None:
    groups = Counter(person["account"] for person in WORLD.people if "@" in person["email"])

    assert len(WORLD.accounts) == len(groups) == 40
    assert all(4 <= size <= 8 for size in groups.values())  # 8: the group that borrows a consultant
    assert len(WORLD.reps) == 6
    assert len({rep["timezone"] for rep in WORLD.reps}) == 3


def test_two_divisions_of_one_company_have_different_reps() -> None:
    divisions = [account for account in WORLD.accounts if account["division"]]

    assert len({division["domain"] for division in divisions}) == 1
    assert len({division["owner_email"] for division in divisions}) == 2


def test_everybody_is_invented() -> None:
    assert all(row["email"].endswith(".example") for row in [*WORLD.people, *WORLD.reps] if "@" in row["email"])


def test_an_export_shows_what_sales_had_written_down_by_then(tmp_path: Path) -> None:
    WORLD.export(tmp_path / "first", START)
    WORLD.export(tmp_path / "last", START + timedelta(days=20))

    first, last = (rows_of(tmp_path / folder / "activities.csv") for folder in ("first", "last"))
    assert 0 < len(first) < len(last)


def test_each_deal_stands_in_an_export_once_in_its_latest_stage(tmp_path: Path) -> None:
    WORLD.export(tmp_path, START + timedelta(days=20))

    deals = Counter(row["opportunity"] for row in rows_of(tmp_path / "opportunities.csv"))
    assert set(deals.values()) == {1}


def test_buyers_answer_the_same_mail_the_same_way_and_never_before_it_came() -> None:
    mails = [
        Received(n, "acme", f"person{n}@acme.example", "champion", "play/stage/slug", "https://x.example", START)
        for n in range(300)
    ]
    answers = react(mails, 11)

    assert answers == react(mails, 11)
    kinds = Counter(row["kind"] for row in answers)
    assert {"delivered", "clicked", "replied", "unsubscribed", "bounced", "out_of_office"} <= kinds.keys()
    assert all(row["occurred_at"] > START.isoformat() for row in answers)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
