"""What a signal says of itself: the provider's word, the hidden link, the request's method, program and network."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from accounts.machines.networks import network_sign
from accounts.machines.programs import program_sign
from accounts.machines.verdict import SUSPECTS, Family, Sign, Verdict, add_up
from accounts.vocabulary import SignalKind

TRAP = Sign(Family.TRAP, 0.99, "followed the link that people do not see")
FLAGGED = Sign(Family.PROVIDER, 0.97, "the provider says so")
HEAD = Sign(Family.METHOD, 0.9, "asked for the headers only")

#: Letters of a user agent or an address that are looked at.
_LONGEST = 300


def own_verdict(kind: SignalKind, data: Mapping[str, Any]) -> Verdict | None:
    """What a signal by itself makes likely; None where nothing speaks for a machine, or none could have done it."""
    return add_up(own_signs(kind, data)) if kind in SUSPECTS and data else None


def own_signs(kind: SignalKind, data: Mapping[str, Any]) -> tuple[Sign, ...]:
    """`data` says `machine`, `honeypot`, `method`, `user_agent`, `network` (a prefix) or `ip`; all else is ignored."""
    agent, place = data.get("user_agent"), data.get("network") or data.get("ip")
    return _signs(
        data.get("honeypot") is True,
        data.get("machine") is True,
        data.get("method") == "HEAD",
        agent[:_LONGEST] if isinstance(agent, str) else None,
        place[:_LONGEST] if isinstance(place, str) else None,
        kind is SignalKind.OPENED,
    )


@lru_cache(maxsize=16_384)
def _signs(
    trapped: bool, flagged: bool, is_head: bool, agent: str | None, place: str | None, is_picture: bool
) -> tuple[Sign, ...]:
    return tuple(_all_signs(trapped, flagged, is_head, agent, place, is_picture))


def _all_signs(
    trapped: bool, flagged: bool, is_head: bool, agent: str | None, place: str | None, is_picture: bool
) -> Iterator[Sign]:
    if trapped:
        yield TRAP
    elif flagged:  # the trap is told as flagged too: one thing, said once
        yield FLAGGED
    if is_head:
        yield HEAD
    named = program_sign(agent, is_picture) if agent is not None else None
    if named:
        yield named
    listed = network_sign(place) if place else None
    if listed:
        yield listed
