"""How fast mail may leave: limits per recipient domain, per sender and for all, and the ramp of a new sending domain.

Pure arithmetic over the times at which touches were claimed. Windows slide: a limit of 100 an hour means that no sixty
minutes, wherever they begin, hold more than 100. Mailbox providers and sending services count so (Amazon SES: "rolling
24-hour period"; Exchange Online: the same), and a window that begins anew at each full hour would let twice the limit
through around it.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import log
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from accounts.identity import domain_hash

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Frozen):
    """At most so many messages in any minute, hour and day; None: no limit."""

    minute: int | None = Field(None, ge=1)
    hour: int | None = Field(None, ge=1)
    day: int | None = Field(None, ge=1)

    def __bool__(self) -> bool:
        return any((self.minute, self.hour, self.day))


class WarmUp(_Frozen):
    """A new sending domain earns its name: a small first day, then more each day, up to `pace.all.day`.

    The defaults are the shape that sending services advise: 50 at first, some 240 after a week, 5,000 after three.
    """

    #: None: the domain is known already.
    starts: date | None = None
    first_day: int = Field(50, ge=1)
    #: Each day's volume over the day before's.
    growth: float = Field(1.25, gt=1, le=10)

    def most_on(self, day: date, full: int) -> int:
        """Messages on that day (UTC); before the start as on the first day, at the end `full`."""
        days = max((day - (self.starts or day)).days, 0)
        if days * log(self.growth) >= log(full / self.first_day):  # asked first: the power itself may overflow
            return full
        return min(int(self.first_day * self.growth**days), full)


class Pace(_Frozen):
    """The limits of an installation, shared by all its workers. Without a word about it there are none."""

    #: All mail of this installation.
    all: Rate = Rate()
    #: Each rep in whose name mail leaves.
    sender: Rate = Rate()
    #: Each recipient domain that is not named below.
    domain: Rate = Rate()
    #: Recipient domain -> its own limits, instead of those of `domain`.
    domains: Mapping[str, Rate] = {}
    warm_up: WarmUp = WarmUp()

    def __bool__(self) -> bool:
        return any((self.all, self.sender, self.domain, *self.domains.values()))

    @field_validator("domains")
    @classmethod
    def _as_addresses_spell_them(cls, domains: Mapping[str, Rate]) -> Mapping[str, Rate]:
        return {name.strip().lower().lstrip("@"): rate for name, rate in domains.items()}

    @model_validator(mode="after")
    def _a_ramp_leads_somewhere(self) -> "Pace":
        if self.warm_up.starts and self.all.day is None:
            raise ValueError("a warm-up needs all.day, the volume it grows to")
        return self

    def spans(self, meter: "MeterKey") -> tuple["Span", ...]:
        """The windows that count for what a meter measures; empty: no limit."""
        if meter.of == "all":
            return _spans(self.all, self.warm_up if self.warm_up.starts else None)
        if meter.of == "sender":
            return _spans(self.sender)
        named = {domain_hash(name): rate for name, rate in self.domains.items()}
        return _spans(named.get(meter.which, self.domain))


class MeterKey(NamedTuple):
    """What is counted together: ("all", ""), ("sender", the rep's id), ("domain", the domain's hash)."""

    of: str
    which: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """At most `most` in any time of this length; with a ramp, as many as the ramp allows on that day."""

    length: timedelta
    most: int
    ramp: WarmUp | None = None

    def most_at(self, moment: datetime) -> int:
        return self.most if self.ramp is None else self.ramp.most_on(moment.astimezone(UTC).date(), self.most)

    def free_at(self, taken: Sequence[datetime], moment: datetime) -> datetime:
        """The first time from `moment` on at which one more fits; `taken` in order of time.

        What lies after `moment` counts as well: another worker's clock may be ahead.
        """
        while len(taken) - bisect_right(taken, moment - self.length) >= (most := self.most_at(moment)):
            leaves = taken[-most] + self.length
            moment = min(leaves, _midnight_after(moment)) if most < self.most else leaves
        return moment


@dataclass(slots=True)
class Meter:
    """Counts the departures of one sender, one domain, or all."""

    spans: tuple[Span, ...]
    #: When they were claimed, in order of time; those to come are booked in here too.
    taken: list[datetime] = field(default_factory=list)

    @property
    def reach(self) -> timedelta:
        """How far back departures count."""
        return max((span.length for span in self.spans), default=timedelta())

    def free_at(self, now: datetime) -> datetime:
        """The first time from `now` on at which one more fits into every window."""
        moment = now
        while (later := max(span.free_at(self.taken, moment) for span in self.spans)) > moment:
            moment = later
        return moment

    def take(self, at: datetime) -> None:
        insort(self.taken, at)


@dataclass(frozen=True, slots=True)
class Turns:
    """Who may go now, and who waits until when."""

    now: tuple[int, ...] = ()
    later: Mapping[int, datetime] = field(default_factory=dict)


def allot(
    waiting: Iterable[tuple[int, Sequence[MeterKey]]], meters: Mapping[MeterKey, Meter], now: datetime, most: int
) -> Turns:
    """Turns for (touch id, what it counts for), first come, first served, until `most` may go.

    One that does not fit gets the time at which its place in the queue comes, and blocks nobody who counts elsewhere.
    Keys without a meter have no limit. The meters count on: what goes now is taken, what waits is booked.
    """
    going: list[int] = []
    later: dict[int, datetime] = {}
    for touch_id, keys in waiting:
        if len(going) >= most:
            break
        mine = [meters[key] for key in keys if key in meters]
        full = [(free, meter) for meter in mine if (free := meter.free_at(now)) > now]
        for free, meter in full or [(now, meter) for meter in mine]:
            meter.take(free)
        if full:
            later[touch_id] = max(free for free, _ in full)
        else:
            going.append(touch_id)
    return Turns(tuple(going), later)


def _spans(rate: Rate, ramp: WarmUp | None = None) -> tuple[Span, ...]:
    lengths = ((MINUTE, rate.minute), (HOUR, rate.hour), (DAY, rate.day))
    return tuple(Span(length, most, ramp if length == DAY else None) for length, most in lengths if most is not None)


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date() + DAY, time(), UTC)
