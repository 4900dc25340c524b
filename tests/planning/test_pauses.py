"""Three kinds of pause: the clock stands still, goes on, or goes on and what fell into the pause is left out."""

import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select

from accounts.calendar import WEEKDAYS, Calendar, Place, ZoneSource
from accounts.errors import ContentRefused
from accounts.ledger.engine import reading, writing
from accounts.models import Activity, ContentSeen, Hold, Reprieve, Veto
from accounts.pauses import PAUSE, Skip, elapse, ended, resume, stop_around
from accounts.planning import Never, Planner, Said, Wait, plan
from accounts.planning import Touch as Due
from accounts.playbook import Pauses, Window
from accounts.playfiles import load_play
from accounts.tick import decide, look
from accounts.vocabulary import PauseClock, Reason
from accounts.why import explain
from flows.cli import tandem
from flows.planning import cases_of
from flows.sales import answers
from flows.settings import TEMPLATES
from tests.cast import NOW, World
from tests.planning.life import Life, held, released
from tests.planning.scenes import DAY, FIVE_SLIDES, HOUR, PILOT, acme, answer, hold, person
from tests.plays import small_play, step

ALWAYS_OPEN = Window(
    days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), opens="00:00", closes="00:00", default_timezone="UTC"
)  # type: ignore[arg-type]
ANY_TIME = small_play(window=ALWAYS_OPEN)
#: The champion's first step is due two days after the stage began, the second five days after the first.
STEPS = [one.key for one in ANY_TIME.steps]
FIRST, SECOND = 2 * DAY, 5 * DAY


def paused(clock: str, *, entered: timedelta, since: timedelta, until: timedelta, **facts: object) -> Said:
    """The champion's answer after a pause of this kind; all times before NOW."""
    return answer(
        acme(stage_entered_at=NOW - entered, holds=[hold(since=since, until=-until, clock=clock)], **facts), ANY_TIME
    )


# One pause over the first step's time, three outcomes.


def test_hold_moves_the_step_by_the_length_of_the_pause() -> None:
    said = paused("hold", entered=9 * DAY, since=8 * DAY, until=5 * DAY)
    assert isinstance(said, Due)
    assert (said.content, said.due) == (PILOT, NOW - 9 * DAY + FIRST + 3 * DAY)


def test_keep_leaves_the_step_its_date_and_lets_it_go_when_the_pause_is_over() -> None:
    said = paused("keep", entered=9 * DAY, since=8 * DAY, until=5 * DAY)
    assert isinstance(said, Due)
    assert (said.content, said.due, said.not_after) == (PILOT, NOW - 7 * DAY, NOW + 3 * DAY)


def test_skip_leaves_the_step_out_and_the_next_one_comes_at_its_own_time() -> None:
    said = paused("skip", entered=9 * DAY, since=8 * DAY, until=5 * DAY)
    assert isinstance(said, Due)
    assert (said.content, said.due) == (FIVE_SLIDES, NOW - 9 * DAY + FIRST + SECOND)


# Keep.


def test_what_has_become_late_under_keep_waits_for_a_decision() -> None:
    said = paused("keep", entered=16 * DAY, since=15 * DAY, until=1 * DAY)
    assert said == Wait(Reason.LATE_STEP, None, PILOT, NOW - 16 * DAY + FIRST + 10 * DAY)


def test_a_pause_that_keeps_the_clock_and_one_that_holds_it_count_each_in_its_way() -> None:
    """Four days of keeping and two of holding: the plan moves by two."""
    both = [hold(since=8 * DAY, until=-4 * DAY, clock="keep"), hold(since=4 * DAY, until=-2 * DAY, clock="hold")]
    said = answer(acme(stage_entered_at=NOW - 5 * DAY, holds=both), ANY_TIME)
    assert isinstance(said, Due)
    assert said.due == NOW - 5 * DAY + FIRST + 2 * DAY


# Skip.


def test_only_steps_whose_time_fell_into_the_pause_are_left_out() -> None:
    before = paused("skip", entered=9 * DAY, since=6 * DAY, until=5 * DAY)
    after = paused("skip", entered=9 * DAY, since=8.5 * DAY, until=7.5 * DAY)
    assert (before.content, after.content) == (PILOT, PILOT)


def test_a_long_pause_leaves_several_out_and_then_nothing_is_left() -> None:
    account = acme(stage_entered_at=NOW - 12 * DAY, holds=[hold(since=11 * DAY, until=-DAY, clock="skip")])
    assert answer(account, ANY_TIME) == Never(Reason.VETOED, PILOT)
    skips = Planner(ANY_TIME, NOW).skips(account)
    assert [(one.content, one.at) for one in skips] == [(PILOT, NOW - 10 * DAY), (FIVE_SLIDES, NOW - 5 * DAY)]


def test_a_step_is_left_out_by_the_time_it_would_have_left_not_by_the_night_before() -> None:
    """Due on a Saturday, to leave on Monday at nine; the pause began on Sunday."""
    saturday = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    sunday, tuesday = saturday + DAY, datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    pause = hold(since=NOW - sunday, until=tuesday - NOW, clock="skip")
    account = acme(stage_entered_at=saturday - FIRST, holds=[pause])
    monday_at_nine = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert Planner(small_play(), NOW).skips(account) == [Skip(1, PILOT, monday_at_nine, sunday, tuesday)]


def test_a_pause_of_one_person_leaves_out_that_persons_steps_only() -> None:
    both = [person(1), person(2, "influencer")]
    pause = hold(since=8 * DAY, until=-5 * DAY, clock="skip", of=2)
    account = acme(*both, stage_entered_at=NOW - 9 * DAY, holds=[pause])
    assert [one.person_id for one in Planner(ANY_TIME, NOW).skips(account)] == [2]
    assert plan(account, ANY_TIME, NOW)[0].content == PILOT


def test_a_persons_better_late_than_never_outranks_a_pause_that_skips() -> None:
    said = paused("skip", entered=9 * DAY, since=8 * DAY, until=5 * DAY, reprieves={(1, PILOT): NOW - HOUR})
    assert isinstance(said, Due)
    assert (said.content, said.due) == (PILOT, NOW - HOUR)


def test_nothing_is_left_out_while_the_pause_still_runs() -> None:
    running = acme(stage_entered_at=NOW - 9 * DAY, holds=[hold(since=8 * DAY, until=DAY, clock="skip")])
    assert Planner(ANY_TIME, NOW).skips(running) == []
    assert answer(running, ANY_TIME).reason is Reason.ACCOUNT_HELD


def test_who_may_not_be_written_to_at_all_has_nothing_left_out() -> None:
    gone = acme(
        person(opted_out_at=NOW - DAY), stage_entered_at=NOW - 9 * DAY,
        holds=[hold(since=8 * DAY, until=-5 * DAY, clock="skip")],
    )  # fmt: skip
    assert Planner(ANY_TIME, NOW).skips(gone) == []


@pytest.mark.parametrize("clock", ["hold", "keep", "skip"])
def test_under_no_clock_anything_leaves_while_it_is_paused_and_nobody_gets_two_at_once_afterwards(clock: str) -> None:
    group = [person(n, role, country=None) for n, role in enumerate(("champion", "economic_buyer", "end_user"), 1)]
    life = Life(acme(*group, stage_entered_at=NOW), ANY_TIME)
    life.on(NOW + DAY, held(clock=clock))
    life.on(NOW + 4 * DAY, released())
    life.run(until=NOW + 40 * DAY)
    assert [sent for sent in life.sent if NOW + DAY <= sent.at < NOW + 4 * DAY] == []
    assert life.sent, "and it goes on"
    for one in life.account.people:
        times = [sent.at for sent in life.sent if sent.person == one.id]
        assert all(later - earlier >= 4 * DAY for earlier, later in pairwise(times))


def test_a_step_that_was_left_out_never_comes_back() -> None:
    life = Life(acme(person(1), stage_entered_at=NOW), ANY_TIME)
    life.on(NOW + DAY, held(clock="skip", ends=2 * DAY))
    assert life.run(until=NOW + 60 * DAY).to(1) == ["five-slides"]
    assert life.sent[0].due == NOW + FIRST + SECOND


# What is over, and what moves what.


def over(*pauses: tuple[int, int | None], of: int | None = None) -> list[tuple[int, int]]:
    """Of pauses from and to so many days before NOW, those that stopped person 1, as days."""
    holds = [hold(since=begins * DAY, until=None if ends is None else -ends * DAY, of=of) for begins, ends in pauses]
    return [((NOW - begins) // DAY, (NOW - ends) // DAY) for begins, ends in ended(holds, 1, NOW, PauseClock.HOLD)]


def test_pauses_that_overlap_or_touch_are_one_and_others_stay_apart() -> None:
    assert over((9, 5), (7, 3)) == over((7, 3), (9, 5)) == over((9, 6), (6, 3)) == over((9, 3), (8, 5)) == [(9, 3)]
    assert over((9, 7), (5, 3)) == [(9, 7), (5, 3)]
    assert over((9, 7), (5, 3), (4, 1)) == [(9, 7), (5, 1)]


def test_only_what_is_over_by_now_counts_for_those_it_stopped() -> None:
    assert over((9, 0)) == [(9, 0)]
    assert over((9, None)) == over((9, -1)) == over((9, 5), of=2) == []
    assert over((9, 5), of=1) == [(9, 5)]


def test_a_pause_moves_what_comes_in_it_or_after_it_and_nothing_before() -> None:
    """Two days from NOW on, and pauses that begin and end so many days after it."""

    def moved(*days: tuple[int, int]) -> float:
        return (elapse(NOW, 2 * DAY, [(NOW + begins * DAY, NOW + ends * DAY) for begins, ends in days]) - NOW) / DAY

    assert moved((1, 4)) == 5
    assert moved((-3, 1)) == 3, "what passed of it before counts for nothing"
    assert moved((2, 3)) == 3, "it began as the time was up"
    assert moved((3, 9)) == 2
    assert moved((1, 2), (3, 5), (6, 9)) == 5, "each one moves the time into the next, or not"
    assert moved((-5, -3), (-1, 0)) == 2


def test_a_moment_falls_into_a_pause_from_its_beginning_until_just_before_its_end() -> None:
    pause = (NOW, NOW + DAY)
    at = (NOW - HOUR, NOW, NOW + HOUR, NOW + DAY)
    assert [stop_around(one, [pause]) for one in at] == [None, pause, pause, None]


@pytest.mark.parametrize(
    ("due", "length"),
    [
        (datetime(2026, 11, 17, 9, 0, tzinfo=UTC), 25 * HOUR),  # a day and an hour in a week without a change
        (datetime(2026, 10, 25, 0, 45, tzinfo=UTC), HOUR / 2),  # half an hour, as the clock goes back
    ],
)
def test_a_pause_that_is_no_number_of_days_moves_by_its_own_length(due: datetime, length: timedelta) -> None:
    berlin = Calendar(ALWAYS_OPEN, Place("Europe/Berlin", ZoneSource.STAKEHOLDER, None))
    assert resume(due - DAY, due, [(due - HOUR, due - HOUR + length)], berlin) == due + length


# Across the day on which clocks are changed.

#: Zone, and ten in the morning there some days before its clocks go back, or forward.
CHANGES = [
    (zone, datetime.fromisoformat(f"{day}T10:00"))
    for zone, days in {
        "Europe/Berlin": ("2026-10-20", "2026-03-24"),
        "America/New_York": ("2026-10-28", "2026-03-04"),
        "Australia/Sydney": ("2026-03-31", "2026-09-30"),
    }.items()
    for day in days
]
PATIENT = small_play(
    window=ALWAYS_OPEN,
    steps=(
        step("evaluation/pilot", "champion", after=2, not_after=30),
        step("evaluation/five-slides", "champion", 2, after=8, not_after=30),
    ),
)


def local(day: datetime, zone: str, days: float = 0) -> datetime:
    """The same hour on the clock of `zone`, so many days later, as UTC."""
    return (day + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def champion(zone: str, entered: datetime, pause: tuple[datetime, datetime] | None, clock: str, now: datetime) -> Said:
    holds = [hold(since=NOW - pause[0], until=pause[1] - NOW, clock=clock)] if pause else []
    one = person(timezone=zone, country=None, consent_at=entered - DAY)
    account = acme(one, stage_entered_at=entered, holds=holds, synced_at=now, first_contacted_at=entered)
    return answer(account, PATIENT, now)


@pytest.mark.parametrize(("zone", "tuesday"), CHANGES)
@pytest.mark.parametrize("by", ["the reader's clock", "hours"])
def test_paused_over_the_change_of_the_clock_a_step_keeps_its_hour(zone: str, tuesday: datetime, by: str) -> None:
    """Due on the second day at ten, paused for ten days from the first: due on the twelfth day, at ten."""
    entered, begins = local(tuesday, zone), local(tuesday, zone, 1)
    ends = local(tuesday, zone, 11) if by == "the reader's clock" else begins + timedelta(hours=240)
    assert begins.astimezone(ZoneInfo(zone)).utcoffset() != ends.astimezone(ZoneInfo(zone)).utcoffset()
    said = champion(zone, entered, (begins, ends), "hold", local(tuesday, zone, 13))
    assert isinstance(said, Due)
    assert said.due == local(tuesday, zone, 12)


@pytest.mark.parametrize(("zone", "tuesday"), CHANGES)
def test_under_keep_and_skip_a_step_comes_at_its_own_hour_too(zone: str, tuesday: datetime) -> None:
    entered, pause = local(tuesday, zone), (local(tuesday, zone, 1), local(tuesday, zone, 7))
    kept = champion(zone, entered, pause, "keep", local(tuesday, zone, 11))
    skipped = champion(zone, entered, pause, "skip", local(tuesday, zone, 11))
    assert isinstance(kept, Due)
    assert isinstance(skipped, Due)
    assert (kept.content, kept.due) == (PILOT, local(tuesday, zone, 2))
    assert (skipped.content, skipped.due) == (FIVE_SLIDES, local(tuesday, zone, 10))


@pytest.mark.parametrize(("zone", "tuesday"), CHANGES)
def test_without_a_pause_ten_in_the_morning_stays_ten_in_the_morning(zone: str, tuesday: datetime) -> None:
    entered = local(tuesday, zone, 2)
    assert champion(zone, entered, None, "hold", entered + HOUR) == Wait(
        Reason.WAITING_STEP, local(tuesday, zone, 4), PILOT
    )


def test_a_pause_of_some_hours_moves_a_step_by_those_hours_whatever_the_clock_does() -> None:
    saturday = datetime.fromisoformat("2026-10-24T10:00")
    entered, begins = local(saturday, "Europe/Berlin", -1.5), local(saturday, "Europe/Berlin", 0)
    said = champion("Europe/Berlin", entered, (begins, begins + 17 * HOUR), "hold", begins + 3 * DAY)
    assert isinstance(said, Due)
    assert said.due == local(saturday, "Europe/Berlin", 0.5) + 17 * HOUR


@pytest.mark.parametrize(("zone", "tuesday"), CHANGES)
def test_a_life_over_the_change_of_the_clock_sends_at_the_same_hour_with_and_without_a_hold(
    zone: str, tuesday: datetime
) -> None:
    """In working hours, looked at every hour: what is sent later by a hold is sent at the same hour of the day."""

    def hours(*holds: object) -> list[int]:
        entered = local(tuesday, zone)
        one = person(timezone=zone, country=None, consent_at=entered - DAY)
        account = acme(one, stage_entered_at=entered, first_contacted_at=entered)
        play = small_play(steps=PATIENT.steps, window=Window(days=WEEKDAYS, default_timezone="UTC"))
        life = Life(account, play, start=entered, every=HOUR, delay=0 * HOUR)
        life.on(local(tuesday, zone, 1), *holds)  # type: ignore[arg-type]
        return [sent.at.astimezone(ZoneInfo(zone)).hour for sent in life.run(until=entered + 40 * DAY).sent]

    assert hours(held(ends=7 * DAY)) == hours() == [10, 10]


# In the ledger.


def know_the_play(world: World) -> None:
    """Since Alice's account entered its stage: a step that came later has no time that could fall into a pause."""
    with writing(world.engine) as connection:
        connection.execute(insert(ContentSeen), [{"content": one, "first_seen_at": NOW - 30 * DAY} for one in STEPS])


def place(world: World, clock: str | None, *, since: timedelta, until: timedelta) -> None:
    know_the_play(world)
    with writing(world.engine) as connection:
        row = {"scope": "account", "account_id": world.accounts["acme"], "cause": "rep", "by": "ravi", "clock": clock}
        connection.execute(insert(Hold).values(**row, starts_at=NOW - since, ends_at=NOW - until))


def alices(world: World, play: object = ANY_TIME) -> Said:
    for one in look(world.engine, play, NOW):  # type: ignore[arg-type]
        for someone, said in zip(one.read.account.people, one.answers, strict=True):
            if someone.id == world.people["alice"]:
                return said
    raise AssertionError


def vetoes(world: World) -> list[tuple[str, str, datetime]]:
    with reading(world.engine) as connection:
        query = select(Veto.content, Veto.by, Veto.at).where(Veto.stakeholder_id == world.people["alice"])
        return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("of_the_hold", "of_the_play", "content"),
    [("keep", "skip", PILOT), ("skip", "keep", FIVE_SLIDES), (None, "skip", FIVE_SLIDES), (None, "keep", PILOT)],
)
def test_a_holds_own_clock_outranks_the_plays(
    world: World, of_the_hold: str | None, of_the_play: str, content: str
) -> None:
    """Alice entered the stage fourteen days ago; her first step's time fell into the pause."""
    place(world, of_the_hold, since=13 * DAY, until=11 * DAY)
    play = small_play(window=ALWAYS_OPEN, pauses=Pauses(clock=of_the_play))  # type: ignore[arg-type]
    assert alices(world, play).content == content


@pytest.mark.parametrize("clock", ["hold", "keep", "skip"])
def test_the_quiet_after_a_meeting_has_the_clock_of_the_play(world: World, clock: str) -> None:
    know_the_play(world)
    with writing(world.engine) as connection:
        meeting = {"account_id": world.accounts["acme"], "kind": "meeting", "outcome": "held", "is_contact": True}
        connection.execute(insert(Activity).values(**meeting, occurred_at=NOW - 12.5 * DAY, source_id="met"))
    pauses = Pauses(clock=clock, after_meeting=3 * DAY)  # type: ignore[arg-type]
    said = alices(world, small_play(window=ALWAYS_OPEN, pauses=pauses))
    if clock == "keep":
        assert said == Wait(Reason.LATE_STEP, None, PILOT, NOW - 2 * DAY)
    else:
        assert isinstance(said, Due)
        assert (said.content, NOW - said.due) == {"hold": (PILOT, 9 * DAY), "skip": (FIVE_SLIDES, 7 * DAY)}[clock]


def test_what_a_pause_left_out_is_kept_with_its_reason_once(world: World) -> None:
    place(world, "skip", since=13 * DAY, until=11 * DAY)
    for hours in range(3):
        decide(world.engine, ANY_TIME, NOW + hours * HOUR, only_due=False)
    assert vetoes(world) == [(PILOT, PAUSE, NOW - 12 * DAY)]
    with reading(world.engine) as connection:
        note = connection.scalar(select(Veto.note).where(Veto.by == PAUSE).limit(1))
    assert note == "its time, 12 Nov 2026, fell into the pause from 11 Nov to 13 Nov 2026"


def test_looking_ahead_keeps_nothing(world: World) -> None:
    place(world, "skip", since=13 * DAY, until=11 * DAY)
    assert alices(world).content == FIVE_SLIDES
    assert vetoes(world) == []


def test_why_tells_what_was_left_out(world: World) -> None:
    place(world, "skip", since=13 * DAY, until=11 * DAY)
    decide(world.engine, ANY_TIME, NOW)
    [case] = cases_of(world.engine, ANY_TIME, "alice@acme.example", NOW)
    assert explain(case).endswith(
        "; evaluation/pilot was left out: its time, 12 Nov 2026, fell into the pause from 11 Nov to 13 Nov 2026."
    )


def test_why_tells_who_has_nothing_left_after_a_pause(world: World) -> None:
    place(world, "skip", since=13 * DAY, until=2 * DAY)
    decide(world.engine, ANY_TIME, NOW)
    [case] = cases_of(world.engine, ANY_TIME, "alice@acme.example", NOW)
    assert "nothing is left at evaluation but evaluation/pilot, which was left out: its time, 12 Nov" in explain(case)


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ("keep", "until it is released (“board first”); steps keep their dates."),
        ("skip", "until it is released (“board first”); steps whose time comes meanwhile are left out."),
        (None, "until it is released (“board first”)."),
    ],
)
def test_why_tells_what_becomes_of_the_steps(world: World, clock: str | None, words: str) -> None:
    answers.hold(world.engine, "acme", by="ravi", now=NOW - DAY, note="board first", clock=clock)  # type: ignore[arg-type]
    [case] = cases_of(world.engine, ANY_TIME, "alice@acme.example", NOW)
    assert explain(case).endswith(words)


def test_who_takes_back_what_a_pause_left_out_has_it_sent_after_all(world: World) -> None:
    place(world, "skip", since=13 * DAY, until=11 * DAY)
    decide(world.engine, ANY_TIME, NOW)
    answers.veto(world.engine, "alice@acme.example", PILOT, by="mia", now=NOW, withdrawn=True)
    decide(world.engine, ANY_TIME, NOW)
    assert (alices(world).content, vetoes(world)) == (PILOT, [])
    with reading(world.engine) as connection:
        assert connection.scalar(select(Reprieve.by)) == "mia"


def test_a_hold_said_again_with_another_clock_is_another_hold(world: World) -> None:
    for clock in ("keep", "keep", "skip"):
        answers.hold(world.engine, "acme", by="ravi", now=NOW, clock=clock)  # type: ignore[arg-type]
    with reading(world.engine) as connection:
        assert list(connection.scalars(select(Hold.clock).order_by(Hold.id))) == ["keep", "skip"]


def test_a_rep_says_the_clock_with_the_hold(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    said = CliRunner().invoke(tandem, ["hold", "acme", "--clock", "skip", "--as-of", NOW.isoformat()])
    assert said.output == (
        "No mail and no ads to Acme Works until somebody releases it; steps whose time comes meanwhile are left out.\n"
    )
    with reading(world.engine) as connection:
        assert connection.scalar(select(Hold.clock)) == "skip"
    assert CliRunner().invoke(tandem, ["hold", "acme", "--clock", "stop"]).exit_code == 2


# In the play.


def test_a_clock_nobody_knows_is_refused_with_its_line_and_what_would_do(tmp_path) -> None:
    folder = tmp_path / "plays" / "new-business"
    shutil.copytree(TEMPLATES / "plays" / "new-business", folder)
    head = folder / "play.yaml"
    lines = head.read_text().splitlines()
    line = lines.index("  clock: hold")
    lines[line] = "  clock: stop"
    head.write_text("\n".join(lines))
    with pytest.raises(ContentRefused) as refused:
        load_play(folder)
    assert f"play.yaml:{line + 1}" in str(refused.value)
    assert all(word in str(refused.value) for word in ("hold", "keep", "skip"))
