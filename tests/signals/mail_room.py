"""A labelled set of clicks, made up: people who read, and the gateways before them, each with its habits.

Synthetic: it shows what the rules do with these habits and where they miss, and says nothing of any real traffic.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.machines import Mailed, Trace
from accounts.vocabulary import SignalKind

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604",
)
LISTED, UNLISTED = "64.235.150.0/24", "198.51.100.0/24"
LINKS = 4


@dataclass(frozen=True, slots=True)
class MailRoom:
    """Traces of many mails, what is known of the mails, and whose each click was: whose habit, a machine's or not."""

    traces: list[Trace]
    mails: dict[int, Mailed]
    truth: dict[int, tuple[str, bool]]


#: What one reader or gateway does with one mail: seconds after the delivery, and what the request says.
Habit = Callable[[random.Random], Iterator[tuple[float, dict[str, Any]]]]


def _request(chance: random.Random, link: int, **more: Any) -> dict[str, Any]:
    home = f"203.0.{chance.randrange(256)}.0/24"
    said = {"url": f"https://x.example/{link}", "method": "GET", "user_agent": chance.choice(BROWSERS), "network": home}
    return said | more


def reader(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Minutes to days later, a link or two, some seconds apart."""
    at = chance.lognormvariate(8.5, 1.8) + 15
    for link in chance.sample(range(LINKS), chance.choice((1, 1, 1, 2))):
        yield at, _request(chance, link)
        at += chance.uniform(3, 90)


def quick_reader(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Sits before the open mailbox."""
    yield chance.uniform(6, 40), _request(chance, 0)


def reader_behind_a_gateway(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Whose whole company browses through the vendor's network."""
    yield chance.lognormvariate(8.5, 1.5) + 15, _request(chance, 0, network=LISTED)


def thorough_reader(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Opens every link in a tab of its own, one click a second."""
    at = chance.lognormvariate(8, 1) + 30
    for link in range(LINKS):
        yield at, _request(chance, link)
        at += chance.uniform(0.8, 3)


def honest_gateway(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Says its name."""
    for link in range(LINKS):
        yield chance.uniform(0.5, 30), _request(chance, link, user_agent="Barracuda Sentinel (EE)", network=LISTED)


def fast_gateway(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """All links at once, as a browser, before the mail is delivered or right after."""
    start = chance.uniform(-1, 8)
    for link in range(LINKS):
        yield start + link * chance.uniform(0.01, 0.3), _request(chance, link, network=UNLISTED)


def asking_gateway(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """HEAD first, then GET, minutes after the delivery."""
    start, agent = chance.uniform(60, 240), chance.choice(BROWSERS)
    for link in range(LINKS):
        at = start + link * chance.uniform(4, 9)
        for method, later in (("HEAD", 0.0), ("GET", 0.4)):
            yield at + later, _request(chance, link, method=method, user_agent=agent, network=UNLISTED)


def trapped_gateway(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """Slow, as a browser, and follows the hidden link as well."""
    start, agent = chance.uniform(20, 120), chance.choice(BROWSERS)
    yield start, _request(chance, 9, honeypot=True, machine=True, user_agent=agent, network=UNLISTED)
    for link in range(LINKS):
        yield start + link * chance.uniform(5, 20), _request(chance, link, user_agent=agent, network=UNLISTED)


def sandbox(chance: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """One link, a real browser, an hour later, from nowhere in particular: nothing gives it away."""
    yield chance.uniform(1_800, 7_200), _request(chance, chance.randrange(LINKS), network=UNLISTED)


PEOPLE: tuple[tuple[Habit, int], ...] = (
    (reader, 70), (quick_reader, 12), (reader_behind_a_gateway, 12), (thorough_reader, 6),
)  # fmt: skip
MACHINES: tuple[tuple[Habit, int], ...] = (
    (honest_gateway, 25), (fast_gateway, 30), (asking_gateway, 20), (trapped_gateway, 15), (sandbox, 10),
)  # fmt: skip


def fill(mails: int, delivered_at: datetime, seed: int) -> MailRoom:
    """So many mails to people; before six in ten of them stands a gateway."""
    chance = random.Random(seed)
    room = MailRoom([], {}, {})
    for touch in range(1, mails + 1):
        at = delivered_at + timedelta(seconds=chance.uniform(0, 7 * 86_400))
        room.mails[touch] = Mailed(links=LINKS, left_at=at - timedelta(seconds=chance.uniform(0.5, 4)))
        _add(room, SignalKind.DELIVERED, touch, at, {})
        if chance.random() < 0.6:
            _follow(room, chance, MACHINES, touch, at, is_machine=True)
        if chance.random() < 0.5:
            _follow(room, chance, PEOPLE, touch, at, is_machine=False)
    return room


def _follow(
    room: MailRoom, chance: random.Random, habits: tuple[tuple[Habit, int], ...], touch: int, at: datetime, *,
    is_machine: bool,
) -> None:  # fmt: skip
    (habit,) = chance.choices([habit for habit, _ in habits], [share for _, share in habits])
    for seconds, said in habit(chance):
        trace = _add(room, SignalKind.CLICKED, touch, at + timedelta(seconds=seconds), said)
        room.truth[trace.id] = habit.__name__, is_machine


def _add(room: MailRoom, kind: SignalKind, touch: int, at: datetime, said: dict[str, Any]) -> Trace:
    trace = Trace(len(room.traces) + 1, kind, touch, at, said, touch)
    room.traces.append(trace)
    return trace
