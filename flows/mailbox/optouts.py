"""Does somebody write that they want no more mail? Whoever says so in an answer has said it."""

from flows.mailbox.saying import line_with, phrases, plain

#: Letters at the head of a reply, above a signature and what lawyers put below. Further down such words may be about
#: something else; a rep reads them.
HEAD = 400


def asks_for_no_more(words: str) -> str:
    """The line that says so, or nothing. `words`: a reply's own words, without what it quotes."""
    said = plain(words)
    if said.strip(" .!?-*\"'") in phrases("optouts", "alone").whole:
        return said
    said = said[:HEAD]
    for opposite in phrases("optouts", "stays").whole:
        said = said.replace(opposite, " ")
    no_more = phrases("optouts", "no_more")
    return line_with(words, no_more) if no_more.find(said) >= 0 else ""
