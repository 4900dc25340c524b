"""Flow `approve-plan`: a person's word about a held send plan, asked for in Prefect's pages.

The run shows the plan, asks, and ends; the answer starts it again at its first line, with another process if need be.
Nobody waits meanwhile but the plan, and nothing of that leaves. A question without an answer fails after its time, and
nothing was sent.
"""

from datetime import datetime
from typing import Literal

from prefect import flow, suspend_flow_run, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field

from accounts.errors import PlanRefused
from flows.clock import clock
from flows.house import open_house
from flows.publishing import publish, rename_run
from flows.reports import question_report
from flows.sending import approving
from flows.sending.questions import Question, question_of

#: Messages named in the form itself; the page of the run names more.
IN_FORM = 20


class Word(RunInput):
    """What a person says of a held plan."""

    answer: Literal["approve", "approve without these rows", "cancel the plan"] = Field(
        title="Answer", description="Approve lets it go with the next nurture run, inside its readers' working hours."
    )
    rows: list[int] = Field(
        default=[],
        title="Rows to leave out",
        description="Their numbers in the table. These people never get this content.",
    )
    by: str = Field(title="Your name", description="It is written down beside the answer.", min_length=1)


@flow(name="approve-plan", flow_run_name="approve plan {plan}?")
def approve_plan(
    plan: int, play: str = "new-business", hours: float = 72.0, as_of: datetime | None = None
) -> State[str]:
    """Ask a person about a held send plan, and do as they say.

    Args:
        plan: The number of the plan.
        play: The play it belongs to, a folder of templates/plays.
        hours: How long the question stands. Without an answer nothing is sent.
        as_of: Pretend it is this time; empty means now.
    """
    question = read_question(play, plan, clock(as_of))
    if not question.is_open:
        return Completed(name="Decided", message=f"plan {plan} is {question.plan.state} and waits for nobody")
    publish(f"plan-{plan}", question_report(question), f"Plan {plan} waits for a word: why, who is in it, its words")
    form = Word.with_initial_data(description=question_report(question, most=IN_FORM, words=False))
    word = suspend_flow_run(wait_for_input=form, timeout=round(hours * 3600), key=f"plan-{plan}")
    said = carry_out(play, plan, word, clock(as_of))
    rename_run(f"plan {plan}: {said}")
    return Completed(name="Answered", message=said)


@task(name="read the plan", retries=2, retry_delay_seconds=[5, 30], cache_policy=NO_CACHE)
def read_question(play: str, plan: int, now: datetime) -> Question:
    with open_house(play) as house:
        return question_of(house.engine, house.settings, house.play, plan, now)


@task(name="do as the answer says", cache_policy=NO_CACHE)
def carry_out(play: str, plan: int, word: Word, now: datetime) -> str:
    """What was done, in words. A plan that somebody else decided meanwhile stays as they decided."""
    with open_house(play) as house:
        try:
            if word.answer == "cancel the plan":
                stopped = approving.reject(house.engine, plan, by=word.by, now=now)
                return f"cancelled by {word.by}, nothing leaves of {_messages(stopped)}"
            rows = word.rows if word.answer == "approve without these rows" else ()
            verdict = approving.approve(
                house.engine, house.settings, plan, by=word.by, now=now, drop=rows, drop_failing=True
            )
        except PlanRefused as refusal:
            return f"nothing done, {refusal}"
        return f"approved by {word.by}, {_messages(verdict.rows - len(verdict.failing))} may leave"


def _messages(number: int) -> str:
    return f"{number} message{'s' * (number != 1)}"
