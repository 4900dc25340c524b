"""What holds in every life of an account, whatever happens in it: six weeks, lived again and again at random."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.calendar import WEEKDAYS, Calendar, Place, ZoneSource
from accounts.planning import SPREAD, plan
from accounts.playbook import Caps, Step, Window
from tests.cast import NOW
from tests.planning.life import Event, Life, bounces, held, moves_to, opts_out, released, rep_writes, vetoes
from tests.planning.scenes import acme, person
from tests.plays import MOVES, small_play, stage_rule, step

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
WEEKS = 6
NEVER = datetime.max.replace(tzinfo=UTC)
ROLES = ("champion", "economic_buyer", "technical_evaluator", "end_user", "procurement", "influencer")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney")


def busy_steps() -> tuple[Step, ...]:
    """Three contents per stage for each role, some of them shared, in quick succession: caps have work to do."""
    stages = ("contacted", "discovery", "evaluation")
    return tuple(
        step(f"{stage}/{roles.replace(' ', '-').replace('_', '-')}-{number}", roles, number, after=number, not_after=5)
        for stage in stages
        for roles in ("champion influencer", "economic_buyer procurement", "technical_evaluator", "end_user")
        for number in (1, 2, 3)
    )


STEPS = busy_steps()

events = st.one_of(
    st.integers(1, 6).map(opts_out),
    st.integers(1, 6).map(bounces),
    st.builds(
        held,
        st.sampled_from(["rep", "reply", "meeting", "complaint"]),
        ends=st.one_of(st.none(), st.integers(1, 15).map(lambda days: days * DAY)),
        of=st.one_of(st.none(), st.integers(1, 6)),
        clock=st.sampled_from(["hold", "hold", "keep", "skip"]),
    ),
    st.just(released()),
    st.sampled_from(["contacted", "discovery", "evaluation", "lost"]).map(moves_to),
    st.one_of(st.none(), st.integers(1, 6)).map(rep_writes),
    st.builds(vetoes, st.integers(1, 6), st.sampled_from([None, *(one.key for one in STEPS[::5])])),
)
histories = st.lists(st.tuples(st.integers(0, WEEKS * 7 * 24), events), max_size=12)
caps = st.builds(Caps, person_per_week=st.integers(1, 3), account_per_week=st.integers(1, 6))
lives = st.fixed_dictionaries(
    {
        "people": st.integers(2, 6),
        "history": histories,
        "caps": caps,
        "delay": st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
        "every": st.integers(3, 12).map(lambda hours: timedelta(hours=hours)),
    }
)
thorough = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def live(people: int, history: list[tuple[int, Event]], caps: Caps, delay: timedelta, every: timedelta) -> Life:
    group = [person(n, ROLES[n - 1], timezone=ZONES[n % 4], country=None) for n in range(1, people + 1)]
    account = acme(*group, stage="contacted", stage_entered_at=NOW)
    life = Life(account, small_play(steps=STEPS, caps=caps), delay=delay, every=max(every, delay))
    for hours, event in history:
        life.on(NOW + timedelta(hours=hours), event)
    return life.run(until=NOW + WEEKS * WEEK)


def fullest_week(times: list[datetime]) -> int:
    return max((sum(start <= time < start + WEEK for time in times) for start in times), default=0)


def no_cap_is_ever_exceeded_in_any_seven_days(life: Life) -> None:
    caps = life.play.caps
    assert fullest_week([sent.at for sent in life.sent]) <= caps.account_per_week
    for one in life.account.people:
        assert fullest_week([sent.at for sent in life.sent if sent.person == one.id]) <= caps.person_per_week


def the_reps_own_mails_take_their_room(life: Life) -> None:
    """Nobody stops a rep from writing, so the claim is about our part: no touch into a week that is already full."""
    for sent in life.sent:
        decided = sent.at - life.delay
        week = [mail for mail in life.mails if decided - WEEK < mail.at <= decided]
        assert len(week) < life.play.caps.account_per_week
        assert len([mail for mail in week if mail.person_id == sent.person]) < life.play.caps.person_per_week


def nobody_ever_gets_the_same_content_twice(life: Life) -> None:
    got = [(sent.person, sent.content) for sent in life.sent]
    assert len(got) == len(set(got))


def nobody_is_touched_after_a_no_or_under_a_hold_or_outside_their_hours(life: Life) -> None:
    people = {one.id: one for one in life.account.people}
    for sent in life.sent:
        decided, who = sent.at - life.delay, people[sent.person]
        assert who.opted_out_at is None or decided < who.opted_out_at
        for hold in life.account.holds:
            meant = hold.person_id in (None, sent.person)
            assert not (meant and hold.starts_at <= decided and (hold.ends_at is None or decided < hold.ends_at))
        vetoed = {**life.account.vetoes.get(sent.person, {})}
        assert decided < min(vetoed.get(sent.content, NEVER), vetoed.get(None, NEVER))
        place = Place(who.timezone or "", ZoneSource.STAKEHOLDER, None)
        assert Calendar(life.play.window, place).next_allowed(decided) == decided


def nothing_leaves_late(life: Life) -> None:
    for sent in life.sent:
        assert sent.due <= sent.at - life.delay
        assert sent.not_after is not None
        assert sent.at - life.delay <= sent.not_after


def colleagues_get_mail_an_hour_apart_and_clones_a_day_apart(life: Life) -> None:
    for earlier, later in pairwise(life.sent):
        assert later.at - earlier.at >= SPREAD
    for content in {sent.content for sent in life.sent}:
        times = [sent.at for sent in life.sent if sent.content == content]
        assert all(after - before >= life.play.caps.stagger for before, after in pairwise(times))


def asking_twice_gives_the_same_answers(life: Life) -> None:
    assert plan(life.account, life.play, life.start) == plan(life.account, life.play, life.start)


TRUE_OF_EVERY_LIFE = (
    no_cap_is_ever_exceeded_in_any_seven_days,
    the_reps_own_mails_take_their_room,
    nobody_ever_gets_the_same_content_twice,
    nobody_is_touched_after_a_no_or_under_a_hold_or_outside_their_hours,
    nothing_leaves_late,
    colleagues_get_mail_an_hour_apart_and_clones_a_day_apart,
    asking_twice_gives_the_same_answers,
)


@settings(thorough, max_examples=60)
@given(lives)
def test_what_is_true_of_every_life(how: dict[str, Any]) -> None:
    """To live is dear and to look is cheap: every life is looked at in every way."""
    life = live(**how)
    for claim in TRUE_OF_EVERY_LIFE:
        claim(life)


ROOMY = small_play(
    steps=tuple(one.model_copy(update={"after": one.step * 3 * DAY}) for one in STEPS),
    caps=Caps(person_per_week=50, account_per_week=50, stagger=timedelta(0)),
    window=Window(days=WEEKDAYS, opens=time(0), closes=time(0)),
    stages=tuple(stage_rule(key, cadence=None) for key in MOVES),
)


@thorough
@given(people=st.integers(1, 6), begins=st.integers(0, 50), length=st.integers(1, 75))
def test_a_hold_moves_what_was_to_come_and_piles_nothing_up(people: int, begins: int, length: int) -> None:
    """Two equal accounts, one of them held for a while: the same mails in the same number, later by the hold."""
    every = timedelta(hours=4)
    starts, ends = NOW + begins * every, NOW + (begins + length) * every
    group = [person(n, ROLES[n - 1], country=None) for n in range(1, people + 1)]  # no holidays

    def lived(*events: Event) -> dict[tuple[int, str], datetime]:
        life = Life(acme(*group, stage="contacted", stage_entered_at=NOW), ROOMY, every=every)
        life.on(starts, *events)
        return {(sent.person, sent.content): sent.at for sent in life.run(until=NOW + 40 * DAY).sent}

    free, stopped = lived(), lived(held("rep", ends=ends - starts))
    assert stopped.keys() == free.keys()
    for mail, at in free.items():
        if at < starts:
            assert stopped[mail] == at
        else:
            assert stopped[mail] >= ends
            assert at <= stopped[mail] <= at + (ends - starts) + people * every
