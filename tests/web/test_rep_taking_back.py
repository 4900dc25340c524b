"""A no is taken back later by two clicks: "Another answer" in any message or brief, and the button on its page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from accounts.answers import AnswerKind
from accounts.ledger.engine import reading
from accounts.models import Delay, Hold, Lease, Veto
from flows.web.routes.reps.forms import FORMS
from tests.cast import NOW, PLAY, World
from tests.sales.desk import say
from tests.web.reps import path, press, press_button
from tests.web.visitor import Browser, on_sqlite

K = AnswerKind
PILOT, NUMBERS = f"{PLAY}/evaluation/pilot", f"{PLAY}/evaluation/three-numbers"
ANY, ONE = "Any mail to Bob Example: no", "“About evaluation/pilot” to Bob Example: no"
ON = "Let marketing go on"
#: What was answered, about whom -> the button, and what it stands below.
BACK: dict[tuple[AnswerKind, str | None], tuple[str, str]] = {
    (K.HOLD, None): (ON, "Acme Works is on hold"),
    (K.HOLD, "bob"): (ON, "Bob Example is on hold"),
    (K.BAD_TIMING, None): (ON, "Acme Works is on hold"),
    (K.BAD_TIMING, "bob"): (ON, "Bob Example is on hold"),
    (K.VETO, "bob"): ("Take the no back", ANY),
    (K.WRONG_PERSON, "bob"): ("Take the no back", ANY),
    (K.DELAY, "bob"): ("Do not wait", "“About evaluation/pilot” to Bob Example waits until 1 Dec"),
    (K.TAKE, None): ("Give it back", "Ravi Menon works Acme Works"),
}
#: What else such an answer has to say.
SAYS: dict[AnswerKind, dict[str, Any]] = {K.DELAY: {"content": PILOT, "until": NOW + timedelta(days=7)}}


def standing(world: World) -> list[Any]:
    """The noes, delays and leases that are in force."""
    with reading(world.engine) as connection:
        return [
            *connection.execute(select(Hold.id).where(Hold.released_at.is_(None))),
            *connection.execute(select(Veto.stakeholder_id, Veto.content).order_by(Veto.id)),
            *connection.execute(select(Delay.stakeholder_id, Delay.content).order_by(Delay.until)),
            *connection.execute(select(Lease.id).where(Lease.ended_at.is_(None))),
        ]


def other(web: Browser, world: World) -> Any:
    """The first click."""
    return web.get(path(world, "other"))


def test_every_answer_that_can_be_undone_is_listed_here() -> None:
    assert {kind for kind, _ in BACK} == {kind for kind, form in FORMS.items() if form.undo}


@on_sqlite
@pytest.mark.parametrize(("kind", "person"), BACK, ids=lambda value: str(value or "everybody"))
def test_it_takes_two_clicks(web: Browser, world: World, kind: AnswerKind, person: str | None) -> None:
    assert standing(world) == []
    say(world, kind, person=person, **SAYS.get(kind, {}))
    assert len(standing(world)) == 1
    label, heading = BACK[kind, person]
    page = other(web, world)
    whom = "Bob Example" if person else "Acme Works"
    assert label != ON or f"Holds on {whom} end at once" in page.text
    assert kind is not K.DELAY or "“About evaluation/pilot” waits no longer" in page.text
    assert "<h1>Done</h1>" in press_button(web, page, label, heading).text
    assert standing(world) == []
    assert f">{heading}<" not in other(web, world).text


def test_of_several_noes_exactly_that_one_goes(web: Browser, world: World) -> None:
    """One mail, all mail, and a colleague's mail."""
    bob, alice = world.people["bob"], world.people["alice"]
    say(world, "veto", person="bob", content=PILOT)
    say(world, "veto", person="bob")
    say(world, "veto", person="alice", content=NUMBERS)
    press_button(web, other(web, world), "Take the no back", ANY)
    assert standing(world) == [(bob, PILOT), (alice, NUMBERS)]
    press_button(web, other(web, world), "Take the no back", ONE)
    assert standing(world) == [(alice, NUMBERS)]


def from_the_account(heading: str) -> Callable[[Browser, World], Any]:
    """The way by the account's page, where the form stands between: which no it is for, it says."""

    def way(web: Browser, world: World) -> Any:
        page = web.get(path(world, "page")).text
        line = next(one for one in page.split("<li>") if f'<span class="what">{heading}, said you' in one)
        return web.get(line.split('<a href="')[1].split('"')[0].replace("&amp;", "&"))

    return way


@on_sqlite
@pytest.mark.parametrize(
    ("heading", "asks", "left"), [(ANY, "Let our mails go to Bob Example after all?", PILOT),
                                  (ONE, "Let this mail go to Bob Example after all?", None)],
    ids=["all mail", "one mail"],
)  # fmt: skip
def test_the_form_behind_a_no_is_about_that_no(
    web: Browser, world: World, heading: str, asks: str, left: str | None
) -> None:
    say(world, "veto", person="bob")
    say(world, "veto", person="bob", content=PILOT)
    form = from_the_account(heading)(web, world)
    assert asks in form.text
    assert "<h1>Done</h1>" in press(web, form).text
    assert standing(world) == [(world.people["bob"], left)]
