"""Whose turn it is: by the rep's own rhythm, at once when an account turns hot, and who stands in for whom."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from accounts.ledger.engine import reading, writing
from accounts.models import Account, Brief, Handover, Objection, Rep, RepAnswer, SlaClock
from accounts.playbook import Play
from accounts.vocabulary import BriefState
from flows.briefs.briefing import Briefed, brief_reps, current_brief
from flows.channels.email.memory import Memory
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World

#: Ravi's seven o'clock; NOW is 11:00 in Berlin.
SEVEN = NOW - timedelta(hours=4)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def run(world: World, settings: Settings, play: Play) -> Callable[..., Briefed]:
    """One run of the quarter-hourly deployment: ``run(NOW)``."""

    def once(now: object, **more: object) -> Briefed:
        given = {"channel": Memory(), "only_due": True, **more}
        return brief_reps(world.engine, settings, play, now, **given)  # type: ignore[arg-type]

    return once


def change(world: World, rep: str, **values: object) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps[rep]).values(**values))


def kinds(world: World) -> list[tuple[str, str]]:
    with reading(world.engine) as connection:
        query = select(Rep.email, Brief.kind).join(Rep).order_by(Brief.as_of, Rep.email)
        return [(email.partition("@")[0], kind) for email, kind in connection.execute(query)]


def told(world: World, play: Play, rep: str, now: object = NOW) -> str:
    """All that the rep would read now."""
    with reading(world.engine) as connection:
        brief = current_brief(connection, play, now, world.reps[rep])  # type: ignore[arg-type]
    return " ".join(word for account in brief.accounts for word in account.spoken()) if brief else ""


class TestRhythm:
    def test_only_reps_whose_hour_it_is_are_briefed(
        self, run: Callable[..., Briefed], world: World, signal: Add
    ) -> None:
        change(world, "sofia", timezone="America/New_York")
        for who, where in (("alice", "acme"), ("judy", "initech-south")):
            signal(who, where, "visited", 0.5)
        assert (run(SEVEN).delivered, kinds(world)) == (1, [("ravi", "digest")])
        assert run(SEVEN + 15 * timedelta(minutes=1)).reps == 0, "told this morning"
        run(SEVEN + 6 * HOUR)
        assert kinds(world) == [("ravi", "digest"), ("sofia", "digest")]

    def test_an_hour_of_ones_own_and_off(self, run: Callable[..., Briefed], world: World, signal: Add) -> None:
        signal("alice", "acme", "visited", 0.5)
        change(world, "ravi", brief_hour=10)
        assert run(SEVEN).delivered == 0
        change(world, "ravi", brief_every="off")
        assert run(SEVEN + 3 * HOUR).delivered == 0
        change(world, "ravi", brief_every=None)
        assert run(SEVEN + 3 * HOUR).delivered == 1

    def test_whoever_leaves_six_unopened_gets_one_account_in_few_words_and_is_told_why(
        self, world: World, play: Play, signal: Add, add: Add
    ) -> None:
        for who, where in (("alice", "acme"), ("gina", "globex")):
            signal(who, where, "visited", 0.1)
        briefs = [
            add(Brief, rep_id=world.reps["ravi"], as_of=NOW - days * DAY, words=1, payload={}, state="delivered")
            for days in range(1, 7)
        ]
        with reading(world.engine) as connection:
            short = current_brief(connection, play, NOW, world.reps["ravi"])
        assert short is not None
        assert (len(short.accounts), len(short.also)) == (1, 1)
        assert short.accounts[0].words <= 60
        assert short.note is not None
        assert "stayed unopened" in short.note.text
        add(
            RepAnswer, account_id=world.accounts["acme"], rep_id=world.reps["ravi"], by="ravi", kind="ripe", via="web",
            brief_id=briefs[0], at=NOW - HOUR,
        )  # fmt: skip
        with reading(world.engine) as connection:
            usual = current_brief(connection, play, NOW, world.reps["ravi"])
        assert usual is not None
        assert (len(usual.accounts), usual.note) == (2, None)


class TestJump:
    @pytest.fixture
    def hot(self, world: World, signal: Add, add: Add) -> None:
        """Acme turned hot half an hour ago; Globex has news as well."""
        row = signal("bob", "acme", "downloaded", 0.03)
        signal("gina", "globex", "visited", 0.03)
        add(
            SlaClock, play="new-business", side="sales", duty="call", subject=f"signal:{row}", state="running",
            account_id=world.accounts["acme"], rep_id=world.reps["ravi"], evidence=[f"signal:{row}"], paused=[],
            warned=[], happened_at=NOW - HOUR, started_at=NOW - HOUR / 2, due_at=NOW + DAY,
        )  # fmt: skip

    def test_it_is_told_at_once_once_and_about_that_account_only(
        self, run: Callable[..., Briefed], world: World, hot: None
    ) -> None:
        first, second = run(NOW), run(NOW + HOUR / 4)
        assert [one.accounts for one in first.briefs] == [("acme",)]
        assert first.briefs[0].words <= 100
        assert (second.briefs, kinds(world)) == ((), [("ravi", "jump")])

    def test_the_next_digest_tells_all_as_if_there_had_been_no_jump(
        self, run: Callable[..., Briefed], world: World, hot: None
    ) -> None:
        run(NOW)
        digest = run(SEVEN + DAY)
        assert set(digest.briefs[0].accounts) == {"acme", "globex"}
        assert kinds(world) == [("ravi", "jump"), ("ravi", "digest")]

    def test_not_at_night(self, run: Callable[..., Briefed], world: World, hot: None) -> None:
        with writing(world.engine) as connection:
            connection.execute(update(SlaClock).values(started_at=NOW + 10 * HOUR))
        assert run(NOW + 11 * HOUR).delivered == 0
        assert kinds(world) == []


class TestAbsence:
    def test_the_backup_reads_whose_account_it_is_and_the_rep_hears_all_of_it_when_back(
        self, run: Callable[..., Briefed], world: World, play: Play, signal: Add
    ) -> None:
        signal("alice", "acme", "visited", 1.5)
        run(NOW - DAY, only_due=False)
        away = {"away_from": NOW - HOUR * 20, "away_until": NOW + 3 * DAY, "backup_id": world.reps["sofia"]}
        change(world, "ravi", **away)
        signal("bob", "acme", "clicked", 0.2)
        assert "For Ravi Menon, who is away until Fri" in told(world, play, "sofia")
        assert "Bob Example followed a link" in told(world, play, "sofia")
        assert [one.rep for one in run(NOW, only_due=False).briefs] == ["s…a@lumenflow.example"]
        assert told(world, play, "sofia", NOW + HOUR) == "", "told once"
        back = told(world, play, "ravi", NOW + 3 * DAY + HOUR)
        assert "Bob Example followed a link" in back
        assert "away until" not in back
        with reading(world.engine) as connection:
            brief = current_brief(connection, play, NOW + 3 * DAY + HOUR, world.reps["ravi"])
        assert brief is not None
        assert brief.note is not None
        assert brief.note.text == "Welcome back: this is all that happened since Mon."

    def test_without_a_backup_nobody_is_told_until_the_rep_is_back(self, world: World, play: Play, signal: Add) -> None:
        change(world, "ravi", away_from=NOW - HOUR, away_until=NOW + DAY)
        signal("alice", "acme", "visited", 0.2)
        assert (told(world, play, "ravi"), told(world, play, "sofia")) == ("", "")
        assert "Alice Example visited" in told(world, play, "ravi", NOW + DAY + HOUR)


class TestWhatIsTold:
    def test_an_answer_comes_back_with_what_changed_because_of_it(self, world: World, play: Play, add: Add) -> None:
        add(
            RepAnswer, account_id=world.accounts["acme"], rep_id=world.reps["ravi"], by="ravi", kind="delay", via="web",
            detail={"sentence": "No mail to Bob Example until 3 December."}, at=NOW - HOUR,
        )  # fmt: skip
        assert "Because you said later: No mail to Bob Example until 3 December." in told(world, play, "ravi")
        assert told(world, play, "sofia") == ""

    def test_an_open_objection_stands_there_until_it_is_closed(
        self, world: World, play: Play, signal: Add, add: Add
    ) -> None:
        signal("alice", "acme", "visited", 0.2)
        add(
            Objection, account_id=world.accounts["acme"], stakeholder_id=world.people["alice"], kind="objection",
            words="too dear for one plant", at=NOW - 9 * DAY,
        )  # fmt: skip
        assert "Alice Example objects: too dear for one plant" in told(world, play, "ravi")
        with writing(world.engine) as connection:
            connection.execute(update(Objection).values(closed_at=NOW - HOUR))
        assert "too dear" not in told(world, play, "ravi")

    def test_a_new_owner_reads_where_the_account_comes_from(self, world: World, play: Play, add: Add) -> None:
        with writing(world.engine) as connection:
            theirs = update(Account).where(Account.id == world.accounts["acme"])
            connection.execute(theirs.values(owner_id=world.reps["sofia"]))
        add(
            Handover, account_id=world.accounts["acme"], from_rep_id=world.reps["ravi"],
            to_rep_id=world.reps["sofia"], at=NOW - HOUR,
        )  # fmt: skip
        assert "it is yours now" in told(world, play, "sofia")
        assert "Came to you from Ravi Menon, Tue 04:00" in told(world, play, "sofia")


def test_nothing_is_planned_or_read_when_nobody_has_news(run: Callable[..., Briefed], world: World) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).values(replan_at=NOW - HOUR))
    assert run(NOW, only_due=False).delivered == 0
    with reading(world.engine) as connection:
        assert connection.scalars(select(Account.id).where(Account.replan_at.is_(None))).all() == []
        assert connection.scalars(select(Brief.id).where(Brief.state == BriefState.PLANNED)).all() == []
