"""Does somebody write that they want no more mail? Whoever says so in an answer has said it."""

from flows.mailbox.saying import line_with, phrases, plain

#: Letters of a reply that says little else. In a long letter such words may be about something else; a rep reads it.
SHORT = 400


def asks_for_no_more(words: str) -> str:
    """The line that says so, or nothing. `words`: a reply's own words, without what it quotes."""
    said = plain(words)
    if said.strip(" .!?-*\"'") in phrases("optouts", "alone").whole:
        return said
    no_more = phrases("optouts", "no_more")
    return line_with(words, no_more) if len(said) <= SHORT and no_more.find(said) >= 0 else ""
