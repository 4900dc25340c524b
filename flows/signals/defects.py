"""What is wrong with a row of a list by itself, before anybody asks whose it is; a signal by hand is checked alike."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from accounts.feedback import REPS_WORDS
from accounts.ledger.importing.quarantine import Reason
from accounts.ledger.signals.recorded import EARLIEST
from accounts.outcomes import REACH, read_kind
from flows.signals.moments import moments_in, the_moment

REQUIRED = ("kind", "occurred_at")
CLUES = ("email", "account", "domain", "content")
#: Clocks differ by minutes; what lies further ahead is a mistake.
CLOCK_SKEW = timedelta(minutes=10)


def defects(said: Mapping[str, str], now: datetime) -> tuple[Reason, ...]:
    """What is wrong with a row by itself; `said`: its values by column."""
    found = [Reason(f"{name}_missing", f"has no {name}", name, None) for name in REQUIRED if name not in said]
    if not any(name in said for name in CLUES):
        found.append(Reason("nobody_named", f"says nothing of whose it is ({', '.join(CLUES[:3])})", "email", None))
    if read_kind(said.get("kind", "")) in REPS_WORDS:
        sentence = "is a rep's word; give it as one: tandem feedback"
        found.append(Reason("kind_is_a_verdict", sentence, "kind", said["kind"]))
    if "occurred_at" in said:
        found.extend(_unclear("occurred_at", said["occurred_at"]) or _time_defects(said["occurred_at"], now))
    if "until" in said and read_kind(said.get("kind", "")) in REACH:
        found.extend(_unclear("until", said["until"]) or _end_defects(said))
    return tuple(found)


def _unclear(column: str, value: str) -> list[Reason]:
    """Why it does not say when."""
    moments = moments_in(value)
    if len(moments) > 1:
        days = " or ".join(f"{moment.day} {moment:%B}" for moment in moments)
        return [Reason(f"{column}_ambiguous", f"may be {days}; write {moments[0]:%Y-%m-%d}", column, value)]
    sentence = "is not a time; write 2026-11-22T09:30+01:00"
    return [] if moments else [Reason(f"{column}_unreadable", sentence, column, value)]


def _time_defects(value: str, now: datetime) -> Iterator[Reason]:
    (at,) = moments_in(value)
    if at > now + CLOCK_SKEW:
        yield Reason("occurred_at_in_the_future", "has not happened yet", "occurred_at", value)
    elif at < EARLIEST:
        yield Reason("occurred_at_long_ago", f"lies before the year {EARLIEST.year}", "occurred_at", value)


def _end_defects(said: Mapping[str, str]) -> Iterator[Reason]:
    """Of an absence, a pause, or the time until a meeting: what would not count as it is written."""
    at, until, longest = the_moment(said.get("occurred_at")), the_moment(said["until"]), REACH[read_kind(said["kind"])]
    if at is None or until is None:
        return
    if until.date() < at.date():
        yield Reason("until_over", "lies before what happened", "until", said["until"])
    elif until - at > longest:
        yield Reason("until_too_far", f"lies more than {longest.days} days ahead", "until", said["until"])
