"""A touch and a plan move along the edges of one table; the database refuses every other move."""

from itertools import product

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from accounts.ledger import locks
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans, touches
from accounts.models import SendPlan, Touch
from accounts.touch_states import FINAL, PLAN_EDGES, TOUCH_EDGES, explain, may_move
from accounts.vocabulary import PlanState, Reason, TouchState
from tests.cast import NOW, World
from tests.sending.desk import certified, decide, freeze, states, touch_of

T = TouchState
ALICE = {"alice": "evaluation/pilot"}


def test_what_was_sent_or_vetoed_stays_so_and_what_failed_may_only_turn_out_to_have_arrived() -> None:
    assert frozenset({T.SENT, T.VETOED}) == FINAL
    assert [end for end in T if may_move(T.FAILED, end)] == [T.SENT]


def test_the_only_way_into_sending_is_from_certified() -> None:
    assert [start for start in T if may_move(start, T.SENDING)] == [T.CERTIFIED]


def test_an_unknown_outcome_never_leads_back_to_sending_without_planning_and_gate() -> None:
    assert not may_move(T.UNKNOWN, T.CERTIFIED)
    assert not may_move(T.UNKNOWN, T.PLANNED)


def test_every_edge_says_why_and_every_state_can_be_reached() -> None:
    assert all({**TOUCH_EDGES, **PLAN_EDGES}.values())
    assert {end for _, end in TOUCH_EDGES} == set(T)
    assert {end for _, end in PLAN_EDGES} | {PlanState.DRAFT} == set(PlanState)


def test_a_reason_reads_as_words() -> None:
    assert explain(Reason.NO_CONSENT) == "no consent"
    assert explain("the server said maybe_later") == "the server said maybe_later"


def test_the_database_refuses_every_move_that_is_no_edge(world: World) -> None:
    certified(world, ALICE)
    for start, end in product(T, T):
        if start is end or may_move(start, end):
            continue
        _force(world, start)
        with pytest.raises(IntegrityError, match="not a move a touch can make"), writing(world.engine) as connection:
            connection.execute(update(Touch).values(state=end, claimed_at=NOW))


def test_the_database_takes_every_move_that_is_an_edge(world: World) -> None:
    certified(world, ALICE)
    for start, end in TOUCH_EDGES:
        _force(world, start)
        with writing(world.engine) as connection:
            connection.execute(update(Touch).values(state=end, claimed_at=NOW))
        assert states(world) == {"alice": end}


def test_the_database_refuses_every_move_of_a_plan_that_is_no_edge(world: World) -> None:
    decide(world, ALICE)
    freeze(world)
    for start, end in product(PlanState, PlanState):
        if start is not end and (start, end) not in PLAN_EDGES:
            _force_plan(world, start)
            with pytest.raises(IntegrityError, match="not a move a send plan can make"):  # noqa: SIM117
                with writing(world.engine) as connection:
                    connection.execute(update(SendPlan).values(state=end))


def test_the_database_takes_every_move_of_a_plan_that_is_an_edge(world: World) -> None:
    decide(world, ALICE)
    freeze(world)
    for start, end in PLAN_EDGES:
        _force_plan(world, start)
        with writing(world.engine) as connection:
            connection.execute(update(SendPlan).values(state=end))
            assert connection.scalar(select(SendPlan.state)) == end


def test_the_ledger_moves_only_what_may_move_and_says_what_did(world: World) -> None:
    decide(world)
    freeze(world)
    alice, bob = touch_of(world, "alice"), touch_of(world, "bob")
    with writing(world.engine) as connection:
        connection.execute(update(Touch).where(Touch.id == bob).values(state=T.VETOED))
        assert touches.move(connection, {alice: "opted_out", bob: "opted_out"}, T.CANCELLED, now=NOW) == [alice]
    assert states(world) == {"alice": T.CANCELLED, "bob": T.VETOED, "ivan": T.PLANNED}


def test_nothing_is_born_in_sending(world: World) -> None:
    decide(world, ALICE)
    freeze(world)
    with reading(world.engine) as connection:
        row = dict(connection.execute(select(Touch.__table__)).mappings().one())
    born = {**row, "id": 900, "content": "new-business/other", "state": T.SENDING, "claimed_at": NOW}
    with pytest.raises(IntegrityError, match="no live certificate"), writing(world.engine) as connection:
        connection.execute(insert(Touch).values(**born))


def test_a_missing_trigger_is_named_and_put_back(world: World) -> None:
    with writing(world.engine) as connection:
        assert locks.missing(connection) == []
        _drop(connection, "touch_enters_locked")
        assert locks.missing(connection) == ["touch_enters_locked"]
        locks.install(connection)
        assert locks.missing(connection) == []


def test_a_plan_that_has_moved_on_refuses_a_second_word(world: World) -> None:
    plan_id = certified(world)
    with pytest.raises(plans.PlanRefused, match="it is certified and cannot become held"):  # noqa: SIM117
        with writing(world.engine) as connection:
            plans.hold(connection, plan_id, {})


def _force(world: World, state: TouchState) -> None:
    """Put the only touch into a state, past the lock, as no code of ours can."""
    with writing(world.engine) as connection:
        for trigger in ("touch_moves_along_edges", "touch_enters_locked"):
            _drop(connection, trigger)
        connection.execute(update(Touch).values(state=state, claimed_at=NOW))
        locks.install(connection)


def _force_plan(world: World, state: PlanState) -> None:
    """The same for the only plan."""
    with writing(world.engine) as connection:
        _drop(connection, "send_plan_moves_along_edges", "send_plan")
        connection.execute(update(SendPlan).values(state=state))
        locks.install(connection)


def _drop(connection: object, trigger: str, table: str = "touch") -> None:
    on_table = f" ON {table}" if connection.dialect.name == "postgresql" else ""  # type: ignore[attr-defined]
    connection.execute(text(f"DROP TRIGGER {trigger}{on_table}"))  # type: ignore[attr-defined]
