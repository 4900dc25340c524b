"""A server's notice in plain words: is it one, whom is it about, and which words are the server's own?"""

import re
from dataclasses import dataclass

from flows.mailbox.about import delivered_to
from flows.mailbox.reading import Mail, addresses
from flows.mailbox.saying import phrases, plain

_LOCAL_PART = re.compile(r"[a-z_.-]+")
#: Lines of a notice that are read; a long one lists what it quotes.
MOST_LINES = 150
#: Lines below a recipient that are about this recipient.
NEAR = 6
_HEADER_LINE = re.compile(r"(?:received|return-path|message-id|mime-version|dkim-signature|from|subject|to|date):", re.I)


@dataclass(frozen=True, slots=True)
class Marks:
    """What speaks for a server's notice."""

    sender: bool
    null_path: bool
    subject: bool
    opening: bool
    names_failed: bool

    @property
    def are_enough(self) -> bool:
        """Who wrote it, together with what it says; what it says twice will do where no person's subject is quoted."""
        who = self.sender or self.null_path or self.names_failed
        return self.names_failed or (who and (self.subject or self.opening)) or (self.subject and self.opening)


def marks(mail: Mail) -> Marks:
    """What speaks for this mail being a server's notice."""
    local = _LOCAL_PART.match(mail.sender.partition("@")[0])
    name = plain(mail.header("from"))
    subject = plain(mail.subject)
    return Marks(
        sender=(local is not None and local[0] in phrases("notices", "senders").whole)
        or phrases("notices", "sender_names").find(name) >= 0,
        null_path="return-path" in mail.names and mail.header("return-path").strip() in ("<>", ""),
        subject=not subject.startswith(("re:", "aw:", "sv:", "antw:"))
        and phrases("notices", "subjects").find(subject) >= 0,
        opening=phrases("notices", "openings").find(plain(own_words(mail)[:3_000])) >= 0,
        names_failed="x-failed-recipients" in mail.names,
    )


def own_words(mail: Mail) -> str:
    """The notice without the copy of our mail in it."""
    lines = mail.text.split("\n", MOST_LINES)[:MOST_LINES]
    kept: list[str] = []
    headers = 0
    for line in lines:
        bare = plain(line[:200])
        if len("".join(kept).strip()) > 40 and phrases("notices", "copies").find(bare) >= 0:
            break
        headers = headers + 1 if _HEADER_LINE.match(bare) else 0
        if headers == 3:  # three header lines in a row: the copy has begun without a word
            break
        kept.append(line)
    return "\n".join(kept)


def failed_in(mail: Mail, words: str) -> list[str]:
    """Whom the notice is about: named in its head, else found in its words, else the recipient of the attached mail."""
    named = [address for value in mail.headers("x-failed-recipients") for address in addresses(value)]
    if named:
        return list(dict.fromkeys(named))
    ours = {*delivered_to(mail), mail.sender}
    attached = [part.attached for part in mail.parts if part.attached]
    wrote_to = [address for copy in attached for address in addresses(copy.header("to"))]
    ours |= {address for copy in attached for address in addresses(copy.header("from"))}
    found = [address for line in words.split("\n") if "@" in line for address in addresses(line)]
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
