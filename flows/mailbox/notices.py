"""A server's notice in plain words: is it one, whom is it about, and which words are the server's own?"""

import re
from dataclasses import dataclass

from flows.mailbox.envelopes import is_returned_to_nobody
from flows.mailbox.machines import ANSWERS
from flows.mailbox.reading import COPIES, Mail, addresses
from flows.mailbox.saying import phrases, plain

_LOCAL_PART = re.compile(r"[a-z_.-]+")
#: Letters in front of "original message" in a line that announces the copy: "here is the".
_ARTICLE = 12
#: Lines of a notice that are read; a long one lists what it quotes.
MOST_LINES = 150
#: Lines below a recipient that are about this recipient.
NEAR = 6
#: What a server tells of our mail before it tells what became of it; who is named there has not failed.
_HEADER_LINE = re.compile(
    r"(?:message-id|from|subject|to|cc|date|sent|von|an|betreff|gesendet|de|a|objet|para|asunto|enviado) ?:", re.I
)


@dataclass(frozen=True, slots=True)
class Marks:
    """What speaks for a server's notice."""

    sender: bool
    null_path: bool
    subject: bool
    opening: bool
    names_failed: bool
    #: It says of itself that it is a report, though there may be no fields in it.
    report: bool
    returns_copy: bool

    @property
    def are_enough(self) -> bool:
        """Who wrote it, together with what it says; what it says twice will do where no person's subject is quoted."""
        said = self.subject + self.opening + self.returns_copy
        return self.names_failed or said >= 2 or (said >= 1 and (self.sender or self.null_path or self.report))


def marks(mail: Mail) -> Marks:
    """What speaks for this mail being a server's notice."""
    local = _LOCAL_PART.match(mail.sender.partition("@")[0])
    name = plain(mail.header("from"))
    subject = plain(mail.subject)
    return Marks(
        sender=(local is not None and local[0] in phrases("notices", "senders").whole)
        or phrases("notices", "sender_names").find(name) >= 0,
        null_path=is_returned_to_nobody(mail),
        subject=not subject.startswith(ANSWERS)
        and any(phrases("notices", key).find(subject) >= 0 for key in ("subjects", "delays")),
        opening=phrases("notices", "openings").find(plain(own_words(mail)[:3_000])) >= 0,
        names_failed="x-failed-recipients" in mail.names,
        report=mail.report_type == "delivery-status",
        returns_copy=any(part.kind in COPIES for part in mail.parts),
    )


def own_words(mail: Mail) -> str:
    """The notice without the copy of our mail in it."""
    lines = mail.text.split("\n", MOST_LINES)[:MOST_LINES]
    kept: list[str] = []
    for line in lines:
        bare = plain(line[:200])
        if len("".join(kept).strip()) > 40 and 0 <= phrases("notices", "copies").first(bare.lstrip("-=* ")) <= _ARTICLE:
            break
        if not _HEADER_LINE.match(bare):
            kept.append(line)
    return "\n".join(kept)


def failed_in(mail: Mail, words: str) -> list[str]:
    """Whom the notice is about: named in its head, else found in its words, else the recipient of the attached mail."""
    named = [address for value in mail.headers("x-failed-recipients") for address in addresses(value)]
    if named:
        return list(dict.fromkeys(named))
    ours = {
        mail.sender,
        *(to for name in ("to", "delivered-to") for value in mail.headers(name) for to in addresses(value)),
    }
    wrote_to = [address for copy in mail.copies for address in addresses(copy.header("to"))]
    ours |= {address for copy in mail.copies for address in addresses(copy.header("from"))}
    found = [address.removeprefix("smtp=") for line in words.split("\n") for address in addresses(line)]
    foreign = [address for address in dict.fromkeys(found) if address not in ours and not _is_server(address)]
    both = [address for address in foreign if address in wrote_to]
    return (both or foreign or wrote_to)[:1]


def _is_server(address: str) -> bool:
    local = address.partition("@")[0]
    return local in phrases("notices", "senders").whole or "." not in address.partition("@")[2]


def near(words: str, address: str) -> str:
    """The lines about this recipient: from the one that names it on."""
    lines = words.split("\n")
    at = next((number for number, line in enumerate(lines) if address and address in line.lower()), None)
    return "\n".join(lines[at : at + NEAR]) if at is not None else ""


def goes_on_trying(mail: Mail, words: str) -> bool:
    """Whether the server only says that it takes longer."""
    said = plain(words[:3_000])
    if phrases("notices", "still_trying").find(said) >= 0:
        return True
    return phrases("notices", "delays").find(plain(mail.subject)) >= 0 and "permanent" not in said
