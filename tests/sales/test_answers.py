"""A rep answers, from wherever: it takes effect in that moment, is kept with what changed, is told in plain words."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from accounts.answers import ANSWERS, AnswerKind, Limits, Via
from accounts.errors import InputRefused, Refused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.objections import open_objections
from accounts.ledger.reps.answers import answers_since
from accounts.models import Account, Approval, Hold, Rep, Stakeholder, Touch
from accounts.tick import decide
from accounts.vocabulary import Role
from flows.sales import answers
from flows.sales.deeds import DEEDS
from tests.cast import NOW, World
from tests.sales.desk import NUMBERS, PILOT, PLAY_IN_USE, audited, decided, kept, on_sqlite, say, touches
from tests.sending.desk import certified, claim, touch_of

DAY = timedelta(days=1)
DECEMBER = datetime(2026, 12, 2, 23, 0, tzinfo=UTC)  # midnight in Berlin, where Ravi is
RAVI = "ravi@lumenflow.example"


def change(world: World, table: Any, where: Any, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(table).where(where).values(**values))


def test_every_answer_does_something_and_stands_in_the_table() -> None:
    assert set(ANSWERS) == set(DEEDS) == set(AnswerKind)


def test_a_hold_takes_planned_mail_back_and_planning_knows_at_once(world: World) -> None:
    certified(world)
    told = say(world, "hold", until=DECEMBER, words="board first")
    assert told.is_new
    assert told.sentence == ("No mail and no ads to Acme Works until 3 December. Two planned mails were taken back.")
    assert touches(world, "alice") == [(PILOT, "cancelled", "account_held")]
    assert decided(world, "alice") == ("wait", "account_held")
    assert touches(world, "ivan")[0][1] == "certified"
    assert audited(world) == [(RAVI, "hold", "account:acme")]


@on_sqlite
def test_saying_the_same_thing_twice_changes_nothing_the_second_time(world: World) -> None:
    first = say(world, "hold", until=DECEMBER)
    again = say(world, "hold", until=DECEMBER, now=NOW + timedelta(minutes=5))
    assert (first.is_new, again.is_new) == (True, False)
    assert len(kept(world)) == 1


@on_sqlite
def test_a_release_lets_mail_go_on_and_says_when_there_was_nothing_to_release(world: World) -> None:
    say(world, "hold")
    told = say(world, "release", now=NOW + timedelta(hours=1))
    assert told.sentence == "Acme Works is released (one hold): mail goes on."
    assert decided(world, "alice")[0] == "touch"
    assert say(world, "release", now=NOW + timedelta(hours=2)).sentence == "Acme Works was not held."


def test_a_veto_of_one_planned_mail_leaves_the_colleagues_theirs(world: World) -> None:
    certified(world)
    told = say(world, "veto", person="bob", touch_id=touch_of(world, "bob"))
    assert (
        told.sentence == "“About evaluation/three-numbers” will not reach Bob Example. One planned mail was taken back."
    )
    assert touches(world, "bob") == [(NUMBERS, "cancelled", "vetoed")]
    assert touches(world, "alice")[0][1] == "certified"
    back = say(world, "unveto", person="bob", touch_id=touch_of(world, "bob"), now=NOW + timedelta(hours=1))
    assert back.is_new
    assert decided(world, "bob")[1] != "vetoed"


@pytest.mark.parametrize(("kind", "more"), [("veto", {}), ("delay", {"until": DECEMBER})])
def test_what_has_left_cannot_be_stopped_and_that_is_said_kindly(world: World, kind: str, more: dict[str, Any]) -> None:
    assert claim(world, certified(world)).touches
    mail = touch_of(world, "bob")
    change(world, Touch, Touch.id == mail, state="sent", sent_at=NOW)
    told = say(world, kind, person="bob", touch_id=mail, now=NOW + timedelta(hours=2), **more)
    assert not told.is_new
    assert told.could_not == "That mail to Bob Example left on Tuesday at 11:00; nothing to stop."
    assert kept(world) == []
    assert audited(world)[-1][1:] == ("too-late", f"stakeholder:{world.people['bob']}")


def test_a_delay_makes_one_mail_wait_and_says_what_it_misses(world: World) -> None:
    certified(world)
    told = say(world, "delay", person="bob", touch_id=touch_of(world, "bob"), until=DECEMBER)
    assert told.sentence == (
        "“About evaluation/three-numbers” waits for Bob Example until 3 December. "
        "It was to leave by 29 November, 11:00 at the latest; it leaves later now, as you asked. "
        "One planned mail was taken back."
    )
    assert decided(world, "bob") == ("wait", "delayed_by_rep")
    after_its_text = say(world, "delay", person="bob", content=NUMBERS, until=datetime(2028, 3, 1, tzinfo=UTC))
    assert after_its_text.could_not.startswith("Its text expires on 31 December 2027")


@pytest.mark.parametrize("days", [1, 20], ids=["in its time", "when it would have been late"])
def test_a_delay_that_is_taken_back_lets_the_mail_go_and_it_was_not_late_meanwhile(world: World, days: int) -> None:
    certified(world)
    mail, later = {"person": "bob", "content": NUMBERS}, NOW + timedelta(days=days)
    with writing(world.engine) as connection:
        connection.execute(update(Account).values(synced_at=later))
    say(world, "delay", until=NOW + timedelta(days=40), **mail)
    told = say(world, "undelay", now=later, **mail)
    assert told.is_new
    assert told.sentence == (
        "“About evaluation/three-numbers” waits for Bob Example no longer; it leaves when the plan has a place for it."
    )
    assert decided(world, "bob") == ("wait", "staggered"), "as soon as colleagues leave it a turn"
    again = say(world, "undelay", now=later, **mail)
    assert (again.sentence, again.is_new) == (
        "Nobody had asked “About evaluation/three-numbers” to wait for Bob Example.",
        False,
    )
    assert [action for _, action, _ in audited(world)] == ["delay", "delay-withdrawn"]


@on_sqlite
def test_an_approval_lets_the_first_mail_go(world: World) -> None:
    assert say(world, "approve").is_new
    assert not say(world, "approve").is_new
    with reading(world.engine) as connection:
        assert list(connection.scalars(select(Approval.by))) == [RAVI]


def test_bad_timing_leaves_them_alone_until_that_day_where_the_rep_is(world: World) -> None:
    told = say(world, "bad_timing", until=DECEMBER, day=date(2026, 12, 3))
    assert told.sentence == "Acme Works is left alone until 3 December."
    with reading(world.engine) as connection:
        assert connection.scalar(select(Hold.ends_at)) == DECEMBER


def test_a_wrong_person_gets_no_more_mail_and_colleagues_go_on(world: World) -> None:
    certified(world)
    told = say(world, "wrong_person", person="bob")
    assert told.sentence == "No more mail to Bob Example; colleagues go on. One planned mail was taken back."
    assert decided(world, "bob") == ("never", "vetoed")


@on_sqlite
def test_a_verdict_said_again_after_it_was_taken_back_counts_again(world: World) -> None:
    say(world, "wrong_person", person="bob")
    say(world, "unveto", person="bob", now=NOW + timedelta(hours=1))
    assert say(world, "wrong_person", person="bob", now=NOW + timedelta(hours=2)).is_new
    assert not say(world, "wrong_person", person="bob", now=NOW + timedelta(hours=3)).is_new
    assert decided(world, "bob") == ("never", "vetoed")


@on_sqlite
@pytest.mark.parametrize("verdict", ["ripe", "not_yet"])
def test_a_verdict_is_kept_once_a_day(world: World, verdict: str) -> None:
    assert [say(world, verdict, person="bob").is_new for _ in range(2)] == [True, False]


def test_a_seat_goes_to_one_of_the_group_and_their_mail_for_another_role_is_taken_back(world: World) -> None:
    certified(world)
    told = say(world, "seat", person="alice", role=Role.ECONOMIC_BUYER)
    assert told.sentence == (
        "Alice Example is the economic buyer of Acme Works; nothing else changes that. One planned mail was taken back."
    )
    assert touches(world, "alice") == [(PILOT, "cancelled", "role_changed")]
    assert not say(world, "seat", person="alice", role=Role.ECONOMIC_BUYER).is_new


def test_a_seat_goes_to_somebody_new_whom_nobody_writes_to_yet(world: World) -> None:
    new: dict[str, Any] = {"role": Role.EXECUTIVE_SPONSOR, "name": "Zoe van der Lin", "email": "Zoe@acme.example"}
    told = say(world, "seat", **new)
    assert "Zoe van der Lin is the executive sponsor" in told.sentence
    assert "Nobody writes to them before a basis for it is known" in told.sentence
    assert not say(world, "seat", **new).is_new
    with reading(world.engine) as connection:
        zoe = connection.execute(select(Stakeholder.__table__).where(Stakeholder.email == "zoe@acme.example")).one()
    assert (zoe.first_name, zoe.last_name, zoe.consent_basis) == ("Zoe", "van der Lin", None)
    assert (zoe.role, zoe.role_source) == ("executive_sponsor", "rep")
    world.people["zoe"] = zoe.id
    assert decided(world, "zoe") == ("never", "no_consent")
    assert kept(world)[0].stakeholder_id == zoe.id


@on_sqlite
def test_somebody_new_without_a_role_is_added_and_known_ones_are_not_added_again(world: World) -> None:
    assert say(world, "add_person", name="Zoe Lin", email="zoe@acme.example").is_new
    assert say(world, "add_person", email="bob@acme.example").sentence == "Bob Example stands in Acme Works already."


@on_sqlite
def test_a_correction_says_what_it_corrected(world: World) -> None:
    told = say(world, "correct_person", person="bob", name="Robert Example", title="CFO", email="robert@acme.example")
    assert told.sentence == "Corrected for Bob Example: email, name, title."
    again = say(world, "correct_person", person="bob", name="Robert Example", title="CFO")
    assert not again.is_new
    with pytest.raises(Refused, match="in this account already"):
        say(world, "correct_person", person="bob", email="alice@acme.example")


def test_somebody_who_has_left_gets_nothing_any_more(world: World) -> None:
    certified(world)
    assert say(world, "correct_person", person="bob", gone=True).sentence == (
        "Bob Example has left Acme Works; nobody writes to them any more. One planned mail was taken back."
    )
    assert decided(world, "bob") == ("never", "left")


@on_sqlite
def test_a_complaint_stays_one_whatever_is_corrected(world: World) -> None:
    change(world, Stakeholder, Stakeholder.id == world.people["bob"], email_status="complained")
    say(world, "correct_person", person="bob", gone=True, email="robert@acme.example")
    with reading(world.engine) as connection:
        bob = connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == world.people["bob"])).one()
    assert (bob.email, bob.email_status) == ("robert@acme.example", "complained")


@on_sqlite
def test_a_new_address_is_no_way_round_a_no(world: World) -> None:
    from accounts.identity import email_hash
    from accounts.ledger.suppressions import suppress

    with writing(world.engine) as connection:
        suppress(connection, [(email_hash("dana@acme.example"), "asked", NOW)])
    with pytest.raises(Refused, match="nobody may write to this person"):
        say(world, "correct_person", person="dana", email="dana.new@acme.example")


def test_objections_and_topics_stay_until_they_are_closed(world: World) -> None:
    told = say(world, "objection", person="bob", words="  too   expensive ")
    say(world, "topic", words="heat pumps")
    assert not say(world, "objection", person="bob", words="too expensive").is_new
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        heard = open_objections(connection, [acme])[acme]
    assert [(one.kind, one.words, one.stakeholder_id) for one in heard] == [
        ("objection", "too expensive", world.people["bob"]), ("topic", "heat pumps", None),
    ]  # fmt: skip
    assert (
        told.sentence == f"Noted as objection {heard[0].id} of Bob Example; it stays in your briefs until it is closed."
    )
    assert say(world, "close_objection", objection_id=heard[0].id).is_new
    assert not say(world, "close_objection", objection_id=heard[0].id).is_new
    with pytest.raises(InputRefused, match="Globex has no objection"):
        say(world, "close_objection", "globex", objection_id=heard[1].id)


@on_sqlite
def test_a_wrong_line_is_kept_with_what_is_wrong_about_it(world: World) -> None:
    assert say(world, "wrong_line", line=3, words="she never came").is_new
    assert not say(world, "wrong_line", line=3, words="she never came").is_new
    assert [(row.about, row.detail["words"]) for row in kept(world)] == [("line:3", "she never came")]


@on_sqlite
def test_free_text_never_reaches_the_audit(world: World) -> None:
    secret = "Bob drinks"
    for kind, more in (
        ("hold", {}), ("veto", {"person": "bob"}), ("objection", {}), ("wrong_line", {"line": 1}), ("ripe", {}),
    ):  # fmt: skip
        say(world, kind, words=secret, **more)
    say(world, "release", by=None, signed="mia", via=Via.CLI, override=secret)
    with reading(world.engine) as connection:
        assert not any(secret in str(row) for row in read_audit(connection))


def test_two_reps_answer_at_once_the_last_word_counts_and_is_told_of_the_first(world: World) -> None:
    change(world, Rep, Rep.id == world.reps["ravi"], manager_email="sofia@lumenflow.example")
    say(world, "hold", until=DECEMBER)
    told = say(world, "release", by="sofia", now=NOW + timedelta(minutes=1))
    assert told.instead_of == (
        "This replaces what Ravi Menon said on Tuesday at 05:00: No mail and no ads to Acme Works until 3 December."
    )
    assert [(row.by, row.kind) for row in kept(world)] == [(RAVI, "hold"), ("sofia@lumenflow.example", "release")]


def test_the_next_brief_can_say_what_changed_because_of_an_answer(world: World) -> None:
    certified(world)
    say(world, "hold", until=DECEMBER)
    say(world, "ripe", "globex", now=NOW + DAY)
    acme, globex = world.accounts["acme"], world.accounts["globex"]
    with reading(world.engine) as connection:
        given = answers_since(connection, NOW - DAY, NOW + DAY, reps=[world.reps["ravi"]])
        assert answers_since(connection, NOW, NOW + DAY, accounts=[acme]) == {}
    assert set(given) == {acme, globex}
    hold = given[acme][0]
    assert (hold.kind, hold.by, hold.override) == ("hold", "Ravi Menon", None)
    assert hold.sentence.endswith("Two planned mails were taken back.")
    assert hold.detail["until"] == DECEMBER.isoformat()


def test_an_account_of_another_rep_is_not_answered_for_and_that_is_written_down(world: World) -> None:
    with pytest.raises(Refused, match="not yours"):
        say(world, "hold", by="sofia")
    assert kept(world) == []
    assert audited(world) == [("sofia@lumenflow.example", "answer-refused", "account:acme")]


@on_sqlite
def test_ids_of_another_account_are_refused(world: World) -> None:
    certified(world)
    for more in ({"person": "ivan"}, {"touch_id": touch_of(world, "ivan")}):
        with pytest.raises(InputRefused):
            say(world, "veto", **more)
    with pytest.raises(InputRefused, match="people"):
        say(world, "limits", limits=Limits(people=(world.people["ivan"],)))


@pytest.mark.parametrize(
    ("values", "who"),
    [
        ({"away_from": NOW - DAY, "away_until": NOW + DAY, "backup_id": "sofia"}, "sofia"),
        ({"manager_email": "sofia@lumenflow.example"}, "sofia"),
        ({}, "ravi"),
    ],
    ids=["the backup of an owner who is away", "the manager", "the owner"],
)
def test_who_speaks_for_an_account(world: World, values: dict[str, Any], who: str) -> None:
    if "backup_id" in values:
        values = values | {"backup_id": world.reps["sofia"]}
    change(world, Rep, Rep.id == world.reps["ravi"], **(values or {"manager_email": None}))
    with reading(world.engine) as connection:
        assert answers.may(connection, world.reps[who], world.accounts["acme"], NOW)


@on_sqlite
def test_a_backup_answers_only_while_the_owner_is_away(world: World) -> None:
    away = {"away_from": NOW - 2 * DAY, "away_until": NOW - DAY, "backup_id": world.reps["sofia"]}
    change(world, Rep, Rep.id == world.reps["ravi"], **away)
    with reading(world.engine) as connection:
        assert not answers.may(connection, world.reps["sofia"], world.accounts["acme"], NOW)


@on_sqlite
def test_the_backup_of_a_backup_answers_while_both_others_are_away_as_their_briefs_go_there(world: World) -> None:
    away = {"timezone": "Europe/Berlin", "away_from": NOW - DAY, "away_until": NOW + DAY}
    with writing(world.engine) as connection:
        row = insert(Rep).values(email="kai@lumenflow.example", name="Kai Lind", backup_id=world.reps["sofia"])
        kai = connection.execute(row.returning(Rep.id)).scalar_one()
    change(world, Rep, Rep.id == world.reps["ravi"], **away, backup_id=kai)
    with reading(world.engine) as connection:
        assert not answers.may(connection, world.reps["sofia"], world.accounts["acme"], NOW)
    change(world, Rep, Rep.id == kai, **away)
    with reading(world.engine) as connection:
        assert answers.may(connection, world.reps["sofia"], world.accounts["acme"], NOW)
        assert not answers.may(connection, world.reps["sofia"], world.accounts["acme"], NOW + DAY)


def test_a_marketer_lifts_a_reps_hold_only_with_name_and_reason_and_the_rep_hears_of_it(world: World) -> None:
    say(world, "hold")
    later = NOW + timedelta(hours=1)
    with pytest.raises(Refused, match="mia does not speak for Acme Works"):
        say(world, "release", by=None, signed="mia", via=Via.CLI, now=later)
    say(world, "release", by=None, signed="mia", via=Via.CLI, now=later, override="they called us")
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        (given,) = answers_since(connection, NOW, later, accounts=[acme])[acme]
        assert (given.by, given.override) == ("mia", "they called us")
        assert given.sentence.endswith("mail goes on. The reason given: “they called us”.")
        assert read_audit(connection, limit=1)[0].after["override"] is True


@on_sqlite
@pytest.mark.parametrize("kind", ["hold", "delay", "bad_timing"])
@pytest.mark.parametrize("until", [NOW, datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_day_that_is_over_or_beyond_all_plans_is_refused(world: World, kind: str, until: datetime) -> None:
    with pytest.raises(InputRefused, match=r"over|too far"):
        say(world, kind, person="bob", content=NUMBERS, until=until, day=until.date())
    assert kept(world) == []


@on_sqlite
def test_a_marketer_releases_what_marketing_holds(world: World) -> None:
    answers.hold(world.engine, "acme", by="mia", now=NOW)
    assert answers.release(world.engine, "acme", by="tom", now=NOW + timedelta(hours=1)).rows


@on_sqlite
@pytest.mark.parametrize("kind", ["unveto", "approve", "give_back", "limits"])
def test_other_noes_of_a_rep_are_lifted_with_a_reason_only(world: World, kind: str) -> None:
    say(world, "veto", person="bob")
    say(world, "limits", limits=Limits(ads=False))
    more: dict[str, Any] = {"limits": Limits(ads=True)} if kind == "limits" else {}
    person = "bob" if kind == "unveto" else None
    with pytest.raises(Refused, match="does not speak for Acme Works"):
        say(world, kind, person=person, by=None, signed="mia", via=Via.CLI, **more)
    assert say(world, kind, person=person, by=None, signed="mia", via=Via.CLI, override="asked twice", **more).is_new


def test_a_person_in_two_accounts_belongs_to_the_one_a_rep_claims_them_for(world: World) -> None:
    with writing(world.engine) as connection:
        bob = connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == world.people["bob"])).one()
        again = {**bob._mapping, "account_id": world.accounts["initech-south"], "owner_conflict": True}
        del again["id"]
        row = insert(Stakeholder).values(**again)
        world.people["bob-south"] = connection.execute(row.returning(Stakeholder.id)).scalar_one()
        connection.execute(update(Stakeholder).where(Stakeholder.id == bob.id).values(owner_conflict=True))
    told = say(world, "claim", person="bob")
    assert told.sentence == "Bob Example belongs to Acme Works from now on; Initech South writes to them no more."
    assert decided(world, "bob")[1] != "owner_conflict"
    south = world.accounts["initech-south"]
    with reading(world.engine) as connection:
        (heard,) = answers_since(connection, NOW - DAY, NOW, accounts=[south])[south]
    assert heard.by == "Ravi Menon"
    back = say(world, "claim", "initech-south", "bob-south", by="sofia", now=NOW + timedelta(hours=1))
    assert back.instead_of.startswith(
        "This replaces what Ravi Menon said on Tuesday at 05:00: Bob Example belongs to Acme"
    )
    decide(world.engine, PLAY_IN_USE, NOW + timedelta(hours=1), accounts=[world.accounts["acme"]])
    assert decided(world, "bob") == ("never", "owner_conflict")


@on_sqlite
def test_a_day_that_is_over_is_refused_on_the_reps_own_calendar(world: World) -> None:
    """Midnight in Berlin is still the day before by UTC."""
    with pytest.raises(InputRefused, match="24 November is over"):
        say(world, "hold", until=datetime(2026, 11, 23, 23, 0, tzinfo=UTC))
    assert kept(world) == []
