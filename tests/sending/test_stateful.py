"""Whatever happens in whichever order: the ledger keeps its word. Random histories over the real tables.

    pytest tests/sending/test_stateful.py                                 # short
    pytest tests/sending/test_stateful.py --hypothesis-profile=chaos --timeout=0    # 150 long ones, some five minutes

Planning is replaced by somebody who wants to send anything to anybody at any time, and workers die, answer late and
answer twice. A trigger of the tests writes down every move of every touch and plan, whoever made it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine, delete, select, text

from accounts.errors import PlanRefused, Refused
from accounts.ledger.engine import reading, writing
from accounts.ledger.people import vetoes
from accounts.ledger.planning import members, plans, touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Claimed, Outcome
from accounts.ledger.signals import settling
from accounts.models import Decision, SendPlan, Stakeholder, Touch
from accounts.tick import decide
from accounts.touch_states import PLAN_EDGES, TOUCH_EDGES
from accounts.vocabulary import PlanState, TouchState
from flows.sales import answers
from tests.cast import NOW, World
from tests.ledgers import Stage
from tests.sending import desk
from tests.sending.desk import ALWAYS, open_play
from tests.signals.post import signal, tell

T, P = TouchState, PlanState
HOUR = timedelta(hours=1)
PLAY = open_play()
#: Everybody with the contents of their account's stage.
CONTENTS = {
    **dict.fromkeys(("alice", "bob", "charlie", "erin"), ("evaluation/pilot", "evaluation/five-slides")),
    **dict.fromkeys(("gina", "ivan"), ("discovery/why-now", "discovery/payback")),
    "judy": ("contacted/first-look", "contacted/two-levers"),
}
ACCOUNTS = ("acme", "globex", "initech-north", "initech-south")

some = st.integers(0, 1000)
people = st.sampled_from(list(CONTENTS))
spans = st.sampled_from([HOUR / 6, HOUR, 2 * HOUR, 9 * HOUR, 150 * HOUR])
outcomes = st.sampled_from([T.SENT, T.SENT, T.FAILED, T.UNKNOWN, T.CERTIFIED, T.CERTIFIED, T.CANCELLED])


def message_id(touch: int) -> str:
    return f"<touch-{touch}@mail.example>"


class Ledger(RuleBasedStateMachine):
    """A sending installation in which everything goes wrong."""

    def __init__(self, fresh: Callable[[], World]) -> None:
        super().__init__()
        self.world = fresh()
        self.engine = self.world.engine
        self.now = NOW
        #: Claims of workers that still may answer.
        self.flying: list[Claimed] = []
        #: Touch and attempt -> who made it.
        self.workers: dict[tuple[int, int], str] = {}
        self.read_until = 0
        #: Touches that may have arrived: nothing of them may be begun again.
        self.begun: set[int] = set()
        self.sent: set[int] = set()
        #: Who must not be written to, and accounts that are held with the time at which that ends.
        self.no: set[int] = set()
        self.held: dict[str, datetime | None] = {}
        self.states: Counter[str] = Counter()

    # What marketing does.

    @rule(
        who=st.lists(people, min_size=1, max_size=5, unique=True), what=st.integers(0, 1),
        then=st.sampled_from(["certify", "certify", "certify", "hold", "leave"]), failing=st.booleans(),
    )  # fmt: skip
    def want_to_send_anything_to_anybody(self, who: list[str], what: int, then: str, failing: bool) -> None:
        with writing(self.engine) as connection:
            connection.execute(delete(Decision))
        desk.decide(self.world, {one: CONTENTS[one][what] for one in who}, now=self.now)
        self.freeze(then, failing)

    @rule(then=st.sampled_from(["certify", "leave"]))
    def plan_as_usual(self, then: str) -> None:
        decide(self.engine, PLAY, self.now, only_due=False)
        self.freeze(then, failing=False)

    def freeze(self, then: str, failing: bool) -> None:
        with writing(self.engine) as connection:
            plan = plans.freeze(connection, PLAY, self.now)
        if plan and then == "certify":
            self.certify_plan(plan, failing)
        elif plan and then == "hold":
            self.do(plan, lambda connection: plans.hold(connection, plan, {}))

    @precondition(lambda self: self.there(T.PLANNED))
    @rule(which=some, failing=st.booleans())
    def certify(self, which: int, failing: bool) -> None:
        if plan := self.pick(which, P.DRAFT, P.HELD):
            self.certify_plan(plan, failing)

    def certify_plan(self, plan: int, failing: bool) -> None:
        members = self.touches(T.PLANNED, plan=plan)
        refused = {members[0]: "no_consent"} if failing and members else {}
        self.try_(lambda: desk.certify(self.world, plan, now=self.now, hours=100, failing=refused))

    # What workers do.

    @precondition(lambda self: self.there(T.CERTIFIED))
    @rule(most=st.integers(1, 4), said=st.lists(outcomes, max_size=2))
    def run(self, most: int, said: list[TouchState]) -> None:
        """A worker claims, and brings the first outcomes at once; the rest is on its way."""
        claimed: list[Claimed] = []
        with reading(self.engine) as connection:
            certified = [plan.id for plan in plans.plans_in(connection, P.CERTIFIED)]
        for plan in certified:
            claimed += self.claim(plan, most)
        for touch, state in zip(claimed, said, strict=False):
            self.record(touch, state)
        self.flying += claimed[len(said) :]

    def claim(self, plan: int, most: int) -> Sequence[Claimed]:
        try:
            with reading(self.engine) as connection:
                members.prove(connection, plan, self.now)
        except PlanRefused:
            return ()
        worker = f"worker {len(self.workers)}"
        with writing(self.engine) as connection:
            claim = claims.claim(connection, plan, self.now, by=worker, window=ALWAYS, limit=most, names=message_id)
        for touch in claim.touches:
            self.nobody_said_no(touch)
            self.workers[touch.id, touch.attempts] = worker
        self.catch_up()
        return claim.touches

    @precondition(lambda self: self.flying)
    @rule(which=some, state=outcomes, again=st.booleans())
    def answer(self, which: int, state: TouchState, again: bool) -> None:
        """A worker brings an outcome: in time, long after its lease, or twice."""
        touch = self.flying[which % len(self.flying)]
        if not again:
            self.flying.remove(touch)
        self.record(touch, state)

    def record(self, touch: Claimed, state: TouchState) -> None:
        later = self.now + HOUR / 4 if state is T.CERTIFIED else None
        with writing(self.engine) as connection:
            outcome = Outcome(touch.id, state, "because", retry_at=later)
            claims.record(connection, [outcome], self.now, by=self.workers[touch.id, touch.attempts])
        self.catch_up()
        is_latest = (touch.id, touch.attempts + 1) not in self.workers
        if state in (T.CERTIFIED, T.CANCELLED) and is_latest:
            self.begun.discard(touch.id)

    @rule(by=spans)
    def time_passes(self, by: timedelta) -> None:
        """And somebody takes up what was left: leases end, what is late expires, old plans lapse."""
        self.now += by
        with writing(self.engine) as connection:
            touches.give_up_leases(connection, self.now)
            touches.expire(connection, self.now)
            plans.lapse(connection, self.now, drafts_before=self.now - 4 * HOUR)
            for plan in plans.plans_in(connection, P.CERTIFIED):
                plans.finish(connection, plan.id)

    # What comes back, and what people say.

    @precondition(lambda self: self.there(T.UNKNOWN))
    @rule(which=some, kind=st.sampled_from(["delivered", "clicked", "bounced", "dropped"]))
    def hear_of_an_unknown_one(self, which: int, kind: str) -> None:
        touch = self.one_of(which, self.touches(T.UNKNOWN))
        tell(self.engine, signal(kind, at=self.now, message_id=message_id(touch)), now=self.now)
        if kind == "bounced":
            self.no.add(self.person_of(touch))

    @precondition(lambda self: self.there(T.SENDING))
    @rule(which=some)
    def hear_of_one_before_its_sender_does(self, which: int) -> None:
        touch = self.one_of(which, self.touches(T.SENDING))
        tell(self.engine, signal("delivered", at=self.now, message_id=message_id(touch)), now=self.now)
        with writing(self.engine) as connection:
            settling.settle_by_evidence(connection)

    @precondition(lambda self: self.there(T.UNKNOWN))
    @rule(which=some, arrived=st.booleans())
    def settle(self, which: int, arrived: bool) -> None:
        touch = self.one_of(which, self.touches(T.UNKNOWN))
        self.do(touch, lambda db: settling.settle(db, touch, arrived=arrived, by="mia", now=self.now))

    @precondition(lambda self: self.there(T.EXPIRED))
    @rule(which=some, send=st.booleans())
    def decide_about_a_late_one(self, which: int, send: bool) -> None:
        touch = self.one_of(which, self.touches(T.EXPIRED))
        if send:
            self.do(touch, lambda db: settling.let_go(db, [touch], by="mia", now=self.now))
        else:
            self.do(touch, lambda db: settling.leave_out(db, [touch]))

    @rule(
        which=some, who=people, lasts=st.one_of(st.none(), spans), how=st.sampled_from(["no", "hold", "hold", "reject"])
    )
    def somebody_says_stop(self, which: int, who: str, lasts: timedelta | None, how: str) -> None:
        if how == "no":
            self.say_no(who, ("opts out", "has no consent", "is vetoed")[which % 3])
        elif how == "hold":
            self.hold_or_release(ACCOUNTS[which % len(ACCOUNTS)], lasts)
        elif plan := self.pick(which, P.DRAFT, P.HELD, P.CERTIFIED):
            self.do(plan, lambda connection: plans.reject(connection, plan, reason="plan_rejected", now=self.now))

    def say_no(self, who: str, how: str) -> None:
        if how == "opts out":
            desk.change(self.world, who, opted_out_at=self.now)
        elif how == "has no consent":
            desk.change(self.world, who, consent_basis=None)
        else:
            with writing(self.engine) as connection:
                vetoes.veto(connection, self.world.people[who], None, by="ravi", at=self.now)
        self.no.add(self.world.people[who])

    def hold_or_release(self, account: str, lasts: timedelta | None) -> None:
        if account in self.held:
            answers.release(self.engine, account, by="ravi", now=self.now)
            del self.held[account]
        else:
            until = None if lasts is None else self.now + lasts
            answers.hold(self.engine, account, by="ravi", now=self.now, until=until)
            self.held[account] = until

    # What must hold.

    @invariant()
    def every_move_is_legal_and_nothing_is_begun_twice(self) -> None:
        self.catch_up()

    def catch_up(self) -> None:
        """What moved since the last look."""
        with reading(self.engine) as connection:
            query = text("SELECT id, noun, row_id, before, after FROM moves WHERE id > :last ORDER BY id")
            moves = connection.execute(query, {"last": self.read_until}).all()
            self.states = Counter(connection.scalars(select(Touch.state)))
        for number, noun, row, before, after in moves:
            self.read_until = number
            if noun == "send_plan":
                assert (P(before), P(after)) in PLAN_EDGES, f"plan {row}: {before} -> {after}"
                continue
            assert (T(before), T(after)) in TOUCH_EDGES, f"touch {row}: {before} -> {after}"
            self.follow(row, T(before), T(after))

    def follow(self, touch: int, before: TouchState, after: TouchState) -> None:
        assert touch not in self.sent, f"touch {touch} was sent and became {after}"
        if after is T.SENDING:  # from here on it may have left, until its own worker says for certain that it has not
            assert touch not in self.begun, f"touch {touch} was begun twice"
            self.begun.add(touch)
        if (before, after) == (T.UNKNOWN, T.CANCELLED):  # a person's word, on a person's head
            self.begun.discard(touch)
        if after is T.SENT:
            self.sent.add(touch)

    def nobody_said_no(self, touch: Claimed) -> None:
        assert touch.stakeholder_id not in self.no, f"touch {touch.id} of somebody who said no"
        with reading(self.engine) as connection:
            mine = select(Stakeholder.account_id).where(Stakeholder.id == touch.stakeholder_id)
            key = {id: key for key, id in self.world.accounts.items()}[connection.scalar(mine) or 0]
        assert key not in self.held or ((ends := self.held[key]) and ends <= self.now), (
            f"touch {touch.id}: {key} is held"
        )

    # How things are found and done.

    def there(self, state: TouchState) -> bool:
        return self.states[state] > 0

    def pick(self, which: int, *states: PlanState) -> int:
        with reading(self.engine) as connection:
            query = select(SendPlan.id).where(SendPlan.state.in_(states)).order_by(SendPlan.id)
            return self.one_of(which, list(connection.scalars(query)))

    def touches(self, state: TouchState, plan: int | None = None) -> list[int]:
        query = select(Touch.id).where(Touch.state == state).order_by(Touch.id)
        with reading(self.engine) as connection:
            return list(connection.scalars(query.where(Touch.plan_id == plan) if plan else query))

    def person_of(self, touch: int) -> int:
        with reading(self.engine) as connection:
            return connection.execute(select(Touch.stakeholder_id).where(Touch.id == touch)).scalar_one()

    @staticmethod
    def one_of(which: int, ids: list[int]) -> int:
        """One of them; 0 when there is none."""
        return ids[which % len(ids)] if ids else 0

    def do(self, id: int, act: Callable[[Any], object]) -> None:
        """In a transaction; that it is refused with a reason is as good as done."""

        def done() -> None:
            with writing(self.engine) as connection:
                act(connection)

        self.try_(done if id else lambda: None)

    @staticmethod
    def try_(act: Callable[[], object]) -> None:
        with suppress(PlanRefused, Refused):
            act()


# A ledger with a witness.

NOUNS = ("touch", "send_plan")


def witness(engine: Engine) -> None:
    """Every move of a touch or a plan is written down by the database itself."""
    on_postgresql = engine.dialect.name == "postgresql"
    number = "BIGSERIAL PRIMARY KEY" if on_postgresql else "INTEGER PRIMARY KEY"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE moves (id {number}, noun TEXT, row_id BIGINT, before TEXT, after TEXT)"))
        for noun in NOUNS:
            into = f"INSERT INTO moves (noun, row_id, before, after) VALUES ('{noun}', NEW.id, OLD.state, NEW.state);"
            when = f"AFTER UPDATE OF state ON {noun} FOR EACH ROW"
            if on_postgresql:
                body = f"BEGIN IF OLD.state <> NEW.state THEN {into} END IF; RETURN NEW; END"
                connection.exec_driver_sql(
                    f"CREATE FUNCTION {noun}_moved() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
                )
                connection.execute(text(f"CREATE TRIGGER {noun}_moved {when} EXECUTE FUNCTION {noun}_moved()"))
            else:
                connection.exec_driver_sql(
                    f"CREATE TRIGGER {noun}_moved {when} WHEN OLD.state <> NEW.state BEGIN {into} END"
                )


def dismiss(engine: Engine) -> None:
    """The database of the other tests is as it was."""
    with engine.begin() as connection:
        for noun in NOUNS:
            connection.execute(text(f"DROP TRIGGER {noun}_moved ON {noun}"))
            connection.execute(text(f"DROP FUNCTION {noun}_moved()"))
        connection.execute(text("DROP TABLE moves"))


@pytest.fixture
def fresh(stage: Stage) -> Iterator[Callable[[], World]]:
    """The cast on an untouched stage, as often as it is asked for, and a witness."""
    engine = stage.engine
    lasting = engine.dialect.name == "postgresql"
    if lasting:
        witness(engine)

    def again() -> World:
        stage.clear()
        world = stage.set()
        if lasting:
            with engine.begin() as connection:
                connection.execute(text("TRUNCATE moves RESTART IDENTITY"))
        else:
            witness(engine)
        return world

    yield again
    if lasting:
        dismiss(engine)


def thoroughness(database: Engine) -> settings:
    """A few short histories, or with the profile `chaos` many long ones; on PostgreSQL a tenth."""
    share = 1 if database.dialect.name == "sqlite" else 10
    chaos = settings.get_current_profile_name() == "chaos"
    examples, steps = (150, 60) if chaos else (14, 30)
    return settings(
        max_examples=max(examples // share, 4), stateful_step_count=steps, deadline=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
        phases=tuple(Phase) if chaos else (Phase.reuse, Phase.generate),  # a shorter story may take minutes to find
    )  # fmt: skip


def test_whatever_happens_nothing_is_begun_twice_and_nobody_who_said_no_gets_anything(
    database: Engine, fresh: Callable[[], World]
) -> None:
    run_state_machine_as_test(lambda: Ledger(fresh), settings=thoroughness(database))  # type: ignore[no-untyped-call]
