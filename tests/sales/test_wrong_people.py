"""Whoever a rep calls the wrong person heats nothing up and fills no seat: on the page, in the list, in the brief;
until it is taken back.
"""

from datetime import timedelta

from accounts.briefs.case import heat_reading
from accounts.briefs.seats import missing_roles, question_of
from accounts.ledger.briefs.material import read_material
from accounts.ledger.briefs.written import read_looks
from accounts.ledger.engagement.heats import read_heats
from accounts.ledger.engagement.scores import read_engagement
from accounts.ledger.engine import reading
from accounts.ledger.pages.account_page import read_account_facts
from accounts.ledger.people.group import read_groups
from accounts.ledger.reps.accounts import read_rep_accounts
from accounts.vocabulary import Heat, Role
from tests.cast import NOW, World
from tests.sales.desk import say
from tests.signals.post import play, signal, tell

HOUR = timedelta(hours=1)
PLAY = play()


def heats(world: World) -> set[float]:
    """Points of the last seven days at Acme, as the account's page, the rep's list and the rep's brief read them."""
    acme, now = world.accounts["acme"], NOW + HOUR
    with reading(world.engine) as connection:
        page = read_engagement(connection, [acme], PLAY.engagement, now)[acme].heat
        lines = read_rep_accounts(connection, world.reps["ravi"], PLAY, now)
        listed = next(line.heat for line in lines if line.id == acme)
        told = [
            one for rep in read_material(connection, read_looks(connection, now), PLAY, now) for one in rep.accounts
        ]
        briefed = next(heat_reading(one, PLAY, now) for one in told if one.id == acme)
    return {round(one.this_week, 3) for one in (page, listed, briefed)}


def turned_hot(world: World) -> bool:
    """As the promise of a call hears of it; where four more points than usual are notable."""
    acme, rules = world.accounts["acme"], PLAY.engagement.model_copy(update={"heat_points": 4.0})
    with reading(world.engine) as connection:
        return read_heats(connection, [acme], rules, NOW + HOUR)[acme] is Heat.RISING


def test_what_the_wrong_person_did_is_no_heat(world: World) -> None:
    """Charlie replied three times, and Alice, the champion, clicked once."""
    tell(world.engine, *(signal("replied", "charlie@acme.example", NOW - n * HOUR) for n in range(3)))
    tell(world.engine, signal("clicked", "alice@acme.example", NOW - HOUR))
    before = heats(world)
    assert before == {3 * 12 + 3.9}

    assert turned_hot(world)

    say(world, "wrong_person", person="charlie")
    assert heats(world) == {3.9}
    assert not turned_hot(world), "sales owes no call for it"

    say(world, "unveto", person="charlie", now=NOW + HOUR / 2)
    assert heats(world) == before
    assert turned_hot(world)

    say(world, "veto", person="charlie", now=NOW + HOUR / 2)
    assert heats(world) == before, "no more mail, and still the right person"

    say(world, "unveto", person="charlie", now=NOW + HOUR / 2)
    say(world, "wrong_person", person="charlie", now=NOW + HOUR / 2)
    assert heats(world) == {3.9}, "said again, and meant again"


def empty(world: World) -> tuple[tuple[Role, ...], str, Role | None]:
    """At Acme: the seats that are empty on its page, what its brief asks, and the seat that tracking wants most."""
    acme, now = world.accounts["acme"], NOW + HOUR
    with reading(world.engine) as connection:
        page = read_account_facts(connection, acme, now).material
        told = [
            one for rep in read_material(connection, read_looks(connection, now), PLAY, now) for one in rep.accounts
        ]
        question = next(question_of(one, PLAY) for one in told if one.id == acme)
        group = read_groups(connection, [acme], PLAY.group, now)[acme]
    return missing_roles(page, PLAY), question.text if question else "", group.most_wanted


def test_the_seat_of_the_wrong_person_is_empty_and_asked_for(world: World) -> None:
    """Bob is the only economic buyer."""
    tell(world.engine, signal("clicked", "alice@acme.example", NOW - HOUR))
    seats, question, wanted = empty(world)
    assert (Role.ECONOMIC_BUYER in seats, wanted is Role.ECONOMIC_BUYER) == (False, False)

    say(world, "wrong_person", person="bob")
    seats, asked, wanted = empty(world)
    assert Role.ECONOMIC_BUYER in seats
    assert (asked, wanted) == ("Who signs off the budget?", Role.ECONOMIC_BUYER)

    say(world, "unveto", person="bob", now=NOW + HOUR / 2)
    assert empty(world)[:2] == (tuple(role for role in seats if role is not Role.ECONOMIC_BUYER), question)
