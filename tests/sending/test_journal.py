"""What a killed sender leaves behind: its journal tells what had left, and nobody reads the journal of the living."""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.engine import open_ledger, reading, writing
from accounts.ledger.planning import touches
from accounts.ledger.sending import claims
from accounts.ledger.sending.claims import Outcome
from accounts.ledger.sending.recovery import TakenUp, in_the_name_of
from accounts.models import Touch
from accounts.touch_states import Refusal
from accounts.vocabulary import TouchState
from flows.channels.email import Outgoing
from flows.channels.email.memory import Memory
from flows.nurturing import tidy
from flows.sending import journal
from flows.sending.journal import Journal, Told, journals_in, left_behind
from flows.sending.leaving import despatch
from flows.sending.recovering import recover
from flows.settings import Settings
from tests.cast import NOW, World, on_postgresql
from tests.sending.crowd import plan_for_many
from tests.sending.desk import ALWAYS, certified, rows, touch_of
from tests.sending.nurse import mailroom

T = TouchState
forked = multiprocessing.get_context("fork")
LATER_BY = timedelta(minutes=3)
LATER = NOW + LATER_BY
QUARTER = timedelta(minutes=15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def claimed(world: World, folder: Path) -> Iterator[Journal]:
    """Alice, Bob and Ivan, claimed by a sender with an open journal."""
    plan_id = certified(world)
    with Journal.open(folder, world.engine) as journal:
        with writing(world.engine) as connection:
            claims.claim(connection, plan_id, NOW, by=journal.worker, window=ALWAYS)
        yield journal


def _die(journal: Journal) -> None:
    """What the kernel does with a killed process: the file stays, the lock goes."""
    journal.close(settled=False)


# What it tells.


def test_each_touch_of_a_dead_sender_gets_what_its_journal_tells(world: World, claimed: Journal, folder: Path) -> None:
    alice, bob, ivan = (touch_of(world, name) for name in ("alice", "bob", "ivan"))
    claimed.begin([alice])
    claimed.end(Outcome(alice, T.SENT, provider="smtp", provider_id="250 ok"))
    claimed.begin([bob])
    _die(claimed)
    done = recover(world.engine, folder, LATER)
    assert done == TakenUp(unknown=(bob,), again=(ivan,), answered={T.SENT: 1})
    assert rows(world) == {
        "alice": (T.SENT, None), "bob": (T.UNKNOWN, Refusal.NO_ANSWER), "ivan": (T.CERTIFIED, None),
    }  # fmt: skip
    with reading(world.engine) as connection:
        sent = connection.execute(select(Touch).where(Touch.id == alice)).one()
        attempts = dict(connection.execute(select(Touch.id, Touch.attempts)).tuples().all())
    assert (sent.sent_at, sent.provider, sent.provider_id) == (NOW, "smtp", "250 ok"), "in the hour of its claim"
    assert attempts == {alice: 1, bob: 1, ivan: 0}, "a server was asked about two of them"
    assert journals_in(folder) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(0, T.FAILED, Refusal.REFUSED_BY_SERVER, "550 «kein Postfach»\r\n\ttry b 17", "smtp"),
        Outcome(0, T.CERTIFIED, error="451 later", retry_at=NOW + QUARTER),
        Outcome(0, T.UNKNOWN, Refusal.NO_ANSWER, "lost after the dot", "smtp"),
    ],
    ids=["failed", "later", "unknown"],
)
def test_every_kind_of_outcome_is_kept_as_it_was(
    world: World, claimed: Journal, folder: Path, outcome: Outcome
) -> None:
    alice = touch_of(world, "alice")
    claimed.begin([alice])
    claimed.end(Outcome(alice, *(getattr(outcome, name) for name in Outcome.__slots__[1:])))
    _die(claimed)
    done = recover(world.engine, folder, LATER)
    assert done.answered == {outcome.state: 1}
    assert (alice in done.unknown) is (outcome.state is T.UNKNOWN)
    with reading(world.engine) as connection:
        row = connection.execute(select(Touch).where(Touch.id == alice)).one()
    assert (row.state, row.reason, row.provider) == (outcome.state, outcome.reason, outcome.provider)
    assert (row.error, row.retry_at) == (" ".join((outcome.error or "").split()), outcome.retry_at)


def test_the_last_word_about_a_touch_counts(world: World, claimed: Journal, folder: Path) -> None:
    """Told to come later, brought again, and killed in the middle of that."""
    alice = touch_of(world, "alice")
    claimed.begin([alice])
    claimed.end(Outcome(alice, T.CERTIFIED, error="451 later", retry_at=NOW))
    claimed.begin([alice])
    _die(claimed)
    assert recover(world.engine, folder, LATER).unknown == (alice,)


def test_a_call_of_several_messages_begins_them_all(world: World, claimed: Journal, folder: Path) -> None:
    ids = [touch_of(world, name) for name in ("alice", "bob", "ivan")]
    claimed.begin(ids[:2])
    _die(claimed)
    done = recover(world.engine, folder, LATER)
    assert (done.unknown, done.again) == (tuple(ids[:2]), (ids[2],))


def test_what_the_lease_has_made_unknown_takes_a_sent_only(world: World, claimed: Journal, folder: Path) -> None:
    alice, bob = touch_of(world, "alice"), touch_of(world, "bob")
    claimed.begin([alice])
    claimed.end(Outcome(alice, T.SENT, provider="smtp"))
    claimed.begin([bob])
    claimed.end(Outcome(bob, T.FAILED, Refusal.REFUSED_BY_SERVER))
    with writing(world.engine) as connection:
        connection.execute(update(Touch).values(state=T.UNKNOWN, reason=Refusal.NO_ANSWER))
    _die(claimed)
    assert recover(world.engine, folder, LATER) == TakenUp(answered={T.SENT: 1})
    assert [state for state, _ in rows(world).values()] == [T.SENT, T.UNKNOWN, T.UNKNOWN]


# What it cannot tell.


@pytest.mark.parametrize(
    ("torn", "then"),
    [(b"b {alice}", T.CERTIFIED), (b"b {alice}\ne [{alice},\"sent\",nul", T.UNKNOWN), (b"b {alice}\nb ", T.UNKNOWN)],
    ids=["a beginning: nothing had left", "an end: no answer is known", "the beginning of another one"],
)  # fmt: skip
def test_a_torn_last_line_counts_as_what_is_safe(
    world: World, claimed: Journal, folder: Path, torn: bytes, then: TouchState
) -> None:
    os.write(claimed.fileno(), torn.replace(b"{alice}", b"%d" % touch_of(world, "alice")))
    _die(claimed)
    recover(world.engine, folder, LATER)
    states = [state for state, _ in rows(world).values()]
    assert states == [then, T.CERTIFIED, T.CERTIFIED]


@pytest.mark.parametrize("line", [b"b 1b 18\n", b"b \n", b'e [1,"sent"]\n', b'e [1,"lost",0,0,0,0,0]\n', b"\0\0\n"])
def test_a_line_nobody_can_read_makes_all_of_it_worthless(
    world: World, claimed: Journal, folder: Path, line: bytes
) -> None:
    """As where a line that did not fit on the disk is followed by one that did."""
    os.write(claimed.fileno(), line)
    _die(claimed)
    assert len(recover(world.engine, folder, LATER).unknown) == 3


def test_after_a_crash_of_the_machine_everything_claimed_is_unknown(
    world: World, claimed: Journal, folder: Path
) -> None:
    """The journal was not forced to disk: what it says may not be the last it said."""
    _die(claimed)
    _rewrite(claimed.path, boot="another-boot")
    assert len(recover(world.engine, folder, LATER).unknown) == 3
    assert journals_in(folder) == []


def test_a_system_that_does_not_tell_its_boots_is_not_trusted(world: World, claimed: Journal, folder: Path) -> None:
    _die(claimed)
    _rewrite(claimed.path, boot=None)
    assert len(recover(world.engine, folder, LATER).unknown) == 3


@pytest.mark.parametrize("other", [{"host": "elsewhere", "boot": "theirs"}, {"ledger": "f" * 16}])
def test_the_journal_of_another_machine_or_ledger_is_not_ours_to_read(
    world: World, claimed: Journal, folder: Path, other: dict[str, str]
) -> None:
    _die(claimed)
    _rewrite(claimed.path, **other)
    assert recover(world.engine, folder, LATER) == TakenUp()
    assert {state for state, _ in rows(world).values()} == {T.SENDING}, "they wait for the end of their lease"
    assert journals_in(folder) == [claimed.path]


def test_claims_of_a_machine_that_never_comes_back_end_as_unknown_by_their_lease(
    world: World, claimed: Journal, folder: Path
) -> None:
    """It was started anew and its journal went with it, or nobody there ever looks."""
    _die(claimed)
    _rewrite(claimed.path, host="elsewhere", boot="theirs")
    for moment, state in ((NOW + touches.LEASE, T.SENDING), (NOW + touches.LEASE + LATER_BY, T.UNKNOWN)):
        tidy(world.engine, Settings(home=folder.parent), moment)
        assert {state for state, _ in rows(world).values()} == {state}
    assert despatch(world.engine, mailroom(), 1, NOW + touches.LEASE + LATER_BY, Memory()).outcomes == {}


def test_a_sender_that_died_before_it_claimed_leaves_nothing_to_do(database: Engine, folder: Path) -> None:
    folder.mkdir()
    (folder / "mail1-1-00000000.journal").touch()
    assert recover(database, folder, NOW) == TakenUp()
    assert journals_in(folder) == []


# Who may read it.


def test_a_living_sender_keeps_its_claims_beyond_their_lease(world: World, claimed: Journal, folder: Path) -> None:
    """It waits for a slow server, and will say itself what became of them."""
    settings, much_later = Settings(home=folder.parent), NOW + timedelta(hours=3)
    assert tidy(world.engine, settings, much_later).unknown == ()
    assert {state for state, _ in rows(world).values()} == {T.SENDING}
    _die(claimed)
    assert len(tidy(world.engine, settings, much_later).again) == 3, "nothing of them had left"


def test_the_journal_of_a_living_sender_is_never_touched(world: World, claimed: Journal, folder: Path) -> None:
    claimed.begin([touch_of(world, "alice")])
    assert recover(world.engine, folder, LATER) == TakenUp()
    assert {state for state, _ in rows(world).values()} == {T.SENDING}
    assert journals_in(folder) == [claimed.path]


def test_two_tidiers_at_once_take_up_a_journal_once(world: World, claimed: Journal, folder: Path) -> None:
    claimed.begin([touch_of(world, "alice")])
    _die(claimed)
    with ThreadPoolExecutor(4) as tidiers:
        done = list(tidiers.map(lambda _: recover(world.engine, folder, LATER), range(8)))
    assert sum(len(one.unknown) for one in done) == 1
    assert sum(len(one.again) for one in done) == 2


def test_a_journal_taken_up_while_another_tidier_opened_it_is_gone_for_that_one(
    world: World, claimed: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening and its locking the first one may do all of it."""
    _die(claimed)
    lock, first = journal._lock, []

    def late(fd: int, *kind: int) -> bool:
        monkeypatch.setattr(journal, "_lock", lock)
        first.append(recover(world.engine, folder, LATER))
        return lock(fd, *kind)

    monkeypatch.setattr(journal, "_lock", late)
    assert recover(world.engine, folder, LATER) == TakenUp()
    assert [len(done.again) for done in first] == [3]


@on_postgresql
def test_who_takes_up_waits_for_the_claim_the_dead_had_asked_for(world: World, folder: Path) -> None:
    """PostgreSQL carries out a commit that was under way when the sender was killed."""
    plan_id = certified(world)
    with Journal.open(folder, world.engine) as journal, ThreadPoolExecutor(1) as tidier:
        with writing(world.engine) as connection:
            in_the_name_of(connection, journal.worker)
            claims.claim(connection, plan_id, NOW, by=journal.worker, window=ALWAYS)
            _die(journal)
            tidying = tidier.submit(recover, world.engine, folder, LATER)
            time.sleep(0.2)
            assert not tidying.done()
        assert len(tidying.result(10).again) == 3
    assert {state for state, _ in rows(world).values()} == {T.CERTIFIED}


def test_a_tidier_that_is_killed_leaves_the_journal_to_the_next(
    world: World, claimed: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the ledger has taken it all, before the file is gone: the next finds nothing left to do."""
    _die(claimed)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            recover(world.engine, folder, LATER)
    assert len(journals_in(folder)) == 1
    assert recover(world.engine, folder, LATER) == TakenUp()
    assert {state for state, _ in rows(world).values()} == {T.CERTIFIED}
    assert journals_in(folder) == []


def test_a_fork_neither_keeps_the_lock_alive_nor_writes(tmp_path: Path) -> None:
    """A child that outlives its killed parent does not keep others from taking up what the parent left."""
    engine = open_ledger("sqlite://")
    told, tell = forked.Pipe(duplex=False)
    parent = forked.Process(target=_sender_with_a_child, args=(tmp_path, tell))
    parent.start()
    child, said = told.recv()
    try:
        [path] = journals_in(tmp_path)
        with left_behind(path, engine) as story:
            assert story is None, "the parent lives"
        parent.kill()
        assert parent.pid is not None
        os.waitpid(parent.pid, 0)
        with left_behind(path, engine) as story:
            assert story == Told(path.stem, {1: None})
    finally:
        os.kill(child, signal.SIGKILL)
    assert said == "the journal cannot be written: Bad file descriptor"


def _sender_with_a_child(folder: Path, tell: Connection) -> None:
    journal = Journal.open(folder, open_ledger("sqlite://"))
    journal.begin([1])
    if os.fork() == 0:
        try:
            journal.begin([2])
        except Unreachable as error:
            tell.send((os.getpid(), error.what))
    signal.pause()


# When it cannot be written.


def test_no_message_leaves_that_the_journal_was_not_told_of(world: World, folder: Path) -> None:
    """The disk fills up after the first message: the others are certified as before, and the run says why it ended."""
    plan_id = plan_for_many(world, 12)
    memory = Memory()
    with Journal.open(folder, world.engine) as journal:

        def fill_the_disk(message: Outgoing) -> None:
            with open("/dev/full", "wb") as full:
                os.dup2(full.fileno(), journal.fileno())

        memory = Memory(fill_the_disk)
        done = despatch(world.engine, mailroom(), plan_id, NOW, memory, batch=10, journal=journal)
    assert len(memory.sent) == 1
    assert done.stopped is not None
    assert "the journal cannot be written: No space left on device" in done.stopped
    assert done.outcomes == {T.SENT: 1, T.CERTIFIED: 9}
    assert sorted(_states(world)) == [T.CERTIFIED] * 11 + [T.SENT]


def test_without_a_journal_nothing_is_claimed(world: World, tmp_path: Path) -> None:
    from accounts.playfiles import load_play
    from flows import nurturing
    from flows.settings import TEMPLATES, Settings

    plan_id = plan_for_many(world, 3)
    (tmp_path / "journal").write_text("a file where the folder should be")
    play = load_play(TEMPLATES / "plays" / "new-business")
    [done] = nurturing.send(world.engine, Settings(home=tmp_path), play, [plan_id], NOW, channel=Memory())
    assert done.stopped is not None
    assert "the journal cannot be written" in done.stopped
    assert _states(world) == [T.CERTIFIED] * 3


def test_a_journal_whose_outcomes_are_not_kept_is_kept_itself(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away while mails leave: what became of them is not lost."""
    plan_id = plan_for_many(world, 5)

    def send() -> None:
        with Journal.open(folder, world.engine) as journal:
            despatch(world.engine, mailroom(), plan_id, NOW, Memory(), journal=journal)

    with monkeypatch.context() as patched:
        patched.setattr(claims, "record", _killed)
        with pytest.raises(KeyboardInterrupt):
            send()
    assert _states(world) == [T.SENDING] * 5
    assert recover(world.engine, folder, LATER).answered == {T.SENT: 5}
    assert _states(world) == [T.SENT] * 5


# How it reads.


@pytest.mark.parametrize("seed", range(3))
def test_no_touch_begins_a_second_time_unless_it_had_not_left_the_first_time(
    world: World, folder: Path, seed: int
) -> None:
    """Whatever the server says, over many runs with one journal."""
    plan_id = plan_for_many(world, 20)
    dice = random.Random(seed)
    answers: Sequence[Exception | None] = [
        None, None, NotSent("451", permanent=False), NotSent("550", permanent=True), OutcomeUnknown("lost"),
        Unreachable("hung up"), ZeroDivisionError(),
    ]  # fmt: skip

    def moody(message: Outgoing) -> None:
        if answer := dice.choice(answers):
            raise answer

    room = mailroom()
    with Journal.open(folder, world.engine) as journal:
        for hour in range(8):
            now = NOW + timedelta(minutes=20 * hour)
            despatch(world.engine, room, plan_id, now, Memory(moody), batch=7, journal=journal)
        lines = journal.path.read_bytes().splitlines()[1:]
    last: dict[int, str | None] = {}
    for line in lines:
        if line.startswith(b"b "):
            touch = int(line.split()[1])
            assert last.get(touch, T.CERTIFIED) == T.CERTIFIED, f"touch {touch} was {last[touch]}"
            last[touch] = None
        else:
            touch, state, *_ = json.loads(line[2:])
            assert last[touch] is None, "an end stands behind its beginning"
            last[touch] = state
    assert len(last) == 20
    assert None not in last.values()


def _rewrite(path: Path, **header: str | None) -> None:
    head, _, lines = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), **header}).encode() + b"\n" + lines)


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _states(world: World) -> list[str]:
    with reading(world.engine) as connection:
        return [TouchState(state) for state in connection.scalars(select(Touch.state).order_by(Touch.id))]
