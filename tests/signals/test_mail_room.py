"""How often the rules are right about a made-up set with known answers, and where they are not."""

from collections import Counter
from pathlib import Path

import pytest

from accounts.machines import judge
from tests.cast import NOW
from tests.signals.mail_room import MailRoom, fill

DOCS = Path(__file__).parents[2] / "docs"
#: Habits nothing gives away, and people who look like machines: told in docs/signals.md.
MISSED = {"sandbox"}
WRONGED = {"quick_reader", "thorough_reader"}


@pytest.fixture(scope="module")
def room() -> MailRoom:
    return fill(4_000, NOW, seed=7)


def called_machines(room: MailRoom) -> dict[str, float]:
    """Habit -> share of its clicks that are called a machine's."""
    verdicts = judge(room.traces, room.mails)
    clicks: Counter[str] = Counter()
    called: Counter[str] = Counter()
    for id, (habit, _) in room.truth.items():
        clicks[habit] += 1
        called[habit] += id in verdicts and verdicts[id].is_machine
    return {habit: called[habit] / clicks[habit] for habit in clicks}


def rates(room: MailRoom) -> tuple[float, float]:
    """Share of people's clicks that are called a machine's, and of machines' clicks that are called a person's."""
    verdicts = judge(room.traces, room.mails)
    found = {id for id, verdict in verdicts.items() if verdict.is_machine}
    people = [id for id, (_, is_machine) in room.truth.items() if not is_machine]
    machines = [id for id, (_, is_machine) in room.truth.items() if is_machine]
    return sum(id in found for id in people) / len(people), sum(id not in found for id in machines) / len(machines)


def test_gateways_are_found_and_people_are_left_alone(room: MailRoom) -> None:
    shares = called_machines(room)
    for habit, share in shares.items():
        if habit in MISSED | WRONGED:
            continue
        is_machine = "gateway" in habit and "reader" not in habit
        assert (share > 0.97) if is_machine else (share < 0.03), (habit, share)


def test_what_nothing_gives_away_is_missed_and_a_few_hasty_people_are_wronged(room: MailRoom) -> None:
    """A sandbox that clicks once, an hour later, looks like a person. A person whose click falls between those of the
    gateway, or who opens three links in two seconds, looks like a program."""
    shares = called_machines(room)
    assert shares["sandbox"] == 0
    assert all(0 < shares[habit] < 0.1 for habit in WRONGED)


def test_the_rates_of_the_whole_set_are_those_the_documentation_tells(room: MailRoom) -> None:
    false_positives, false_negatives = rates(room)
    told = (DOCS / "signals.md").read_text(encoding="utf-8")
    assert f"{false_positives:.1%} of people's clicks" in told
    assert f"{false_negatives:.1%} of machines' clicks" in told
