"""The shape of the database: which version it has, which one this program needs, and the way from one to the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, inspect, text

import accounts.ledger.audit
import accounts.ledger.locks
from accounts.errors import Refused
from accounts.ledger.engine import reading
from accounts.models import Base

#: Where the migrations are.
SCRIPTS = "accounts:migrations"
#: Key of the advisory lock that keeps two upgrades of one PostgreSQL database apart.
UPGRADING = 7_266_336


def head() -> str | None:
    """The version this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(engine: Engine) -> str | None:
    """The version the database has; None for one that was never made."""
    with reading(engine) as connection:
        return _current(connection)


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the version this program needs."""
    found = current(engine)
    return found is not None and found == head()


def upgrade(engine: Engine) -> str | None:
    """Bring the database to this program's version, in one transaction; the version it had before.

    Renews the triggers too, since rebuilding a table drops them. Raises Refused for tables that no migration made, and
    for a database that a newer program has upgraded.
    """
    with rebuilding(engine) as connection:
        before = _current(connection)
        if before is None and inspect(connection).has_table("account"):
            raise Refused("there are tables, but no version", where=_place(engine), cure="start with an empty database")
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            known = f"version {before} is not known here: {error}"
            raise Refused(
                known, where=_place(engine), cure="install the Tandem that wrote it, or a newer one"
            ) from None
        renew_triggers(connection)
    return before


def downgrade(engine: Engine, to: str) -> str | None:
    """Bring the database back to an earlier version, in one transaction; the version it had before.

    What the earlier version has no place for is lost: make a backup first. Raises Refused for a version nobody knows,
    and for one that is not on the way back.
    """
    with rebuilding(engine) as connection:
        before = _current(connection)
        known = {
            script.revision
            for script in ScriptDirectory.from_config(_config()).walk_revisions("base", before or "base")
        }
        if before is None or to not in known:
            cure = f"there are: {', '.join(sorted(known)) or 'none'}"
            raise Refused(f"no way leads from version {before} back to {to}", where=_place(engine), cure=cure)
        command.downgrade(_config(connection), to)
        renew_triggers(connection)
    return before


def revise(engine: Engine, message: str, revision: str) -> Path:
    """For engineers: write the migration that leads from this database to accounts/models.py; its path.

    >>> revise(open_ledger("sqlite:///scratch.db"), "holds have a cause", "0002")
    """
    with engine.begin() as connection:
        script = command.revision(_config(connection), message, autogenerate=True, rev_id=revision)
    if script is None or isinstance(script, list):
        raise Refused("Alembic wrote no migration", where=str(revision), cure="see what it printed")
    return Path(script.path)


def differences(engine: Engine) -> list[Any]:
    """What distinguishes the database from accounts/models.py, as Alembic sees it; empty when nothing does."""
    with reading(engine) as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def rebuilding(engine: Engine) -> Iterator[Connection]:
    """One transaction in which tables may be rebuilt, and nobody else upgrades.

    SQLite rebuilds a table by copying it and dropping the first; with foreign keys on, that would delete what refers
    to it. They can only be switched off outside a transaction, so they are checked at its end.
    """
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _foreign_keys(connection, "OFF")
        try:
            with connection.begin():
                if not is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADING})
                yield connection
                if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise Refused(f"a row of {broken[0]} would refer to nothing", where=_place(engine))
        finally:
            if is_sqlite:
                _foreign_keys(connection, "ON")


def _foreign_keys(connection: Connection, switch: str) -> None:
    connection.connection.cursor().execute(f"PRAGMA foreign_keys = {switch}")


def renew_triggers(connection: Connection) -> None:
    """Those of this version, whatever an earlier one left; PostgreSQL replaces them by itself."""
    if connection.dialect.name == "sqlite":
        for trigger in accounts.ledger.locks.TRIGGERS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger.name}")
    accounts.ledger.locks.install(connection)
    accounts.ledger.audit.install(connection)


def _place(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
