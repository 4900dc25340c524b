"""No flood after silence: the machine was off, or a hold ended for many at once; the next run is an ordinary one."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from accounts.identity import email_hash
from accounts.ledger.engine import reading, writing
from accounts.models import Account, ContentSeen, Hold, Rep, SendPlan, Stakeholder, Touch
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.vocabulary import PlanState, TouchState
from expectations.audience import Limits
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.nurturing import Nurtured
from flows.planning import list_late, settle_late
from flows.sales import answers
from flows.sending.approving import approve
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, PLAY
from tests.sending.desk import ALWAYS, DAY

HOUR = timedelta(hours=1)
ACCOUNTS = 40
ROLES = ("champion", "economic_buyer", "technical_evaluator")
PEOPLE = ACCOUNTS * len(ROLES)
#: New words may reach everybody, and a plan is odd when it is three times as large as usual and has twenty people.
LIMITS = Limits(first_readers=PEOPLE, small=20)


@pytest.fixture(scope="module")
def play() -> Play:
    return load_play(TEMPLATES / "plays" / "new-business").model_copy(update={"window": ALWAYS})


@pytest.fixture
def run(database: Engine, play: Play, tmp_path: Path) -> Callable[..., tuple[Nurtured, list[str]]]:
    """One nurture run at a time: what it came to, and who got mail."""

    def nurture(now: datetime, **more: Any) -> tuple[Nurtured, list[str]]:
        memory = Memory()
        with writing(database) as connection:  # the CRM is read as always
            connection.execute(update(Account).values(synced_at=now))
        settings = Settings(home=tmp_path, sending_domain="mail.example")
        of = more.pop("play", play)
        done = nurturing.nurture(database, settings, of, now, channel=memory, limits=LIMITS, **more)
        return done, [letter.recipient for letter in memory.sent]

    return nurture


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, sending_domain="mail.example")


def crowd(engine: Engine, play: Play, *, entered: datetime) -> None:
    """Forty accounts with three people each, all of them in evaluation since that time, nobody written to yet."""
    numbers = range(1, ACCOUNTS + 1)
    with writing(engine) as connection:
        rep = {"email": "ravi@lumenflow.example", "name": "Ravi Menon", "timezone": "Europe/Berlin"}
        owner = connection.execute(insert(Rep).values(**rep).returning(Rep.id)).scalar_one()
        common = {
            "play": PLAY, "stage": "evaluation", "stage_entered_at": entered, "first_contacted_at": entered - 9 * DAY,
            "owner_id": owner, "synced_at": NOW, "replan_at": entered,
        }  # fmt: skip
        rows = [{"id": n, "key": f"firm-{n}", "name": f"Firm {n}", **common} for n in numbers]
        connection.execute(insert(Account), rows)
        connection.execute(
            insert(ContentSeen), [{"content": step.key, "first_seen_at": entered} for step in play.steps]
        )
        addresses = [(n, role, f"{role.replace('_', '-')}@firm-{n}.example") for n in numbers for role in ROLES]
        people = [
            {
                "account_id": n, "email": address, "email_hash": email_hash(address), "role": role,
                "first_name": "Kim", "consent_basis": "contract", "consent_at": entered - 99 * DAY,
            }
            for n, role, address in addresses
        ]  # fmt: skip
        connection.execute(insert(Stakeholder), people)


def history(engine: Engine, play: Play, *, sizes: tuple[int, ...]) -> None:
    """Earlier plans of the play, with what they sent to people who are not in the crowd any more."""
    step = play.steps[0]
    with writing(engine) as connection:
        for size in sizes:
            plan = {"created_at": NOW - 60 * DAY, "play": PLAY, "state": PlanState.DONE, "size": size}
            id = connection.execute(insert(SendPlan).values(**plan).returning(SendPlan.id)).scalar_one()
            sent = {
                "channel": "email", "play": PLAY, "play_version": play.version,
                "stage": "evaluation", "content": step.key, "content_digest": step.digest, "plan_id": id,
                "address": "somebody@elsewhere.example", "state": TouchState.SENT, "due_at": NOW - 60 * DAY,
                "sent_at": NOW - 60 * DAY,
            }  # fmt: skip
            connection.execute(insert(Touch), [{**sent, "account_id": 1 + index % 2} for index in range(size)])


def most_of_one_account(recipients: list[str]) -> int:
    return max(Counter(address.partition("@")[2] for address in recipients).values(), default=0)


def late(engine: Engine) -> int:
    return len(list_late(engine))


# The machine was off.


def test_after_a_week_off_one_of_each_account_gets_mail_at_once_and_colleagues_an_hour_apart(
    database: Engine, run: Callable[..., Any], play: Play
) -> None:
    """Everybody fell due while it was off. Nothing is late, and still no account gets three mails in one morning."""
    crowd(database, play, entered=NOW - 9 * DAY)
    first, got = run(NOW)
    second, then = run(NOW + HOUR)
    assert (first.sent, second.sent) == (ACCOUNTS, ACCOUNTS)
    assert most_of_one_account(got) == most_of_one_account(then) == 1
    assert not set(got) & set(then)
    assert late(database) == 0


def test_after_a_month_off_nothing_leaves_unasked_and_everything_waits_for_a_decision(
    database: Engine, run: Callable[..., Any], play: Play
) -> None:
    crowd(database, play, entered=NOW - 32 * DAY)
    done, got = run(NOW)
    assert (done.sent, done.plan_id, got) == (0, None, [])
    assert late(database) == PEOPLE
    settle_late(database, list_late(database), send=True, by="mia", now=NOW)
    done, got = run(NOW + HOUR)
    assert done.sent == ACCOUNTS
    assert most_of_one_account(got) == 1, "also what is let go keeps to the caps"


def test_what_is_left_out_after_a_month_off_is_never_sent(
    database: Engine, run: Callable[..., Any], play: Play
) -> None:
    crowd(database, play, entered=NOW - 32 * DAY)
    run(NOW)
    settle_late(database, list_late(database), send=False, by="mia", now=NOW)
    done, _ = run(NOW + HOUR)
    assert (done.sent, late(database)) == (0, 0)


def test_a_first_run_that_is_far_larger_than_usual_waits_for_a_person(
    database: Engine, run: Callable[..., Any], play: Play, settings: Settings
) -> None:
    crowd(database, play, entered=NOW - 9 * DAY)
    history(database, play, sizes=(4, 5, 6))
    done, got = run(NOW)
    assert (done.held, done.sent, got) == ((done.plan_id,), 0, [])
    assert "not much larger than usual: at most 20, usually 5" in done.verdicts[-1].reasons[0]
    approve(database, settings, done.plan_id, by="mia", now=NOW + HOUR / 2)
    done, got = run(NOW + HOUR)
    assert len([address for address in got if address.startswith("champion@")]) == ACCOUNTS
    assert most_of_one_account(got) <= 1


def test_a_play_may_name_the_most_that_leaves_without_a_persons_word(
    database: Engine, run: Callable[..., Any], play: Play
) -> None:
    crowd(database, play, entered=NOW - 9 * DAY)
    careful = play.model_copy(update={"approvals": play.approvals.model_copy(update={"most_per_plan": 10})})
    done, got = run(NOW, play=careful)
    assert (len(done.held), got) == (1, [])


# A hold ends for everybody at once.


@pytest.mark.parametrize(("clock", "at_once", "waiting"), [("hold", ACCOUNTS, 0), ("keep", 0, PEOPLE), ("skip", 0, 0)])
def test_a_hold_of_all_accounts_that_ends_releases_no_flood(
    database: Engine, run: Callable[..., Any], play: Play, clock: str, at_once: int, waiting: int
) -> None:
    """Held on the first day in the stage, for twenty days; released three days ago. Under `hold` the plan goes on as it
    would have; under `keep` all of it has become late; under `skip` the first steps are left out."""
    entered = NOW - 24 * DAY
    crowd(database, play, entered=entered)
    with writing(database) as connection:
        held = {"scope": "account", "cause": "legal", "by": "legal@lumenflow.example", "clock": clock}
        times = {"starts_at": entered + DAY, "released_at": NOW - 3 * DAY}
        connection.execute(insert(Hold), [{"account_id": n, **held, **times} for n in range(1, ACCOUNTS + 1)])
    done, got = run(NOW)
    assert done.sent == at_once
    assert most_of_one_account(got) <= 1
    assert late(database) == waiting


def test_a_release_takes_effect_with_the_next_run_and_sends_one_mail(
    database: Engine, run: Callable[..., Any], play: Play
) -> None:
    crowd(database, play, entered=NOW - 9 * DAY)
    answers.hold(database, "firm-1", by="ravi", now=NOW - 8 * DAY)
    assert "firm-1.example" not in {address.partition("@")[2] for address in run(NOW)[1]}
    answers.release(database, "firm-1", by="ravi", now=NOW + HOUR)
    _, got = run(NOW + 2 * DAY)
    with reading(database) as connection:
        firm = connection.scalars(select(Touch.state).where(Touch.account_id == 1)).all()
    assert len(firm) == len([address for address in got if address.endswith("@firm-1.example")]) == 1
