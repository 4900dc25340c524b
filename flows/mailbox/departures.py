"""Has somebody left the company, and who is named instead?"""

import re
from functools import cache, lru_cache

from flows.mailbox.about import delivered_to
from flows.mailbox.reading import Mail, addresses
from flows.mailbox.saying import Phrases, phrases, plain, table
from flows.mailbox.understood import Departure

#: Letters of a note that are read, and letters behind a cue in which the name must begin.
_WORDS = 3_000
_REACH = 220
_PARTICLES = r"(?:von|van|de|del|de la|der|den|di|da|dos|du|le|la|zu|zur|y|bin|al|el)"
_NAME = re.compile(rf"[^\W\d_][\w'’.-]*(?: (?:{_PARTICLES} )*[^\W\d_a-zß-öø-ÿ][\w'’-]*\.?){{0,3}}")
_LAST_NAME = re.compile(r"((?:[^\W\d_a-zß-öø-ÿ][\w'’-]+ ){1,3})[ ,:(<]*$")


def read_departure(mail: Mail, words: str) -> Departure | None:
    """Who follows on somebody who has left; None when nobody has. `words` are the mail's own, without quotes."""
    text = plain(f"{mail.subject} . {words[:_WORDS]}")
    if not (_is_gone(text) or _gone_from(mail.sender).find(text) >= 0):
        return None
    return successor(mail, " ".join(words[:_WORDS].split()))


def _is_gone(text: str) -> bool:
    """Whether it says so, and not only in words that sound like leaving and are something else."""
    gone = phrases("departures", "gone")
    if gone.find(text) < 0:
        return False
    for phrase in phrases("departures", "still_there").whole:
        text = text.replace(phrase, " ")
    return gone.find(text) >= 0


@lru_cache(maxsize=256)
def _gone_from(sender: str) -> Phrases:
    """ "Left Acme", for who writes from acme.example."""
    labels = sender.partition("@")[2].split(".")[:-1]
    company = max(labels, key=len, default="")
    told = table("departures")["gone_from"] if len(company) > 2 else ()
    return Phrases.of(phrase.replace("{company}", company) for phrase in told)


def successor(mail: Mail, text: str) -> Departure:
    """The person named behind "please contact" and its like; empty fields for what is not said."""
    known = {mail.sender, *delivered_to(mail)}
    for cue in _contact().finditer(text):
        behind = text[cue.end() : cue.end() + _REACH]
        address = next((found for found in addresses(behind) if found not in known), "")
        name = _name_in(_until_address(behind, address))
        if address or name:
            return Departure(name or _name_before(text, address), address or _same_house(text, known))
    address = _same_house(text, known)
    return Departure(_name_before(text, address), address)


def _name_before(text: str, address: str) -> str:
    """ "Max Muster (max@acme.example) takes over"."""
    at = text.lower().find(address) if address else -1
    found = _LAST_NAME.search(text[max(0, at - 80) : max(at, 0)])
    return _name_in(found[1]) if found else ""


def _same_house(text: str, known: set[str]) -> str:
    return next(
        (found for line in text.split(" ") if "@" in line for found in addresses(line) if found not in known), ""
    )


@cache
def _contact() -> re.Pattern[str]:
    cues = sorted(table("departures")["contact"], key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, cues)) + r")(?!\w)", re.IGNORECASE)


def _until_address(behind: str, address: str) -> str:
    at = behind.lower().find(address) if address else -1
    return behind[:at] if at >= 0 else re.split(r"[.!?] (?=\S)", behind, maxsplit=1)[0]


@cache
def _words_of(key: str) -> frozenset[str]:
    return frozenset(table("departures")[key])


def _name_in(behind: str) -> str:
    """The capitalised words at the beginning, courtesies aside."""
    rest = behind.strip(" :,-–(<\"'")
    for _ in range(8):
        word = re.match(r"([^\W\d_][\w'’-]*)\.?[ :,]*", rest)
        if word is None or word[1].lower() not in _words_of("courtesies"):
            break
        rest = rest[word.end() :]
    found = _NAME.match(rest)
    if found is None or not found[0][0].isupper():
        return ""
    name = found[0].strip(" .,'’-")
    return "" if name.split()[0].lower().strip(".") in _words_of("no_names") else name[:80]
