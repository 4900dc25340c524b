"""Claiming asks every "no" again, gives no row to two senders, and leaves nothing silently."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from accounts.errors import NotFound
from accounts.identity import domain_hash, email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes, touches
from accounts.ledger.sending import claims
from accounts.models import Account, Hold, Stakeholder, Suppression, Touch, Veto
from accounts.playbook import Window
from accounts.touch_states import Refusal
from accounts.vocabulary import BrakeScope, Reason, TouchState
from tests.cast import NOW, PLAY, World, on_postgresql
from tests.sending.desk import ALWAYS, DAY, DUE, certified, change, claim, rows, states, touch_of, tried

T = TouchState
ALICE = {"alice": "evaluation/pilot"}
HOUR = timedelta(hours=1)


def _person(**values: Any) -> Callable[[World], Any]:
    return lambda world: update(Stakeholder).where(Stakeholder.id == world.people["alice"]).values(**values)


def _account(**values: Any) -> Callable[[World], Any]:
    return lambda world: update(Account).where(Account.id == world.accounts["acme"]).values(**values)


def _hold(cause: str, scope: str = "account") -> Callable[[World], Any]:
    def place(world: World) -> Any:
        person = world.people["alice"] if scope == "stakeholder" else None
        return insert(Hold).values(
            scope=scope, account_id=world.accounts["acme"], stakeholder_id=person, cause=cause, by="ravi",
            starts_at=NOW - DAY,
        )  # fmt: skip

    return place


def _veto(content: str | None) -> Callable[[World], Any]:
    return lambda world: insert(Veto).values(stakeholder_id=world.people["alice"], content=content, by="ravi", at=NOW)


def _suppression(**values: Any) -> Callable[[World], Any]:
    return lambda world: insert(Suppression).values(reason="asked", at=NOW - DAY, **values)


#: What happened after certification -> the reason that is kept.
NOES: tuple[tuple[Callable[[World], Any], str], ...] = (
    (_person(opted_out_at=NOW), Reason.OPTED_OUT),
    (_person(email_status="complained"), Reason.OPTED_OUT),
    (_person(email_status="bounced"), Reason.BOUNCED),
    (_person(email_status="left"), Reason.LEFT),
    (_person(consent_basis=None), Reason.NO_CONSENT),
    (_person(consent_at=NOW + DAY), Reason.NO_CONSENT),
    (_person(email="new@acme.example", email_hash=email_hash("new@acme.example")), Refusal.ADDRESS_CHANGED),
    (_person(paused_until=NOW + DAY), Reason.AWAY),
    (_person(mail_every_days=14, preferred_at=NOW + HOUR), Reason.PERSON_CAP),
    (_person(only_topic="cost", preferred_at=NOW + HOUR), Reason.OTHER_TOPIC),
    (_person(owner_conflict=True), Reason.OWNER_CONFLICT),
    (_suppression(email_hash=email_hash("alice@acme.example")), Reason.SUPPRESSED),
    (_suppression(domain_hash=domain_hash("acme.example")), Reason.SUPPRESSED),
    (_account(first_contacted_at=None), Reason.NOT_CONTACTED),
    (_account(first_contacted_at=NOW + DAY), Reason.NOT_CONTACTED),
    (_account(stage="proposal"), Refusal.STAGE_CHANGED),
    (_hold("rep"), Reason.ACCOUNT_HELD),
    (_hold("complaint"), Reason.ACCOUNT_HELD),
    (_hold("reply"), Reason.PAUSED_AFTER_REPLY),
    (_hold("meeting"), Reason.PAUSED_FOR_MEETING),
    (_hold("rep", "stakeholder"), Reason.STAKEHOLDER_HELD),
    (_veto(None), Reason.VETOED),
    (_veto(f"{PLAY}/evaluation/pilot"), Reason.VETOED),
)


def test_every_no_said_after_certification_cancels_the_touch_with_its_reason(
    world: World, subtests: pytest.Subtests
) -> None:
    """Promise 3: the rows of the moment of claiming decide, not those the gate saw."""
    plan_id = certified(world, ALICE)
    alice = touch_of(world, "alice")
    for happened, reason in NOES:
        with subtests.test(str(reason)), tried(world.engine) as connection:
            connection.execute(happened(world))
            answer = claims.claim(connection, plan_id, NOW, by="test", window=ALWAYS)
            row = connection.execute(select(Touch.state, Touch.reason)).one()
            assert (answer.touches, answer.refused) == ((), {alice: reason})
            assert (row.state, row.reason) == (T.CANCELLED, reason)


def test_each_no_is_also_inside_the_update_that_claims(world: World, subtests: pytest.Subtests) -> None:
    """What happens between the look and the claim is not missed either."""
    certified(world, ALICE)
    alice = touch_of(world, "alice")
    for happened, reason in NOES:
        with subtests.test(str(reason)), tried(world.engine) as connection:
            connection.execute(happened(world))
            assert claims._take(connection, {alice: None}, NOW, "test") == []
    with tried(world.engine) as connection:
        assert len(claims._take(connection, {alice: None}, NOW, "test")) == 1
        assert claims._take(connection, {alice: None}, NOW, "other") == [], "compare and set: once"


def test_every_no_said_after_the_claim_is_heard_before_the_message_begins(
    world: World, subtests: pytest.Subtests
) -> None:
    """Promise 3, on the last metre: a worker asks again for what it has claimed and not begun."""
    plan_id = certified(world, ALICE)
    (alice,) = (touch.id for touch in claim(world, plan_id).touches)
    with reading(world.engine) as connection:
        assert claims.still_allowed(connection, [alice], NOW, by="test") == {alice: None}
    for happened, reason in NOES:
        with subtests.test(str(reason)), tried(world.engine) as connection:
            connection.execute(happened(world))
            assert claims.still_allowed(connection, [alice], NOW) == {alice: reason}


def test_a_brake_keeps_what_is_claimed_and_not_begun_and_a_no_outranks_it(world: World) -> None:
    plan_id = certified(world)
    claimed = [touch.id for touch in claim(world, plan_id).touches]
    ivan = touch_of(world, "ivan")
    change(world, "alice", opted_out_at=NOW)
    with writing(world.engine) as connection:
        _pull(connection, BrakeScope.ACCOUNT, "acme")
        allowed = claims.still_allowed(connection, claimed, NOW)
    alice, bob = touch_of(world, "alice"), touch_of(world, "bob")
    assert allowed == {alice: Reason.OPTED_OUT, bob: Refusal.BRAKED, ivan: None}


def test_a_claim_that_is_over_or_somebody_elses_must_not_begin(world: World) -> None:
    """A worker that slept through its lease: by now a person may have had it planned again."""
    plan_id = certified(world, ALICE)
    (alice,) = (touch.id for touch in claim(world, plan_id).touches)
    with reading(world.engine) as connection:
        assert claims.still_allowed(connection, [alice], NOW, by="other") == {alice: Refusal.NOT_OURS}
    with writing(world.engine) as connection:
        touches.give_up_leases(connection, NOW + 2 * HOUR)
        assert claims.still_allowed(connection, [alice], NOW, by="test") == {alice: Refusal.NOT_OURS}


@pytest.mark.parametrize("wish", [{"mail_every_days": 14}, {"only_topic": "cost"}], ids=str)
def test_a_wish_that_planning_knew_of_stops_nothing_it_chose(world: World, wish: dict[str, Any]) -> None:
    plan_id = certified(world, ALICE)
    change(world, "alice", preferred_at=NOW, **wish)
    assert [touch.address for touch in claim(world, plan_id).touches] == ["alice@acme.example"]


def test_a_colleague_who_said_nothing_still_gets_theirs(world: World) -> None:
    plan_id = certified(world)
    change(world, "alice", opted_out_at=NOW)
    answer = claim(world, plan_id)
    assert {touch.address for touch in answer.touches} == {"bob@acme.example", "ivan@initech.example"}
    assert states(world) == {"alice": T.CANCELLED, "bob": T.SENDING, "ivan": T.SENDING}


def test_a_claim_is_written_before_anything_leaves(world: World) -> None:
    plan_id = certified(world, ALICE)
    (touch,) = claim(world, plan_id).touches
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch)).one()
    assert (row.state, row.claimed_at, row.claimed_by, row.attempts) == (T.SENDING, NOW, "test", 1)
    assert (touch.content, touch.attempts) == (f"{PLAY}/evaluation/pilot", 1)


def test_what_is_claimed_is_worth_what_was_certified(world: World) -> None:
    from accounts.ledger.planning.members import seals_of

    plan_id = certified(world)
    with reading(world.engine) as connection:
        seals = seals_of(connection, plan_id, [touch_of(world, name) for name in DUE])
    assert {touch.id: touch.seal for touch in claim(world, plan_id).touches} == seals


def test_a_plan_is_claimed_in_small_batches_until_nothing_is_left(world: World) -> None:
    plan_id = certified(world)
    sizes = [len(claim(world, plan_id, limit=2).touches) for _ in range(3)]
    assert sizes == [2, 1, 0]
    assert claim(world, plan_id).looked == 0


def test_two_senders_never_get_the_same_row(world: World) -> None:
    """Promise 2: parallel runs over one plan."""
    plan_id = certified(world)
    got: list[int] = []
    together = threading.Barrier(4)

    def run() -> None:
        together.wait()
        while (answer := claim(world, plan_id, limit=1)).looked:
            got.extend(touch.id for touch in answer.touches)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted({touch_of(world, name) for name in DUE})


@on_postgresql
def test_postgresql_senders_pass_over_each_others_rows(world: World) -> None:
    plan_id = certified(world)
    with writing(world.engine) as first, writing(world.engine) as second:
        one = claims.claim(first, plan_id, NOW, by="one", window=ALWAYS, limit=2)
        other = claims.claim(second, plan_id, NOW, by="other", window=ALWAYS, limit=2)
    assert len(one.touches) == 2
    assert len(other.touches) == 1


@pytest.mark.parametrize("analysed", [False, True])
def test_no_claim_walks_all_that_is_certified_or_all_that_has_left(world: World, analysed: bool) -> None:
    """Whatever statistics say of what was just certified: a batch of a large plan reads no more than the batch."""
    plan_id = certified(world, ALICE)
    is_lite = world.engine.dialect.name == "sqlite"
    plans: list[str] = []

    def explain(_connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "skip locked" in statement.lower() or "json_group_array(json_array(anon_1.id, anon_1.timezone" in statement:
            for way in () if is_lite else ("seqscan", "sort", "bitmapscan"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' * is_lite}{statement}", parameters)
            plans.append("\n".join(str(row) for row in cursor))

    if analysed:
        with writing(world.engine) as connection:
            connection.exec_driver_sql("ANALYZE")
    event.listen(world.engine, "before_cursor_execute", explain)
    claim(world, plan_id)
    [look] = plans
    assert "ix_touch_plan_id_state_id" in look
    assert ("AND state=? AND id>?" if is_lite else "(state)::text = 'certified'::text) AND (id >") in look
    assert "Sort" not in look
    assert "TEMP B-TREE FOR ORDER" not in look


@on_postgresql
def test_no_other_index_has_the_order_in_which_a_claim_looks(world: World) -> None:
    """The primary key would have the order of the touches of one plan, named by an equality, and look cheap beside some
    statistics: it passes all touches of other plans. Without the right index, what is found has to be sorted."""
    plan_id = certified(world, ALICE)
    plans: list[str] = []

    def explain(_connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "skip locked" in statement.lower():
            cursor.execute("SAVEPOINT as_it_was; DROP INDEX ix_touch_plan_id_state_id; SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(line for (line,) in cursor))
            cursor.execute("ROLLBACK TO SAVEPOINT as_it_was")

    event.listen(world.engine, "before_cursor_execute", explain)
    claim(world, plan_id)
    [look] = plans
    assert "Sort Key: touch.plan_id, touch.id" in look


@on_postgresql
def test_a_claim_takes_rows_by_their_ids(world: World) -> None:
    """An index that begins with the state looks cheap beside old statistics, and would be walked to its end."""
    plan_id = certified(world, ALICE)
    plans: list[str] = []

    def explain(_connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("UPDATE touch"):
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(line for (line,) in cursor))

    event.listen(world.engine, "before_cursor_execute", explain)
    claim(world, plan_id)
    [taking] = plans
    assert not [line for line in taking.splitlines() if "Index Cond" in line and "certified" in line]


# Brakes.


def _pull(connection: Connection, scope: BrakeScope, target: str = "") -> int:
    return brakes.pull(connection, scope, target, by="ravi@lumenflow.example", now=NOW)


@pytest.mark.parametrize(
    ("scope", "target", "goes_on"),
    [
        (BrakeScope.GLOBAL, "", set()),
        (BrakeScope.PLAY, PLAY, set()),
        (BrakeScope.PLAY, "another-play", {"alice", "bob", "ivan"}),
        (BrakeScope.ACCOUNT, "acme", {"ivan"}),
        (BrakeScope.REP, "ravi@lumenflow.example", set()),
        (BrakeScope.REP, "sofia@lumenflow.example", {"alice", "bob", "ivan"}),
    ],
)
def test_a_brake_stops_the_next_claim_in_its_scope(
    world: World, scope: BrakeScope, target: str, goes_on: set[str]
) -> None:
    plan_id = certified(world)
    with writing(world.engine) as connection:
        _pull(connection, scope, target)
    claim(world, plan_id)
    assert {name for name, state in states(world).items() if state is T.SENDING} == goes_on


def test_a_braked_touch_waits_and_goes_on_after_the_release(world: World) -> None:
    plan_id = certified(world)
    with writing(world.engine) as connection:
        _pull(connection, BrakeScope.GLOBAL)
        assert _pull(connection, BrakeScope.GLOBAL) == 1, "pulling twice is pulling once"
        assert [scope for scope, *_ in brakes.pulled(connection)] == [BrakeScope.GLOBAL]
    assert claim(world, plan_id).looked == 0
    assert set(states(world).values()) == {T.CERTIFIED}
    with writing(world.engine) as connection:
        assert brakes.release(connection, BrakeScope.GLOBAL, "", by="ravi", now=NOW) == 1
        assert brakes.pulled(connection) == []
    assert len(claim(world, plan_id).touches) == 3


def test_a_brake_on_nobody_is_refused(world: World) -> None:
    with pytest.raises(NotFound, match="no account 'acmee'"), writing(world.engine) as connection:
        _pull(connection, BrakeScope.ACCOUNT, "acmee")


# The clock.


def test_a_touch_waits_for_its_readers_window_to_open(world: World) -> None:
    plan_id = certified(world, hours=24)
    office = Window(opens="09:00", closes="17:00", default_country="DE")  # type: ignore[arg-type]
    evening = NOW.replace(hour=19)
    assert claim(world, plan_id, now=evening, window=office).postponed == 3
    assert set(states(world).values()) == {T.CERTIFIED}
    assert claim(world, plan_id, now=evening + HOUR, window=office).looked == 0
    morning = NOW.replace(hour=8, minute=1) + DAY
    assert len(claim(world, plan_id, now=morning, window=office).touches) == 3


def test_a_touch_past_its_not_after_expires_and_is_listed(world: World) -> None:
    """Promise 6: late steps are not sent, they go to a list for a decision."""
    plan_id = certified(world, ALICE, hours=24 * 30)
    late = NOW + 6 * DAY
    assert claim(world, plan_id, now=late).refused == {touch_of(world, "alice"): Refusal.TOO_LATE}
    assert rows(world) == {"alice": (T.EXPIRED, Refusal.TOO_LATE)}
    with reading(world.engine) as connection:
        (listed,) = touches.list_touches(connection, states=[T.EXPIRED])
    assert (listed.account, listed.address, listed.reason) == ("acme", "alice@acme.example", "too_late")


def test_planned_touches_expire_too_whatever_their_plan_waits_for(world: World) -> None:
    from tests.sending.desk import decide, freeze

    decide(world, ALICE)
    freeze(world)
    with writing(world.engine) as connection:
        assert touches.expire(connection, NOW + 5 * DAY) == []
        assert touches.expire(connection, NOW + 6 * DAY) == [touch_of(world, "alice")]
    assert rows(world) == {"alice": (T.EXPIRED, Refusal.TOO_LATE)}


def test_later_means_later_each_time_and_a_last_time_at_the_deadline() -> None:
    waits = [claims.retry_at(attempts, NOW, None) for attempts in range(1, 9)]
    minutes = [wait and (wait - NOW) // timedelta(minutes=1) for wait in waits]
    assert minutes == [15, 30, 60, 120, 240, 240, 240, None]
    assert claims.retry_at(3, NOW, NOW + timedelta(minutes=20)) == NOW + timedelta(minutes=20)
    assert claims.retry_at(1, NOW, NOW) is None


def test_a_touch_refused_for_now_is_claimed_again_only_when_its_time_has_come(world: World) -> None:
    plan_id = certified(world, ALICE)
    (touch,) = claim(world, plan_id).touches
    again = NOW + timedelta(minutes=15)
    with writing(world.engine) as connection:
        claims.record(connection, [claims.Outcome(touch.id, T.CERTIFIED, retry_at=again, error="451 later")], NOW)
    assert claim(world, plan_id, now=NOW + timedelta(minutes=14)).looked == 0
    assert [touch.attempts for touch in claim(world, plan_id, now=again).touches] == [2]


def test_a_claim_that_reached_no_server_is_no_attempt(world: World) -> None:
    """Eight outages, and the first real "later" is the first one, not the last."""
    plan_id = certified(world, ALICE)
    for _ in range(claims.MOST_ATTEMPTS):
        (touch,) = claim(world, plan_id).touches
        with writing(world.engine) as connection:
            claims.record(connection, [claims.Outcome(touch.id, T.CERTIFIED, error="nobody answers")], NOW)
    assert [touch.attempts for touch in claim(world, plan_id).touches] == [1]


# What died on its way.


def test_a_claim_without_outcome_becomes_unknown_after_its_lease_and_is_never_claimed_again(world: World) -> None:
    plan_id = certified(world, ALICE)
    claim(world, plan_id)
    with writing(world.engine) as connection:
        assert touches.give_up_leases(connection, NOW + touches.LEASE) == []
        assert touches.give_up_leases(connection, NOW + touches.LEASE + HOUR) == [touch_of(world, "alice")]
    assert rows(world) == {"alice": (T.UNKNOWN, Refusal.NO_ANSWER)}
    assert claim(world, plan_id, now=NOW + 3 * HOUR).looked == 0


def test_a_worker_that_is_known_to_be_at_work_keeps_its_claims_however_long_it_takes(world: World) -> None:
    plan_id = certified(world, ALICE)
    claim(world, plan_id)
    with writing(world.engine) as connection:
        assert touches.give_up_leases(connection, NOW + DAY, alive=["test"]) == []
        assert touches.give_up_leases(connection, NOW + DAY, alive=["another"]) == [touch_of(world, "alice")]


def test_an_outcome_that_comes_after_the_lease_still_counts_if_it_was_sent(world: World) -> None:
    plan_id = certified(world)
    taken = claim(world, plan_id).touches
    with writing(world.engine) as connection:
        touches.give_up_leases(connection, NOW + 2 * HOUR)
        ends = (T.SENT, T.FAILED, T.CERTIFIED)
        outcomes = [claims.Outcome(touch.id, end) for touch, end in zip(taken, ends, strict=True)]
        claims.record(connection, outcomes, NOW)
    assert sorted(states(world).values()) == [T.SENT, T.UNKNOWN, T.UNKNOWN]


def test_outcomes_are_kept_with_all_that_was_said_and_the_account_is_planned_again(world: World) -> None:
    plan_id = certified(world)
    taken = claim(world, plan_id, names="<tandem.{}@mail.example>".format).touches
    later = NOW + timedelta(seconds=5)
    with writing(world.engine) as connection:
        claims.record(
            connection,
            [
                claims.Outcome(taken[0].id, T.SENT, provider="smtp", provider_id="q-17"),
                claims.Outcome(taken[1].id, T.FAILED, reason="refused_by_server", error="550 no\nsuch user" * 40),
            ],
            later,
        )
        rows = {row.id: row for row in connection.execute(select(Touch))}
        replanned = connection.scalars(select(Account.key).where(Account.replan_at == later)).all()
    sent, failed = rows[taken[0].id], rows[taken[1].id]
    assert (sent.sent_at, sent.provider, sent.provider_id) == (later, "smtp", "q-17")
    assert sent.message_id == f"<tandem.{sent.id}@mail.example>"
    assert (failed.sent_at, failed.reason, len(failed.error)) == (None, "refused_by_server", 300)
    assert replanned == ["acme"]


def test_a_lock_that_refuses_takes_the_whole_claim_back(world: World) -> None:
    """The claim's own checks broken, the lock still holds: nothing is half-claimed."""

    plan_id = certified(world)
    with writing(world.engine) as connection:
        connection.execute(text("UPDATE certificate SET revoked_at = certified_at"))
    with pytest.raises(IntegrityError, match="no live certificate"):
        claim(world, plan_id)
    assert set(states(world).values()) == {T.CERTIFIED}
