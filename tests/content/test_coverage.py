"""The matrix of stages and roles: what is there, where the gaps are, who waits, what falls due."""

from datetime import date, timedelta

import pytest
from sqlalchemy import insert, update

from accounts.coverage import Due, Gap, Seats, cover
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning.seats import count_seats
from accounts.models import Account, Decision
from accounts.vocabulary import Role
from tests.cast import NOW, PLAY, World
from tests.plays import small_play, step

TODAY = date(2026, 11, 24)
NEVER = date(2030, 1, 1)


def lasting(slug: str, roles: str, number: int = 1, *, expires: date = NEVER, review_by: date | None = None):  # type: ignore[no-untyped-def]
    return step(slug, roles, number, expires=expires, review_by=review_by or expires - timedelta(days=60))


def test_a_cell_holds_its_current_contents_in_order() -> None:
    play = small_play(
        steps=(lasting("discovery/second", "champion", 2), lasting("discovery/first", "champion legal", 1))
    )
    coverage = cover(play, {}, TODAY)
    assert coverage.cells["discovery", Role.CHAMPION] == (f"{PLAY}/discovery/first", f"{PLAY}/discovery/second")
    assert coverage.cells["discovery", Role.LEGAL] == (f"{PLAY}/discovery/first",)
    assert coverage.roles == (Role.CHAMPION, Role.LEGAL)
    assert coverage.stages == ("contacted", "discovery", "evaluation", "proposal", "negotiation")


def test_a_gap_is_a_seat_with_people_and_nothing_current_to_read() -> None:
    play = small_play(
        steps=(lasting("discovery/a", "champion"), lasting("discovery/old", "legal", expires=date(2026, 11, 23)))
    )
    seats = {
        ("discovery", Role.CHAMPION): Seats(5, 4), ("discovery", Role.LEGAL): Seats(2, 1),
        ("proposal", Role.LEGAL): Seats(9, 8), ("proposal", Role.END_USER): Seats(3, 0),
        ("target", Role.LEGAL): Seats(70, 70),
    }  # fmt: skip
    assert cover(play, seats, TODAY).gaps == (
        Gap("proposal", Role.LEGAL, Seats(9, 8)),
        Gap("discovery", Role.LEGAL, Seats(2, 1), (f"{PLAY}/discovery/old",)),
    )


def test_a_content_is_sent_on_the_day_it_expires_and_not_after() -> None:
    play = small_play(steps=(lasting("discovery/a", "champion", expires=TODAY),))
    assert ("discovery", Role.CHAMPION) in cover(play, {}, TODAY).cells
    assert ("discovery", Role.CHAMPION) not in cover(play, {}, TODAY + timedelta(days=1)).cells


@pytest.mark.parametrize(
    ("review_by", "expires", "what", "day"),
    [
        (date(2026, 10, 1), date(2026, 11, 23), "expired", date(2026, 11, 23)),
        (date(2026, 10, 1), date(2026, 12, 24), "expires soon", date(2026, 12, 24)),
        (date(2026, 11, 23), date(2027, 3, 1), "review overdue", date(2026, 11, 23)),
        (date(2026, 11, 24), date(2027, 3, 1), "review due", date(2026, 11, 24)),
        (date(2026, 12, 24), date(2027, 3, 1), "review due", date(2026, 12, 24)),
    ],
)
def test_what_falls_due_is_listed_with_who_answers_for_it(review_by: date, expires: date, what: str, day: date) -> None:
    play = small_play(steps=(lasting("discovery/a", "champion", review_by=review_by, expires=expires),))
    assert cover(play, {}, TODAY).due == (Due(f"{PLAY}/discovery/a", play.steps[0].owner, what, day),)


def test_what_is_far_away_is_not_listed() -> None:
    play = small_play(steps=(lasting("discovery/a", "champion", review_by=date(2026, 12, 25), expires=NEVER),))
    assert cover(play, {}, TODAY).due == ()


# --- the people -------------------------------------------------------------------------------------------------------


def test_people_are_counted_by_stage_and_role(world: World) -> None:
    with reading(world.engine) as connection:
        seats = count_seats(connection, PLAY)
    assert seats["evaluation", Role.CHAMPION] == Seats(1, 1)
    assert seats["discovery", Role.CHAMPION] == Seats(2, 2), "Gina and Ivan"
    assert seats["evaluation", Role.END_USER] == Seats(1, 0), "Dana unsubscribed"
    assert seats["evaluation", Role.LEGAL] == Seats(1, 0), "there is no basis to write to Frank"
    assert seats["discovery", Role.ECONOMIC_BUYER] == Seats(1, 0), "Hank's address bounces"
    assert seats["target", Role.EXECUTIVE_SPONSOR] == Seats(1, 1)


def test_what_planning_told_them_is_counted(world: World) -> None:
    told = {"alice": "no_content", "bob": "sequence_finished", "charlie": "content_expired", "erin": "person_cap"}
    with writing(world.engine) as connection:
        for person, reason in told.items():
            connection.execute(
                insert(Decision).values(
                    stakeholder_id=world.people[person], account_id=world.accounts["acme"], as_of=NOW, answer="never",
                    reason=reason,
                )
            )  # fmt: skip
        seats = count_seats(connection, PLAY)
    assert seats["evaluation", Role.CHAMPION] == Seats(1, 1, waiting=1)
    assert seats["evaluation", Role.ECONOMIC_BUYER] == Seats(1, 1, finished=1)
    assert seats["evaluation", Role.TECHNICAL_EVALUATOR] == Seats(1, 1, waiting=1)
    assert seats["evaluation", Role.PROCUREMENT] == Seats(1, 1)


def test_accounts_of_another_play_do_not_count(world: World) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).where(Account.key == "acme").values(play="another"))
        connection.execute(update(Account).where(Account.key == "globex").values(play=None))
        seats = count_seats(connection, PLAY)
    assert ("evaluation", Role.CHAMPION) not in seats
    assert seats["discovery", Role.CHAMPION].people == 2
