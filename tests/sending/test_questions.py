"""The question about a held plan says how large it is beside what earlier plans really sent."""

from pathlib import Path

from sqlalchemy import insert

from accounts.ledger.engine import writing
from accounts.models import SendPlan, Touch
from accounts.playfiles import load_play
from expectations.audience import Limits
from flows import nurturing
from flows.channels.email.memory import Memory
from flows.reports import question_report
from flows.sending.questions import Question, question_of
from flows.settings import TEMPLATES, Settings
from tests.cast import NOW, PLAY, World
from tests.sending.desk import DAY

NEW_BUSINESS = load_play(TEMPLATES / "plays" / "new-business")
FIRST_READERS = Limits(first_readers=0)


def test_the_first_plan_has_nothing_to_be_compared_with(world: World, tmp_path: Path) -> None:
    question = asked(world, tmp_path)
    assert (question.earlier, question.usual) == ([], None)
    assert "messages; no plan was sent before. Frozen" in question_report(question)


def test_a_plan_stands_beside_the_usual_one_and_the_last_ones_newest_first(world: World, tmp_path: Path) -> None:
    """The usual one is in the middle: one large plan does not make large plans usual."""
    for size in (2, 4, 60):
        sent(world, size)
    sent(world, 7, accounts=("acme",))
    sent(world, 9, state="rejected")
    question = asked(world, tmp_path)
    assert (question.earlier, question.usual) == ([60, 4, 2], 4)
    assert f"**{question.plan.size}** messages; the usual plan has 4 (the last ones: 60, 4, 2). Frozen" in (
        question_report(question)
    )


def asked(world: World, home: Path) -> Question:
    """About the plan that the gate holds now: its words are new to everybody."""
    settings = Settings(home=home)
    nurtured = nurturing.nurture(world.engine, settings, NEW_BUSINESS, NOW, channel=Memory(), limits=FIRST_READERS)
    (held,) = nurtured.held
    return question_of(world.engine, settings, NEW_BUSINESS, held, NOW)


def sent(world: World, size: int, accounts: tuple[str, ...] = ("acme", "globex"), state: str = "done") -> None:
    """A plan of last month, all of which left; its readers are nobody's colleagues any more."""
    then = NOW - 30 * DAY
    with writing(world.engine) as connection:
        plan = connection.execute(
            insert(SendPlan).values(created_at=then, play=PLAY, size=size, state=state).returning(SendPlan.id)
        ).scalar_one()
        connection.execute(
            insert(Touch),
            [
                {"account_id": world.accounts[accounts[number % len(accounts)]], "channel": "email", "play": PLAY,
                 "play_version": "0" * 64, "stage": "discovery", "content": f"{PLAY}/discovery/old",
                 "content_digest": "0" * 64, "address": f"p{number}@old.example", "state": "sent", "due_at": then,
                 "sent_at": then, "plan_id": plan}
                for number in range(size)
            ],
        )  # fmt: skip
