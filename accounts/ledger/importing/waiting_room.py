"""Where the staging tables of an import are: made for one import and gone after it, whatever happens.

On SQLite they are in a file beside the ledger, attached to the connections of the import; on PostgreSQL they are
unlogged tables among the others. Filling them takes no long lock, and what a killed import leaves is dropped by the
next one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, func, select, text
from sqlalchemy.schema import CreateTable

from accounts.errors import Refused
from accounts.ledger.engine import open_ledger, writing
from accounts.ledger.importing.incoming import ROOM, STAGING

#: Key of the PostgreSQL advisory lock: any number, as long as it is ours.
ONE_IMPORT = 7_251_601


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[None]:
    """Two imports at once would share these tables: the second is refused. A killed process holds nothing."""
    lock = _lock_file(engine) if engine.dialect.name == "sqlite" else _advisory_lock(engine)
    with lock:
        yield


@contextmanager
def opened(engine: Engine) -> Iterator[Engine]:
    """Empty staging tables, gone at the end whatever happens; gives the engine whose connections see them."""
    room = _file_room(engine) if engine.dialect.name == "sqlite" else _schema_room(engine)
    with room as seeing:
        yield seeing


def room_file(engine: Engine) -> Path | None:
    """SQLite only: the file of the staging tables. It holds nothing that matters after the import."""
    return Path(f"{engine.url.database}-{ROOM}") if engine.dialect.name == "sqlite" else None


@contextmanager
def _file_room(engine: Engine) -> Iterator[Engine]:
    """A file of its own: the ledger does not grow, and no care is taken that rows in waiting survive a power cut."""
    file = room_file(engine)
    _remove(file)
    seeing = open_ledger(engine.url.render_as_string(hide_password=False))

    @event.listens_for(seeing, "connect")
    def _attach(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"ATTACH DATABASE ? AS {ROOM}", (str(file),))
        connection.execute(f"PRAGMA {ROOM}.journal_mode = MEMORY")
        connection.execute(f"PRAGMA {ROOM}.synchronous = OFF")
        connection.execute("PRAGMA temp_store = FILE")  # millions of rows are sorted on disk, not in memory

    try:
        with seeing.connect().execution_options(schema_translate_map={None: ROOM}) as connection:
            STAGING.create_all(connection, checkfirst=False)
            connection.commit()
        yield seeing
    finally:
        seeing.dispose()
        _remove(file)


@contextmanager
def _schema_room(engine: Engine) -> Iterator[Engine]:
    """Unlogged tables among the others: no care is taken of them in a crash, and the next import drops them."""
    drop_all = text(f"DROP TABLE IF EXISTS {', '.join(STAGING.tables)}")
    with writing(engine) as connection:
        connection.execute(drop_all)
        for table in STAGING.sorted_tables:
            statement = str(CreateTable(table).compile(dialect=engine.dialect))
            connection.execute(text(statement.replace("CREATE TABLE", "CREATE UNLOGGED TABLE", 1)))
    try:
        yield engine
    finally:
        with writing(engine) as connection:
            connection.execute(drop_all)


def _remove(file: Path | None) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)


@contextmanager
def staging(engine: Engine) -> Iterator[Connection]:
    """A transaction on staged rows."""
    with writing(engine) as connection:
        prepare(connection)
        yield connection


def prepare(connection: Connection) -> None:
    """For this transaction: times without a zone are UTC, as staged ones are, and sorting has room on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'; SET LOCAL work_mem = '64MB'"))


@contextmanager
def _lock_file(engine: Engine) -> Iterator[None]:
    """SQLite's own lock on a small database beside the ledger: the system releases it when the process ends."""
    path = engine.url.database
    if not path or path == ":memory:":
        yield
        return
    lock = sqlite3.connect(f"{path}-import", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise _busy() from None
    try:
        yield
    finally:
        lock.close()


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        if not connection.scalar(select(func.pg_try_advisory_lock(ONE_IMPORT))):
            raise _busy()
        connection.commit()
        try:
            yield
        finally:
            connection.scalar(select(func.pg_advisory_unlock(ONE_IMPORT)))


def _busy() -> Refused:
    return Refused("another import is running on this database", cure="wait for it to end, then try again")
