"""One word, many spellings: what two people wrote, compared as one of them would, and fit to stand among ours."""

import re
import unicodedata
from functools import lru_cache

#: Marks nobody sees that turn the direction of the letters behind them; in a subject line they mirror our own words.
#: Arabic and Hebrew are read from the right without them.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def unturned(text: str) -> str:
    """Without marks that turn the direction of text, as one line of somebody else's is to stand among ours."""
    return text if text.isascii() else _TURNS.sub("", text)


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Lower case without accents; ae, oe and ue as the umlauts they stand for. Fold both sides of a comparison."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe"))
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return bare.replace("ae", "a").replace("oe", "o").replace("ue", "u")


@lru_cache(maxsize=65536)
def squeeze(text: str | None) -> str:
    """Folded, letters and digits only: ``NO_SHOW``, ``No show`` and ``no-show`` are one word. None is empty."""
    return re.sub(r"[\W_]", "", fold(text)) if text else ""
