"""The buying group as a whole: who goes first, how mails are spread, what the week has room for."""

from datetime import timedelta

from accounts.planning import Planner, Touch, Wait, plan
from accounts.playbook import Caps, Group, WantedRole
from accounts.snapshots import OpenTouch
from accounts.vocabulary import Reason, Role
from tests.cast import NOW, PLAY
from tests.planning.scenes import DAY, HOUR, NUMBERS, PILOT, SECURITY, acme, mail, person
from tests.plays import small_play

GROUP = (
    person(1, "end_user"),
    person(2, "technical_evaluator"),
    person(3, "economic_buyer"),
    person(4, "champion"),
)


def touched(answers: list[object]) -> list[int]:
    return [place for place, said in enumerate(answers, start=1) if isinstance(said, Touch)]


def test_the_group_is_not_written_to_all_at_once() -> None:
    """Four colleagues are ready; one mail leaves, the others follow an hour apart."""
    answers = plan(acme(*GROUP), small_play(), NOW)
    assert touched(answers) == [4]
    rest = [said for said in answers if not isinstance(said, Touch)]
    assert {(said.reason, said.until) for said in rest if isinstance(said, Wait)} == {
        (Reason.STAGGERED, NOW + timedelta(hours=1))
    }


def test_an_hour_later_the_next_one_in_line_is_touched() -> None:
    told = GROUP[3]._replace(used=[PILOT], last_at=NOW)
    later = acme(*GROUP[:3], told, mails=[mail(timedelta(0), to=4)])
    answers = plan(later, small_play(), NOW + HOUR)
    assert touched(answers) == [3]


def test_roles_the_play_wants_go_first_in_its_order() -> None:
    wanted = Group(wanted=(WantedRole(role=Role.TECHNICAL_EVALUATOR), WantedRole(role=Role.CHAMPION)))
    assert touched(plan(acme(*GROUP), small_play(group=wanted), NOW)) == [2]


def test_of_two_in_the_same_role_the_one_who_waited_longest_goes_first() -> None:
    told_lately = person(1, last_at=NOW - 9 * DAY, used=["x"])
    told_long_ago = person(2, last_at=NOW - 30 * DAY, used=["y"])
    never_told = person(3)
    assert touched(plan(acme(told_lately, told_long_ago), small_play(), NOW)) == [2]
    assert touched(plan(acme(told_lately, told_long_ago, never_told), small_play(), NOW)) == [3]


def test_the_order_does_not_depend_on_the_order_of_rows() -> None:
    forwards = plan(acme(*GROUP), small_play(), NOW)
    backwards = plan(acme(*GROUP[::-1]), small_play(), NOW)
    assert forwards == backwards[::-1]


def test_the_accounts_room_goes_to_whoever_is_first_in_line() -> None:
    four = [mail(day * DAY, to=9, content=None) for day in (2, 3, 4, 5)]
    answers = plan(acme(*GROUP, mails=four), small_play(), NOW)
    assert touched(answers) == [4]
    assert answers[0] == Wait(Reason.ACCOUNT_CAP, NOW + 2 * DAY, f"{PLAY}/evaluation/first-week")


def test_somebody_outside_the_window_does_not_hold_up_the_line() -> None:
    in_tokyo = person(1, "champion", timezone="Asia/Tokyo")
    assert touched(plan(acme(in_tokyo, person(2, "end_user")), small_play(), NOW)) == [2]


def test_a_mail_that_waits_in_a_send_plan_takes_its_room() -> None:
    waiting = {4: OpenTouch(PILOT, NOW - DAY, NOW + 9 * DAY, "Europe/Berlin", "account")}
    cap_of_one = small_play(caps=Caps(account_per_week=1))
    answers = plan(acme(*GROUP, open=waiting), cap_of_one, NOW)
    assert touched(answers) == [4]
    assert answers[2] == Wait(Reason.ACCOUNT_CAP, NOW + 7 * DAY, NUMBERS)


def test_a_colleagues_clone_waits_for_the_stagger_also_after_the_hour() -> None:
    told = person(1, used=[PILOT], last_at=NOW - 5 * HOUR)
    answers = plan(acme(told, person(2, "influencer"), mails=[mail(5 * HOUR, to=1)]), small_play(), NOW)
    assert isinstance(answers[1], Wait)
    assert answers[1].reason is Reason.STAGGERED


def test_a_different_content_does_not_wait_for_the_stagger() -> None:
    told = person(1, used=[PILOT], last_at=NOW - 5 * HOUR)
    answers = plan(acme(told, person(2, "technical_evaluator"), mails=[mail(5 * HOUR, to=1)]), small_play(), NOW)
    assert isinstance(answers[1], Touch)
    assert answers[1].content == SECURITY


def test_one_planner_serves_many_accounts() -> None:
    planner = Planner(small_play(), NOW)
    alone, together = planner.plan(acme(person(1))), planner.plan(acme(*GROUP))
    assert alone == plan(acme(person(1)), small_play(), NOW)
    assert together == plan(acme(*GROUP), small_play(), NOW)


def test_an_account_without_people_has_no_answers() -> None:
    assert Planner(small_play(), NOW).plan(acme()._replace(people=())) == []
