"""Pages of a dry run and of missing content, as Markdown; no server is needed to read them."""

from datetime import date

from accounts.coverage import Coverage, Due, Gap, Seats
from accounts.vocabulary import Answer, Reason, Role
from flows.planning import Foreseen
from flows.reports import cell, coverage_report, foreseen_report
from tests.cast import NOW


def test_a_dry_run_in_which_nobody_is_due_says_so() -> None:
    page = foreseen_report(Foreseen("new-business", NOW, {Answer.WAIT: 8}, {Reason.WAITING_STEP: 8}, ()))
    assert "| **0** | 8 | 0 | 8 |" in page
    assert "| 8 | waiting step |" in page


def test_missing_words_name_the_seat_how_many_wait_and_what_expired() -> None:
    gap = Gap("evaluation", Role.LEGAL, Seats(people=4, reachable=3), ("new-business/evaluation/terms",))
    due = Due("new-business/discovery/why-now", "mia@lumenflow.example", "expires soon", date(2026, 12, 1))
    page = coverage_report(Coverage((), (), {}, {}, (gap,), (due,)), NOW)
    assert "| **3** | evaluation | legal | new-business/evaluation/terms |" in page
    assert "| 01 Dec 2026 | expires soon | new-business/discovery/why-now | m…a\\@lumenflow.example |" in page


def test_half_of_a_masked_address_becomes_no_link() -> None:
    assert cell("a…e@acme.example") == "a…e\\@acme.example"
