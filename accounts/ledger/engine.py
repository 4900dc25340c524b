"""Opening the ledger: one engine per process, SQLite (WAL) or PostgreSQL, and the two ways to use it.

engine = open_ledger("sqlite:///.tandem/tandem.db")
with writing(engine) as connection: ...   # one transaction, committed at the end or rolled back whole
with reading(engine) as connection: ...   # a snapshot; takes no write lock
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError

from accounts.errors import Refused, SettingsRefused
from accounts.models import Base

#: How long a writer waits for another one before it gives up, in seconds.
BUSY_SECONDS = 30
#: Connections that stay open once they were used, one for each thread of the web app: to open one costs as much as a
#: page. PostgreSQL has a process for each, so there threads take turns.
KEPT_OPEN = 40
KEPT_OPEN_POSTGRESQL = 15

#: What a database says that cannot work, and what to do about it; the first that fits.
CURES = {
    "is locked": "another program holds it: let that one finish, or close it, and try again",
    "is full": "make room on its disk",
    "No space left": "make room on its disk",
    "disk I/O error": "see that its disk has room and is well",
    "readonly database": "see that this user may write the file and its folder",
    "read-only transaction": "see that this user may write there",
    "unable to open": "see that this user may write the file and its folder",
    "": "see that it runs, and that database_url names it",
}


def open_ledger(url: str) -> Engine:
    """An engine for `url`; creates the folder of a SQLite file, but no tables (see `create_tables`, migrations).

    Raises SettingsRefused for a database other than SQLite or PostgreSQL.
    """
    parsed = _address(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed.database, url)
    if backend == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=KEPT_OPEN_POSTGRESQL,
            max_overflow=0,
        )
    raise SettingsRefused(f"no ledger on {backend}", where="database_url", cure="use sqlite:///… or postgresql://…")


def open_existing_ledger(url: str) -> Engine:
    """`open_ledger` for a database that was made before. Raises Refused for one that was not, and makes no file;
    SettingsRefused for one that does not answer."""
    parsed = _address(url)
    path = parsed.database
    is_file = parsed.get_backend_name() == "sqlite" and path and not path.startswith(("file:", ":memory:"))
    if not is_file or Path(str(path)).exists():
        engine = open_ledger(url)
        reach(engine)
        if inspect(engine).has_table("account"):
            return engine
    raise Refused(
        "there is no ledger yet", where=parsed.render_as_string(hide_password=True), cure="make it: tandem init"
    )


def reach(engine: Engine) -> None:
    """Knock once, so that a database that does not answer is one line. Raises SettingsRefused, without a password."""
    try:
        engine.connect().close()
    except DatabaseError as error:
        raise unanswered(error, engine.url.render_as_string(hide_password=True)) from None


def unanswered(error: DBAPIError, place: str) -> SettingsRefused:
    """What the database said instead of an answer, in one line, with what to do about it."""
    reason = next(iter(str(error.orig).splitlines()), "")
    cure = next(cure for said, cure in CURES.items() if said in reason)
    return SettingsRefused(reason, where=place, cure=cure)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads: one snapshot, no write lock; leaves nothing behind."""
    with engine.connect().execution_options(tandem_reads=True) as connection:
        yield connection
        connection.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it, or nothing."""
    with engine.begin() as connection:
        yield connection


def create_tables(engine: Engine) -> None:
    """All tables, indexes and triggers at once, for tests and throw-away worlds; products use the migrations."""
    import accounts.ledger.audit
    import accounts.ledger.locks  # noqa: F401  both hang their triggers on the metadata

    Base.metadata.create_all(engine)


def _address(url: str) -> URL:
    """The parts of a database's address; what is none is not repeated, as it may hold a password."""
    try:
        return make_url(url)
    except ArgumentError:
        cure = "use sqlite:///… or postgresql://…"
        raise SettingsRefused("is no address of a database", where="database_url", cure=cure) from None


def _open_sqlite(path: str | None, url: str) -> Engine:
    if path and path != ":memory:" and not path.startswith("file:"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=KEPT_OPEN)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "invalidate", _let_go_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; the driver's guess would start transactions too late
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a claim must survive a power cut, or a touch could go out twice
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -8192")  # the system keeps the file in memory too; more was no quicker


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("tandem_reads", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _let_go_sqlite(connection: sqlite3.Connection, _record: Any, _error: BaseException | None) -> None:
    """A connection that an interrupt made unusable is closed at once, but SQLite keeps the locks of a closed one for as
    long as a statement of it is known, and tracebacks know statements: this process would wait for itself."""
    with suppress(sqlite3.Error):
        connection.rollback()
