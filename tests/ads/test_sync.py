"""Audience sync on both databases: the ledger stands between what is wanted and what a platform has."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, func, insert, select, update

from accounts.audiences import AudienceKey, member_of
from accounts.errors import ContentRefused, NotSent
from accounts.ledger.engine import create_tables, open_ledger, reading, writing
from accounts.models import Account, AudienceMember, Base, Brake, Hold, Stakeholder, Suppression, Veto
from accounts.playbook import AdPlatform, Ads
from accounts.vocabulary import MemberState, Reason
from flows.audience_sync import AudiencesSynced, look_at_audiences, sync_audiences
from flows.channels.ads import Member
from flows.channels.ads.file import FileAds
from flows.channels.ads.memory import MemoryAds
from flows.cli.audiences import audiences
from flows.settings import Settings
from tests.cast import NOW, World, address_of, build_world
from tests.plays import small_play

PLAY = small_play(
    ads=Ads(
        platforms=(
            AdPlatform(platform="linkedin", kinds=("people", "companies"), minimum_size=3),
            AdPlatform(platform="google", kinds=("people",), minimum_size=100),
        )
    )
)
SETTINGS = Settings(ads="memory")
EVALUATION = AudienceKey("linkedin", PLAY.key, "evaluation", "people")
DISCOVERY = AudienceKey("linkedin", PLAY.key, "discovery", "people")
COMPANIES = AudienceKey("linkedin", PLAY.key, "evaluation", "companies")


@pytest.fixture
def consenting(world: World) -> World:
    """Everybody in the cast agreed to ads, Hooli's people too; Dana has opted out, Hank bounced."""
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(ads_consent_basis="consent", ads_consent_at=NOW))
    return world


def change(world: World, table: type[Any], id: int, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(table).where(table.id == id).values(**values))


def add(world: World, table: type[Any], **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(insert(table).values(**values))


def sync(world: World, channel: MemoryAds, now: datetime = NOW, play: Any = PLAY) -> AudiencesSynced:
    return sync_audiences(world.engine, SETTINGS, play, now, channel=channel)


def people(*names: str, account: str = "acme") -> set[str]:
    return {str(member_of("linkedin", address_of(name, account))) for name in names}


def states(world: World) -> dict[str, int]:
    with reading(world.engine) as connection:
        query = select(AudienceMember.state, func.count()).group_by(AudienceMember.state)
        return dict(connection.execute(query).tuples().all())


def everything(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


class Broken(MemoryAds):
    """A platform that says no to some calls."""

    def __init__(self, action: str, *, after: int = 0) -> None:
        super().__init__()
        self.action, self.after, self.batch = action, after, 1

    def _maybe(self, action: str) -> None:
        if action == self.action and sum(call[0] == action for call in self.calls) >= self.after:
            raise NotSent("the platform is closed for repairs", permanent=False)

    def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        self._maybe("add")
        return super().add(audience, members, now)

    def remove(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        self._maybe("remove")
        return super().remove(audience, members, now)


class TestPromiseOne:
    """No ad before sales has made contact, neither to people nor to companies."""

    def test_accounts_without_contact_are_in_no_audience_whatever_their_stage_says(self, consenting: World) -> None:
        change(consenting, Account, consenting.accounts["hooli"], stage="evaluation")
        channel = MemoryAds()
        found = sync(consenting, channel)
        assert channel.audiences[EVALUATION] == people("alice", "bob", "charlie", "erin", "frank")
        assert "hooli.example" not in channel.audiences[COMPANIES]
        assert dict(found.excluded)[Reason.NOT_CONTACTED] >= 2

    def test_a_target_is_in_no_audience(self, consenting: World) -> None:
        channel = MemoryAds()
        sync(consenting, channel)
        everybody = set().union(*channel.audiences.values())
        assert everybody.isdisjoint(people("kim", account="hooli") | {"hooli.example"})

    def test_a_company_one_division_of_which_is_a_target_sees_no_ads(self, consenting: World) -> None:
        change(consenting, Account, consenting.accounts["initech-south"], stage="target", first_contacted_at=None)
        channel = MemoryAds()
        sync(consenting, channel)
        companies = set().union(*(found for key, found in channel.audiences.items() if key.kind == "companies"))
        assert companies == {"acme.example", "globex.example"}


class TestConsent:
    def test_a_basis_for_e_mail_is_none_for_ads(self, world: World) -> None:
        """In the cast everybody but Frank may be written to; nobody agreed to ads."""
        channel = MemoryAds()
        found = sync(world, channel)
        assert not any(members for key, members in channel.audiences.items() if key.kind == "people")
        assert dict(found.excluded) == {Reason.NO_CONSENT: 8, Reason.OPTED_OUT: 1, Reason.BOUNCED: 1}

    def test_consent_for_ads_alone_is_enough_for_ads(self, consenting: World) -> None:
        """Frank gave no basis for e-mail."""
        channel = MemoryAds()
        sync(consenting, channel)
        assert people("frank") <= channel.audiences[EVALUATION]

    @pytest.mark.parametrize(
        ("table", "values"),
        [
            (Stakeholder, {"opted_out_at": NOW}),
            (Stakeholder, {"ads_consent_basis": None}),
            (Stakeholder, {"email_status": "left"}),
            (Hold, {"scope": "account", "cause": "rep"}),
            (Hold, {"scope": "stakeholder", "cause": "reply"}),
            (Veto, {"content": None}),
            (Suppression, {"reason": "unsubscribed", "email": "alice@acme.example"}),
            (Suppression, {"reason": "competitor", "domain": "acme.example"}),
            (Brake, {"scope": "account", "target": "acme"}),
            (Brake, {"scope": "rep", "target": "ravi@lumenflow.example"}),
        ],
    )
    def test_every_no_said_later_takes_alice_out_again(
        self, consenting: World, table: type[Any], values: dict[str, Any]
    ) -> None:
        channel = MemoryAds()
        sync(consenting, channel)
        assert people("alice") <= channel.audiences[EVALUATION]
        _say_no(consenting, table, values)
        found = sync(consenting, channel, NOW + timedelta(hours=1))
        assert people("alice").isdisjoint(channel.audiences[EVALUATION])
        assert found.removed >= 1

    def test_a_hold_that_is_over_or_lies_ahead_holds_nobody(self, consenting: World) -> None:
        over = {"starts_at": NOW - timedelta(days=9), "ends_at": NOW}
        for times in (over, {"starts_at": NOW + timedelta(days=1), "ends_at": None}):
            id = consenting.accounts["acme"]
            add(consenting, Hold, scope="account", account_id=id, cause="rep", by="ravi", **times)
        channel = MemoryAds()
        sync(consenting, channel)
        assert people("alice") <= channel.audiences[EVALUATION]

    def test_a_person_in_two_accounts_sees_the_ads_of_the_one_that_was_decided_for(self, consenting: World) -> None:
        alice = {"email": "alice@acme.example", "ads_consent_basis": "consent", "is_home": True}
        with reading(consenting.engine) as connection:
            hashed = connection.scalar(select(Stakeholder.email_hash).filter_by(id=consenting.people["alice"]))
        add(consenting, Stakeholder, account_id=consenting.accounts["globex"], email_hash=hashed, **alice)
        channel = MemoryAds()
        sync(consenting, channel)
        assert people("alice") <= channel.audiences[DISCOVERY]
        assert people("alice").isdisjoint(channel.audiences[EVALUATION])


def _say_no(world: World, table: type[Any], values: dict[str, Any]) -> None:
    from accounts.identity import domain_hash, email_hash

    alice, acme = world.people["alice"], world.accounts["acme"]
    if table is Stakeholder:
        change(world, Stakeholder, alice, **values)
    elif table is Hold:
        person = alice if values["scope"] == "stakeholder" else None
        add(world, Hold, account_id=acme, stakeholder_id=person, by="ravi", starts_at=NOW, **values)
    elif table is Veto:
        add(world, Veto, stakeholder_id=alice, by="ravi", at=NOW, **values)
    elif table is Suppression:
        hashes = {
            "email_hash": email_hash(values["email"]) if "email" in values else None,
            "domain_hash": domain_hash(values["domain"]) if "domain" in values else None,
        }
        add(world, Suppression, reason=values["reason"], at=NOW, **hashes)
    else:
        add(world, table, by="ravi", at=NOW, **values)


class TestLedger:
    def test_what_a_platform_took_is_confirmed_and_what_left_is_remembered_as_removed(self, consenting: World) -> None:
        channel = MemoryAds()
        first = sync(consenting, channel)
        assert (first.added, first.removed) == (sum(states(consenting).values()), 0)
        assert set(states(consenting)) == {MemberState.ADDED}
        change(consenting, Stakeholder, consenting.people["alice"], opted_out_at=NOW)
        second = sync(consenting, channel, NOW + timedelta(hours=1))
        assert (second.added, second.removed) == (0, 2)
        assert states(consenting) == {MemberState.ADDED: first.added - 2, MemberState.REMOVED: 2}

    def test_running_twice_tells_the_platform_nothing_and_changes_nothing(self, consenting: World) -> None:
        sync(consenting, MemoryAds())
        before = everything(consenting.engine)
        again = MemoryAds()
        found = sync(consenting, again, NOW + timedelta(minutes=5))
        assert (again.calls, found.added, found.removed, found.failures) == ([], 0, 0, ())
        assert everything(consenting.engine) == before

    def test_an_account_that_moves_on_leaves_one_audience_before_it_enters_the_next(self, consenting: World) -> None:
        channel = MemoryAds()
        sync(consenting, channel)
        channel.calls.clear()
        change(consenting, Account, consenting.accounts["acme"], stage="discovery")
        change(consenting, Account, consenting.accounts["globex"], stage="evaluation")
        sync(consenting, channel, NOW + timedelta(hours=1))
        assert people("alice") <= channel.audiences[DISCOVERY]
        assert channel.audiences[EVALUATION] == people("gina", account="globex")
        actions = [action for action, _, _ in channel.calls]
        assert actions == sorted(actions, reverse=True), "removals come before additions, over all audiences"

    def test_who_comes_back_is_added_again(self, consenting: World) -> None:
        channel = MemoryAds()
        for hours, status in enumerate(("ok", "bounced", "ok")):
            change(consenting, Stakeholder, consenting.people["alice"], email_status=status)
            sync(consenting, channel, NOW + timedelta(hours=hours))
        assert people("alice") <= channel.audiences[EVALUATION]

    def test_a_platform_that_fails_is_told_again_next_time_and_the_run_goes_on(self, consenting: World) -> None:
        failed = sync(consenting, Broken("add", after=2))
        assert failed.added == 2
        assert states(consenting)[MemberState.PENDING_ADD] > 0
        assert failed.failures[0].endswith(": the platform is closed for repairs")
        channel = MemoryAds()
        repaired = sync(consenting, channel, NOW + timedelta(hours=1))
        assert repaired.failures == ()
        assert states(consenting) == {MemberState.ADDED: failed.added + repaired.added}

    def test_nobody_is_added_to_an_audience_that_could_not_be_cleaned(self, consenting: World) -> None:
        sync(consenting, MemoryAds())
        change(consenting, Stakeholder, consenting.people["alice"], opted_out_at=NOW)
        change(consenting, Stakeholder, consenting.people["dana"], opted_out_at=None)
        broken = Broken("remove")
        sync(consenting, broken, NOW + timedelta(hours=1))
        assert [call for call in broken.calls if call[1] == EVALUATION] == []
        sync(consenting, broken := MemoryAds(), NOW + timedelta(hours=2))
        assert [action for action, key, _ in broken.calls if key == EVALUATION] == ["remove", "add"]

    def test_a_run_killed_after_the_upload_tells_the_platform_again_and_counts_once(self, consenting: World) -> None:
        class Killed(MemoryAds):
            def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
                super().add(audience, members, now)
                raise KeyboardInterrupt

        killed = Killed()
        with pytest.raises(KeyboardInterrupt):
            sync(consenting, killed)
        straight = MemoryAds()
        sync(consenting, straight)
        first = killed.calls[0][1]
        assert straight.audiences[first] == killed.audiences[first]
        assert set(states(consenting)) == {MemberState.ADDED}

    def test_an_upload_that_was_never_confirmed_is_removed_when_its_person_says_no(self, consenting: World) -> None:
        sync(consenting, Broken("add"))
        change(consenting, Stakeholder, consenting.people["alice"], opted_out_at=NOW)
        channel = MemoryAds()
        sync(consenting, channel, NOW + timedelta(hours=1))
        assert ("remove", EVALUATION, 1) in channel.calls
        assert people("alice").isdisjoint(channel.audiences[EVALUATION])

    def test_only_what_the_platform_confirms_is_confirmed(self, consenting: World) -> None:
        class Picky(MemoryAds):
            def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
                return super().add(audience, members[:1], now)

        sync(consenting, Picky())
        assert states(consenting)[MemberState.PENDING_ADD] > 0

    def test_a_platform_that_left_the_play_is_emptied(self, consenting: World) -> None:
        channel = MemoryAds()
        sync(consenting, channel)
        without = small_play(ads=Ads(platforms=(PLAY.ads.platforms[0],)))
        found = sync(consenting, channel, NOW + timedelta(hours=1), without)
        assert not any(members for key, members in channel.audiences.items() if key.platform == "google")
        assert {report.platform for report in found.audiences} == {"linkedin"}

    def test_a_person_who_was_erased_leaves_every_audience(self, consenting: World) -> None:
        channel = MemoryAds()
        sync(consenting, channel)
        with writing(consenting.engine) as connection:
            connection.execute(Stakeholder.__table__.delete().where(Stakeholder.first_name == "Erin"))
        sync(consenting, channel, NOW + timedelta(hours=1))
        assert people("erin").isdisjoint(set().union(*channel.audiences.values()))


class TestKillSwitch:
    @pytest.mark.parametrize(("scope", "target"), [("global", ""), ("play", PLAY.key)])
    def test_it_stops_additions_and_never_removals(self, consenting: World, scope: str, target: str) -> None:
        channel = MemoryAds()
        change(consenting, Stakeholder, consenting.people["bob"], ads_consent_basis=None)
        sync(consenting, channel)
        add(consenting, Brake, scope=scope, target=target, by="mona", at=NOW)
        change(consenting, Stakeholder, consenting.people["bob"], ads_consent_basis="consent")
        change(consenting, Stakeholder, consenting.people["alice"], opted_out_at=NOW)
        stopped = sync(consenting, channel, NOW + timedelta(hours=1))
        assert (stopped.added, stopped.removed, stopped.stopped_by) == (0, 2, "mona")
        change(consenting, Brake, 1, released_at=NOW)
        assert sync(consenting, channel, NOW + timedelta(hours=2)).added == 2

    def test_a_brake_on_another_play_stops_nothing(self, consenting: World) -> None:
        add(consenting, Brake, scope="play", target="expansion", by="mona", at=NOW)
        assert sync(consenting, MemoryAds()).stopped_by is None


class TestReport:
    def test_each_audience_says_what_is_wanted_confirmed_and_whether_it_serves(self, consenting: World) -> None:
        found = sync(consenting, MemoryAds())
        texts = {(report.platform, report.stage, report.kind): report for report in found.audiences}
        evaluation = texts["linkedin", "evaluation", "people"]
        assert (evaluation.wanted, evaluation.confirmed) == (5, 5)
        assert evaluation.servable == "5 of 3, servable once 3 match"
        assert texts["google", "evaluation", "people"].servable == "5 of 100, not servable yet"
        assert texts["linkedin", "proposal", "people"].servable == "0 of 3, not servable yet"
        assert len(found.audiences) == 15

    def test_looking_changes_nothing_and_foresees_what_a_sync_would_owe(self, consenting: World) -> None:
        before = everything(consenting.engine)
        seen = look_at_audiences(consenting.engine, PLAY, NOW)
        assert everything(consenting.engine) == before
        assert sum(report.pending_add for report in seen.audiences) == sync(consenting, MemoryAds()).added
        change(consenting, Stakeholder, consenting.people["alice"], opted_out_at=NOW)
        seen = look_at_audiences(consenting.engine, PLAY, NOW)
        assert sum(report.pending_remove for report in seen.audiences) == 2

    def test_a_platform_nobody_can_name_people_to_is_refused_with_the_cure(self, world: World) -> None:
        play = small_play(ads=Ads(platforms=(AdPlatform(platform="billboard", kinds=("people",), minimum_size=1),)))
        with pytest.raises(ContentRefused, match="use one of: linkedin, google, meta"):
            sync(world, MemoryAds(), play=play)

    def test_a_play_without_ads_needs_nothing(self, world: World) -> None:
        assert sync(world, MemoryAds(), play=small_play(ads=Ads())) == AudiencesSynced()


def test_the_files_of_a_first_sync_hold_everybody_once_and_a_second_sync_writes_none(
    consenting: World, tmp_path: Path
) -> None:
    channel = FileAds(tmp_path)
    found = sync_audiences(consenting.engine, SETTINGS, PLAY, NOW, channel=channel)
    files = list(tmp_path.rglob("*.csv"))
    assert sum(len(path.read_text().splitlines()) - 1 for path in files) == found.added
    sync_audiences(consenting.engine, SETTINGS, PLAY, NOW + timedelta(hours=1), channel=channel)
    assert len(list(tmp_path.rglob("*.csv"))) == len(files)


class TestCommand:
    @pytest.fixture
    def house(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
        engine = open_ledger(f"sqlite:///{tmp_path / 'tandem.db'}")
        create_tables(engine)
        build_world(engine)
        with writing(engine) as connection:
            connection.execute(update(Stakeholder).values(ads_consent_basis="consent"))
        return engine

    def test_it_shows_every_audience_and_why_people_are_in_none(self, house: Engine) -> None:
        said = CliRunner().invoke(audiences, ["--as-of", NOW.isoformat()])
        assert said.exit_code == 0, said.output
        assert "  evaluation        5         0     5       0  0 of 300, not servable yet\n" in said.output
        assert "linkedin companies\n" in said.output
        assert max(map(len, said.output.splitlines())) <= 80
        assert "1 bounced" in said.output
        assert "1 opted out" in said.output
        house.dispose()

    def test_as_json_it_answers_with_the_same_counts(self, house: Engine) -> None:
        said = CliRunner().invoke(audiences, ["--json", "--as-of", NOW.isoformat()])
        answer = json.loads(said.output)
        evaluation = next(
            found
            for found in answer["audiences"]
            if (found["platform"], found["stage"], found["kind"]) == ("linkedin", "evaluation", "people")
        )
        assert (evaluation["wanted"], evaluation["confirmed"], evaluation["minimum"]) == (5, 0, 300)
        assert answer["stopped_by"] is None
        house.dispose()
