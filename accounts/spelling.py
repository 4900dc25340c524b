"""One word, many spellings: what two people wrote, compared as one of them would compare it."""

import re
import unicodedata
from functools import lru_cache


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
