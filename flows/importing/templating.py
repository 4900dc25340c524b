"""Texts with places for columns, ``{agent|slug}@sales.example``, and what can be done to a value on its way in."""

import re
import unicodedata
from collections.abc import Callable

#: {column} or {column|change}.
PLACE = re.compile(r"\{([^{}|]+)(?:\|([^{}|]*))?\}")


def slug(words: str) -> str:
    """``Zoë O'Brien`` as ``zoe-o-brien``: accents fall off, everything else that is no letter becomes a dash."""
    plain = unicodedata.normalize("NFKD", words.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


#: What may stand behind the bar.
CHANGES: dict[str, Callable[[str], str]] = {"slug": slug, "lower": str.lower, "upper": str.upper, "": str}
