"""The rules as Great Expectations sees them, and its verdict as we see it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from accounts.ledger.importing import incoming, waiting_room
from expectations.accounts import ACCOUNTS
from expectations.activities import ACTIVITIES
from expectations.judging import SOME_ROWS, Judgement, conclude, judge
from expectations.opportunities import OPPORTUNITIES
from expectations.readiness import READINESS
from expectations.reps import REPS
from expectations.rules import Suite
from expectations.stakeholders import STAKEHOLDERS
from tests.cast import NOW

SUITES = (REPS, ACCOUNTS, STAKEHOLDERS, OPPORTUNITIES, ACTIVITIES)
VALUES = {"now": f"'{NOW.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}'"}
PAST, FUTURE = "2026-01-01 00:00:00.000000", "2027-01-01 00:00:00.000000"
OK: dict[str, dict[str, Any]] = {
    "reps": {"email": "ravi@lumenflow.example", "name": "Ravi"},
    "accounts": {"key": "acme", "name": "Acme"},
    "stakeholders": {"account": "acme", "account_id": 1, "email": "ann@acme.example", "consent_at": PAST},
    "opportunities": {"source_id": "d1", "account": "acme", "account_id": 1, "stage": "Won", "amount": "0"},
    "activities": {"source_id": "m1", "account": "acme", "account_id": 1, "kind": "call", "occurred_at": PAST},
}


def judged(engine: Engine, suite: Suite, *rows: dict[str, Any], query: str | None = None) -> Judgement:
    """Great Expectations' word on these rows in the staging table of the suite."""
    with waiting_room.opened(engine) as seeing:
        for number, row in enumerate(rows):
            place = {"entry": number, "file": 0, "line": number, "row_hash": "x", "raw": "", "defects": None}
            with waiting_room.staging(seeing) as connection:
                incoming.stage(connection, suite.name, {name: [value] for name, value in {**place, **row}.items()})
        place = waiting_room.room_file(seeing) or seeing
        return judge(place, query or incoming.accepted_rows(suite.name), suite, VALUES)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_good_row_passes(database: Engine, suite: Suite) -> None:
    assert judged(database, suite, OK[suite.name]).passed


def test_an_empty_table_does_not_pass(database: Engine) -> None:
    assert judged(database, ACCOUNTS) == Judgement(failed=(SOME_ROWS,))


@pytest.mark.parametrize(
    ("suite", "bad", "rule"),
    [
        (REPS, {"email": "ravi@lumenflow"}, "email_has_a_domain"),
        (ACCOUNTS, {"owner_email": "x@y.example"}, "owner_is_known"),
        (STAKEHOLDERS, {"consent_at": FUTURE}, "consent_at_is_not_in_the_future"),
        (OPPORTUNITIES, {"amount": "-0.01"}, "amount_is_not_negative"),
        (ACTIVITIES, {"occurred_at": FUTURE}, "occurred_at_is_not_in_the_future"),
    ],
)
def test_a_bad_row_is_found_and_the_broken_rule_named(
    database: Engine, suite: Suite, bad: dict[str, Any], rule: str
) -> None:
    assert judged(database, suite, OK[suite.name], {**OK[suite.name], "entry": 9, **_other(suite), **bad}) == Judgement(
        failed=(rule,)
    )


def _other(suite: Suite) -> dict[str, Any]:
    """Another key than the good row's."""
    key = incoming.KEYS[suite.name][-1]
    return {key: f"other-{OK[suite.name][key]}"}


def test_a_row_that_stands_twice_is_found(database: Engine) -> None:
    twice = (OK["stakeholders"], OK["stakeholders"])
    assert judged(database, STAKEHOLDERS, *twice) == Judgement(failed=("email_stands_once",))
    assert judged(database, STAKEHOLDERS, OK["stakeholders"], {**OK["stakeholders"], "account": "globex"}).passed


def test_a_rule_that_crashes_passes_nothing(database: Engine) -> None:
    broken = replace(ACCOUNTS.rules[2], id="asks_for_the_moon", broken_when="moon IS NULL")
    suite = Suite("accounts", (*ACCOUNTS.rules, broken))
    assert "asks_for_the_moon" in judged(database, suite, OK["accounts"]).crashed


def test_a_table_that_is_not_there_passes_nothing(database: Engine) -> None:
    assert not judged(database, ACCOUNTS, OK["accounts"], query="SELECT * FROM incoming_nobody").passed


def test_the_judge_cannot_write(database: Engine) -> None:
    evil = replace(ACCOUNTS.rules[2], broken_when="", sql="DELETE FROM incoming_accounts RETURNING entry")
    with waiting_room.opened(database) as seeing:
        place = {"entry": [0], "file": [0], "line": [0], "row_hash": ["x"], "raw": [""]}
        with waiting_room.staging(seeing) as connection:
            incoming.stage(connection, "accounts", {**place, "key": ["acme"], "name": ["Acme"]})
        where = waiting_room.room_file(seeing) or seeing
        verdict = judge(where, incoming.accepted_rows("accounts"), Suite("accounts", (evil,)), VALUES)
        with waiting_room.staging(seeing) as connection:
            left = connection.scalar(text("SELECT COUNT(*) FROM incoming_accounts"))
    assert not verdict.passed
    assert left == 1


def test_a_rule_that_does_not_come_back_is_missed() -> None:
    asked, kept = ["a", "b"], ((SOME_ROWS,), True, "")
    assert conclude(asked, [(("a", "b"), True, ""), kept]).passed
    assert conclude(asked, [(("a",), True, ""), kept]) == Judgement(missing=("b",))
    assert conclude(asked, [(("a", "b"), True, "")]) == Judgement(missing=(SOME_ROWS,))
    assert conclude([], []) == Judgement(missing=(SOME_ROWS,))


def test_a_crash_is_worse_than_a_pass_whatever_it_says() -> None:
    trouble = "{'metric': {'raised_exception': True}}"
    assert conclude(["a"], [(("a",), True, trouble), ((SOME_ROWS,), True, "")]) == Judgement(crashed=("a",))


def test_every_rule_reads_as_a_sentence_and_has_a_cure() -> None:
    for suite in (*SUITES, READINESS):
        ids = [rule.id for rule in suite.rules]
        assert len(ids) == len(set(ids))
        for rule in suite.rules:
            assert rule.sentence[0].isupper()
            assert rule.sentence.endswith(".")
            assert rule.complaint
            assert rule.cure
            assert "JOIN" not in rule.sql.upper()


def test_another_rule_is_another_version() -> None:
    assert Suite("reps", REPS.rules[1:]).version != REPS.version == Suite("reps", REPS.rules).version


def test_a_time_with_microseconds_is_compared_as_a_time(database: Engine) -> None:
    now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert now == NOW
    same = {**OK["activities"], "occurred_at": "2026-11-24 10:00:00.000000"}
    later = {**OK["activities"], "occurred_at": "2026-11-24 10:00:00.000001"}
    assert judged(database, ACTIVITIES, same).passed
    assert judged(database, ACTIVITIES, later).failed == ("occurred_at_is_not_in_the_future",)
