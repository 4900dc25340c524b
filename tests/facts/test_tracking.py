"""Tracking on both databases: contact, stage and roles of accounts follow what sales did and what the CRM says."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update

from accounts.errors import NotFound
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.group import group_as_of, read_groups, read_people, set_role, write_roles
from accounts.ledger.planning.stages import lock_accounts, read_refusals, stage_as_of
from accounts.models import Account, Activity, Base, Opportunity, RoleChange, StageChange, Stakeholder
from accounts.playbook import ContactRule, CrmStages, Entry
from accounts.roles import find_role
from accounts.tracking import Facts, Judge
from accounts.vocabulary import ActivityKind, Role
from flows.tracking import Tracked, track
from tests.cast import NOW, World
from tests.plays import small_play

PLAY = small_play()
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def settled(world: World) -> World:
    """The cast after a first run, so that a test sees only what it changes."""
    track(world.engine, PLAY, NOW)
    return world


def change(world: World, table: type[Any], id: int, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(table).where(table.id == id).values(**values))


def synced(world: World, account: str, at: datetime = LATER, **values: Any) -> None:
    """The CRM said something new of the account at `at`: these values."""
    change(world, Account, world.accounts[account], synced_at=at, tracked_rules=None, **values)


def add(world: World, table: type[Any], account: str, **values: Any) -> int:
    with writing(world.engine) as connection:
        row = insert(table).values(account_id=world.accounts[account], **values).returning(table.id)
        told = update(Account).where(Account.id == world.accounts[account])
        connection.execute(told.values(synced_at=LATER, tracked_rules=None))
        return int(connection.execute(row).scalar_one())


def talk(world: World, account: str, kind: str = "call", **values: Any) -> int:
    given = {"direction": "outbound", "outcome": "connected", "occurred_at": NOW - timedelta(days=1), **values}
    given.setdefault("source_id", f"talk-{account}-{given['outcome']}-{given['occurred_at']:%d%H}")
    return add(world, Activity, account, kind=kind, **given)


def deal(world: World, account: str, stage: str, **values: Any) -> int:
    given = {"is_open": True, "is_won": False, "name": f"{account} metering", "source_id": f"deal-{account}", **values}
    return add(world, Opportunity, account, stage=stage, **given)


def row(world: World, account: str) -> Any:
    with reading(world.engine) as connection:
        query = select(*Account.__table__.c).where(Account.key == account)
        return connection.execute(query).one()


def person(world: World, name: str) -> Any:
    with reading(world.engine) as connection:
        query = select(*Stakeholder.__table__.c).where(Stakeholder.id == world.people[name])
        return connection.execute(query).one()


def count(world: World, table: type[Any]) -> int:
    with reading(world.engine) as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def everything(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


class TestPromiseOne:
    """Nobody is touched before sales has made contact: without contact no account stands beyond `target`."""

    def test_attempts_and_an_open_opportunity_leave_a_target_where_it_is(self, settled: World) -> None:
        talk(settled, "hooli", outcome="voicemail")
        talk(settled, "hooli", "email", outcome=None, source_id="mail-out")
        talk(settled, "hooli", "meeting", outcome="no-show", source_id="no-show")
        deal(settled, "hooli", "Negotiation/Review")
        found = track(settled.engine, PLAY, LATER)
        hooli = row(settled, "hooli")
        assert (hooli.stage, hooli.first_contacted_at, hooli.refused_stage) == ("target", None, "negotiation")
        assert [(move.account, move.refused) for move in found.refused] == [("hooli", "no sales contact on record yet")]

    def test_after_any_run_only_contacted_accounts_stand_beyond_target(self, settled: World) -> None:
        for account in ("hooli", "globex"):
            deal(settled, account, "Proof of Concept")
        synced(settled, "hooli", stage="evaluation")
        track(settled.engine, PLAY, LATER)
        with reading(settled.engine) as connection:
            beyond = select(Account.key).where(Account.stage != "target", Account.first_contacted_at.is_(None))
            assert connection.scalars(beyond).all() == []

    def test_a_contact_that_turns_out_to_be_none_sends_the_account_back(self, settled: World) -> None:
        call = talk(settled, "hooli")
        track(settled.engine, PLAY, LATER)
        assert row(settled, "hooli").stage == "contacted"
        change(settled, Activity, call, outcome="no answer")
        synced(settled, "hooli", LATER + timedelta(hours=1))
        found = track(settled.engine, PLAY, LATER + timedelta(hours=2))
        hooli = row(settled, "hooli")
        assert (hooli.stage, hooli.first_contacted_at, hooli.first_contact_activity_id) == ("target", None, None)
        assert found.withdrawn == ("hooli",)


class TestContact:
    def test_the_first_real_conversation_makes_a_target_contacted_and_keeps_its_evidence(self, settled: World) -> None:
        talk(settled, "hooli", outcome="no answer", occurred_at=NOW - timedelta(days=4))
        call = talk(settled, "hooli", occurred_at=NOW - timedelta(days=2))
        talk(settled, "hooli", "meeting", outcome="held", occurred_at=NOW - timedelta(days=1))
        found = track(settled.engine, PLAY, LATER)
        hooli = row(settled, "hooli")
        assert found.contacted == ("hooli",)
        assert (hooli.stage, hooli.stage_entered_at, hooli.replan_at) == ("contacted", LATER, LATER)
        assert (hooli.first_contacted_at, hooli.first_contact_activity_id) == (NOW - timedelta(days=2), call)
        assert [move.cause for move in found.moves] == ["call on 2026-11-22 (connected)"]

    def test_real_conversations_and_only_those_are_marked(self, settled: World) -> None:
        real = talk(settled, "hooli")
        tried = talk(settled, "hooli", outcome="busy")
        track(settled.engine, PLAY, LATER)
        with reading(settled.engine) as connection:
            marks = dict(connection.execute(select(Activity.id, Activity.is_contact)).tuples().all())
        assert (marks[real], marks[tried]) == (True, False)

    def test_the_meeting_on_record_becomes_the_evidence_of_an_older_contact_date(self, world: World) -> None:
        assert row(world, "globex").first_contact_activity_id is None
        track(world.engine, PLAY, NOW)
        globex = row(world, "globex")
        assert globex.first_contact_activity_id is not None
        assert globex.first_contacted_at == NOW - timedelta(days=30)

    def test_a_date_set_by_hand_without_an_activity_stays(self, settled: World) -> None:
        synced(settled, "hooli", first_contacted_at=NOW - timedelta(days=50))
        talk(settled, "hooli")
        track(settled.engine, PLAY, LATER)
        assert row(settled, "hooli").first_contacted_at == NOW - timedelta(days=50)

    def test_a_meeting_ahead_counts_when_its_time_has_come_without_another_sync(self, settled: World) -> None:
        rules = (ContactRule(kind=ActivityKind.MEETING),)
        trusting = small_play(contact=rules)
        talk(settled, "hooli", "meeting", outcome=None, occurred_at=NOW + timedelta(days=2))
        assert track(settled.engine, trusting, LATER).contacted == ()
        assert track(settled.engine, trusting, NOW + timedelta(days=3)).contacted == ("hooli",)


class TestStages:
    def test_an_opportunity_moves_the_account_and_the_move_is_on_record(self, settled: World) -> None:
        deal(settled, "globex", "negotiation / review")
        found = track(settled.engine, PLAY, LATER)
        assert [(move.account, move.from_stage, move.to_stage) for move in found.moves] == [
            ("globex", "discovery", "negotiation")
        ]
        with reading(settled.engine) as connection:
            moved = connection.execute(
                select(StageChange.from_stage, StageChange.to_stage, StageChange.at, StageChange.cause).where(
                    StageChange.account_id == settled.accounts["globex"]
                )
            ).one()
        assert moved == (
            "discovery", "negotiation", LATER, "opportunity “globex metering” is in “negotiation / review”",
        )  # fmt: skip

    def test_a_refused_move_is_reported_and_recorded_once(self, settled: World) -> None:
        deal(settled, "acme", "Qualification", source_id="another")
        change(settled, Opportunity, 1, stage="Qualification")
        found = track(settled.engine, PLAY, LATER)
        assert [(move.account, move.to_stage) for move in found.refused] == [("acme", "contacted")]
        for hours in (2, 3, 4):
            synced(settled, "acme", NOW + timedelta(hours=hours))
            assert track(settled.engine, PLAY, NOW + timedelta(hours=hours)).refused == ()
        assert count(settled, StageChange) == 1
        assert row(settled, "acme").stage == "evaluation"
        with reading(settled.engine) as connection:
            standing = read_refusals(connection, PLAY.key)
        assert [(refusal.account, refusal.since, refusal.reason) for refusal in standing] == [
            ("acme", LATER, "the play new-business allows no move from evaluation to contacted")
        ]

    def test_a_refusal_that_is_over_is_no_longer_reported_and_a_new_one_is_recorded_again(self, settled: World) -> None:
        for number, stage in enumerate(("Qualification", "Proof of Concept", "Qualification"), start=1):
            change(settled, Opportunity, 1, stage=stage)
            synced(settled, "acme", NOW + timedelta(hours=number))
            track(settled.engine, PLAY, NOW + timedelta(hours=number))
            with reading(settled.engine) as connection:
                assert len(read_refusals(connection, PLAY.key)) == (stage == "Qualification")
        assert count(settled, StageChange) == 2

    def test_a_crm_stage_nobody_mapped_is_reported_until_somebody_does(self, settled: World) -> None:
        deal(settled, "globex", "Engaging")
        assert track(settled.engine, PLAY, LATER).unknown_stages == (("Engaging", 1),)
        assert track(settled.engine, PLAY, LATER).unknown_stages == (("Engaging", 1),)
        mapped = small_play(
            stages=tuple(
                stage.model_copy(update={"crm": CrmStages(salesforce=("Engaging",))})
                if stage.key == "proposal"
                else stage
                for stage in PLAY.stages
            )
        )
        found = track(settled.engine, mapped, LATER)
        assert found.unknown_stages == ()
        assert row(settled, "globex").stage == "proposal"

    def test_the_stage_of_any_day_is_what_we_knew_that_day(self, settled: World) -> None:
        globex = settled.accounts["globex"]
        opportunity = deal(settled, "globex", "Proof of Concept")
        track(settled.engine, PLAY, NOW + timedelta(days=1))
        change(settled, Opportunity, opportunity, stage="Negotiation/Review")
        synced(settled, "globex", NOW + timedelta(days=2))
        track(settled.engine, PLAY, NOW + timedelta(days=3))
        with reading(settled.engine) as connection:
            days = [stage_as_of(connection, NOW + timedelta(days=day), [globex])[globex] for day in (0, 1, 2, 3, 9)]
            assert days == ["discovery", "evaluation", "evaluation", "negotiation", "negotiation"]
            assert stage_as_of(connection, NOW)[settled.accounts["hooli"]] == "target"
            assert len(stage_as_of(connection, NOW)) == 5

    def test_a_refusal_is_no_move_in_the_history(self, settled: World) -> None:
        change(settled, Opportunity, 1, stage="Qualification")
        synced(settled, "acme")
        track(settled.engine, PLAY, LATER)
        with reading(settled.engine) as connection:
            assert stage_as_of(connection, LATER)[settled.accounts["acme"]] == "evaluation"

    def test_won_by_close_date_alone(self, settled: World) -> None:
        change(settled, Opportunity, 1, stage="Closed Won", is_open=False, is_won=True, close_date=date(2026, 11, 24))
        synced(settled, "acme")
        assert [move.to_stage for move in track(settled.engine, PLAY, LATER).moves] == ["won"]


class TestEntry:
    def test_an_account_that_fits_enters_the_play_and_is_tracked_at_once(self, settled: World) -> None:
        synced(settled, "hooli", play=None)
        talk(settled, "hooli")
        found = track(settled.engine, PLAY, LATER)
        assert (found.entered, found.contacted) == (1, ("hooli",))
        assert row(settled, "hooli").play == PLAY.key

    def test_an_account_that_does_not_fit_stays_out_until_the_play_is_widened(self, settled: World) -> None:
        synced(settled, "hooli", play=None)
        talk(settled, "hooli")
        narrow = small_play(entry=Entry(tiers=("2",)))
        assert track(settled.engine, narrow, LATER).entered == 0
        assert (row(settled, "hooli").play, row(settled, "hooli").first_contacted_at) == (None, None)
        assert track(settled.engine, PLAY, LATER).entered == 1

    def test_an_account_of_another_play_is_left_alone(self, settled: World) -> None:
        synced(settled, "hooli", play="expansion")
        talk(settled, "hooli")
        track(settled.engine, PLAY, LATER)
        assert (row(settled, "hooli").play, row(settled, "hooli").stage) == ("expansion", "target")


class TestRoles:
    def test_the_crm_role_is_taken_with_its_evidence_and_the_change_is_on_record(self, settled: World) -> None:
        change(settled, Stakeholder, settled.people["gina"], crm_role="BUDGET_HOLDER")
        synced(settled, "globex")
        assert track(settled.engine, PLAY, LATER).roles_changed == 1
        gina = person(settled, "gina")
        assert (gina.role, gina.role_source, gina.role_evidence) == (
            "economic_buyer", "crm", "CRM role “BUDGET_HOLDER”, so economic buyer",
        )  # fmt: skip
        assert row(settled, "globex").replan_at == LATER

    def test_without_a_crm_role_the_title_decides(self, settled: World) -> None:
        nobody = {"role": "unknown", "role_source": None, "title": "Finance Director"}
        change(settled, Stakeholder, settled.people["kim"], **nobody)
        synced(settled, "hooli")
        track(settled.engine, PLAY, LATER)
        kim = person(settled, "kim")
        assert (kim.role, kim.role_source) == ("economic_buyer", "rule")
        assert kim.role_evidence.startswith("title “Finance Director”")

    def test_a_crm_role_nobody_mapped_is_reported_and_the_title_decides(self, settled: World) -> None:
        change(settled, Stakeholder, settled.people["gina"], crm_role="Gatekeeper")
        change(settled, Stakeholder, settled.people["ivan"], crm_role="gatekeeper ; Rainmaker")
        change(settled, Stakeholder, settled.people["judy"], crm_role="Other")
        for account in ("globex", "initech-north", "initech-south"):
            synced(settled, account)
        found = track(settled.engine, PLAY, LATER)
        assert found.unknown_roles == (("Gatekeeper", 1), ("gatekeeper ; Rainmaker", 1))
        assert person(settled, "gina").role_source == "rule"

    def test_a_role_set_by_hand_is_never_overwritten(self, settled: World) -> None:
        with writing(settled.engine) as connection:
            set_role(connection, settled.people["gina"], Role.BLOCKER, by="ravi@lumenflow.example", now=NOW)
        change(settled, Stakeholder, settled.people["gina"], crm_role="CHAMPION", title="CFO")
        synced(settled, "globex")
        track(settled.engine, PLAY, LATER)
        gina = person(settled, "gina")
        assert (gina.role, gina.role_source, gina.role_evidence) == (
            "blocker", "rep", "ravi@lumenflow.example said so",
        )  # fmt: skip

    def test_nothing_is_even_found_about_a_person_a_rep_has_placed(self, settled: World) -> None:
        with writing(settled.engine) as connection:
            set_role(connection, settled.people["gina"], Role.BLOCKER, by="Ravi", now=NOW)
        globex = settled.accounts["globex"]
        with reading(settled.engine) as connection:
            people = read_people(connection, [globex])[globex]
            account = lock_accounts(connection, PLAY.key, [globex])[0]
        found = Judge(PLAY).judge(Facts(account, people=[one._replace(crm_role="CHAMPION") for one in people]), NOW)
        assert settled.people["gina"] not in {one.id for one, _ in found.roles}
        assert settled.people["hank"] in {one.id for one, _ in found.roles}

    def test_a_rep_who_speaks_while_tracking_thinks_keeps_the_last_word(self, settled: World) -> None:
        globex = settled.accounts["globex"]
        with reading(settled.engine) as connection:
            gina = next(one for one in read_people(connection, [globex])[globex] if one.id == settled.people["gina"])
        with writing(settled.engine) as connection:
            set_role(connection, gina.id, Role.BLOCKER, by="Ravi", now=NOW)
            assert write_roles(connection, [(gina, find_role("DECISION_MAKER", None))], NOW) == 0
        assert person(settled, "gina").role == "blocker"
        assert count(settled, RoleChange) == 1

    def test_nobody_can_say_who_a_stranger_is(self, settled: World) -> None:
        with pytest.raises(NotFound), writing(settled.engine) as connection:
            set_role(connection, 999_999, Role.CHAMPION, by="ravi", now=NOW)

    def test_a_crm_role_whose_words_were_not_kept_stays(self, settled: World) -> None:
        """The cast's roles came from a CRM without the raw value: the title must not argue."""
        assert (person(settled, "dana").role, person(settled, "dana").title) == ("end_user", "Plant Manager")

    def test_the_group_of_any_day_is_what_we_knew_that_day(self, settled: World) -> None:
        gina, globex = settled.people["gina"], settled.accounts["globex"]
        change(settled, Stakeholder, gina, crm_role="DECISION_MAKER")
        synced(settled, "globex")
        track(settled.engine, PLAY, NOW + timedelta(days=1))
        with writing(settled.engine) as connection:
            set_role(connection, gina, Role.BLOCKER, by="Ravi", now=NOW + timedelta(days=2))
        with reading(settled.engine) as connection:
            days = [group_as_of(connection, globex, NOW + timedelta(days=day)) for day in (0, 1, 2)]
        assert [{seat.stakeholder_id: seat.role for seat in day}[gina] for day in days] == [
            Role.CHAMPION, Role.DECISION_MAKER, Role.BLOCKER,
        ]  # fmt: skip
        assert days[2][0].evidence == "Ravi said so"
        assert len(days[0]) == 2

    def test_the_group_counts_reachable_people_only(self, settled: World) -> None:
        """At Acme Dana unsubscribed and Frank never gave a basis."""
        with reading(settled.engine) as connection:
            groups = read_groups(connection, settled.accounts.values(), PLAY.group, NOW)
        acme = groups[settled.accounts["acme"]]
        assert (acme.known, acme.size, acme.most_wanted) == (6, 4, Role.END_USER)
        assert str(groups[settled.accounts["globex"]]).startswith("1 of 4 seats, 1 person reachable")

    def test_incomplete_groups_of_nurtured_accounts_are_reported_with_the_seat_to_find(self, world: World) -> None:
        found = track(world.engine, PLAY, NOW)
        assert {gap.account: gap.most_wanted for gap in found.incomplete} == {
            "acme": Role.END_USER,
            "globex": Role.ECONOMIC_BUYER,
            "initech-north": Role.ECONOMIC_BUYER,
            "initech-south": Role.ECONOMIC_BUYER,
        }
        assert found.missing_seats == ((Role.ECONOMIC_BUYER, 3), (Role.END_USER, 1))


class TestRuns:
    def test_the_same_facts_at_the_same_time_change_nothing(self, settled: World) -> None:
        talk(settled, "hooli")
        deal(settled, "globex", "Qualification")
        change(settled, Opportunity, 1, stage="Qualification")
        synced(settled, "acme")
        track(settled.engine, PLAY, LATER)
        before = everything(settled.engine)
        again = track(settled.engine, PLAY, LATER)
        assert everything(settled.engine) == before
        assert (again.moves, again.refused, again.contacted, again.roles_changed) == ((), (), (), 0)

    def test_only_accounts_that_changed_are_looked_at(self, settled: World) -> None:
        change_nothing = track(settled.engine, PLAY, LATER)
        with writing(settled.engine) as connection:  # planning has been there
            connection.execute(update(Account).values(replan_at=NOW + timedelta(days=30)))
        assert change_nothing.looked_at <= 5
        assert track(settled.engine, PLAY, LATER).looked_at == 0
        synced(settled, "globex")
        assert track(settled.engine, PLAY, LATER).looked_at == 1
        assert track(settled.engine, PLAY, LATER).looked_at == 0

    def test_a_sync_with_an_older_clock_than_the_last_run_is_still_seen(self, settled: World) -> None:
        """An import asks its clock at the door and commits minutes later, after a run of tracking."""
        with writing(settled.engine) as connection:
            connection.execute(update(Account).values(replan_at=None))
        track(settled.engine, PLAY, LATER)
        talk(settled, "hooli")
        synced(settled, "hooli", LATER - timedelta(minutes=10))
        assert track(settled.engine, PLAY, LATER).contacted == ("hooli",)

    def test_named_accounts_are_looked_at_whether_or_not_they_changed(self, settled: World) -> None:
        with writing(settled.engine) as connection:
            connection.execute(update(Account).values(replan_at=None))
        assert track(settled.engine, PLAY, LATER, accounts=[settled.accounts["acme"]]).looked_at == 1

    def test_a_run_that_is_killed_has_done_whole_shards_and_the_next_one_does_the_rest(
        self, settled: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Killed in the middle of the third account's transaction, with one account a transaction."""
        import flows.tracking as tracking

        for account in ("acme", "globex", "hooli"):
            talk(settled, account, source_id=f"call-{account}")
        deal(settled, "globex", "Proof of Concept")
        straight = tracking._perform
        calls: list[int] = []

        def killed(*given: Any) -> int:
            calls.append(1)
            done = straight(*given)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(tracking, "SHARD", 1)
        monkeypatch.setattr(tracking, "_perform", killed)
        with pytest.raises(KeyboardInterrupt):
            track(settled.engine, PLAY, LATER)
        monkeypatch.undo()
        track(settled.engine, PLAY, LATER)
        assert row(settled, "globex").stage == "evaluation"
        assert row(settled, "hooli").stage == "contacted"
        with reading(settled.engine) as connection:
            made = connection.execute(select(StageChange.account_id, StageChange.to_stage)).tuples().all()
        assert sorted(made) == sorted(set(made))

    def test_an_empty_ledger_is_tracked_without_complaint(self, database: Engine) -> None:
        assert track(database, PLAY, NOW) == Tracked()

    def test_accounts_that_came_with_a_stage_entered_it_when_we_first_saw_them(self, world: World) -> None:
        change(world, Account, world.accounts["globex"], stage_entered_at=None)
        track(world.engine, PLAY, NOW)
        assert row(world, "globex").stage_entered_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
        assert count(world, RoleChange) == 0
