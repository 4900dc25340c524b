"""What the figures of the ledger mean, and when a person is called."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from accounts.health import Limits, Sign, Vitals, Waiting, ago, signs_of, worst
from accounts.ledger.engine import reading, writing
from accounts.ledger.pages.vitals import read_vitals
from accounts.ledger.planning import brakes
from accounts.models import Account, Decision, MailboxState, SendPlan, Signal, Touch, Unapplied, Webhook
from accounts.vocabulary import BrakeScope, PlanState, TouchState
from flows.operating.health import changes, look_after
from flows.settings import Settings
from tests.cast import NOW, World
from tests.sending.desk import certified, claim, states

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(stale_crm_after=2 * DAY, reads_mailbox=True)


def test_a_house_that_nothing_happened_in_yet_is_well() -> None:
    assert worst(signs_of(Vitals(), Limits(), NOW)) == "ok"


@pytest.mark.parametrize(
    ("vitals", "name", "state", "says"),
    [
        ({"crm": {"salesforce": NOW - HOUR}}, "CRM", "ok", "salesforce seen 60 min ago"),
        ({"crm": {"salesforce": NOW - 3 * DAY}}, "CRM", "fail", "salesforce seen 3 days ago: facts so old"),
        ({"crm": {"csv": NOW - 3 * DAY, "hubspot": NOW}}, "CRM", "warn", "csv seen 3 days ago, hubspot"),
        ({"signals": {"web": NOW - 3 * HOUR}}, "signals", "ok", "web 3 h ago"),
        ({"sent": 200}, "signals", "fail", "none in 7 days, 200 mails sent"),
        ({"unapplied": Waiting(3, NOW - 2 * HOUR)}, "signals waiting", "fail", "3, the first for 2 h"),
        ({"webhooks": Waiting(9, NOW - HOUR / 2)}, "webhooks", "ok", "9, the first for 30 min"),
        ({"webhooks": Waiting(9, NOW - 2 * HOUR)}, "webhooks", "fail", "9, the first for 2 h"),
        ({"mailbox": NOW - 2 * HOUR}, "mailbox", "warn", "last read 2 h ago"),
        ({"mailbox": NOW - 7 * HOUR}, "mailbox", "fail", "last read 7 h ago"),
        ({"queue": Waiting(40, NOW - 3 * HOUR)}, "queue", "warn", "40 due, the first for 3 h"),
        ({"queue": Waiting(40, NOW - 2 * DAY)}, "queue", "fail", "40 due, the first for 2 days"),
        ({"sending": Waiting(2, NOW - 3 * HOUR)}, "on their way", "fail", "2, the first for 3 h"),
        ({"unknown": Waiting(1, NOW - HOUR)}, "unknown", "warn", "events of the provider may tell"),
        ({"unknown": Waiting(1, NOW - 2 * DAY)}, "unknown", "fail", "1 may or may not have arrived"),
        ({"held": Waiting(1, NOW - HOUR), "held_plans": (17,)}, "held", "fail", "plan 17, the first for 60 min"),
        ({"late": 4}, "late", "fail", "a step came too late for 4 people"),
        ({"expired": 2}, "expired", "warn", "2 in 7 days"),
        ({"quarantined": 5}, "quarantine", "warn", "5 rows"),
        ({"nameless": Waiting(2, NOW - 3 * HOUR)}, "noes", "fail", "2 from the CRM, by a number nobody here has"),
        ({"brakes": Waiting(1, NOW - HOUR)}, "brakes", "warn", "1 pulled, the first 60 min ago"),
    ],
)
def test_a_figure_and_what_it_means(vitals: dict[str, Any], name: str, state: str, says: str) -> None:
    (sign,) = [sign for sign in signs_of(Vitals(**vitals), LIMITS, NOW) if sign.name == name]
    assert (sign.state, says in sign.says) == (state, True), sign
    assert sign.cure or state != "fail", "whoever is called is told what to do"


def test_what_waits_behind_a_brake_calls_nobody() -> None:
    stuck = Vitals(queue=Waiting(40, NOW - 2 * DAY), brakes=Waiting(1, NOW))
    assert worst(signs_of(stuck, Limits(), NOW)) == "warn"


def test_a_mailbox_that_nobody_reads_is_not_missed() -> None:
    assert worst(signs_of(Vitals(mailbox=NOW - 30 * DAY), Limits(), NOW)) == "ok"


def test_a_span_is_told_by_one_figure() -> None:
    assert [ago(span) for span in (timedelta(seconds=59), 119 * HOUR / 60, 2 * HOUR, 47 * HOUR, 2 * DAY)] == [
        "0 min", "119 min", "2 h", "47 h", "2 days",
    ]  # fmt: skip


def test_the_ledger_is_asked_for_what_is_there(world: World) -> None:
    """One row of each kind, and each shows in its own figure only."""
    with reading(world.engine) as connection:
        quiet = read_vitals(connection, NOW)
    assert quiet.crm == {"cast": NOW - 2 * HOUR}
    assert (quiet.queue, quiet.held, quiet.late, quiet.unapplied) == (Waiting(), Waiting(), 0, Waiting())
    assert quiet.size > 0
    certified(world)
    _happen(world)
    with reading(world.engine) as connection:
        found = read_vitals(connection, NOW)
    assert found.signals == {"web": NOW - HOUR}
    assert found.unapplied == Waiting(1, NOW - HOUR)
    assert found.webhooks == Waiting(1, NOW - 3 * HOUR)
    assert found.mailbox == NOW - 2 * HOUR
    assert found.queue == Waiting(1, NOW)
    assert found.sending == Waiting(1, NOW - 3 * HOUR)
    assert found.unknown == Waiting(1, NOW - 4 * HOUR)
    assert (found.held, len(found.held_plans)) == (Waiting(1, NOW - HOUR), 1)
    assert (found.late, found.brakes) == (1, Waiting(1, NOW))


def test_claims_that_nobody_will_answer_for_are_taken_up_by_whoever_watches(world: World, tmp_path: Path) -> None:
    """Their sender died on a machine that does not come back: after the lease they are listed, and it is told."""
    claim(world, certified(world), now=NOW - HOUR)
    looked = look_after(world.engine, Settings(home=tmp_path), None, {}, NOW)
    assert len(looked.tidied.unknown) == 3
    assert {change.sign.name for change in looked.changes} >= {"unknown"}
    assert set(states(world).values()) == {"unknown"}
    again = look_after(world.engine, Settings(home=tmp_path), None, looked.states, NOW)
    assert (again.tidied.unknown, again.changes) == ((), ())


def test_a_change_is_told_once_for_the_worse_and_once_for_the_better() -> None:
    well, ill = Sign("late", "ok", "no step"), Sign("late", "fail", "4 people")
    assert changes({}, [well]) == ()
    (first,) = changes({}, [ill])
    assert (first.before, first.sign.state) == ("ok", "fail")
    assert changes({"late": "fail"}, [ill]) == ()
    (better,) = changes({"late": "fail"}, [well])
    assert (better.before, better.sign.state) == ("fail", "ok")


def _happen(world: World) -> None:
    """Of three certified touches one is on its way and one is unknown; and the rest of what can wait."""
    rows = (
        insert(Signal).values(source="web", source_id="1", kind="clicked", occurred_at=NOW, received_at=NOW - HOUR),
        insert(Unapplied).values(signal_id=1),
        insert(Webhook).values(
            provider="postmark", name="n", digest="d", received_at=NOW - 3 * HOUR, content_type="json", state="waiting"
        ),
        insert(MailboxState).values(folder="replies/INBOX", uidvalidity=1, last_uid=1, read_at=NOW - 2 * HOUR),
        insert(SendPlan).values(created_at=NOW - HOUR, state=PlanState.HELD),
        insert(Account).values(key="new", name="New"),
        update(Decision).where(Decision.stakeholder_id == world.people["ivan"]).values(reason="late_step"),
    )
    with writing(world.engine) as connection:
        for touch, at in (("alice", 3 * HOUR), ("bob", 4 * HOUR)):
            step = update(Touch).where(Touch.stakeholder_id == world.people[touch])
            connection.execute(step.values(state=TouchState.SENDING, claimed_at=NOW))
            connection.execute(step.values(claimed_at=NOW - at))
        connection.execute(step.values(state=TouchState.UNKNOWN))
        for row in rows:
            connection.execute(row)
        brakes.pull(connection, BrakeScope.GLOBAL, "", by="ravi", now=NOW)
