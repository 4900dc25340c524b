"""What became of reps' answers, in the brief that follows: whoever gives a word sees that it was heard."""

from accounts.briefs.material import AccountMaterial, Answered, Statement, clip

#: An answer, by its kind, as somebody would say it.
WORDS: dict[str, str] = {
    "hold": "hold",
    "release": "go on",
    "veto": "no",
    "unveto": "yes after all",
    "delay": "later",
    "undelay": "no longer later",
    "approve": "yes",
    "ripe": "ripe",
    "not_yet": "not yet",
    "wrong_person": "wrong person",
    "bad_timing": "bad timing",
    "seat": "who has that seat",
    "add_person": "who is missing",
    "correct_person": "who that is",
    "claim": "where they belong",
    "objection": "what they object to",
    "topic": "what they ask about",
    "close_objection": "it is settled",
    "wrong_line": "a line is wrong",
    "take": "it is mine",
    "limits": "so far and no further",
    "give_back": "it is marketing's again",
}


def because(account: AccountMaterial, reader: int) -> tuple[Statement, ...]:
    """``Because you said later: No mail to Bob Example until 3 December``, the latest first."""
    return tuple(_said(answer, reader) for answer in account.answers)


def _said(answer: Answered, reader: int) -> Statement:
    speaker = "you" if answer.rep == reader else clip(answer.by, 3, 40)
    word = WORDS.get(answer.kind, answer.kind.replace("_", " "))
    follows = f": {clip(answer.sentence, 24, 160)}" if answer.sentence else ""
    return Statement(f"Because {speaker} said {word}{follows}", answer.evidence)
