"""Audiences in memory: for tests and rehearsals. A real platform in all but the people who see the ads."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from accounts.audiences import AudienceKey
from flows.channels.ads import Member


class MemoryAds:
    batch = 10_000

    def __init__(self) -> None:
        self.audiences: dict[AudienceKey, set[str]] = defaultdict(set)
        #: Every call that arrived: action, audience, how many.
        self.calls: list[tuple[str, AudienceKey, int]] = []

    def remove(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        self.calls.append(("remove", audience, len(members)))
        self.audiences[audience].difference_update(member.key for member in members)
        return members

    def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        self.calls.append(("add", audience, len(members)))
        self.audiences[audience].update(member.key for member in members)
        return members
