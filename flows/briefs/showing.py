"""Briefs as they were sent, for Prefect's pages. Who reads along there is not the rep: people stand with initials,
addresses are masked, and no link is in it, since whoever has one can answer in the rep's name.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from accounts.briefs import Brief
from accounts.briefs.stored import from_payload
from accounts.ledger.briefs.written import delivered_at, names_in
from accounts.ledger.engine import reading
from flows.masking import mask_within


@dataclass(frozen=True, slots=True)
class Shown:
    """A brief, and how its texts are shown to others."""

    rep_id: int
    brief: Brief
    #: Every name of somebody at its accounts.
    names: frozenset[str]

    def hide(self, text: str) -> str:
        """The same text with initials for names, and masked addresses."""
        return _initials(mask_within(text), self.names)


def delivered(engine: Engine, now: datetime, *, most: int) -> list[Shown]:
    """The briefs that this run delivered, at most so many: Prefect keeps each page for days."""
    shown = []
    with reading(engine) as connection:
        for rep_id, payload in delivered_at(connection, now, most):
            brief = from_payload(payload)
            names = names_in(connection, [account.id for account in brief.accounts])
            shown.append(Shown(rep_id, brief, names))
    return shown


def _initials(text: str, names: Collection[str]) -> str:
    if not names:
        return text
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    known = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)\.?")
    return known.sub(lambda found: f"{found.group()[0]}.", text)
