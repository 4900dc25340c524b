"""What a rep heard goes first: a pure rule, the same for the next mail, the brief's asset and the sentence of `why`."""

from datetime import timedelta

from sqlalchemy import select

from accounts.answers import AnswerKind, Said, Via
from accounts.heard import Heard, applies, asked_first, topics_in, why
from accounts.ledger.engine import reading
from accounts.models import Decision
from accounts.playbook import Play
from accounts.playfiles import load_play
from accounts.snapshots import Account
from flows.sales import answers
from flows.settings import TEMPLATES
from tests.cast import NOW, World
from tests.planning.scenes import DAY, FIVE_SLIDES, PILOT, acme, answer, person
from tests.planning.test_why import sentence
from tests.plays import small_play, step
from tests.sending.desk import open_play

PRICE = Heard(4, "the price is too high", NOW - 12 * DAY, frozenset({"cost"}))


def play() -> Play:
    steps = (
        step("evaluation/pilot", "champion", after=2, topics=("proof",)),
        step("evaluation/five-slides", "champion", 2, after=2, topics=("cost", "adoption")),
    )
    return small_play(steps=steps)


def content(account: Account) -> str | None:
    return answer(account, play()).content


def test_words_are_known_by_their_beginning_and_a_topic_by_its_own_name() -> None:
    known_by = {"cost": ("cost", "price"), "terms": ("terms", "notice period")}
    assert topics_in("Prices went up; what about the Notice Period?", known_by) == {"cost", "terms"}
    assert topics_in("how does it cost out", known_by) == {"cost"}
    assert topics_in("a surprise", known_by) == frozenset()
    assert topics_in("caprice", known_by) == frozenset()


def test_what_was_heard_goes_first_and_everything_else_keeps_its_order() -> None:
    slides, pilot, more = (step(f"evaluation/{name}", "champion", topics=(about,)) for name, about in (
        ("slides", "adoption"), ("pilot", "proof"), ("more", "cost"),
    ))  # fmt: skip
    assert asked_first([slides, pilot, more], {"cost", "proof"}) == [pilot, more, slides]
    assert asked_first([slides, pilot, more], set()) == [slides, pilot, more]


def test_the_next_mail_is_about_what_was_heard() -> None:
    assert content(acme()) == PILOT
    assert content(acme(heard=[PRICE])) == FIVE_SLIDES


def test_what_one_person_said_steers_their_mail_and_no_colleagues() -> None:
    assert content(acme(heard=[PRICE._replace(person=1)])) == FIVE_SLIDES
    assert content(acme(heard=[PRICE._replace(person=2)])) == PILOT
    assert applies([PRICE, PRICE._replace(person=2, topics=frozenset({"risk"}))], 1) == {"cost"}


def test_who_had_it_already_gets_the_next_one_of_the_plan() -> None:
    told = person(used=[FIVE_SLIDES], last_at=NOW - 9 * DAY)
    assert content(acme(told, heard=[PRICE])) == PILOT


def test_why_says_what_was_heard_and_when() -> None:
    """Of two fitting ones, the later."""
    later = PRICE._replace(id=5, words="budget is gone", at=NOW - 2 * DAY)
    said = sentence(acme(heard=[PRICE, later]), play())
    assert "gets evaluation/five-slides now" in said
    assert "; evaluation/five-slides speaks of cost, since “budget is gone” was heard on 22 Nov 2026" in said
    assert "was heard" not in sentence(acme(heard=[PRICE._replace(topics=frozenset({"risk"}))]), play())
    assert why([PRICE], 1, frozenset({"risk"})) is None


def test_reps_words_find_contents_of_the_play_we_ship() -> None:
    """Each topic of its e-mails is known by its name, and the words of `heard` are words of topics it has."""
    new_business = load_play(TEMPLATES / "plays" / "new-business")
    assert set(new_business.heard) <= set(new_business.known_by)
    for words, topic in (
        ("far too expensive", "cost"), ("who answers for an outage?", "risk"), ("our firewall rules", "security"),
        ("works council must agree", "compliance"), ("does it talk to our SCADA", "integration"),
        ("we want a reference first", "proof"), ("liability clause", "terms"), ("not now", "urgency"),
    ):  # fmt: skip
        assert topic in topics_in(words, new_business.known_by), words


def test_an_objection_changes_the_next_mail_the_same_minute_until_it_is_closed(world: World) -> None:
    base = open_play()
    steps = (
        *(one for one in base.steps if not (one.stage == "evaluation" and "champion" in one.roles)), *play().steps
    )  # fmt: skip
    in_use = base.model_copy(update={"steps": steps, "heard": {"cost": ("price",)}})

    def say(kind: str, minutes: int, **more: object) -> None:
        said = Said(AnswerKind(kind), world.accounts["acme"], **more)  # type: ignore[arg-type]
        now = NOW + timedelta(minutes=minutes)
        answers.answer(world.engine, in_use, said, by="", rep_id=world.reps["ravi"], via=Via.WEB, now=now)

    say("objection", 0, stakeholder_id=world.people["alice"], words="the price")
    assert next_for(world, "alice") == FIVE_SLIDES
    say("close_objection", 5, objection_id=1)
    assert next_for(world, "alice") == PILOT


def next_for(world: World, name: str) -> str | None:
    with reading(world.engine) as connection:
        return connection.scalar(select(Decision.content).where(Decision.stakeholder_id == world.people[name]))
