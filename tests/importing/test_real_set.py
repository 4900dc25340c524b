"""The public practice set comes in through the mapping that is shipped, its known defects in quarantine.

The set itself is not part of the project: where it is at hand, all of it is imported as well. TANDEM_REAL_DATA names
its folder; without it, `shared/data` beside the project is looked at.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from flows.importing import MappingFile, load_mapping
from tests.importing.files import broken_rules, stored, take, waiting, write

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "crm-sales-opportunities" / "mapping.yaml"
DATA = Path(os.environ.get("TANDEM_REAL_DATA", PROJECT.parent / "shared" / "data")) / "crm-sales-opportunities"
HERE = [DATA] if DATA.is_dir() else []


@pytest.fixture(scope="module")
def mapping() -> MappingFile:
    return load_mapping(EXAMPLE)


def row(number: str, agent: str, product: str, account: str, stage: str, *dates: str) -> dict[str, Any]:
    engaged, closed, value = (*dates, "", "", "")[:3]
    return {
        "opportunity_id": number, "sales_agent": agent, "product": product, "account": account, "deal_stage": stage,
        "engage_date": engaged, "close_date": closed, "close_value": value, "engage_quarter": "Q4", "close_quarter": "",
    }  # fmt: skip


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """A set with the same columns and the same defects, small enough to see."""
    folder = tmp_path / "set"
    agents = [("Moses Frase", "Dustin Brink"), ("Zoë O'Neil", "Rocco Neu")]
    write(folder / "sales_teams.csv", [{"sales_agent": a, "manager": m, "regional_office": "X"} for a, m in agents])
    firms = [("Isdom", "technolgy", ""), ("Cancity", "retail", "Isdom"), ("Quietco", "retail", "")]
    write(folder / "accounts.csv", [
        {"account": name, "sector": sector, "revenue": "9.5", "office_location": "Philipines", "subsidiary_of": above}
        for name, sector, above in firms
    ])  # fmt: skip
    write(folder / "products.csv", [{"product": "GTX Pro", "series": "GTX", "sales_price": "4821"}])
    write(folder / "sales_pipeline.csv", [
        row("A1", "Moses Frase", "GTXPro", "Isdom", "Won", "20-10-16", "01-03-17", "1054"),
        row("A2", "Zoë O'Neil", "MG Special", "Isdom", "Engaging", "25-10-16"),
        row("A3", "Moses Frase", "MG Special", "Cancity", "Lost", "20-10-16", "11-03-17", "0"),
        row("A4", "Moses Frase", "MG Special", "Cancity", "Prospecting"),
        row("A5", "Zoë O'Neil", "GTXPro", "", "Engaging", "03-11-16"),
        row("A6", "Zoë O'Neil", "GTXPro", "", "Prospecting"),
    ])  # fmt: skip
    return folder


def test_the_mapping_mends_what_can_be_mended_and_sets_the_rest_aside(
    database: Engine, small_set: Path, mapping: MappingFile
) -> None:
    imported = take(database, small_set, mapping=mapping)
    moses, zoe = stored(database, "reps")
    assert (moses.email, zoe.email, zoe.manager_email) == (
        "moses-frase@sales.example", "zoe-o-neil@sales.example", "rocco-neu@sales.example",
    )  # fmt: skip
    isdom, cancity, quiet = stored(database, "accounts")
    assert (isdom.industry, isdom.territory, cancity.parent_id) == ("technology", "Philippines", isdom.id)
    assert [one.owner_id for one in (isdom, cancity, quiet)] == [zoe.id, moses.id, None], "the latest one's agent"
    deals = stored(database, "opportunities")
    assert [(one.name, one.stage, one.is_open, one.is_won) for one in deals] == [
        ("GTX Pro", "Closed Won", False, True),
        ("MG Special", "Needs Analysis", True, False),
        ("MG Special", "Closed Lost", False, False),
        ("MG Special", "Prospecting", True, False),
    ]
    assert (deals[0].created_at, deals[0].closed_at) == (
        datetime(2016, 10, 20, tzinfo=UTC), datetime(2017, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    meetings = stored(database, "activities")
    assert [(one.kind, one.outcome, one.source_id, one.rep_id) for one in meetings] == [
        ("meeting", "held", "engaged-A1", moses.id),
        ("meeting", "held", "engaged-A2", zoe.id),
        ("meeting", "held", "engaged-A3", moses.id),
    ]
    assert broken_rules(database) == ["account_is_named"] * 2
    assert [one.row["opportunity_id"] for one in waiting(database)] == ["A5", "A6"]
    assert imported.of("activities").left_out == 3


if HERE:  # without the set there is nothing to skip either

    @pytest.mark.parametrize("folder", HERE, ids=lambda folder: folder.name)
    def test_the_whole_set_comes_in_with_the_numbers_it_is_known_for(
        database: Engine, folder: Path, mapping: MappingFile
    ) -> None:
        imported = take(database, folder, mapping=mapping)
        deals = imported.of("opportunities")
        assert (imported.of("reps").added, imported.of("accounts").added, deals.read) == (35, 85, 8_800)
        assert (deals.added, deals.quarantined, len(waiting(database))) == (7_375, 1_425, 1_425)
        assert [(one.rule, one.rows) for one in imported.reasons] == [("account_is_named", 1_425)]
        accounts = stored(database, "accounts")
        assert all(one.owner_id for one in accounts)
        assert "technolgy" not in {one.industry for one in accounts}
        assert "GTXPro" not in {one.name for one in stored(database, "opportunities")}
        assert take(database, folder, mapping=mapping).written == 0
