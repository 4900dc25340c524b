"""`tandem up` starts everything, says where it is, and leaves nothing behind when it is told to stop."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from click.testing import CliRunner

from accounts.errors import Refused
from flows.cli import tandem
from flows.doctor import Patient, examine, prefect
from flows.operating.deployments import deployments_file, read_deployments
from flows.operating.prefect_api import PrefectApi, answers
from flows.operating.prefect_server import PrefectServer, free_port, running_server, server_of
from flows.operating.serving import ASK_SECONDS, are_polled
from flows.settings import Settings
from tests.flows.house import until


@pytest.fixture
def home(prefect_api: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A founded house, whose Prefect has run before: its database is a copy, which spares making one."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TANDEM_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    assert CliRunner().invoke(tandem, ["init"]).exit_code == 0
    (tmp_path / ".tandem" / "prefect").mkdir(mode=0o700)
    source = sqlite3.connect(Path(prefect_api.env["PREFECT_HOME"]) / "prefect.db")
    copy = sqlite3.connect(tmp_path / ".tandem" / "prefect" / "prefect.db")
    source.backup(copy)
    source.close()
    copy.close()
    return tmp_path / ".tandem"


@pytest.mark.timeout(300)  # several programs start, which takes its time on a busy machine
def test_everything_comes_up_works_and_goes_away_again(home: Path) -> None:
    web_port = str(free_port(0))
    with _up("--web-port", web_port) as (process, where):
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 3
        assert "<html" in requests.get(where["artifacts"], headers={"Accept": "text/html"}, timeout=10).text
        assert answers(f"{where['web']}/healthz", seconds=10)
        assert where["deployments"] == [entry.name for entry in read_deployments(deployments_file())]
        assert server_of(home / "prefect") == where["api"]
        assert _findings(where) == {"Prefect": "ok", "Prefect pages": "ok", "schedules": "ok", "late runs": "ok",
                                    "dead runs": "ok"}  # fmt: skip
        _kill_and_see_them_again(psutil.Process(process.pid), where)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert psutil.wait_procs(family, timeout=15)[1] == []
    assert server_of(home / "prefect") is None
    assert not answers(where["api"] + "/health")


def test_the_pages_of_a_finished_demo_can_be_looked_at_by_themselves(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.parent.parent)
    with _up("--ui-only", "--home", str(home)) as (process, where):
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 1
        assert PrefectApi(where["api"]).ui_settings()["api_url"] == where["api"]
        assert where["web"] is None
        assert where["deployments"] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert psutil.wait_procs(family, timeout=15)[1] == []


def test_where_no_flow_has_run_there_are_no_pages_to_look_at(tmp_path: Path) -> None:
    error = CliRunner().invoke(tandem, ["up", "--ui-only", "--home", str(tmp_path)]).exception
    assert isinstance(error, Refused)
    assert "tandem demo" in str(error)


def test_a_database_that_is_not_up_to_date_is_said_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(tandem, ["up"]).exception
    assert isinstance(error, Refused)
    assert "tandem init" in str(error)
    assert not (tmp_path / ".tandem" / "prefect").exists()


def test_two_servers_in_one_home_are_refused(prefect_api: PrefectServer) -> None:
    """Both would plan the same runs."""
    home = Path(prefect_api.env["PREFECT_HOME"])
    assert server_of(home) == prefect_api.url
    with pytest.raises(Refused, match=f"already runs here, at {prefect_api.url}"), running_server(home):
        pass
    assert server_of(home) == prefect_api.url


def test_a_port_that_is_taken_is_refused(prefect_api: PrefectServer, tmp_path: Path) -> None:
    port = int(prefect_api.ui_url.rpartition(":")[2])
    with pytest.raises(Refused, match=f"port {port} is in use"), running_server(tmp_path, port):
        pass


@pytest.mark.parametrize(
    ("host", "login", "words"),
    [
        ("127.0.0.2", None, "without a password"),
        ("0.0.0.0", "ops:quiet", "no address that a browser could open"),  # noqa: S104  is refused
        ("192.0.2.1", "ops:quiet", "no address of this machine"),
    ],
)
def test_pages_that_others_could_reach_need_a_password_and_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, login: str | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TANDEM_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    if login:
        monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", login)
    assert CliRunner().invoke(tandem, ["init"]).exit_code == 0
    error = CliRunner().invoke(tandem, ["up", "--host", host]).exception
    assert isinstance(error, Refused)
    assert words in str(error)


@contextmanager
def _up(*options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """`tandem up`, once it says that all is ready, and what it says then."""
    program = [str(Path(sys.executable).with_name("tandem")), "up", "--json", "--port", str(free_port(0)), *options]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            said = ""
            while not said.endswith("}\n"):
                line = process.stdout.readline()
                assert line, process.stderr and process.stderr.read()
                said += line
            yield process, json.loads(said)
        finally:
            process.terminate()
            process.wait(30)


def _kill_and_see_them_again(up: psutil.Process, where: dict[str, Any]) -> None:
    """Web app, Prefect server and who serves the flows, killed at once: each is back at its work, and there once."""
    first, api = up.children(), PrefectApi(where["api"])
    assert {_listener(_port(where[name])) for name in ("web", "api")} < set(first)
    killed_at = datetime.now(UTC)
    for one in first:
        one.kill()
    until(lambda: answers(f"{where['web']}/healthz", seconds=1))
    until(api.is_healthy)
    until(lambda: are_polled(api, where["deployments"], killed_at), every=ASK_SECONDS)
    second = up.children()
    assert len(second) == len(first) == 3
    assert set(second).isdisjoint(first)
    assert {_listener(_port(where[name])) for name in ("web", "api")} < set(second)


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def _listener(port: int) -> psutil.Process | None:
    found = [it.pid for it in psutil.net_connections("tcp4") if it.laddr.port == port and it.status == "LISTEN"]
    return psutil.Process(found[0]) if found and found[0] else None


def _findings(where: dict[str, Any]) -> dict[str, str]:
    """What the doctor says of a real server."""
    from datetime import UTC, datetime

    patient = Patient(Settings(), datetime.now(UTC), PrefectApi(where["api"]))
    checks = (prefect.api, prefect.pages, prefect.schedules, prefect.late_runs, prefect.dead_runs)
    give_up = time.monotonic() + 60
    while True:
        found = {it.name: it.state for it in examine(patient, checks)}
        if set(found.values()) == {"ok"} or time.monotonic() > give_up:
            return found
        time.sleep(0.5)
