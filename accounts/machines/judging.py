"""Signals held against each other: one verdict for each that anything speaks against."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from accounts.machines.own_signs import own_signs
from accounts.machines.pace import Mailed, Trace, after_delivery, all_links, bursts, in_company, is_trap
from accounts.machines.verdict import SUSPECTS, Sign, Verdict, add_up
from accounts.vocabulary import SignalKind

__all__ = ["Mailed", "Trace", "judge"]


def judge(traces: Collection[Trace], mails: Mapping[int, Mailed] | None = None) -> dict[int, Verdict]:
    """Signal id -> verdict, for those that something speaks against; order does not matter, and more traces never make
    a machine's signal a person's again. `mails`: by touch id."""
    known = mails or {}
    suspects = [trace for trace in traces if trace.kind in SUSPECTS]
    clicks = [trace for trace in suspects if trace.kind is SignalKind.CLICKED and not is_trap(trace)]
    deliveries = [trace for trace in traces if trace.kind is SignalKind.DELIVERED]
    signs: dict[int, list[Sign]] = defaultdict(list)
    for trace in suspects:
        if trace.data and (own := own_signs(trace.kind, trace.data)):
            signs[trace.id].extend(own)
    found = (
        after_delivery([trace for trace in suspects if trace.kind is not SignalKind.OPENED], deliveries, known),
        bursts(clicks),
        all_links(clicks, known),
        in_company(suspects),
    )
    for id, sign in (pair for pairs in found for pair in pairs):
        signs[id].append(sign)
    return {id: verdict for id, theirs in signs.items() if (verdict := add_up(theirs))}
