"""Who waits at the mailbox hears at once, and goes on hearing when the line breaks."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from accounts.ledger.engine import create_tables, open_ledger, reading
from accounts.models import Signal
from flows.cli import tandem
from flows.doctor.mailbox import mailbox as look
from flows.mailbox.imap import Imap
from flows.mailbox.watching import watch
from tests.cast import build_world
from tests.mailbox.dovecot import Dovecot, Postbox, needs_dovecot
from tests.mailbox.letters import letter
from tests.operations.patients import patient


class _Enough(BaseException):
    """Ends a watch that would go on for ever."""


@needs_dovecot
def test_mail_is_heard_the_moment_it_comes_also_after_a_run_that_failed(postbox: Postbox) -> None:
    heard: Queue[int] = Queue()
    told: list[str] = []

    def hear() -> None:
        with Imap(postbox.settings) as imap:
            imap.open("INBOX")
            found = len(imap.uids(0))
        heard.put(found)
        if found == 2:
            raise ValueError("the ledger is not at home")
        if found == 3:
            raise _Enough

    def watch_for_a_while() -> None:
        with suppress(_Enough):
            watch(postbox.settings, hear, told.append)

    postbox.put(letter("before"))
    watching = Thread(target=watch_for_a_while, daemon=True)
    watching.start()
    assert heard.get(timeout=10) == 1, "what came while nobody waited"
    for number in (2, 3):
        postbox.put(letter("now"))
        assert _within(10, lambda wanted=number: heard.get() == wanted)
    watching.join(10)
    assert told == ["what came could not be taken in: the ledger is not at home"]


def test_a_line_that_breaks_is_opened_again_after_a_while_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise _Enough

    monkeypatch.setattr(time, "sleep", sleep)
    told: list[str] = []
    with pytest.raises(_Enough):
        watch(patient(mailbox={"host": "127.0.0.1", "port": 1}).settings.mailbox, print, told.append)
    assert waits == [5, 10, 20, 40]
    assert all("does not answer" in line for line in told)


@needs_dovecot
class TestTheCommands:
    @pytest.fixture
    def home(self, postbox: Postbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A house with a ledger, the cast in it, and a mailbox in its variables."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
        for name in ("host", "port", "username", "ca_file"):
            monkeypatch.setenv(f"TANDEM_MAILBOX__{name.upper()}", str(getattr(postbox.settings, name)))
        assert postbox.settings.password is not None
        monkeypatch.setenv("TANDEM_MAILBOX__PASSWORD", postbox.settings.password.get_secret_value())
        engine = open_ledger(f"sqlite:///{tmp_path / 'tandem.db'}")
        create_tables(engine)
        build_world(engine)
        engine.dispose()
        return tmp_path

    def test_running_signals_by_hand_reads_the_mailbox(self, home: Path, postbox: Postbox) -> None:
        postbox.put(letter("Yes", From="alice@acme.example"))
        ran = CliRunner().invoke(tandem, ["run", "signals", "--as-of", "2026-11-24T11:00Z", "--json"])
        assert ran.exit_code == 0, ran.output
        counts = json.loads(ran.stdout)
        assert (counts["recorded"], counts["replies"]) == (1, 1)
        (notice,) = (home / "outbox").rglob("*.eml")
        assert b"Alice Example replied" in notice.read_bytes(), "and Ravi hears of it"

    def test_watch_hears_mail_and_ends_with_ctrl_c(self, home: Path, postbox: Postbox) -> None:
        program = [sys.executable, "-c", "from flows.cli import main; main()", "watch"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        with subprocess.Popen(program, env=environment, cwd=home, stderr=subprocess.PIPE) as watching:
            try:
                postbox.put(letter("Yes", From="alice@acme.example"))
                assert _within(20, lambda: _signals(home) == 1)
                postbox.put(letter("And again", From="alice@acme.example", Message_ID="<b2@acme.example>"))
                assert _within(20, lambda: _signals(home) == 2)
            finally:
                watching.send_signal(signal.SIGINT)
                ended = _within(20, lambda: watching.poll() is not None)
                watching.kill()
            assert ended

    def test_watch_without_a_mailbox_says_what_to_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        refused = CliRunner().invoke(tandem, ["watch"])
        assert "mailbox.host" in str(refused.exception)


class TestTheDoctor:
    def test_says_nothing_where_no_mail_leaves(self) -> None:
        assert look(patient()) is None

    def test_warns_where_mail_leaves_and_no_mailbox_is_read(self) -> None:
        found = look(patient(channel="smtp"))
        assert found is not None
        assert (found.state, "mailbox.host" in str(found.cure)) == ("warn", True)

    @needs_dovecot
    def test_looks_into_every_folder(self, postbox: Postbox, tmp_path: Path) -> None:
        good = look(patient(home=tmp_path, mailbox=postbox.settings.model_dump()))
        assert good is not None
        assert (good.state, "it never was" in good.says) == ("ok", True)
        other = postbox.settings.model_copy(update={"folders": "INBOX, Nowhere"})
        bad = look(patient(home=tmp_path, mailbox=other.model_dump()))
        assert bad is not None
        assert (bad.state, "Nowhere" in bad.says) == ("fail", True)

    @needs_dovecot
    def test_a_login_that_is_refused_is_told_with_its_cure(self, mail_server: Dovecot, tmp_path: Path) -> None:
        settings = mail_server.mailbox(password="wrong-horse").settings
        found = look(patient(home=tmp_path, mailbox=settings.model_dump()))
        assert found is not None
        assert (found.state, "mailbox.username" in str(found.cure)) == ("fail", True)


def _signals(home: Path) -> int:
    from sqlalchemy import func, select

    engine = open_ledger(f"sqlite:///{home / 'tandem.db'}")
    try:
        with reading(engine) as connection:
            return connection.scalar(select(func.count()).select_from(Signal)) or 0
    finally:
        engine.dispose()


def _within(seconds: float, is_so: Any) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.1)
    return False
