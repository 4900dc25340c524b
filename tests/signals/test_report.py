"""What marketing reads after signals were collected."""

from dataclasses import replace

import pytest

from flows.reports import collected_report
from flows.signals.intake import Collected
from tests.cast import NOW

QUIET = Collected(
    recorded=0, duplicates=0, forgotten=0, quarantined=0, retried=0, proposed=0, applied=0, kinds={}, machine=0,
    settled=0, replies=(), vacancies=(), files=(), refused_files=(), closed_doors=(), unknown_kinds=(), rescored=0,
    moved=(),
)  # fmt: skip


def test_a_quiet_run_asks_nobody_to_look() -> None:
    assert "Needs a look" not in collected_report(QUIET, NOW)


@pytest.mark.parametrize(("people", "words"), [(1, "1 person nobody knew"), (3, "3 people nobody knew")])
def test_people_nobody_knew_are_told_with_where_they_wait(people: int, words: str) -> None:
    report = collected_report(replace(QUIET, proposed=people), NOW)
    needs_a_look = report[report.index("Needs a look") :]
    assert words in needs_a_look
    assert "tandem proposals" in needs_a_look
