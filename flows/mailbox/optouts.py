"""Does somebody write that they want no more mail? Whoever says so in an answer has said it."""

import re

from flows.mailbox.machines import ANSWERS
from flows.mailbox.saying import line_with, phrases, plain

#: Letters at the head of a reply, above a signature and what lawyers put below. Further down such words may be about
#: something else; a rep reads them.
HEAD = 400
_SENTENCE = re.compile(r"[.!?\n]")


def asks_for_no_more(words: str) -> str:
    """The line that says so, or nothing. `words`: a reply's own words, without what it quotes."""
    said = plain(words)
    first = _SENTENCE.split(words.strip(), maxsplit=1)[0].strip()
    if _is_all(plain(first)):
        return first
    return line_with(words, phrases("optouts", "no_more")) if _is_among(said[:HEAD]) else ""


def asks_in_subject(subject: str) -> str:
    """The subject, where that says so: many programs unsubscribe with a mail in which nothing else stands. Of an answer
    the subject is ours, unless it is that and nothing else."""
    said = plain(subject)
    bare = said
    while prefix := next((one for one in ANSWERS if bare.startswith(one)), ""):
        bare = bare[len(prefix) :].lstrip()
    return subject.strip() if _is_all(bare) or (bare == said and _is_among(said)) else ""


def _is_all(said: str) -> bool:
    return said.strip(" .!?-*\"'") in phrases("optouts", "alone").whole


def _is_among(said: str) -> bool:
    for opposite in phrases("optouts", "stays").whole:
        said = said.replace(opposite, " ")
    return phrases("optouts", "no_more").find(said) >= 0
