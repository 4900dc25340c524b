"""A rep's answers: what can be said, what each does, and what is told back. Pure; `flows.sales.answers` performs them.

kinds.py    the table: every answer, whom it is about, what it does
said.py     an answer as a value, and what came of it      form.py    a filled-in form as an answer
saying.py   days, times and counts as sentences say them
"""

from accounts.answers.form import parse
from accounts.answers.kinds import ANSWERS, AnswerKind, Via
from accounts.answers.said import Limits, Said, Told

__all__ = ["ANSWERS", "AnswerKind", "Limits", "Said", "Told", "Via", "parse"]
