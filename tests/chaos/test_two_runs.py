"""What the chaos suite found in two runs at once, as specifications: each is one order of events, without chance.

A touch that somebody has claimed is on its way. Whatever another run decides about its plan, it decides about the rest.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, event

from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import plans
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.touch_states import Refusal
from accounts.vocabulary import PlanState, TouchState
from expectations.gate import Verdict, Word
from flows import nurturing
from flows.settings import Settings
from tests.cast import NOW, World, on_postgresql
from tests.sending.desk import certified, claim, states, touch_of

T = TouchState
LATER = NOW + timedelta(hours=5)


def test_a_verdict_changes_nothing_about_a_plan_that_was_decided_about_meanwhile(world: World) -> None:
    """Two runs judge one draft. The first certifies it and sends; the second found nobody planned in it any more, or
    has a clock by which nobody is due, and says: reject."""
    plan_id = certified(world)
    claim(world, plan_id, limit=1)
    failing = dict.fromkeys((touch_of(world, name) for name in states(world)), str(Refusal.NOT_DUE))
    with reading(world.engine) as connection:
        digest = plans.read_plan(connection, plan_id).digest or ""
    verdict = Verdict(plan_id, digest, "0" * 64, Word.REJECT, 0, ("Nobody is due.",), (), failing)
    nurturing.carry_out(world.engine, verdict, NOW)
    with reading(world.engine) as connection:
        assert plans.read_plan(connection, plan_id).state is PlanState.CERTIFIED
    assert sorted(states(world).values()) == [T.CERTIFIED, T.CERTIFIED, T.SENDING]


@on_postgresql
def test_a_plan_that_ends_takes_nothing_back_that_was_claimed_in_the_same_moment(world: World) -> None:
    """The run that rejects has looked for what is still certified; before it writes, another one claims."""
    plan_id = certified(world)
    with (
        writing(world.engine) as connection,
        _just_before_touches_are_written(world.engine, lambda: claim(world, plan_id, limit=1)),
    ):
        plans.lapse(connection, LATER, drafts_before=NOW)
    assert sorted(states(world).values()) == [T.CANCELLED, T.CANCELLED, T.SENDING]


def test_what_comes_back_to_a_plan_that_has_ended_is_planned_anew(world: World, tmp_path: Path) -> None:
    """It was on its way when its certificate ended, and the server said: later."""
    plan_id = certified(world, hours=4)
    taken = claim(world, plan_id, limit=1, now=NOW + timedelta(hours=3, minutes=50)).touches[0]
    settings = Settings(home=tmp_path)
    nurturing.tidy(world.engine, settings, NOW + timedelta(hours=4, minutes=1))
    with writing(world.engine) as connection:
        claims.record(connection, [Outcome(taken.id, T.CERTIFIED)], NOW)
    nurturing.tidy(world.engine, settings, LATER)
    assert T.CERTIFIED not in states(world).values()


@contextmanager
def _just_before_touches_are_written(engine: Engine, deed: Callable[[], object]) -> Iterator[None]:
    """Once, in another connection, before the first UPDATE of touches in this one."""
    done = []

    def watch(*asked: object) -> None:
        if not done and str(asked[2]).startswith("UPDATE touch"):
            done.append(True)
            deed()

    event.listen(engine, "before_cursor_execute", watch)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", watch)
    assert done, "touches were written"
