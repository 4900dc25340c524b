"""Ad platforms: where audiences live. One implementation, one file; `memory` and `file` are real ones.

Adding and removing are idempotent: whoever is not sure whether a call arrived makes it again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from accounts.audiences import AudienceKey

if TYPE_CHECKING:
    from flows.settings import Settings


class Member(NamedTuple):
    """Somebody in an audience: a person's SHA-256 in the platform's form, or a company's domain with its name."""

    key: str
    name: str = ""


class AudienceChannel(Protocol):
    """What the audience sync asks of a way to a platform."""

    #: Members of one call.
    batch: int

    def remove(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        """Take these out; the ones that are out for certain. Raises ChannelError when nothing can be said."""
        ...

    def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        """Put these in; the ones that are in for certain. Raises ChannelError when nothing can be said."""
        ...


def open_ads(settings: "Settings") -> AudienceChannel:
    """The way to the platforms that the settings name."""
    if settings.ads == "memory":
        from flows.channels.ads.memory import MemoryAds

        return MemoryAds()
    from flows.channels.ads.file import FileAds

    return FileAds(settings.audiences)
