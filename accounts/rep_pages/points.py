"""What makes up a score, in tenths that add up: a rep who adds the lines on the page gets the number above them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.briefs.saying import DID
from accounts.engagement import NOBODY, Contribution, Reading
from accounts.vocabulary import SignalKind

#: Signals told one by one; the others share a line.
TOLD = 8
#: What a rep said, and of whom.
_SAID = {
    SignalKind.SAID_RIPE: "{who}: ready, a rep says",
    SignalKind.SAID_NOT_YET: "{who}: not yet, a rep says",
    SignalKind.SAID_BAD_TIMING: "{who}: bad timing, a rep says",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the score. `at` None: it stands for several."""

    text: str
    at: datetime | None
    tenths: int

    @property
    def points(self) -> str:
        return in_points(self.tenths)


def parts(reading: Reading, people: Mapping[int, str], most: int = TOLD) -> tuple[Part, ...]:
    """The signals that count most today, and a line for the rest; the tenths add up to those of the score."""
    told, rest = reading.contributions[:most], reading.contributions[most:]
    points = [one.points for one in told] + ([sum(one.points for one in rest)] if rest else [])
    tenths = in_tenths(points, total=round(reading.score.value * 10))
    lines = [Part(_said(one, people), one.occurred_at, share) for one, share in zip(told, tenths, strict=False)]
    if rest:
        lines.append(Part(f"{len(rest)} older or smaller signals", None, tenths[-1]))
    return tuple(lines)


def by_person(reading: Reading) -> dict[int, str]:
    """Stakeholder -> their points, as a text, where there are any to show; nobody known has the id 0."""
    points = reading.score.points
    shares = in_tenths(list(points.values()), total=round(reading.score.value * 10))
    return {person: in_points(share) for person, share in zip(points, shares, strict=True) if share}


def left_out(reading: Reading, people: Mapping[int, str]) -> str:
    """``Not counted, as the wrong person: Bob Example.``; empty where everybody counts."""
    names = ", ".join(sorted(people[person] for person in reading.left_out if person in people))
    return f"Not counted, as the wrong person: {names}." if names else ""


def in_tenths(values: Sequence[float], total: int) -> list[int]:
    """Each value in whole tenths, so that they add up to `total`: the largest remainders are rounded up."""
    floors = [int(value * 10 // 1) for value in values]
    missing = total - sum(floors)
    by_remainder = sorted(range(len(values)), key=lambda place: floors[place] - values[place] * 10)
    for place in by_remainder[: max(0, missing)]:
        floors[place] += 1
    return floors


def in_points(tenths: int) -> str:
    """``12.3``."""
    return f"{tenths / 10:.1f}"


def _said(one: Contribution, people: Mapping[int, str]) -> str:
    if one.kind in _SAID:
        return _SAID[one.kind].format(who=people.get(one.person, "The account"))
    who = "Somebody there" if one.person == NOBODY else people.get(one.person, "Somebody there")
    return f"{who} {DID[one.kind].format(of='', to='')}" if one.kind in DID else f"{who}: {one.kind.replace('_', ' ')}"
