"""The tick: answers stored for everybody, on both databases; written only where they changed; as of any moment."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, func, insert, select, update

from accounts.identity import domain_hash, email_hash
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning.results import Look, reprieve, skip, store
from accounts.models import (
    Account,
    Activity,
    Approval,
    Decision,
    Hold,
    RoleChange,
    StageChange,
    Stakeholder,
    Suppression,
    Touch,
    Veto,
)
from accounts.planning import Never, Said, Wait
from accounts.playbook import Approvals, Play
from accounts.tick import decide, look
from accounts.vocabulary import Answer, Reason
from tests.cast import NOW, PLAY, World, on_postgresql
from tests.plays import STEPS, small_play, step

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def decisions(world: World) -> dict[str, Any]:
    """What the ledger says of each person now."""
    names = {id: name for name, id in world.people.items()}
    with reading(world.engine) as connection:
        return {names[row.stakeholder_id]: row for row in connection.execute(select(Decision.__table__))}


def reasons(world: World) -> dict[str, str | None]:
    return {name: row.reason or row.answer for name, row in decisions(world).items()}


def replan_at(world: World, account: str) -> datetime | None:
    with reading(world.engine) as connection:
        return connection.scalar(select(Account.replan_at).where(Account.key == account))


def add(world: World, table: Any, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(insert(table).values(**values))


def change(world: World, name: str, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).where(Stakeholder.id == world.people[name]).values(**values))


def change_account(world: World, key: str, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.key == key).values(**values))


def touch(world: World, name: str, slug: str, state: str = "sent", **values: Any) -> dict[str, Any]:
    account = "acme" if name in ("alice", "bob", "charlie", "erin") else "globex"
    at = values.pop("at", NOW - 5 * DAY)
    return {
        "account_id": world.accounts[account], "stakeholder_id": world.people[name], "channel": "email", "play": PLAY,
        "play_version": "1" * 64, "stage": slug.partition("/")[0], "content": f"{PLAY}/{slug}",
        "content_digest": "d" * 64, "address": f"{name}@{account}.example", "state": state, "due_at": at,
        "sent_at": at if state == "sent" else None, "not_after": at + 10 * DAY, **values,
    }  # fmt: skip


def said_of(world: World, name: str, now: datetime, play: Play | None = None) -> Said:
    looks = look(world.engine, play or small_play(), now)
    return next(
        said
        for one in looks
        for person, said in zip(one.read.account.people, one.answers, strict=True)
        if person.id == world.people[name]
    )


def test_every_stakeholder_gets_an_answer_with_a_reason(world: World) -> None:
    decided = decide(world.engine, small_play(), NOW)
    assert reasons(world) == {
        "alice": "touch", "bob": "staggered", "charlie": "staggered", "dana": "opted_out", "erin": "staggered",
        "frank": "no_consent", "gina": "outside_window", "hank": "bounced", "ivan": "touch", "judy": "outside_window",
        "kim": "not_contacted",
    }  # fmt: skip
    assert (decided.accounts, decided.people, decided.changed, decided.new_touches) == (5, 11, 11, 2)
    assert decided.answers == {Answer.TOUCH: 2, Answer.WAIT: 5, Answer.NEVER: 4}
    assert decided.reasons[Reason.STAGGERED] == 3


@pytest.mark.parametrize("kind", [Never, Wait])
def test_no_reason_is_lost_on_its_way_into_the_ledger(world: World, kind: type) -> None:
    """Promise 4: whatever planning says of somebody is what the ledger says."""
    for reason in Reason:
        said = Never(reason) if kind is Never else Wait(reason, None)
        looks = [one for one in look(world.engine, small_play(), NOW) if one.read.account.id == world.accounts["acme"]]
        with writing(world.engine) as connection:
            store(connection, [Look(one.read, [said] * len(one.answers)) for one in looks], small_play(), NOW)
        stored = [row for row in decisions(world).values() if row.account_id == world.accounts["acme"]]
        assert [(row.answer, row.reason) for row in stored] == [(said.answer, reason)] * 6


def test_a_touch_carries_all_that_sending_needs(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    alice = decisions(world)["alice"]
    assert (alice.answer, alice.reason, alice.content) == ("touch", None, f"{PLAY}/evaluation/pilot")
    assert (alice.play, alice.stage, alice.timezone, alice.timezone_source) == (
        PLAY, "evaluation", "Europe/Berlin", "stakeholder",
    )  # fmt: skip
    assert alice.until <= NOW < alice.not_after
    assert alice.account_id == world.accounts["acme"]


def test_an_account_is_looked_at_again_when_its_first_answer_may_change(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    assert replan_at(world, "globex") == datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # nine in Chicago
    assert replan_at(world, "hooli") is None  # until sales makes contact
    assert replan_at(world, "acme") is not None
    assert replan_at(world, "acme") <= NOW  # type: ignore[operator]  # its touch has not left


def test_the_same_facts_and_the_same_clock_write_nothing(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    before = decisions(world)
    again = decide(world.engine, small_play(), NOW, only_due=False)
    assert (again.changed, again.new_touches, again.people) == (0, 0, 11)
    assert decisions(world) == before


def test_as_of_tells_since_when_an_answer_stands(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    change_account(world, "globex", replan_at=NOW)
    decide(world.engine, small_play(), NOW + HOUR, only_due=False)
    assert decisions(world)["hank"].as_of == NOW
    assert decisions(world)["bob"].as_of == NOW + HOUR


def test_a_tick_looks_only_at_what_changed_or_fell_due(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    later = decide(world.engine, small_play(), NOW + HOUR)
    assert later.accounts == 2  # acme and initech-north, whose touches have not left
    change_account(world, "hooli", replan_at=NOW + HOUR, first_contacted_at=NOW)
    assert decide(world.engine, small_play(), NOW + HOUR).accounts == 3
    assert reasons(world)["kim"] == "stage_not_nurtured"


def test_a_new_edition_of_the_play_makes_every_account_due_once(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    edition = small_play(version="2" * 64, steps=(*STEPS, step("contacted/for-energy", "champion", 2)))
    assert decide(world.engine, edition, NOW).accounts == 5
    assert decide(world.engine, edition, NOW).accounts == 2


def test_named_accounts_are_looked_at_due_or_not(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    decided = decide(world.engine, small_play(), NOW, accounts=[world.accounts["hooli"]])
    assert (decided.accounts, decided.people) == (1, 1)


def test_an_account_of_another_play_is_that_plays_business(world: World) -> None:
    change_account(world, "acme", play="winback")
    assert decide(world.engine, small_play(), NOW).accounts == 4


def test_looking_ahead_writes_nothing(world: World) -> None:
    statements: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert isinstance(said_of(world, "alice", NOW + 40 * DAY), Wait)
    assert all(statement.split()[0] in ("SELECT", "BEGIN", "SET", "SHOW") for statement in statements)
    assert decisions(world) == {}


def test_the_number_of_queries_does_not_grow_with_the_accounts(world: World) -> None:
    def queries() -> int:
        statements: list[str] = []

        def count(*args: Any) -> None:
            statements.append(args[2])

        event.listen(world.engine, "before_cursor_execute", count)
        list(look(world.engine, small_play(), NOW))
        event.remove(world.engine, "before_cursor_execute", count)
        return len(statements)

    before = queries()
    with writing(world.engine) as connection:
        more = [{"key": f"more-{n}", "name": "More", "play": PLAY, "stage": "target"} for n in range(50)]
        connection.execute(insert(Account), more)
    assert queries() == before


# What the snapshot sees.


@pytest.mark.parametrize(
    ("state", "used"),
    [
        ("sent", True), ("failed", True), ("unknown", True), ("expired", True), ("vetoed", True), ("cancelled", False),
    ],
)  # fmt: skip
def test_a_content_is_used_up_in_every_state_but_cancelled(world: World, state: str, used: bool) -> None:
    add(world, Touch, **touch(world, "erin", "evaluation/like-with-like", state))
    said = said_of(world, "erin", NOW)
    assert (said == Said_never(Reason.SEQUENCE_FINISHED)) is used


def Said_never(reason: Reason) -> Any:  # noqa: N802
    from accounts.planning import Never

    return Never(reason)


@pytest.mark.parametrize("state", ["planned", "certified"])
def test_a_touch_that_is_on_its_way_stays_the_answer(world: World, state: str) -> None:
    row = touch(world, "bob", "evaluation/three-numbers", state, at=NOW - HOUR, timezone="Europe/Berlin")
    add(world, Touch, **row)
    said = said_of(world, "bob", NOW)
    assert (said.answer, said.content) == (Answer.TOUCH, f"{PLAY}/evaluation/three-numbers")


def test_touches_count_for_the_caps_and_so_do_the_reps_mails(world: World) -> None:
    with writing(world.engine) as connection:
        connection.execute(insert(Touch).values(touch(world, "alice", "discovery/why-now", at=NOW - 2 * DAY)))
        connection.execute(insert(Activity), [rep_mail(world, "alice", NOW - 3 * DAY, "m1")])
    change_account(world, "acme", stage_entered_at=NOW - 20 * DAY)
    said = said_of(world, "alice", NOW + 2 * DAY)
    assert said == Wait(Reason.PERSON_CAP, datetime(2026, 11, 30, 8, 0, tzinfo=UTC), f"{PLAY}/evaluation/pilot")


def rep_mail(world: World, name: str, at: datetime, source_id: str) -> dict[str, Any]:
    return {
        "account_id": world.accounts["acme"], "stakeholder_id": world.people[name], "rep_id": world.reps["ravi"],
        "kind": "email", "direction": "outbound", "is_contact": False, "occurred_at": at, "source_id": source_id,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "direction", "reason", "days"),
    [("email", "inbound", "paused_after_reply", 10), ("meeting", "outbound", "paused_for_meeting", 3)],
)
def test_a_reply_or_meeting_that_sales_wrote_down_pauses_the_account(
    world: World, kind: str, direction: str, reason: str, days: int
) -> None:
    at = NOW - DAY
    add(
        world, Activity, account_id=world.accounts["acme"], kind=kind, direction=direction, is_contact=True,
        occurred_at=at, source_id="x",
    )  # fmt: skip
    assert said_of(world, "bob", NOW) == Wait(Reason(reason), at + days * DAY)
    assert said_of(world, "bob", at - HOUR).reason is not Reason(reason)


def test_a_rep_who_releases_the_account_ends_the_pause_too(world: World) -> None:
    acme = world.accounts["acme"]
    common = {"account_id": acme, "kind": "meeting", "is_contact": True, "occurred_at": NOW - DAY, "source_id": "x"}
    add(world, Activity, **common)
    hold = {"scope": "account", "account_id": acme, "cause": "rep", "by": "ravi@lumenflow.example"}
    add(world, Hold, **hold, starts_at=NOW - DAY, released_at=NOW - HOUR)
    assert said_of(world, "alice", NOW).answer is Answer.TOUCH


def test_an_attempt_of_sales_pauses_nothing(world: World) -> None:
    common = {"account_id": world.accounts["acme"], "kind": "meeting", "outcome": "no_show", "is_contact": False}
    add(world, Activity, **common, occurred_at=NOW - DAY, source_id="x")
    assert said_of(world, "alice", NOW).answer is Answer.TOUCH


def test_holds_stand_from_their_start_to_their_end_or_release(world: World) -> None:
    hold = {"scope": "account", "account_id": world.accounts["acme"], "cause": "rep", "by": "ravi@lumenflow.example"}
    add(world, Hold, **hold, starts_at=NOW, ends_at=NOW + 9 * DAY, released_at=NOW + 2 * DAY)
    assert said_of(world, "alice", NOW - HOUR).answer is Answer.TOUCH
    assert said_of(world, "alice", NOW + DAY) == Wait(Reason.ACCOUNT_HELD, NOW + 9 * DAY)
    assert said_of(world, "alice", NOW + 2 * DAY).reason is not Reason.ACCOUNT_HELD


def test_suppressed_addresses_and_domains_are_seen_from_their_day_on(world: World) -> None:
    add(world, Suppression, email_hash=email_hash("alice@acme.example"), reason="asked", at=NOW, expires_at=NOW + DAY)
    add(world, Suppression, domain_hash=domain_hash("globex.example"), reason="competitor", at=NOW)
    assert said_of(world, "alice", NOW - HOUR).answer is Answer.TOUCH
    assert said_of(world, "alice", NOW) == Wait(Reason.SUPPRESSED, NOW + DAY)
    assert said_of(world, "gina", NOW) == Said_never(Reason.SUPPRESSED)


def test_vetoes_and_approvals_are_seen(world: World) -> None:
    asks = small_play(approvals=Approvals(first_touch="rep"))
    assert said_of(world, "alice", NOW, asks) == Wait(Reason.AWAITING_APPROVAL, None)
    add(world, Approval, account_id=world.accounts["acme"], by="ravi@lumenflow.example", at=NOW)
    assert said_of(world, "alice", NOW, asks).answer is Answer.TOUCH
    add(world, Veto, stakeholder_id=world.people["alice"], content=None, by="ravi@lumenflow.example", at=NOW)
    assert said_of(world, "alice", NOW, asks) == Said_never(Reason.VETOED)


def test_a_person_in_two_accounts_is_written_to_from_the_one_a_rep_chose(world: World) -> None:
    with writing(world.engine) as connection:
        row = connection.execute(select(Stakeholder.__table__).filter_by(id=world.people["ivan"])).one()._asdict()
        row |= {"id": 999, "account_id": world.accounts["acme"], "is_home": True}
        connection.execute(insert(Stakeholder).values(row))
    assert said_of(world, "ivan", NOW) == Said_never(Reason.OWNER_CONFLICT)
    world.people["ivan at acme"] = 999
    assert said_of(world, "ivan at acme", NOW).reason is not Reason.OWNER_CONFLICT


def test_the_past_shows_the_stage_and_the_role_of_that_day(world: World) -> None:
    acme, alice = world.accounts["acme"], world.people["alice"]
    with writing(world.engine) as connection:
        moves = [("target", "discovery", 30), ("discovery", "evaluation", 14)]
        for before, after, days in moves:
            values = {"account_id": acme, "from_stage": before, "to_stage": after, "at": NOW - days * DAY}
            connection.execute(insert(StageChange).values(**values, cause="CRM"))
        values = {"account_id": acme, "stakeholder_id": alice, "from_role": "economic_buyer", "to_role": "champion"}
        connection.execute(insert(RoleChange).values(**values, source="crm", at=NOW - 10 * DAY))
    then = next(one.read.account for one in look(world.engine, small_play(), NOW - 20 * DAY))
    assert (then.key, then.stage, then.stage_entered_at) == ("acme", "discovery", NOW - 30 * DAY)
    assert {person.id: person.role for person in then.people}[alice] == "economic_buyer"
    now = next(one.read.account for one in look(world.engine, small_play(), NOW))
    assert now.stage == "evaluation"
    assert {(p.role, p.role_since) for p in now.people if p.id == alice} == {("champion", NOW - 10 * DAY)}


# Late steps.


def late_world(world: World) -> None:
    """Planning knew the contents long ago, and was silent for six weeks."""
    decide(world.engine, small_play(), NOW - 60 * DAY)
    change_account(world, "acme", stage_entered_at=NOW - 42 * DAY)
    decide(world.engine, small_play(), NOW, only_due=False)


def test_late_steps_go_to_a_list_and_not_out(world: World) -> None:
    late_world(world)
    late = {name for name, reason in reasons(world).items() if reason == "late_step"} - {"gina", "ivan", "judy"}
    assert late == {"alice", "bob", "charlie", "erin"}
    assert {decisions(world)[name].content.rpartition("/")[2] for name in late} == {
        "pilot", "three-numbers", "security-pack", "like-with-like",
    }  # fmt: skip


def test_a_late_step_stays_on_the_list_when_reps_fill_the_week_and_it_ends(world: World) -> None:
    late_world(world)
    notes = [
        {"account_id": world.accounts["acme"], "kind": "email", "direction": "outbound", "source_id": f"note-{number}",
         "occurred_at": NOW + number * HOUR}
        for number in range(1, 6)
    ]  # fmt: skip
    with writing(world.engine) as connection:
        connection.execute(insert(Activity), notes)
    a_week_later = NOW + 7 * DAY + 2 * HOUR
    change_account(world, "acme", synced_at=a_week_later)
    decide(world.engine, small_play(), a_week_later, only_due=False)
    assert {reasons(world)[name] for name in ("alice", "bob", "charlie", "erin")} == {"late_step"}


def test_a_late_step_may_be_let_go_and_one_may_be_left_out(world: World) -> None:
    late_world(world)
    with writing(world.engine) as connection:
        reprieve(connection, [(world.people["alice"], f"{PLAY}/evaluation/pilot")], by="mia", at=NOW)
        skip(connection, [(world.people["erin"], f"{PLAY}/evaluation/like-with-like")], by="mia", at=NOW)
    assert replan_at(world, "acme") == NOW
    decide(world.engine, small_play(), NOW)
    assert reasons(world) | {"alice": "touch", "erin": "vetoed", "bob": "late_step"} == reasons(world)


# What may go wrong.


@on_postgresql
def test_a_mark_set_while_the_tick_runs_is_not_lost(world: World) -> None:
    """Whoever changes a fact marks the account; the tick may only clear marks it has seen."""
    decide(world.engine, small_play(), NOW)
    from accounts.ledger.planning import results

    with world.engine.connect() as other, world.engine.begin() as connection:
        results.lock(connection, [world.accounts["hooli"]])
        other.exec_driver_sql("SET lock_timeout = '200ms'")
        marked = update(Account).where(Account.key == "hooli").values(replan_at=NOW)
        with pytest.raises(Exception, match="lock timeout"):
            other.execute(marked)


def test_people_who_are_gone_leave_no_trace_in_the_next_tick(world: World) -> None:
    decide(world.engine, small_play(), NOW)
    with writing(world.engine) as connection:
        connection.execute(delete(Decision).where(Decision.stakeholder_id == world.people["hank"]))
        connection.execute(delete(Stakeholder).where(Stakeholder.id == world.people["hank"]))
    decide(world.engine, small_play(), NOW, only_due=False)
    assert "hank" not in decisions(world)


def test_killed_between_two_shards_it_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import tick

    monkeypatch.setattr(tick, "SHARD", 2)
    stored: list[int] = []
    real = tick.store

    def killed(*args: Any) -> int:
        if len(stored) == 1:
            raise KeyboardInterrupt
        stored.append(real(*args))
        return stored[-1]

    monkeypatch.setattr(tick, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        decide(world.engine, small_play(), NOW)
    assert len(decisions(world)) == stored[0] > 0
    monkeypatch.setattr(tick, "store", real)
    decide(world.engine, small_play(), NOW)
    assert len(decisions(world)) == len(world.people)


def test_content_that_expires_and_dates_survive_the_way_through_the_ledger(world: World) -> None:
    old = tuple(one.model_copy(update={"expires": date(2026, 11, 1)}) for one in STEPS)
    decide(world.engine, small_play(steps=old), NOW)
    erin = decisions(world)["erin"]
    assert (erin.answer, erin.reason, erin.content) == (
        "never", "content_expired", f"{PLAY}/evaluation/like-with-like",
    )  # fmt: skip
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Decision)) == len(world.people)
