"""What became of a rep's answers, in the brief that follows: whoever gives a word sees that it was heard."""

from accounts.briefs.material import AccountMaterial, Answered, Statement, clip
from accounts.briefs.saying import Local

#: The answer as it was given -> what the rep said, and what follows; `{who}` and `{until}` are filled in.
FOLLOWS: dict[str, tuple[str, str]] = {
    "hold": ("hold", "marketing keeps quiet{until}"),
    "release": ("release", "marketing goes on"),
    "veto": ("no", "that mail does not go to {who}"),
    "unveto": ("yes after all", "{who} may get that mail again"),
    "delay": ("later", "the mail to {who} waits{until}"),
    "approve": ("yes", "marketing may write to them"),
    "ripe": ("ripe", "it counts as handed over to sales"),
    "not_yet": ("not yet", "marketing goes on, and owes you an answer"),
    "wrong_person": ("wrong person", "no more mail to {who}"),
    "bad_timing": ("bad timing", "nobody is written to{until}"),
    "seat": ("who sits where", "{who} has that seat now"),
    "add_person": ("who is missing", "{who} belongs to the group now"),
    "correct_person": ("who that is", "{who} stands in the group as you said"),
    "objection": ("there is an objection", "it stays below until somebody answers it"),
    "topic": ("what they ask about", "it stays below until somebody answers it"),
    "close_objection": ("it is answered", "the objection is closed"),
    "wrong_line": ("a line was wrong", "marketing has it on its desk"),
    "take": ("it is mine", "your limits bind every mail{until}"),
    "limits": ("so far and no further", "your limits bind every mail{until}"),
    "give_back": ("take it back", "marketing goes by the play again"),
}


def because(account: AccountMaterial, reader: int, local: Local) -> tuple[Statement, ...]:
    """``Because you said hold: marketing keeps quiet until 8 Dec``, the latest first; each kind and person once."""
    told: dict[tuple[str, int | None], Statement] = {}
    for answer in account.answers:
        if answer.kind in FOLLOWS:
            told.setdefault((answer.kind, answer.person), _said(answer, account, reader, local))
    return tuple(told.values())


def _said(answer: Answered, account: AccountMaterial, reader: int, local: Local) -> Statement:
    word, follows = FOLLOWS[answer.kind]
    person = account.person(answer.person)
    who = clip(person.name, 3, 40) if person else "them"
    until = f" until {local.day(answer.until)}" if answer.until else ""
    speaker = "you" if answer.rep == reader else "a colleague"
    return Statement(f"Because {speaker} said {word}: {follows.format(who=who, until=until)}", answer.evidence)
