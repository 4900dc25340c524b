"""What a rep said no to stays so: others may say no for longer beside it, and shorten it only by name and reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from accounts.answers import Told, Via
from accounts.errors import InputRefused, Refused
from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.people.holds import open_holds
from accounts.ledger.planning.snapshots import read_accounts, read_standing
from accounts.ledger.reps.answers import answers_since
from accounts.models import Delay, Rep, Stakeholder, Veto
from accounts.vocabulary import Role
from tests.cast import NOW, World
from tests.sales.desk import NUMBERS, PLAY_IN_USE, decided, say
from tests.web.reps import rows_but_audit

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DECEMBER = datetime(2026, 12, 2, 23, 0, tzinfo=UTC)
LATER = NOW + HOUR
MIA = {"by": None, "signed": "mia", "via": Via.CLI}
RAVI = "ravi@lumenflow.example"
STANDS = "What Ravi Menon said stands, until "


def mia(world: World, kind: str, now: datetime = LATER, **more: Any) -> Told:
    """A marketer says so, at the command line."""
    return say(world, kind, now=now, **MIA, **more)


def held(world: World, at: datetime) -> list[tuple[str, datetime | None]]:
    with reading(world.engine) as connection:
        return [(hold.by, hold.ends_at) for hold in open_holds(connection, at)]


@pytest.mark.parametrize("until", [DECEMBER, None], ids=["until a day", "until it is released"])
@pytest.mark.parametrize(
    ("kind", "more"),
    [("hold", {"until": NOW + DAY}), ("bad_timing", {"until": NOW + DAY, "day": (NOW + DAY).date()})],
    ids=["a shorter hold", "bad timing for a shorter time"],
)
def test_a_reps_hold_stands_beside_a_marketers_shorter_one(
    world: World, kind: str, more: dict[str, Any], until: datetime | None
) -> None:
    say(world, "hold", until=until)
    told = mia(world, kind, **more)
    assert told.could_not.startswith(STANDS if until else f"{STANDS}it is released")
    assert told.instead_of == ""
    assert held(world, LATER) == [(RAVI, until), ("mia", NOW + DAY)]
    assert held(world, NOW + 2 * DAY) == [(RAVI, until)]
    with pytest.raises(Refused, match="mia does not speak for Acme Works"):
        mia(world, "release", LATER + HOUR)
    assert decided(world, "alice") == ("wait", "account_held")


def test_a_marketer_makes_a_hold_longer_and_takes_only_their_own_word_back(world: World) -> None:
    say(world, "hold", until=DECEMBER)
    assert mia(world, "hold", until=DECEMBER + 9 * DAY).could_not == ""
    assert mia(world, "hold", LATER + HOUR, until=DECEMBER - DAY).could_not.startswith(STANDS)
    assert held(world, LATER + HOUR) == [(RAVI, DECEMBER), ("mia", DECEMBER - DAY)]


@pytest.mark.parametrize("kind", ["hold", "bad_timing"])
def test_with_a_reason_a_marketer_shortens_it_and_the_rep_reads_why(world: World, kind: str) -> None:
    say(world, "hold", until=DECEMBER)
    mia(world, kind, until=NOW + DAY, override="they called us")
    assert [by for by, _ in held(world, LATER)] == ["mia"]
    acme = world.accounts["acme"]
    with reading(world.engine) as connection:
        given = answers_since(connection, NOW, LATER, accounts=[acme])[acme]
    assert [(one.by, one.override) for one in given if one.override] == [("mia", "they called us")]


def test_a_rep_who_says_what_a_marketer_said_has_said_it(world: World) -> None:
    mia(world, "hold", NOW, until=DECEMBER)
    assert say(world, "hold", until=DECEMBER, now=LATER).is_new
    assert held(world, LATER) == [(RAVI, DECEMBER)]
    with pytest.raises(Refused):
        mia(world, "release", LATER + HOUR)


def test_the_rep_ends_what_stands_beside_their_own_word(world: World) -> None:
    say(world, "hold", until=DECEMBER)
    mia(world, "hold", until=DECEMBER + 9 * DAY)
    assert say(world, "hold", until=DECEMBER, now=LATER + HOUR).is_new
    assert held(world, LATER + HOUR) == [(RAVI, DECEMBER)]


def test_a_managers_hold_stands_as_well_where_the_manager_is_no_rep(world: World) -> None:
    boss = "boss@lumenflow.example"
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(manager_email=boss))
    say(world, "hold", until=DECEMBER, by=None, signed=boss, via=Via.CLI)
    mia(world, "hold", until=NOW + DAY)
    assert held(world, NOW + 2 * DAY) == [(boss, DECEMBER)]
    with pytest.raises(Refused):
        mia(world, "release", LATER + HOUR)


def test_a_reps_later_day_for_a_mail_stands_and_a_marketer_can_make_it_later_and_no_sooner(world: World) -> None:
    say(world, "delay", person="bob", content=NUMBERS, until=DECEMBER)
    told = mia(world, "delay", person="bob", content=NUMBERS, until=NOW + DAY)
    assert told.could_not.startswith(STANDS)
    assert waits(world) == {RAVI: DECEMBER, "mia": NOW + DAY}
    assert decided(world, "bob") == ("wait", "delayed_by_rep")
    assert planned_for(world) == DECEMBER

    mia(world, "delay", person="bob", content=NUMBERS, until=DECEMBER + DAY)
    assert planned_for(world) == DECEMBER + DAY
    mia(world, "delay", person="bob", content=NUMBERS, until=NOW + DAY)
    assert planned_for(world) == DECEMBER

    mia(world, "delay", person="bob", content=NUMBERS, until=NOW + DAY, override="they asked for it")
    assert waits(world) == {"mia": NOW + DAY}
    assert say(world, "delay", person="bob", content=NUMBERS, until=NOW + DAY, now=LATER).is_new
    assert waits(world) == {RAVI: NOW + DAY}


def test_a_reps_delay_is_taken_back_by_the_rep_or_with_name_and_reason(world: World) -> None:
    mail = {"person": "bob", "content": NUMBERS}
    say(world, "delay", until=DECEMBER, **mail)
    with pytest.raises(Refused, match="a rep asked that mail to Bob Example to wait, and mia does not speak for"):
        mia(world, "undelay", **mail)
    assert waits(world) == {RAVI: DECEMBER}
    assert mia(world, "undelay", override="they asked for it", **mail).is_new
    assert waits(world) == {}

    mia(world, "delay", until=DECEMBER, **mail)
    assert mia(world, "undelay", **mail).is_new, "their own word"
    assert waits(world) == {}


@pytest.mark.parametrize("kind", ["veto", "wrong_person"])
def test_a_reps_veto_stands_where_a_marketer_had_said_the_same_before(world: World, kind: str) -> None:
    mia(world, "veto", NOW, person="bob")
    assert say(world, kind, person="bob", now=LATER).is_new
    assert not say(world, kind, person="bob", now=LATER).is_new
    with pytest.raises(Refused, match="mia does not speak for Acme Works"):
        mia(world, "unveto", LATER + HOUR, person="bob")
    say(world, "unveto", person="bob", now=LATER + HOUR)
    assert decided(world, "bob")[1] != "vetoed"


@pytest.mark.parametrize(
    ("kind", "more", "what"),
    [
        ("seat", {"person": "bob", "role": Role.CHAMPION}, "a rep says who has which seat"),
        ("add_person", {"email": "zoe@acme.example", "role": Role.LEGAL}, "a rep says who has which seat"),
        ("correct_person", {"person": "bob", "email": "robert@acme.example"}, "a rep says who Bob Example is"),
        ("close_objection", {"objection_id": 1}, "a rep says what is settled"),
        ("claim", {"person": "ivan", "account": "initech-north"}, "a rep says where Ivan Example belongs"),
    ],
)
def test_what_is_a_reps_to_say_somebody_else_says_only_with_name_and_reason(
    world: World, kind: str, more: dict[str, Any], what: str
) -> None:
    """Seats, corrections, what is settled, whose a person is: the rep, the manager, or a reason that the rep reads."""
    twice(world)
    say(world, "objection", words="too dear", person="bob")
    before = rows_but_audit(world)
    with pytest.raises(Refused, match=f"{what}, and mia does not speak for"):
        mia(world, kind, **more)
    assert rows_but_audit(world) == before
    assert mia(world, kind, override="Ravi asked me to", **more).is_new
    acme = world.accounts[more.get("account", "acme")]
    with reading(world.engine) as connection:
        assert [one.by for one in answers_since(connection, NOW, LATER, accounts=[acme])[acme] if one.override] == [
            "mia"
        ]
        assert read_audit(connection, limit=1)[0].after["override"] is True


def test_the_manager_says_it_without_a_reason(world: World) -> None:
    boss = "boss@lumenflow.example"
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(manager_email=boss))
    assert say(world, "seat", person="bob", role=Role.CHAMPION, by=None, signed=boss, via=Via.CLI).is_new


def twice(world: World) -> None:
    """Ivan stands at Initech South as well, and nobody has said where he belongs."""
    with writing(world.engine) as connection:
        ivan = connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == world.people["ivan"])).one()
        there = {**ivan._asdict(), "account_id": world.accounts["initech-south"], "is_home": False}
        connection.execute(insert(Stakeholder).values({name: there[name] for name in there if name != "id"}))
        connection.execute(update(Stakeholder).where(Stakeholder.id == ivan.id).values(is_home=False))


def waits(world: World) -> dict[str, datetime]:
    with reading(world.engine) as connection:
        query = select(Delay.by, Delay.until).where(Delay.stakeholder_id == world.people["bob"])
        return dict(connection.execute(query).tuples().all())


def planned_for(world: World) -> datetime:
    """The day planning waits for, as it reads the account."""
    with reading(world.engine) as connection:
        standing = read_standing(connection, PLAY_IN_USE, LATER)
        (read,) = read_accounts(connection, [world.accounts["acme"]], PLAY_IN_USE, LATER, standing)
        return read.account.delays[world.people["bob"], NUMBERS]


def test_a_mail_is_meant_by_the_name_that_lists_show_and_a_name_that_no_mail_has_is_refused(world: World) -> None:
    """A no to a mail that is not there would say that it does not reach her, and it would."""
    say(world, "veto", person="alice", content=NUMBERS.partition("/")[2])
    with reading(world.engine) as connection:
        assert connection.scalars(select(Veto.content)).all() == [NUMBERS]
    with pytest.raises(InputRefused, match="there is no mail 'evaluation/three-nombers'"):
        say(world, "veto", person="alice", content="evaluation/three-nombers")
