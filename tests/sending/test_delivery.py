"""Who got plan 17? One command and one artifact: everybody with an outcome, its reason, when, and through whom."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from accounts.errors import NotFound
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans, touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.ledger.sending.delivery import ORDER, Delivery, read_delivery
from accounts.models import Account, Stakeholder, Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import Reason, TouchState
from expectations.gate import sentence
from flows.cli import tandem
from flows.reports import delivered_report
from tests.cast import NOW, World
from tests.sending.desk import certify, claim, decide, freeze, touch_of

T = TouchState
HOUR = timedelta(hours=1)
DUE = {
    "alice": "evaluation/pilot", "bob": "evaluation/three-numbers", "charlie": "evaluation/security-pack",
    "erin": "evaluation/like-with-like", "gina": "discovery/why-now", "ivan": "discovery/why-now",
    "judy": "contacted/first-look",
}  # fmt: skip
CHECKS = {"word": "certify", "rows": 7, "failing": 1, "reasons": [], "cancelled": {"no_consent": 1}, "rules": []}


@pytest.fixture
def plan(world: World) -> int:
    """Alice got it; Bob's address was refused; of Charlie nobody knows; Erin has no consent, Gina came too late, Ivan
    was vetoed; Judy's window is closed."""
    decide(world, DUE)
    plan_id = freeze(world)
    erin = touch_of(world, "erin")
    certify(world, plan_id, failing={erin: Reason.NO_CONSENT}, checks=CHECKS, approved_by="mia")
    with writing(world.engine) as connection:
        touches.move(connection, {touch_of(world, "gina"): Refusal.TOO_LATE}, T.EXPIRED, now=NOW)
        touches.move(connection, {touch_of(world, "ivan"): Reason.VETOED}, T.VETOED, now=NOW)
        later = update(Touch).where(Touch.id == touch_of(world, "judy"))
        connection.execute(later.values(retry_at=NOW + HOUR))
    assert len(claim(world, plan_id).touches) == 3
    with writing(world.engine) as connection:
        outcomes = [
            Outcome(touch_of(world, "alice"), T.SENT, provider="postmark", provider_id="pm-1"),
            Outcome(touch_of(world, "bob"), T.FAILED, Refusal.REFUSED_BY_SERVER, "550 no such user", "postmark"),
            Outcome(touch_of(world, "charlie"), T.UNKNOWN, Refusal.NO_ANSWER, "timed out", "postmark"),
        ]
        claims.record(connection, outcomes, NOW)
    return plan_id


@pytest.fixture
def say(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    return lambda *words: CliRunner().invoke(tandem, list(words))


def read(world: World, plan_id: int, **options: int) -> Delivery:
    with reading(world.engine) as connection:
        return read_delivery(connection, plan_id, **options)


def answers(delivery: Delivery) -> dict[str, tuple[str, str]]:
    """Person -> (answer, why)."""
    return {line.name.split()[0].lower(): (line.answer, line.why) for line in delivery.lines}


def test_everybody_of_a_plan_has_an_outcome_and_its_reason(world: World, plan: int) -> None:
    delivery = read(world, plan)
    assert answers(delivery) == {
        "alice": ("sent", ""), "bob": ("failed", "refused by server: 550 no such user"),
        "charlie": ("unknown", "no answer: timed out"), "judy": ("waiting", ""), "erin": ("cancelled", "no consent"),
        "gina": ("expired", "too late"), "ivan": ("vetoed", "vetoed"),
    }  # fmt: skip
    assert delivery.answers == {answer: 1 for answer in ORDER if answer != "sending"}
    assert delivery.reasons("cancelled") == [("no consent", 1)]
    assert delivery.size == len(DUE)


def test_what_was_sent_says_when_and_through_whom(world: World, plan: int) -> None:
    [alice] = read(world, plan).of("sent")
    assert (alice.at, alice.provider, alice.provider_id, alice.attempts) == (NOW, "postmark", "pm-1", 1)


def test_who_stands_in_another_plan_by_now_is_still_told(world: World, plan: int) -> None:
    """Charlie is said not to have got it and is planned again; plan 1 does not forget him."""
    with writing(world.engine) as connection:
        touches.move(connection, {touch_of(world, "charlie"): "settled by mia"}, T.CANCELLED, now=NOW)
    assert answers(read(world, plan))["charlie"] == ("cancelled", "settled by mia: timed out")
    again = freeze(world, now=NOW + HOUR)
    assert answers(read(world, plan))["charlie"] == ("cancelled", f"planned again in plan {again}")
    assert answers(read(world, again))["charlie"] == ("waiting", "")


def test_counts_are_complete_where_lines_are_left_out(world: World, plan: int) -> None:
    with writing(world.engine) as connection:
        these = [touch_of(world, name) for name in ("charlie",)]
        connection.execute(update(Touch).where(Touch.id.in_(these)).values(state=T.SENT))
    delivery = read(world, plan, most=1)
    assert (delivery.answers["sent"], len(delivery.of("sent"))) == (2, 1)


def test_a_plan_nobody_made_is_not_found(world: World, say) -> None:
    assert isinstance(say("plan", "17").exception, NotFound)


def test_every_state_has_its_place_in_the_order() -> None:
    from accounts.ledger.sending.delivery import ANSWERS

    assert {ANSWERS.get(state, state.value) for state in TouchState} == set(ORDER)


# The gate's verdict in a sentence.


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (None, "The gate has not judged it."),
        (CHECKS, "The gate certified 6 of 7 messages. Left out: 1 no consent."),
        (
            {**CHECKS, "word": "hold", "failing": 0, "cancelled": {}, "reasons": ["The plan is larger than usual."]},
            "The gate held its 7 messages for a person. The plan is larger than usual.",
        ),
        (
            {**CHECKS, "word": "reject", "reasons": ["Nobody in it may be written to."], "cancelled": {}},
            "The gate rejected all 7 messages. Nobody in it may be written to.",
        ),
        (
            {**CHECKS, "cancelled": {}, "stopped": "its certificate has ended"},
            "The gate certified 6 of 7 messages. Sending was stopped: its certificate has ended.",
        ),
    ],
)
def test_the_verdict_is_told_in_a_sentence(checks: dict[str, object] | None, said: str) -> None:
    assert sentence(checks) == said


# The command.


def test_one_command_tells_who_got_a_plan(plan: int, say) -> None:
    lines = say("plan", str(plan)).output.splitlines()
    assert lines[0].startswith("plan 1 of new-business, 24 Nov 2026, ")
    assert lines[0].endswith(
        ", approved by mia: 1 sent, 1 failed, 1 unknown, 1 waiting, 1 cancelled, 1 expired, 1 vetoed"
    )
    assert lines[1] == "The gate certified 6 of 7 messages. Left out: 1 no consent."
    assert "failed: 1 (1 refused by server)" in lines
    [bob] = [line for line in lines if "bob@acme.example" in line]
    assert bob.endswith("through postmark  refused by server: 550 no such user")
    [alice] = [line for line in lines if "alice@acme.example" in line]
    assert "acme  Alice Example <alice@acme.example>  evaluation/pilot" in alice
    assert alice.endswith("through postmark pm-1")


def test_the_same_as_json(plan: int, say) -> None:
    told = json.loads(say("plan", str(plan), "--json").output)
    assert (told["plan"], told["state"], told["approved_by"]) == (1, "certified", "mia")
    assert told["answers"]["sent"] == 1
    assert {"answer": "expired", "reason": "too_late", "count": 1} in told["reasons"]
    assert {one["address"] for one in told["people"]} >= {"alice@acme.example", "gina@globex.example"}


def test_the_same_as_a_sheet_without_formulas(world: World, plan: int, say) -> None:
    with writing(world.engine) as connection:
        who = Stakeholder.id == world.people["alice"]
        connection.execute(update(Stakeholder).where(who).values(first_name="=HYPERLINK(0)", last_name=None))
        connection.execute(update(Touch).values(error="@SUM(A1)\r\n=1"))
    rows = list(csv.DictReader(StringIO(say("plan", str(plan), "--csv").output)))
    assert len(rows) == len(DUE)
    alice = next(row for row in rows if row["email"] == "alice@acme.example")
    assert (alice["outcome"], alice["name"], alice["at"]) == ("sent", "'=HYPERLINK(0)", NOW.isoformat())
    assert alice["why"] == "'@SUM(A1) =1"
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


@pytest.mark.parametrize("words", [("1", "--account", "acme"), ("1", "--all"), ("--csv",)])
def test_what_belongs_to_planning_and_what_to_a_plan_is_not_mixed(plan: int, say, words: tuple[str, ...]) -> None:
    assert say("plan", *words).exit_code == 2


# The artifact.


def test_the_artifact_tells_the_same_and_masks_who_it_was(world: World, plan: int) -> None:
    page = delivered_report(read(world, plan, most=50))
    assert "| sent | **1** |" in page
    assert "| failed | **1** | 1 refused by server |" in page
    assert r"a…e\@acme.example" in page, "no link: nobody has that address"
    assert "alice@acme.example" not in page
    assert "pm-1" in page
    assert "approved by mia" in page
    assert "The gate certified 6 of 7 messages." in page


def test_the_artifact_says_how_many_it_leaves_out(world: World, plan: int) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Touch).where(Touch.id == touch_of(world, "charlie")).values(state=T.SENT))
    page = delivered_report(read(world, plan, most=1))
    assert "## Sent: 2" in page
    assert "… and 1 more: `tandem plan 1` shows everybody." in page


def test_a_name_cannot_break_the_page(world: World, plan: int) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.key == "acme").values(key="acme|<b>x"))
    assert "acme\\|\\<b\\>x" in delivered_report(read(world, plan))


def test_a_rejected_plan_names_who_rejected_it(world: World, plan: int, say) -> None:
    with writing(world.engine) as connection:
        plans.reject(connection, plan, reason=Refusal.PLAN_REJECTED, now=NOW, by="mia")
    assert ", rejected (the last word was mia's): " in say("plan", str(plan)).output.splitlines()[0]
