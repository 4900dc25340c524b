"""What only neighbours show: how soon after the delivery, how many links at once, in whose company.

Everything is looked up in sorted times, so a storm of clicks costs no more than sorting it.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.machines.own_signs import own_signs
from accounts.machines.verdict import Family, Sign, add_up
from accounts.vocabulary import SignalKind

#: Nothing further apart than this makes one signal say anything of another.
WINDOW = timedelta(minutes=10)

#: Within so long after the delivery -> how sure that is. Nobody reads that fast.
SOON = ((timedelta(seconds=2), 0.9, "2 seconds"), (timedelta(seconds=10), 0.5, "10 seconds"))
#: So many different links of one person within this.
BURST_LINKS, BURST, BURST_SURE = 3, timedelta(seconds=2), 0.9
#: All links of a mail, two at least, within this.
ALL_LINKS, ALL_LINKS_SURE = timedelta(seconds=10), 0.7
#: Beside the hidden link, whoever followed it; or made by a program that gave itself away on the same mail.
BESIDE_TRAP, COMPANY_SURE = timedelta(seconds=10), 0.85


@dataclass(frozen=True, slots=True)
class Trace:
    """What the rules look at; `person` and `touch` are ids. Deliveries are traces as well: clicks are held to them."""

    id: int
    kind: SignalKind
    person: int | None
    occurred_at: datetime
    data: Mapping[str, Any]
    touch: int | None = None


@dataclass(frozen=True, slots=True)
class Mailed:
    """What is known of a mail besides its signals."""

    #: Different addresses its links lead to; 0: not known.
    links: int = 0
    #: When it left, for channels that tell of no delivery.
    left_at: datetime | None = None


Found = Iterator[tuple[int, Sign]]


def after_delivery(
    suspects: Iterable[Trace], deliveries: Iterable[Trace], mails: Mapping[int, Mailed]
) -> Found:  # fmt: skip
    """Clicks and downloads that came too soon after their mail was delivered, or had left."""
    times: dict[int, list[datetime]] = defaultdict(list)
    for trace in deliveries:
        if trace.touch is not None:
            times[trace.touch].append(trace.occurred_at)
    for touch, mail in mails.items():
        if mail.left_at is not None:
            times[touch].append(mail.left_at)
    told = {touch: sorted(ats) for touch, ats in times.items()}
    for trace in suspects:
        gap = _gap(told.get(trace.touch or 0, ()), trace.occurred_at)
        soon = next((one for one in SOON if gap is not None and gap <= one[0]), None)
        if soon:
            yield trace.id, Sign(Family.PACE, soon[1], f"within {soon[2]} of the delivery")


def bursts(clicks: Iterable[Trace]) -> Found:
    """More links of one person at once than a person follows."""
    sign = Sign(Family.LINKS, BURST_SURE, f"{BURST_LINKS} or more links within 2 seconds")
    for theirs in _grouped(clicks, lambda click: click.person).values():
        yield from ((id, sign) for id in _together(theirs, BURST, BURST_LINKS))


def all_links(clicks: Iterable[Trace], mails: Mapping[int, Mailed]) -> Found:
    """Every link there is in a mail, one after the other."""
    for touch, theirs in _grouped(clicks, lambda click: click.touch).items():
        links = mails.get(touch, Mailed()).links
        if links >= 2:  # whoever follows the only link of a mail proves nothing
            sign = Sign(Family.LINKS, ALL_LINKS_SURE, f"all {links} links of the mail within 10 seconds")
            yield from ((id, sign) for id in _together(theirs, ALL_LINKS, links))


def in_company(suspects: Collection[Trace]) -> Found:
    """What the same program did on the same mail as something that gives it away, and what stands beside the trap."""
    given_away = {trace.id: trace for trace in suspects if trace.touch is not None and _gives_itself_away(trace)}
    others = [trace for trace in suspects if given_away and trace.id not in given_away]
    trapped = [trace for trace in given_away.values() if is_trap(trace)]
    yield from _near(others, trapped, _mail, BESIDE_TRAP, "beside the link that people do not see")
    yield from _near(
        others, given_away.values(), _program, WINDOW, "by a program that gave itself away on the same mail"
    )


def is_trap(trace: Trace) -> bool:
    """Of the link that people do not see: none of the links of a mail that are counted."""
    return trace.data.get("honeypot") is True


def _gives_itself_away(trace: Trace) -> bool:
    verdict = add_up(own_signs(trace.kind, trace.data))
    return verdict is not None and verdict.is_machine


def _near(
    traces: Iterable[Trace], marks: Iterable[Trace], key: Callable[[Trace], Hashable], reach: timedelta, reason: str
) -> Found:  # fmt: skip
    """Traces that have a mark of the same key (not None) within reach."""
    times: dict[Hashable, list[datetime]] = defaultdict(list)
    for mark in marks:
        times[key(mark)].append(mark.occurred_at)
    times.pop(None, None)
    told = {of: sorted(ats) for of, ats in times.items()}
    for trace in traces if told else ():
        gap = _gap(told.get(key(trace), ()), trace.occurred_at)
        if gap is not None and gap <= reach:
            yield trace.id, Sign(Family.COMPANY, COMPANY_SURE, reason)


def _mail(trace: Trace) -> Hashable:
    return trace.touch


def _program(trace: Trace) -> Hashable:
    """The mail, the network and the program's name; None where any of them is unknown."""
    place, agent = trace.data.get("network") or trace.data.get("ip"), trace.data.get("user_agent")
    return (trace.touch, str(place), str(agent)) if trace.touch and place and agent else None


def _gap(times: Sequence[datetime], at: datetime) -> timedelta | None:
    """How far the nearest of these (sorted) times is."""
    place = bisect_left(times, at)
    return min((abs(at - near) for near in times[max(0, place - 1) : place + 1]), default=None)


def _grouped(clicks: Iterable[Trace], key: Callable[[Trace], int | None]) -> dict[int, list[Trace]]:
    groups: dict[int, list[Trace]] = defaultdict(list)
    for click in clicks:
        of = key(click)
        if of is not None:
            groups[of].append(click)
    return groups


def _together(clicks: Iterable[Trace], span: timedelta, least: int) -> Iterator[int]:
    """Clicks that lie with enough other links inside one window of that span.

    One window slides over the clicks in time; `told` keeps the walk linear, however fast somebody clicks.
    """
    ordered = sorted(clicks, key=lambda click: (click.occurred_at, click.id))
    links: Counter[str] = Counter()
    start = told = distinct = 0
    for end, click in enumerate(ordered, start=1):
        links[_link(click)] += 1
        distinct += links[_link(click)] == 1
        while click.occurred_at - ordered[start].occurred_at > span:
            links[_link(ordered[start])] -= 1
            distinct -= links[_link(ordered[start])] == 0
            start += 1
        if distinct >= least:
            yield from (trace.id for trace in ordered[max(start, told) : end])
            told = end


def _link(click: Trace) -> str:
    return str(click.data.get("url") or click.data.get("content") or click.touch)
