"""A send plan is frozen from decisions, certified by digest, and speaks only of what it was certified with."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from accounts.errors import NotFound, PlanRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import members, plans, touches
from accounts.ledger.sending import claims
from accounts.models import Account, Certificate, Decision, PlanMember, SendPlan, Touch
from accounts.seals import Roll, Sealed, digest_of
from accounts.vocabulary import PlanState, TouchState
from tests.cast import NOW, World
from tests.sending.desk import (
    DAY,
    DUE,
    certified,
    certify,
    claim,
    decide,
    freeze,
    open_play,
    rows,
    states,
    touch_of,
    tried,
)

T = TouchState


def test_freezing_makes_a_planned_touch_of_every_decision_that_is_due(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch).where(Touch.id == touch_of(world, "alice"))).one()
        plan = plans.read_plan(connection, plan_id)
    assert states(world) == {"alice": T.PLANNED, "bob": T.PLANNED, "ivan": T.PLANNED}
    assert (row.address, row.stage, row.channel) == ("alice@acme.example", "evaluation", "email")
    assert (row.rep_id, row.timezone) == (world.reps["ravi"], "Europe/Berlin")
    assert row.content_digest == open_play().steps[5].digest
    assert (plan.state, plan.size, plan.created_at) == (PlanState.DRAFT, 3, NOW)


def test_nobody_is_frozen_before_their_time_or_after_it(world: World) -> None:
    decide(world, {"alice": "evaluation/pilot"}, until=NOW + timedelta(minutes=1))
    decide(world, {"bob": "evaluation/three-numbers"}, not_after=NOW - timedelta(minutes=1))
    with writing(world.engine) as connection:
        assert plans.freeze(connection, open_play(), NOW) is None
        assert connection.scalars(select(SendPlan.id)).all() == []


def test_a_content_this_edition_of_the_play_does_not_have_is_not_frozen(world: World) -> None:
    decide(world, {"alice": "evaluation/gone", "bob": "evaluation/three-numbers"})
    freeze(world)
    assert states(world) == {"bob": T.PLANNED}


def test_freezing_twice_gives_nobody_a_second_touch(world: World) -> None:
    decide(world)
    freeze(world)
    with writing(world.engine) as connection:
        assert plans.freeze(connection, open_play(), NOW) is None


def test_the_statement_that_freezes_is_compiled_once(world: World) -> None:
    compiled: dict[Any, Any] = {}
    with world.engine.execution_options(compiled_cache=compiled).begin() as connection:
        for at in (NOW, NOW + DAY):
            assert plans.freeze(connection, open_play(), at) is None, "nobody is due"
    assert sum(str(statement).startswith("INSERT INTO touch ") for statement in compiled.values()) == 1


def test_nobody_gets_a_second_touch_while_one_is_on_its_way(world: World) -> None:
    decide(world, {"alice": "evaluation/pilot"})
    freeze(world)
    with writing(world.engine) as connection:
        connection.execute(update(Decision).values(content="new-business/evaluation/five-slides"))
        assert plans.freeze(connection, open_play(), NOW) is None


def test_a_content_is_used_up_whatever_became_of_it(unlocked: World) -> None:
    certified(unlocked, {"alice": "evaluation/pilot"})
    for state in (T.SENT, T.FAILED, T.UNKNOWN, T.EXPIRED, T.VETOED):
        with writing(unlocked.engine) as connection:
            connection.execute(update(Touch).values(state=state))
            assert plans.freeze(connection, open_play(), NOW) is None, state


def test_a_cancelled_touch_is_used_again_and_keeps_its_number(world: World) -> None:
    first = certified(world)
    alice = touch_of(world, "alice")
    with writing(world.engine) as connection:
        touches.move(connection, {alice: "account_held"}, T.CANCELLED, now=NOW)
        second = plans.freeze(connection, open_play(), NOW + DAY)
        assert second is not None
        assert second != first
        row = connection.execute(select(Touch).where(Touch.id == alice)).one()
        members.prove(connection, first, NOW)
        assert members.seals_of(connection, first, [alice]).keys() == {alice}, "the first plan still says what it held"
    assert (row.state, row.reason, row.plan_id) == (T.PLANNED, None, second)


def test_the_digest_does_not_depend_on_the_order_rows_come_in() -> None:
    seals = [(3, "c"), (1, "a"), (2, "b")]
    assert digest_of(seals) == digest_of(reversed(seals)) != digest_of(seals[:2])


def test_a_roll_is_called_in_order_or_not_at_all() -> None:
    roll = Roll()
    roll.add(2, "b")
    with pytest.raises(ValueError, match="touch 2 is called after touch 2"):
        roll.add(2, "b")


def test_a_plan_of_many_pages_is_sealed_certified_and_proven_like_a_small_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "PAGE", 2)
    plan_id = certified(world)
    everybody = [touch_of(world, name) for name in DUE]
    with reading(world.engine) as connection:
        members.prove(connection, plan_id, NOW)
        plan, seals = plans.read_plan(connection, plan_id), members.seals_of(connection, plan_id, everybody)
    assert (plan.size, plan.digest) == (3, digest_of(seals.items()))


def test_a_seal_changes_with_each_fact_it_covers() -> None:
    facts = {
        "touch_id": 1, "stakeholder_id": 2, "address": "dana@acme.example", "content": "p/s/c",
        "content_digest": "d", "stage": "s", "play_version": "v",
    }  # fmt: skip
    seal = Sealed(**facts).seal  # type: ignore[arg-type]
    others = {Sealed(**{**facts, name: 9 if isinstance(was, int) else "x"}).seal for name, was in facts.items()}  # type: ignore[arg-type]
    assert len(others | {seal}) == len(facts) + 1


def test_failing_rows_are_cancelled_and_the_rest_is_certified_under_a_new_digest(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with reading(world.engine) as connection:
        frozen = plans.read_plan(connection, plan_id).digest
    assert certify(world, plan_id, failing={touch_of(world, "bob"): "no_consent"}) == 2
    with reading(world.engine) as connection:
        plan = plans.read_plan(connection, plan_id)
        certificate = connection.execute(select(Certificate)).one()
        members.prove(connection, plan_id, NOW)
        names = {touch_of(world, name): name for name in DUE}
        sealed = {names[touch_id] for touch_id in members.seals_of(connection, plan_id, list(names))}
    assert sealed == {"alice", "ivan"}
    assert rows(world)["bob"] == (T.CANCELLED, "no_consent")
    assert (plan.digest, plan.size) == (certificate.digest, certificate.members) == (plan.digest, 2)
    assert plan.digest != frozen


def test_a_gate_that_judged_another_list_certifies_nothing(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with pytest.raises(PlanRefused, match="cannot become certified"):
        certify(world, plan_id, digest="0" * 64)
    assert set(states(world).values()) == {T.PLANNED}


def test_a_row_altered_between_freezing_and_certifying_stops_the_whole_plan(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with writing(world.engine) as connection:
        connection.execute(update(Touch).where(Touch.id == touch_of(world, "bob")).values(address="else@acme.example"))
    with pytest.raises(PlanRefused, match="altered since it was frozen"):
        certify(world, plan_id)
    assert set(states(world).values()) == {T.PLANNED}, "nothing half-certified"


def test_a_row_added_between_freezing_and_certifying_stops_the_whole_plan(world: World) -> None:
    decide(world)
    plan_id = freeze(world)
    with writing(world.engine) as connection:
        member = delete(PlanMember).where(PlanMember.touch_id == touch_of(world, "bob"))
        connection.execute(member)
    with pytest.raises(PlanRefused, match="altered since it was frozen"):
        certify(world, plan_id)


def test_a_plan_of_nobody_is_not_certified(world: World) -> None:
    decide(world, {"bob": "evaluation/three-numbers"})
    plan_id = freeze(world)
    with pytest.raises(PlanRefused, match="nobody is left"):
        certify(world, plan_id, failing={touch_of(world, "bob"): "no_consent"})


def test_a_rejected_plan_cancels_its_touches_and_planning_looks_again(world: World) -> None:
    plan_id = certified(world)
    later = NOW + timedelta(hours=1)
    with writing(world.engine) as connection:
        assert plans.reject(connection, plan_id, reason="plan_rejected", now=later, by="mia@lumenflow.example") == 3
    with reading(world.engine) as connection:
        replanned = set(connection.scalars(select(Account.key).where(Account.replan_at == later)))
        with pytest.raises(PlanRefused, match="revoked"):
            members.prove(connection, plan_id, NOW)
    assert set(rows(world).values()) == {(T.CANCELLED, "plan_rejected")}
    assert replanned == {"acme", "initech-north"}


def test_a_plan_is_done_when_none_of_its_touches_is_open(world: World) -> None:
    plan_id = certified(world)
    taken = claim(world, plan_id, limit=2)
    with writing(world.engine) as connection:
        outcomes = [claims.Outcome(touch.id, T.SENT) for touch in taken.touches]
        claims.record(connection, outcomes, NOW)
        assert not plans.finish(connection, plan_id)
    last = claim(world, plan_id)
    with writing(world.engine) as connection:
        claims.record(connection, [claims.Outcome(last.touches[0].id, T.FAILED)], NOW)
        assert plans.finish(connection, plan_id)
        assert plans.read_plan(connection, plan_id).state is PlanState.DONE


def test_a_plan_that_waited_too_long_is_rejected_and_planned_anew(world: World) -> None:
    plan_id = certified(world, hours=4)
    later = NOW + timedelta(hours=5)
    with writing(world.engine) as connection:
        assert plans.lapse(connection, NOW, drafts_before=NOW - DAY) == []
        assert plans.lapse(connection, later, drafts_before=NOW - DAY) == [plan_id]
    assert set(rows(world).values()) == {(T.CANCELLED, "plan_lapsed")}


def test_past_plans_count_what_really_left(world: World) -> None:
    plan_id = certified(world)
    taken = claim(world, plan_id)
    with writing(world.engine) as connection:
        ends = [T.SENT, T.SENT, T.FAILED]
        outcomes = [claims.Outcome(touch.id, end) for touch, end in zip(taken.touches, ends, strict=True)]
        claims.record(connection, outcomes, NOW)
        past = plans.past_plans(connection, "new-business", before=plan_id + 1)
        assert plans.past_plans(connection, "new-business", before=plan_id) == []
    assert [(one.plan_id, one.size) for one in past] == [(plan_id, 2)]


def test_plans_of_a_single_account_are_no_measure_for_those_of_a_day(world: World) -> None:
    decide(world, {"ivan": DUE["ivan"]})
    with writing(world.engine) as connection:
        alone = plans.freeze(connection, open_play(), NOW, accounts=[world.accounts["initech-north"]])
        assert alone
        assert plans.freeze(connection, open_play(), NOW, accounts=[world.accounts["acme"]]) is None
        connection.execute(update(SendPlan).values(state=PlanState.CERTIFIED))
        assert plans.past_plans(connection, "new-business", before=alone + 1) == []


def test_a_plan_nobody_made_is_not_found(world: World) -> None:
    with reading(world.engine) as connection, pytest.raises(NotFound, match="no send plan 404"):
        plans.read_plan(connection, 404)


# The certificate, with the lock taken away: layer two holds on its own.


MISFITS = {
    "DELETE FROM certificate": "no certificate",
    "UPDATE certificate SET digest = 'x'": "not the certified ones",
    "UPDATE certificate SET members = members + 1": "not the certified ones",
    "UPDATE certificate SET revoked_at = certified_at": "revoked",
    "UPDATE certificate SET expires_at = certified_at": "ended",
    "UPDATE plan_member SET seal = 'x' WHERE touch_id = 1": "not the certified ones",
    "DELETE FROM plan_member WHERE touch_id = 1": "not the certified ones",
}


def test_a_certificate_that_does_not_fit_its_plan_opens_nothing(unlocked: World, subtests: pytest.Subtests) -> None:
    plan_id = certified(unlocked)
    for how, says in MISFITS.items():
        with subtests.test(how), tried(unlocked.engine) as connection:
            connection.execute(text(how))
            with pytest.raises(PlanRefused, match=says):
                members.prove(connection, plan_id, NOW)


def test_a_stranger_smuggled_into_a_certified_plan_stops_it(unlocked: World) -> None:
    plan_id = certified(unlocked, {"alice": "evaluation/pilot"})
    decide(unlocked, {"bob": DUE["bob"]})
    freeze(unlocked)
    with writing(unlocked.engine) as connection:
        connection.execute(update(Touch).values(plan_id=plan_id, state=T.CERTIFIED))
        with pytest.raises(PlanRefused, match="somebody was added"):
            members.prove(connection, plan_id, NOW)
