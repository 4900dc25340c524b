"""A "no" may be said at any moment of a claim: it stops its own row, and never the rest of the plan.

A claim looks (which rows, and what speaks against them), then takes (all checks once more inside the UPDATE), and then
the database's lock judges what was taken by the rows of that later moment.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, null, select, text, update
from sqlalchemy.exc import IntegrityError

from accounts.identity import domain_hash, email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes, plans, touches
from accounts.ledger.sending import claims
from accounts.ledger.signals import preferences
from accounts.ledger.signals.whose import Incoming
from accounts.models import Account, Hold, Stakeholder, Suppression, Touch
from accounts.preferences import Choice
from accounts.preferences import said as wished
from accounts.touch_states import Refusal
from accounts.vocabulary import BrakeScope, Reason, TouchState
from tests.cast import NOW, PLAY, World, on_postgresql
from tests.sending.desk import DAY, certified, certify, claim, decide, open_play, rows, states, touch_of

T = TouchState
HOUR = timedelta(hours=1)
#: Any number that only these tests use.
GATE = 4711

Say = Callable[[World, str], None]


def _person(**values: Any) -> Say:
    def say(world: World, name: str) -> None:
        with writing(world.engine) as connection:
            connection.execute(update(Stakeholder).where(Stakeholder.id == world.people[name]).values(**values))

    return say


def _place(table: type[Any], values: Callable[[World, str], dict[str, Any]]) -> Say:
    def say(world: World, name: str) -> None:
        with writing(world.engine) as connection:
            connection.execute(insert(table).values(**values(world, name)))

    return say


def _account_of(world: World, name: str) -> int:
    with reading(world.engine) as connection:
        person = select(Stakeholder.account_id).where(Stakeholder.id == world.people[name])
        return connection.execute(person).scalar_one()


def _hold(world: World, name: str) -> dict[str, Any]:
    account, person = _account_of(world, name), world.people[name]
    return {
        "scope": "stakeholder", "account_id": account, "stakeholder_id": person, "cause": "rep", "by": "ravi",
        "starts_at": NOW,
    }  # fmt: skip


def _suppression(world: World, name: str) -> dict[str, Any]:
    return {"reason": "asked", "at": NOW, "email_hash": email_hash(_address(world, name))}


def _address(world: World, name: str) -> str:
    with reading(world.engine) as connection:
        address = select(Stakeholder.email).where(Stakeholder.id == world.people[name])
        return connection.execute(address).scalar_one()


#: What is said -> how, and the reason that is kept for it.
NOES: dict[str, tuple[Say, str]] = {
    "an opt-out": (_person(opted_out_at=NOW), Reason.OPTED_OUT),
    "a bounce": (_person(email_status="bounced"), Reason.BOUNCED),
    "a hold": (_place(Hold, _hold), Reason.STAKEHOLDER_HELD),
    "a suppression": (_place(Suppression, _suppression), Reason.SUPPRESSED),
}


def _brake(world: World, name: str) -> None:
    account = "initech-north" if name == "ivan" else "acme"
    with writing(world.engine) as connection:
        brakes.pull(connection, BrakeScope.ACCOUNT, account, by="ravi", now=NOW)


@contextmanager
def _just_before(engine: Engine, words: str, happens: Callable[[], None]) -> Iterator[None]:
    """Once, right before the first statement that begins so."""
    happened: list[str] = []

    def watch(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(words) and not happened:
            happened.append(statement)
            happens()

    event.listen(engine, "before_cursor_execute", watch)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", watch)
    assert happened, f"nothing began with {words!r}"


TAKING = "UPDATE touch SET state="


@on_postgresql
@pytest.mark.parametrize("no", NOES)
def test_a_no_between_the_look_and_the_take_stops_its_own_row_only(world: World, no: str) -> None:
    plan_id = certified(world)
    say, reason = NOES[no]
    with _just_before(world.engine, TAKING, lambda: say(world, "alice")):
        refused = claim(world, plan_id).refused
    assert states(world) == {"alice": T.CANCELLED, "bob": T.SENDING, "ivan": T.SENDING}
    assert refused == {touch_of(world, "alice"): reason}
    assert rows(world)["alice"] == (T.CANCELLED, reason)


@on_postgresql
def test_a_brake_between_the_look_and_the_take_leaves_the_row_waiting(world: World) -> None:
    plan_id = certified(world)
    with _just_before(world.engine, TAKING, lambda: _brake(world, "ivan")):
        claim(world, plan_id)
    assert states(world) == {"alice": T.SENDING, "bob": T.SENDING, "ivan": T.CERTIFIED}
    assert claim(world, plan_id).looked == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("no", [*NOES, "a brake"])
def test_on_sqlite_a_no_waits_for_the_claim_and_is_heard_before_the_message_begins(world: World, no: str) -> None:
    """One writer at a time: the claim came first, and the worker asks once more before each message."""
    plan_id = certified(world)
    say, reason = NOES.get(no, (_brake, Refusal.BRAKED))
    late = threading.Thread(target=say, args=(world, "ivan"))
    with _just_before(world.engine, TAKING, late.start):
        taken = claim(world, plan_id)
    late.join()
    assert set(states(world).values()) == {T.SENDING}
    with reading(world.engine) as connection:
        allowed = claims.still_allowed(connection, [touch.id for touch in taken.touches], NOW, by="test")
    assert allowed.pop(touch_of(world, "ivan")) == reason
    assert set(allowed.values()) == {None}


# Between the checks of the UPDATE and those of the lock: PostgreSQL only, where a statement sees what was committed
# before it began, and the lock, which is asked when it ends, sees more.


@pytest.fixture
def paused_update(world: World) -> Iterator[World]:
    """Updates of touches begin, take their snapshot, and wait while somebody holds the gate."""
    with writing(world.engine) as connection:
        connection.execute(
            text(f"""
            CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NULL; END $$""")
        )
        connection.execute(
            text("""
            CREATE TRIGGER a_pause BEFORE UPDATE ON touch FOR EACH STATEMENT EXECUTE FUNCTION wait_at_the_gate()""")
        )
    yield world
    with writing(world.engine) as connection:
        connection.execute(text("DROP TRIGGER a_pause ON touch"))
        connection.execute(text("DROP FUNCTION wait_at_the_gate()"))


def _while_it_takes(world: World, happens: Callable[[], None], taking: Callable[[], Any]) -> Any:
    """What `taking` comes to when `happens` is committed between the snapshot of its UPDATE and the lock."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(taking())
        except IntegrityError as error:
            came.append(error)

    worker = threading.Thread(target=run)
    with world.engine.connect() as gate:
        gate.execute(text(f"SELECT pg_advisory_lock({GATE})"))
        worker.start()
        _until_somebody_waits(world)
        happens()
        gate.execute(text(f"SELECT pg_advisory_unlock({GATE})"))
    worker.join()
    return came[0]


def _until_somebody_waits(world: World, lock: str = "advisory") -> None:
    waits = text(f"SELECT count(*) FROM pg_locks WHERE locktype = '{lock}' AND NOT granted")
    for _ in range(1_000):
        with reading(world.engine) as connection:
            if connection.scalar(waits):
                return
        time.sleep(0.005)
    raise AssertionError("the claim never came to its update")


@on_postgresql
@pytest.mark.parametrize("no", NOES)
def test_a_no_that_only_the_lock_can_see_refuses_its_own_row_and_everybody_else_leaves(
    paused_update: World, no: str
) -> None:
    world = paused_update
    plan_id = certified(world)
    say, reason = NOES[no]
    answer = _while_it_takes(world, lambda: say(world, "alice"), lambda: claim(world, plan_id))
    assert answer.refused == {touch_of(world, "alice"): reason}
    assert {touch.address for touch in answer.touches} == {"bob@acme.example", "ivan@initech.example"}
    assert rows(world) == {"alice": (T.CANCELLED, reason), "bob": (T.SENDING, None), "ivan": (T.SENDING, None)}


@on_postgresql
def test_a_whole_domain_suppressed_in_that_moment_leaves_the_others(paused_update: World) -> None:
    world = paused_update
    plan_id = certified(world)
    nobody_at_acme = _place(
        Suppression, lambda *_: {"reason": "asked", "at": NOW, "domain_hash": domain_hash("acme.example")}
    )
    answer = _while_it_takes(world, lambda: nobody_at_acme(world, "acme"), lambda: claim(world, plan_id))
    assert [touch.address for touch in answer.touches] == ["ivan@initech.example"]
    assert set(answer.refused.values()) == {Reason.SUPPRESSED}


@on_postgresql
def test_a_certificate_revoked_in_that_moment_stops_all_of_it(paused_update: World) -> None:
    """What is no person's word is not asked a second time."""
    world = paused_update
    plan_id = certified(world)

    def revoke() -> None:
        with writing(world.engine) as connection:
            connection.execute(text("UPDATE certificate SET revoked_at = certified_at"))

    answer = _while_it_takes(world, revoke, lambda: claim(world, plan_id))
    assert isinstance(answer, IntegrityError)
    assert "no live certificate" in str(answer.orig)
    assert set(states(world).values()) == {T.CERTIFIED}


def test_a_lock_that_knows_of_a_no_the_claim_never_sees_holds_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim's own check broken: looking again does not help, and nothing leaves."""
    plan_id = certified(world)
    _person(opted_out_at=NOW)(world, "alice")
    monkeypatch.setattr(claims, "refusal_of", lambda _now: null())
    with pytest.raises(IntegrityError, match="lock: opted out"):
        claim(world, plan_id)
    assert set(states(world).values()) == {T.CERTIFIED}


# Many at once.


def _everybody_says_no(world: World, say: Say, said: set[int]) -> None:
    for name in ("ivan", "bob", "alice"):
        say(world, name)
        said.add(world.people[name])


@pytest.mark.parametrize("no", [*NOES, "a brake"])
def test_a_no_committed_before_a_claim_is_never_missed(world: World, no: str) -> None:
    """Promise 3, racing: two senders claim one by one while everybody says no; no claim fails for it."""
    plan_id = certified(world)
    say = _brake if no == "a brake" else NOES[no][0]
    said: set[int] = set()
    missed: list[int] = []
    taken: list[int] = []
    together = threading.Barrier(3)

    def send() -> None:
        together.wait()
        while True:
            before = set(said)
            answer = claim(world, plan_id, limit=1)
            taken.extend(touch.id for touch in answer.touches)
            missed.extend(touch.id for touch in answer.touches if touch.stakeholder_id in before)
            if not answer.looked:
                return

    def speak() -> None:
        together.wait()
        _everybody_says_no(world, say, said)

    threads = [threading.Thread(target=run) for run in (send, speak, send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missed == []
    assert sorted(taken) == sorted(set(taken)), "nobody was claimed twice"
    waits = T.CERTIFIED if no == "a brake" else T.CANCELLED
    assert set(states(world).values()) <= {T.SENDING, waits}
    assert len(taken) == list(states(world).values()).count(T.SENDING)


# A choice on the preference page, while a plan is being frozen.


@on_postgresql
@pytest.mark.parametrize(
    ("choice", "reason"), [(Choice.FEWER, Reason.PERSON_CAP), (Choice.TOPIC, Reason.OTHER_TOPIC)], ids=str
)
def test_a_choice_made_while_a_plan_is_frozen_lets_nothing_of_it_out(
    world: World, choice: Choice, reason: Reason
) -> None:
    """The page waits until the plan is frozen, and takes back what it finds there: even a choice from before the plan,
    which a claim would not take for a younger one."""
    decide(world)
    mailed, at = _mailed_before(world, "alice"), NOW - timedelta(seconds=1)

    def choose() -> bool:
        with writing(world.engine) as page:
            wish = Incoming("web", "1", "preferred", at, touch_id=mailed, data=wished(choice, "cost", at))
            return preferences.prefer(page, wish, choice, at)

    with ThreadPoolExecutor(1) as threads:
        with writing(world.engine) as freezing:
            plan_id = plans.freeze(freezing, open_play(), NOW)
            chosen = threads.submit(choose)
            _wait_for_a_waiter(freezing)
        assert chosen.result()
    assert plan_id is not None
    with reading(world.engine) as connection:
        stopped = select(Touch.reason).where(Touch.plan_id == plan_id, Touch.state == T.CANCELLED)
        assert connection.scalars(stopped).all() == [reason]
    certify(world, plan_id)
    answer = claim(world, plan_id, now=NOW + HOUR)
    assert {touch.address for touch in answer.touches} == {"bob@acme.example", "ivan@initech.example"}


def _wait_for_a_waiter(connection: Connection) -> None:
    """Until another transaction waits for a lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not connection.scalar(waiting):
        time.sleep(0.01)


def _mailed_before(world: World, name: str) -> int:
    """A mail they got last week; its page is where they choose."""
    values = {
        "account_id": _account_of(world, name), "stakeholder_id": world.people[name], "channel": "email", "play": PLAY,
        "play_version": "0" * 64, "stage": "contacted", "content": f"{PLAY}/contacted/hello",
        "content_digest": "0" * 64, "address": _address(world, name), "state": T.SENT, "due_at": NOW - 7 * DAY,
        "sent_at": NOW - 7 * DAY,
    }  # fmt: skip
    with writing(world.engine) as connection:
        return connection.execute(insert(Touch).values(**values).returning(Touch.id)).scalar_one()


# A worker that died, and one that comes back.


@pytest.mark.parametrize(
    ("late", "stays"),
    [
        (claims.Outcome(0, T.SENT), T.SENT),
        (claims.Outcome(0, T.FAILED, reason="refused_by_server"), T.UNKNOWN),
        (claims.Outcome(0, T.CERTIFIED), T.UNKNOWN),
        (claims.Outcome(0, T.CANCELLED), T.UNKNOWN),
        (claims.Outcome(0, T.UNKNOWN, error="nothing new"), T.UNKNOWN),
    ],
    ids=["sent", "failed", "later", "cancelled", "unknown"],
)
def test_a_worker_back_from_the_dead_settles_a_lost_touch_only_as_sent(
    world: World, late: claims.Outcome, stays: TouchState
) -> None:
    plan_id = certified(world, {"alice": "evaluation/pilot"})
    (alice,) = claim(world, plan_id).touches
    with writing(world.engine) as connection:
        touches.give_up_leases(connection, NOW + DAY)
    with reading(world.engine) as connection:
        before = connection.execute(select(Touch)).one()
    with writing(world.engine) as connection:
        claims.record(connection, [replace(late, touch_id=alice.id)], NOW + DAY)
    with reading(world.engine) as connection:
        after = connection.execute(select(Touch)).one()
    assert after.state == stays
    assert (after == before) is (stays is T.UNKNOWN), "nothing else of it changes"


def test_rows_of_a_dead_worker_stay_out_of_everybodys_reach_until_their_lease_is_over(world: World) -> None:
    plan_id = certified(world)
    dead = claim(world, plan_id, limit=2)
    assert len(claim(world, plan_id).touches) == 1, "the others go on"
    with writing(world.engine) as connection:
        assert touches.give_up_leases(connection, NOW + touches.LEASE) == []
        given_up = touches.give_up_leases(connection, NOW + touches.LEASE + timedelta(seconds=1))
    assert set(given_up) >= {touch.id for touch in dead.touches}
    assert claim(world, plan_id, now=NOW + HOUR).looked == 0


# Two transactions that wait for each other.


@on_postgresql
def test_outcomes_are_kept_also_when_somebody_elses_transaction_stood_in_the_way(world: World) -> None:
    """One that holds Initech and wants Acme, while the record holds Acme and wants Initech: the record gives way."""
    plan_id = certified(world)
    taken = claim(world, plan_id).touches
    acme, initech = (Account.id == world.accounts[name] for name in ("acme", "initech-north"))
    gave_way: list[str] = []

    def keep() -> None:
        with writing(world.engine) as connection:
            connection.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            event.listen(connection, "rollback_savepoint", lambda *_: gave_way.append("once"))
            claims.record(connection, [claims.Outcome(touch.id, T.SENT) for touch in taken], NOW)

    worker = threading.Thread(target=keep)
    with writing(world.engine) as somebody:
        somebody.execute(text("SET LOCAL deadlock_timeout = '10s'"))
        somebody.execute(update(Account).where(initech).values(synced_at=NOW))
        worker.start()
        _until_somebody_waits(world, "transactionid")
        somebody.execute(update(Account).where(acme).values(synced_at=NOW))
    worker.join()
    assert gave_way
    assert set(states(world).values()) == {T.SENT}


@on_postgresql
def test_two_workers_lock_the_accounts_of_their_batches_in_one_order(world: World) -> None:
    """Colleagues stand in batches of both, in any order: neither has to give way."""
    certified(world)
    asked: list[str] = []
    with writing(world.engine) as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
        touches.replan_accounts_of(connection, [touch_of(world, "ivan"), touch_of(world, "alice")], NOW)
    (update_,) = asked
    assert "ORDER BY account.id FOR NO KEY UPDATE" in " ".join(update_.split())
