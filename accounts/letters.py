"""Letters: short messages to a rep, a manager or marketing that are no brief. Their words, and nothing of their way.

One letter for each subject, ever: whoever has something to say may say it at each look, and it is told once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

#: In the place of an account: all that its reader answers for.
EVERYTHING = 0


class LetterKind(StrEnum):
    """What a letter is about."""

    SLA_WARNING = "sla-warning"
    SLA_ESCALATION = "sla-escalation"
    HANDOVER = "handover"
    LEASE_ENDING = "lease-ending"
    PLAN_HELD = "plan-held"


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says: plain sentences, in the reader's own time."""

    #: Its subject line as well: ``Acme Works: your answer is due at 17:00``.
    headline: str
    lines: tuple[str, ...] = ()
    #: Id of the account it is about: a rep gets a link to it, or (EVERYTHING) to all they answer for.
    account: int | None = None
    #: What that link opens, a kind of flows.briefs.links: the account's page, all answers, or the form of one.
    opens: str = "page"
    #: What to type, for a reader who has no pages: ``tandem approve 8``.
    command: str | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON values; see `of`."""
        return {**asdict(self), "lines": list(self.lines)}

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """What `payload` wrote. A headline is all that has to be there."""
        known = {name: payload[name] for name in cls.__slots__ if name in payload}
        return cls(**{**known, "lines": tuple(payload.get("lines", ()))})
