"""What tells a repetition of a signal from a second signal, in a form that a long history keeps cheap.

A unique key over the doors' own names has a random place for each: ten thousand new ones write ten thousand pages of a
history of millions. Behind the time of the event, what comes in together lies together, however much lies before it.
"""

from datetime import datetime
from hashlib import blake2b, sha256

#: Letters of a fingerprint: twelve of the time, twenty of the name.
LENGTH = 32
#: Names up to this length are kept as they are.
LONGEST_NAME = 120


def fingerprint(source: str, source_id: str, at: datetime | None = None) -> str:
    """Of a signal's door and the door's name for it; `at`: when it happened, where every telling brings the same time.

    Milliseconds since 1970 and 80 bits of a digest, in hexadecimal: it sorts as time does.
    """
    milliseconds = int(at.timestamp() * 1_000) if at else 0
    named = blake2b(f"{source}\0{source_id}".encode(), digest_size=10).hexdigest()
    return "%012x%s" % (milliseconds if milliseconds > 0 else 0, named)  # noqa: UP031  quicker; it is made a lot


def stored_name(source_id: str) -> str:
    """The door's name for it as it fits the column; an overlong one by its digest."""
    fits = len(source_id) <= LONGEST_NAME and "\0" not in source_id
    return source_id if fits else sha256(source_id.encode()).hexdigest()
