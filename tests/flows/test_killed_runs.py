"""The power goes in the middle of a run: PostgreSQL, the Prefect server and the run itself are killed at once.

In short; `make chaos` also kills each of them alone, with runs of the deployment.
"""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from flows.nurture import nurture_accounts
from flows.operating.keeping import kept
from flows.operating.prefect_server import PrefectServer
from flows.operating.runs import undigested
from tests.cast import NOW
from tests.chaos.household import Victim, household
from tests.chaos.killed_runs import (
    LATER,
    PACE,
    find_the_dead,
    judged,
    populate_ledger,
    strike_in_the_middle,
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
    pytest.mark.timeout(300),  # several programs start, twice, which takes its time on a busy machine
]


def test_after_a_power_cut_the_next_run_writes_to_the_rest_and_to_nobody_twice(
    prefect_api: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 2, from the mail server's own record."""
    with household(prefect_api, PACE) as house:
        populate_ledger(house)
        nurture = ["flows.cli:main", "run", "nurture", "--as-of", NOW.isoformat()]
        with kept("Run", nurture, env=house.environment, log=house.files.folder / "run.log") as run:
            before, cut = strike_in_the_middle(house, run, tuple(Victim))
        house.bring_back()
        assert find_the_dead(house) == 1
        assert undigested(house.api, datetime.now(UTC) + timedelta(hours=1)) == 0, "no task of it claims to run"
        for name, value in house.environment.items():
            monkeypatch.setenv(name, value)
        nurture_accounts(as_of=NOW + LATER)
        assert judged(house, "machine", before, cut, ("CRASHED", "COMPLETED")).guilty == ()
