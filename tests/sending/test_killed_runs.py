"""Promise 2: whatever is killed, at whatever moment, no touch goes out twice and none is lost.

Real processes, killed by SIGKILL while they talk to a real mail server, on both databases.
"""

import os
import random
import signal
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy import select

from accounts.ledger.engine import reading
from accounts.models import Touch
from accounts.vocabulary import TouchState
from flows.nurturing import tidy
from flows.sending.journal import journals_in
from flows.settings import Settings
from tests.cast import NOW, World
from tests.nursery import NURSERY
from tests.sending.crowd import plan_for_many
from tests.sending.nurse import mailroom, send
from tests.sending.post_office import PostOffice, post_office

T = TouchState
PEOPLE = 40


@pytest.mark.parametrize("lanes", [1, 2])
def test_killed_at_any_moment_no_message_goes_out_twice_and_none_is_lost(
    world: World, tmp_path: Path, lanes: int
) -> None:
    dice = random.Random(f"{world.engine.dialect.name} {lanes}")
    plan_id = plan_for_many(world, PEOPLE)
    settings = Settings(home=tmp_path)
    unknown: set[int] = set()
    with post_office(PostOffice()) as house:
        for _ in range(3):
            sender = _start(world, house, plan_id, tmp_path, lanes=lanes)
            _kill_during(dice, house, sender)
            sender.join(20)
            assert sender.exitcode == -signal.SIGKILL, "it was killed in the middle of its work"
            left = tidy(world.engine, settings, NOW).unknown
            assert len(left) <= lanes, "at most one for each connection that was open"
            assert T.SENDING not in _states(world).values(), "and nobody waits for the end of a lease"
            unknown |= set(left)
        house.rcpt = house.data = lambda *_: None
        last = _start(world, house, plan_id, tmp_path)
        last.join(20)
        assert last.exitcode == 0
    arrived = [_touch_of(message_id) for message_id in house.message_ids]
    states = _states(world)
    assert len(arrived) == len(set(arrived)), "nobody got a second copy"
    assert set(states.values()) <= {T.SENT, T.UNKNOWN}, "nothing is left open, nothing failed"
    assert {touch for touch, state in states.items() if state is T.SENT} <= set(arrived), "what counts as sent arrived"
    assert set(arrived) <= set(states), "what arrived is listed"
    assert {touch for touch, state in states.items() if state is T.UNKNOWN} == unknown, "the unknown ones are listed"
    assert len(states) == PEOPLE
    assert journals_in(settings.journal) == []


def test_two_senders_at_once_send_every_message_once(world: World, tmp_path: Path) -> None:
    """Promise 2, in parallel: two processes, two connections each, one plan."""
    plan_id = plan_for_many(world, PEOPLE)
    with post_office(PostOffice()) as house:
        senders = [_start(world, house, plan_id, tmp_path, lanes=2) for _ in range(2)]
        for sender in senders:
            sender.join(20)
    assert [sender.exitcode for sender in senders] == [0, 0]
    assert sorted(map(_touch_of, house.message_ids)) == sorted(_states(world))
    assert set(_states(world).values()) == {T.SENT}


def test_ctrl_c_leaves_nothing_open_but_the_message_on_its_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.channels.email import Outgoing, Sent
    from flows.channels.email.memory import Memory
    from flows.sending.leaving import despatch

    plan_id = plan_for_many(world, PEOPLE)
    memory = Memory()
    real = memory.send

    def interrupted(message: Outgoing) -> Sent:
        if len(memory.sent) == 3:
            raise KeyboardInterrupt
        return real(message)

    monkeypatch.setattr(memory, "send", interrupted)
    room = mailroom()
    with pytest.raises(KeyboardInterrupt):
        despatch(world.engine, room, plan_id, NOW, memory, batch=10)
    states = list(_states(world).values())
    assert {state: states.count(state) for state in set(states)} == {T.SENT: 3, T.UNKNOWN: 1, T.CERTIFIED: PEOPLE - 4}
    monkeypatch.setattr(memory, "send", real)
    despatch(world.engine, room, plan_id, NOW, memory)
    assert len(memory.sent) == PEOPLE - 1


def _start(world: World, house: PostOffice, plan_id: int, home: Path, *, lanes: int = 1) -> BaseProcess:
    url = world.engine.url.render_as_string(hide_password=False)
    sender = NURSERY.Process(target=send, args=(url, house.port, plan_id, NOW, home, lanes))
    sender.start()
    return sender


def _kill_during(dice: random.Random, house: PostOffice, sender: BaseProcess) -> None:
    """Before a message, between it and its answer, or a moment later: after two to nine more of them."""
    left = dice.randint(2, 9)
    moments: tuple[Callable[[], None], ...] = (lambda: _kill(sender), lambda: _kill_soon(sender, dice))
    deed = dice.choice(moments)

    def mood(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            deed()

    house.rcpt = house.data = lambda *_: None
    if dice.random() < 0.5:
        house.rcpt = mood
    else:
        house.data = mood


def _kill(sender: BaseProcess) -> None:
    assert sender.pid is not None
    os.kill(sender.pid, signal.SIGKILL)


def _kill_soon(sender: BaseProcess, dice: random.Random) -> None:
    threading.Timer(dice.uniform(0, 0.003), _kill, [sender]).start()


def _touch_of(message_id: str) -> int:
    return int(message_id.split(".")[1])


def _states(world: World) -> dict[int, TouchState]:
    with reading(world.engine) as connection:
        return {touch: TouchState(state) for touch, state in connection.execute(select(Touch.id, Touch.state))}
