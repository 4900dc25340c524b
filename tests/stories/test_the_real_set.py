"""One full cycle on the public practice set, where it lies beside the checkout: import, track, nurture, signals, brief.

The set has no people, so the buying groups are invented. Without the set there is nothing here to run; its defects are
specified with made-up files in tests/importing.
"""

import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from accounts.ledger.engine import open_ledger, reading
from accounts.ledger.schema import upgrade
from accounts.ledger.subjects import account_keys
from flows.cli.run import run_plainly
from flows.demo.world import write_csv
from flows.house import open_house
from flows.importing import import_paths
from flows.importing.mapping import load_mapping

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("TANDEM_REAL_DATA", ROOT.parent / "shared" / "data")) / "crm-sales-opportunities"
TITLES = ["Energy Manager", "Chief Financial Officer", "IT Architect", "Plant Manager", "Head of Procurement"]
NOW = datetime(2018, 1, 1, 9, 0, tzinfo=UTC)
LATER = datetime(2018, 1, 4, 16, 0, tzinfo=UTC)

if FOLDER.is_dir():

    def test_a_full_cycle_on_the_real_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
        engine = open_ledger(f"sqlite:///{tmp_path / 'tandem.db'}")
        upgrade(engine)
        mapping = load_mapping(ROOT / "examples" / "crm-sales-opportunities" / "mapping.yaml")
        with open_house("new-business") as house:
            imported = import_paths(engine, [FOLDER], mapping=mapping, now=NOW, play=house.play)
            with reading(engine) as connection:
                keys = sorted(account_keys(connection, range(1, 500)).values())
            people = write_csv(tmp_path / "stakeholders.csv", groups(keys))
            invited = import_paths(engine, [people], now=NOW, play=house.play)
        engine.dispose()

        assert {taken.dataset: taken.read for taken in imported.datasets} == {
            "reps": 35, "accounts": 85, "opportunities": 8800, "activities": 8800,
        }  # fmt: skip
        assert imported.of("opportunities").quarantined == 1425
        assert invited.quarantined == 0
        tracked = run_plainly("track", "new-business", NOW)
        assert tracked["looked_at"] == tracked["contacted"] == 85
        assert run_plainly("nurture", "new-business", LATER)["plan_id"]
        assert run_plainly("signals", "new-business", LATER)["quarantined"] == 0
        assert run_plainly("briefs", "new-business", LATER)["delivered"] > 0


def groups(keys: list[str]) -> list[dict[str, str]]:
    """Five invented people for every account."""
    number = count(1)
    return [
        {
            "account": key, "email": f"person{next(number)}@company.example", "first_name": "Some", "last_name": "Body",
            "title": title, "country": "US", "consent_basis": "legitimate_interest", "consent_at": "2016-01-01",
        }
        for key in keys
        for title in TITLES
    ]  # fmt: skip
