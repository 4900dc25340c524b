"""Ledgers for tests: one on each database for the whole run, put back between tests to empty, or to the cast's world.

What a test would do thousands of times over is done once: making the tables, writing the cast, and compiling SQL, which
SQLAlchemy remembers for each engine, and here for all of them.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, text
from sqlalchemy.util import LRUCache

from accounts.ledger.engine import create_tables, open_ledger
from accounts.models import Base
from tests.cast import World, build_world

T = TypeVar("T")
TABLES = tuple(table.name for table in Base.metadata.sorted_tables)


class Stage(Protocol):
    engine: Engine
    world: World

    def clear(self) -> None:
        """Not a row, and numbers begin at 1."""
        ...

    def set(self) -> World:
        """The cast, as `build_world` has it, and nothing else."""
        ...


_compiled: LRUCache[Any, Any] = LRUCache(3_000)
_dialects: dict[str, Dialect] = {}


def opening(*address: Any, **options: Any) -> Engine:
    """SQLAlchemy's `create_engine`, for the product in this process: it opens one engine for each life it has, so tests
    open thousands, and what was compiled for one of them serves the next."""
    engine = create_engine(*address, execution_options={"compiled_cache": _compiled}, **options)
    if engine.dialect.name in _dialects:
        engine.dialect = _dialects[engine.dialect.name]
    else:  # one that has met its database: from then on it does not change
        event.listen(engine, "connect", lambda *_: _dialects.setdefault(engine.dialect.name, engine.dialect), once=True)
    return engine


def for_one_test(engine: Engine) -> Engine:
    """The same connections and memory; what a test hangs on this engine no other test hears."""
    return engine.execution_options()


class SqliteStage:
    """A file that is replaced by a copy of another one."""

    def __init__(self, folder: Path) -> None:
        self._file, self._empty, self._cast = folder / "stage" / "tandem.db", folder / "empty.db", folder / "cast.db"
        self._make(self._empty, lambda engine: None)
        self.engine = open_ledger(f"sqlite:///{self._file}")
        self.world = replace(self._make(self._cast, build_world), engine=self.engine)

    def clear(self) -> None:
        self._become(self._empty)

    def set(self) -> World:
        self._become(self._cast)
        return self.world

    def _make(self, path: Path, fill: Callable[[Engine], T]) -> T:
        engine = open_ledger(f"sqlite:///{path}")
        create_tables(engine)
        filled = fill(engine)
        engine.dispose()
        return filled

    def _become(self, other: Path) -> None:
        self.engine.dispose()
        for path in self._file.parent.glob(f"{self._file.name}*"):
            path.unlink()  # whoever still has it open keeps it to themselves
        shutil.copyfile(other, self._file)


class PostgresStage:
    """Tables emptied by DELETE, which takes a tenth of TRUNCATE's time while they hold so little; the cast waits in a
    schema of its own."""

    def __init__(self, url: str) -> None:
        self.engine = open_ledger(url)
        create_tables(self.engine)
        self.world = build_world(self.engine)
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA wings")
            self._teach(connection)

    def clear(self) -> None:
        self._call("clear")

    def set(self) -> World:
        self._call("set")
        return self.world

    def _teach(self, connection: Connection) -> None:
        """Both as functions: the server plans their statements once."""
        counters = list(connection.execute(text("SELECT sequencename, last_value FROM pg_sequences")))
        filled = [name for name in TABLES if connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {name})"))]
        for name in filled:
            connection.exec_driver_sql(f"CREATE TABLE wings.{name} AS TABLE {name}")
        empty = [f"DELETE FROM {name}" for name in TABLES]
        anew = [f"PERFORM setval('{counter}', 1, false)" for counter, _ in counters]
        enter = [f"INSERT INTO {name} SELECT * FROM wings.{name}" for name in filled]
        count_on = [f"PERFORM setval('{counter}', {last})" for counter, last in counters if last]
        for name, statements in {"clear": [*empty, *anew], "set": [*empty, *enter, *anew, *count_on]}.items():
            # as a replica does it: no trigger speaks, and rows go in any order
            connection.exec_driver_sql(
                f"CREATE FUNCTION wings.{name}() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica "
                f"AS $$ BEGIN {'; '.join(statements)}; END $$"
            )

    def _call(self, function: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT wings.{function}()")
