"""Which opens and clicks no person made. Simple rules, each with its reason; the raw signal is kept either way.

Mail gateways fetch every link to look for malware, and mail programs load pictures ahead of the reader. Such signals
weigh nothing. What a person asked for (an opt-out, a reply) is never called a machine's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.vocabulary import SignalKind

#: Only these can be a machine's doing.
SUSPECTS: frozenset[SignalKind] = frozenset(
    {SignalKind.OPENED, SignalKind.CLICKED, SignalKind.VISITED, SignalKind.DOWNLOADED, SignalKind.AD_CLICKED}
)

#: A click this close to the delivery, or a burst of links this fast, is a scanner's.
TOO_FAST = timedelta(seconds=2)
BURST_LINKS = 3

#: Words that programs, and no browsers, carry in their user agent. (Cubot makes telephones.)
BOT = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scan|preview|prefetch|monitor|headless|python-|curl/|wget/|java/|go-http|libwww"
    r"|httpclient|okhttp|axios|barracuda|mimecast|proofpoint|safelinks|urldefense|symantec|fortimail|ironport",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Trace:
    """What the rules look at; `person` and `touch` are ids. Deliveries are traces as well: clicks are held to them."""

    id: int
    kind: SignalKind
    person: int | None
    occurred_at: datetime
    data: Mapping[str, Any]
    touch: int | None = None


def machines(traces: Collection[Trace]) -> dict[int, str]:
    """Signal id -> reason, for those that no person made; order does not matter, and more traces never clear one."""
    suspects = [trace for trace in traces if trace.kind in SUSPECTS]
    clicks = [trace for trace in suspects if trace.kind is SignalKind.CLICKED]
    found = dict.fromkeys(_bursts(clicks), f"{BURST_LINKS} or more links within 2 seconds")
    found |= dict.fromkeys(_too_fast(clicks, traces), "clicked within 2 seconds of delivery")
    return found | {trace.id: reason for trace in suspects if (reason := own_reason(trace.data))}


def own_reason(data: Mapping[str, Any]) -> str | None:
    """What the signal says of itself: the provider's flag, the request's method, the program's name."""
    if data.get("machine") is True:
        return "the provider says so"
    if data.get("method") == "HEAD":
        return "asked for the headers only"
    named = BOT.search(str(data.get("user_agent") or ""))
    return f"the program calls itself {named.group().strip('-/ ').lower()}" if named else None


def _too_fast(clicks: Iterable[Trace], traces: Iterable[Trace]) -> Iterator[int]:
    deliveries: dict[int | None, list[datetime]] = defaultdict(list)
    for trace in traces:
        if trace.kind is SignalKind.DELIVERED and trace.touch is not None:
            deliveries[trace.touch].append(trace.occurred_at)
    for click in clicks:
        if any(abs(click.occurred_at - at) <= TOO_FAST for at in deliveries.get(click.touch, ())):
            yield click.id


def _bursts(clicks: Iterable[Trace]) -> Iterator[int]:
    """Clicks that lie with enough other links of the same person inside one window of two seconds."""
    by_person = defaultdict(list)
    for click in clicks:
        if click.person is not None:
            by_person[click.person].append(click)
    for theirs in by_person.values():
        if len(theirs) >= BURST_LINKS:
            yield from _burst_of_one(sorted(theirs, key=lambda click: (click.occurred_at, click.id)))


def _burst_of_one(clicks: Sequence[Trace]) -> Iterator[int]:
    """One window slides over the clicks in time; `told` keeps the walk linear, however fast somebody clicks."""
    links: Counter[str] = Counter()
    start = told = distinct = 0
    for end, click in enumerate(clicks, start=1):
        links[_link(click)] += 1
        distinct += links[_link(click)] == 1
        while click.occurred_at - clicks[start].occurred_at > TOO_FAST:
            links[_link(clicks[start])] -= 1
            distinct -= links[_link(clicks[start])] == 0
            start += 1
        if distinct >= BURST_LINKS:
            yield from (trace.id for trace in clicks[max(start, told) : end])
            told = end


def _link(click: Trace) -> str:
    return str(click.data.get("url") or click.data.get("content") or click.touch)
