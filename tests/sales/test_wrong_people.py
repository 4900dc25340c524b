"""Whoever a rep calls the wrong person heats nothing up: on the page, in the list, in the brief; until taken back."""

from datetime import timedelta

from accounts.briefs.case import heat_reading
from accounts.ledger.brief_material import read_material
from accounts.ledger.briefs import read_looks
from accounts.ledger.engine import reading
from accounts.ledger.rep_accounts import read_rep_accounts
from accounts.ledger.scores import read_engagement
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


def test_what_the_wrong_person_did_is_no_heat(world: World) -> None:
    """Charlie replied three times, and Alice, the champion, clicked once."""
    tell(world.engine, *(signal("replied", "charlie@acme.example", NOW - n * HOUR) for n in range(3)))
    tell(world.engine, signal("clicked", "alice@acme.example", NOW - HOUR))
    before = heats(world)
    assert before == {3 * 12 + 3.9}

    say(world, "wrong_person", person="charlie")
    assert heats(world) == {3.9}

    say(world, "unveto", person="charlie", now=NOW + HOUR / 2)
    assert heats(world) == before
