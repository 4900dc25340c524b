"""The lock holds on its own: raw SQL, a forged certificate, and still nobody who said no is sent to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from accounts.identity import domain_hash, email_hash
from accounts.ledger.engine import reading, writing
from accounts.models import Certificate, Hold, PlanMember, SendPlan, Stakeholder, Suppression, Touch
from accounts.vocabulary import TouchState
from tests.cast import NOW, World
from tests.sending.desk import DAY, certified, certify, decide, freeze, tried

ALICE = {"alice": "evaluation/pilot"}
Break = Callable[[World], Any]


#: What a careless script would do: no gate, no claim, one UPDATE.
_SEND_ANYWAY = update(Touch).values(state=TouchState.SENDING, claimed_at=NOW)


def _send_anyway(world: World, *, at: Any = NOW) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.SENDING, claimed_at=at))


def _person(**values: Any) -> Break:
    return lambda world: update(Stakeholder).where(Stakeholder.id == world.people["alice"]).values(**values)


def _hold(**values: Any) -> Break:
    def place(world: World) -> Any:
        base = {"scope": "account", "account_id": world.accounts["acme"], "cause": "rep", "by": "ravi"}
        person = {"stakeholder_id": world.people["alice"]} if values.get("scope") == "stakeholder" else {}
        return insert(Hold).values(**{**base, "starts_at": NOW - DAY, **person, **values})

    return place


def _suppression(**values: Any) -> Break:
    return lambda world: insert(Suppression).values(reason="asked", at=NOW - DAY, **values)


ALICES = {"email_hash": email_hash("alice@acme.example")}
ACME = {"domain_hash": domain_hash("acme.example")}

NOES: dict[str, tuple[Break, str]] = {
    "opted out": (_person(opted_out_at=NOW), "opted out"),
    "bounced": (_person(email_status="bounced"), "bounced, complained or left"),
    "complained": (_person(email_status="complained"), "bounced, complained or left"),
    "left": (_person(email_status="left"), "bounced, complained or left"),
    "without consent": (_person(consent_basis=None), "no consent"),
    "address changed": (_person(email="new@acme.example"), "address changed"),
    "suppressed address": (_suppression(**ALICES), "suppressed"),
    "suppressed domain": (_suppression(**ACME), "suppressed"),
    "suppressed for a while": (_suppression(**ALICES, expires_at=NOW + DAY), "suppressed"),
    "account held": (_hold(), "held"),
    "account held until tomorrow": (_hold(ends_at=NOW + DAY), "held"),
    "person held": (_hold(scope="stakeholder"), "held"),
    "certificate gone": (lambda _: delete(Certificate), "no live certificate"),
    "certificate ended": (lambda _: update(Certificate).values(expires_at=NOW), "no live certificate"),
    "certificate revoked": (lambda _: update(Certificate).values(revoked_at=NOW), "no live certificate"),
    "certificate of another digest": (lambda _: update(Certificate).values(digest="x"), "no live certificate"),
    "no member of the plan": (lambda _: delete(PlanMember), "no live certificate"),
    "plan rejected": (lambda _: update(SendPlan).values(state="rejected"), "no live certificate"),
}

YESES: dict[str, Break] = {
    "a hold that was released": _hold(released_at=NOW - DAY),
    "a hold that has ended": _hold(ends_at=NOW),
    "a hold that begins tomorrow": _hold(starts_at=NOW + DAY),
    "a suppression that has ended": _suppression(**ALICES, expires_at=NOW),
    "a suppression of somebody else": _suppression(email_hash=email_hash("dana@acme.example")),
    "a new title": _person(title="Chief of Staff"),
}


def test_the_lock_refuses_whoever_said_no_and_whatever_has_no_live_certificate(
    world: World, subtests: pytest.Subtests
) -> None:
    certified(world, ALICE)
    for no, (broken, says) in NOES.items():
        with subtests.test(no), tried(world.engine) as connection:
            connection.execute(broken(world))
            with pytest.raises(IntegrityError, match=says):
                connection.execute(_SEND_ANYWAY)


def test_the_lock_does_not_mind_what_is_no_no(world: World, subtests: pytest.Subtests) -> None:
    certified(world, ALICE)
    for yes, fact in YESES.items():
        with subtests.test(yes), tried(world.engine) as connection:
            connection.execute(fact(world))
            connection.execute(_SEND_ANYWAY)


def test_a_no_said_in_another_account_counts_for_the_address(world: World) -> None:
    certified(world, ALICE)
    with writing(world.engine) as connection:
        elsewhere = {"account_id": world.accounts["globex"], "email": "alice@acme.example"}
        connection.execute(insert(Stakeholder).values(**elsewhere, **ALICES, opted_out_at=NOW))
    with pytest.raises(IntegrityError, match="opted out"):
        _send_anyway(world)


def test_one_who_said_no_stops_the_whole_statement(world: World) -> None:
    certified(world)
    with writing(world.engine) as connection:
        connection.execute(_person(opted_out_at=NOW)(world))
    with pytest.raises(IntegrityError, match="opted out"):
        _send_anyway(world)
    with reading(world.engine) as connection:
        assert set(connection.scalars(select(Touch.state))) == {TouchState.CERTIFIED}


def test_a_touch_without_certificate_cannot_leave_whatever_its_state_says(world: World) -> None:
    decide(world, ALICE)
    freeze(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.CERTIFIED))
    with pytest.raises(IntegrityError, match="no live certificate"):
        _send_anyway(world)


def test_a_certificate_of_another_plan_is_worth_nothing(world: World) -> None:
    certified(world, ALICE)
    decide(world, {"bob": "evaluation/three-numbers"})
    freeze(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.CERTIFIED))
    with pytest.raises(IntegrityError, match="no live certificate"):
        _send_anyway(world)


def test_a_claim_without_a_time_or_too_late_is_refused(world: World) -> None:
    certified(world, ALICE, hours=24 * 30)
    with pytest.raises(IntegrityError, match="no claim time"):
        _send_anyway(world, at=None)
    with pytest.raises(IntegrityError, match="too late"):
        _send_anyway(world, at=NOW + 6 * DAY)


def test_virtual_time_decides_whether_a_certificate_lives(world: World) -> None:
    certified(world, ALICE, hours=4)
    with pytest.raises(IntegrityError, match="no live certificate"):
        _send_anyway(world, at=NOW + timedelta(hours=4))
    _send_anyway(world, at=NOW + timedelta(hours=3, minutes=59))


ALTERATIONS = (
    "address = 'else@acme.example'", "content = 'new-business/evaluation/other'", "content_digest = 'x'",
    "stakeholder_id = stakeholder_id + 1", "play_version = 'x'", "stage = 'proposal'", "plan_id = NULL",
)  # fmt: skip


@pytest.mark.parametrize("also", ["", ", state = 'sending', claimed_at = '2026-11-24 10:00:00'"])
def test_what_was_certified_cannot_be_altered(world: World, also: str, subtests: pytest.Subtests) -> None:
    certified(world, ALICE)
    for alteration in ALTERATIONS:
        with (
            subtests.test(alteration),
            tried(world.engine) as connection,
            pytest.raises(IntegrityError, match="lock: "),
        ):
            connection.execute(text(f"UPDATE touch SET {alteration}{also}"))


def test_a_certified_plan_takes_no_new_members_and_keeps_its_seals(world: World) -> None:
    plan_id = certified(world, ALICE)
    member = {"plan_id": plan_id, "touch_id": 900, "seal": "s", "email_hash": "e", "domain_hash": "d"}
    with pytest.raises(IntegrityError, match="takes no new members"), writing(world.engine) as connection:
        connection.execute(insert(PlanMember).values(**member))
    with pytest.raises(IntegrityError, match="a seal stays"), writing(world.engine) as connection:
        connection.execute(update(PlanMember).values(seal="x"))


def test_what_was_sent_stays_sent(world: World) -> None:
    plan_id = certified(world, ALICE)
    _send_anyway(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.SENT))
    with pytest.raises(IntegrityError, match="not a move"), writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.CERTIFIED))
    with pytest.raises(IntegrityError), writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=TouchState.SENDING, claimed_at=NOW, plan_id=plan_id))


def test_the_lock_asks_nothing_of_a_certified_touch_that_waits(world: World) -> None:
    decide(world, ALICE)
    plan_id = freeze(world)
    certify(world, plan_id)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(retry_at=NOW + DAY, error="later"))
