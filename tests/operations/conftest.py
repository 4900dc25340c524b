"""A house in which `tandem init` was run, and ledgers whose tables the migrations made."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import URL, Engine
from sqlalchemy.engine import make_url

from accounts.ledger import schema
from accounts.ledger.engine import open_ledger
from flows.cli import tandem

#: Makes a ledger on "sqlite" or "postgres": with its tables and not a row, or without a table (`empty`).
NewLedger = Callable[..., Engine]


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, by the real command; to be copied, not to be lived in."""
    folder = tmp_path_factory.mktemp("founded")
    with pytest.MonkeyPatch.context() as patch:
        _forget_the_machine(patch)
        patch.chdir(folder)
        result = CliRunner().invoke(tandem, ["init"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def house(founded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with tandem.toml and a database, and no variable of the machine's."""
    _forget_the_machine(monkeypatch)
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def founded_postgres(postgres_url: str) -> Iterator[URL]:
    """A database that the migrations made; copies of it cost a tenth."""
    url = make_url(postgres_url).set(database="founded")
    by_itself(postgres_url, "CREATE DATABASE founded")
    engine = open_ledger(url.render_as_string(hide_password=False))
    schema.upgrade(engine)
    engine.dispose()
    yield url
    by_itself(postgres_url, "DROP DATABASE founded WITH (FORCE)")


@pytest.fixture
def new_ledger(request: pytest.FixtureRequest, founded: Path, tmp_path: Path) -> Iterator[NewLedger]:
    """Makes ledgers, and takes them away at the end."""
    with ExitStack() as stack:
        count = 0

        def make(kind: str, *, empty: bool = False) -> Engine:
            nonlocal count
            count += 1
            if kind == "sqlite":
                path = tmp_path / f"ledger-{count}.db"
                if not empty:
                    shutil.copy(founded / ".tandem" / "tandem.db", path)
                engine = open_ledger(f"sqlite:///{path}")
            else:
                url = _copy_on_postgres(request, stack, f"ledger_{count}", empty)
                engine = open_ledger(url.render_as_string(hide_password=False))
            stack.callback(engine.dispose)
            return engine

        yield make


def _copy_on_postgres(request: pytest.FixtureRequest, stack: ExitStack, name: str, empty: bool) -> URL:
    url: URL = request.getfixturevalue("founded_postgres")
    server = request.getfixturevalue("postgres_url")
    by_itself(server, f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {url.database}"))
    stack.callback(by_itself, server, f"DROP DATABASE {name} WITH (FORCE)")
    return url.set(database=name)


def by_itself(url: str, statements: str) -> None:
    """As psql would run it: outside a transaction of ours."""
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True) as door:
        door.execute(statements.encode())


def _forget_the_machine(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TANDEM_") or name == "PREFECT_API_URL"]:
        patch.delenv(name)
