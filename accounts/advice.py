"""What templates/README.md advises and a play does not do. Nothing of it is refused: readers mind it, no rule does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from accounts.playbook import Play, Step
from accounts.vocabulary import Role

LONGEST_SUBJECT = 60
LONGEST_PREHEADER = 90
FEWEST_WORDS, MOST_WORDS = 80, 180

#: Stands for a variable when letters are counted: a company's name is about so long.
_NAME = "Company Name"
_VARIABLE = re.compile(r"\{\{.*?\}\}")
#: Conditions, notes and where a link leads: no words of the letter.
_UNREAD = re.compile(r"\{%.*?%\}|\{#.*?#\}|(?<=\])\([^)]*\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Advice:
    """Something about an e-mail that is worth another look."""

    content: str
    says: str


def advise(play: Play) -> tuple[Advice, ...]:
    """By content, in the order of the play."""
    return tuple(Advice(step.key, says) for step in play.steps for says in (*_of_words(step), *_of_order(step, play)))


def _of_words(step: Step) -> Iterator[str]:
    for what, text, most in (
        ("subject", step.subject, LONGEST_SUBJECT), ("preheader", step.preheader, LONGEST_PREHEADER),
    ):  # fmt: skip
        letters = len(_VARIABLE.sub(_NAME, text))
        if letters > most:
            yield f"the {what} has about {letters} letters, and {most} are read everywhere"
    words = len(_VARIABLE.sub("x", _UNREAD.sub(" ", step.body)).split())
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        yield f"the text has {words} words; {FEWEST_WORDS} to {MOST_WORDS} are read to the end"


def _of_order(step: Step, play: Play) -> Iterator[str]:
    """A number that is missing before this one, for somebody who would have to wait for it."""
    for role in step.roles:
        if step.step > 1 and step.step - 1 not in _numbers(play, step.stage, role):
            yield f"is step {step.step} for {role.label}, and there is no step {step.step - 1}"


def _numbers(play: Play, stage: str, role: Role) -> set[int]:
    return {one.step for one in play.steps if one.stage == stage and role in one.roles}
