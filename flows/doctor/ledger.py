"""The ledger: reachable, writable, in the shape this program needs, and locked against what must not happen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from accounts.errors import TandemError
from accounts.ledger.engine import open_ledger, unanswered
from flows.doctor.finding import Finding, Patient

MAKE_IT = "tandem init"


class Silent(Exception):
    """The ledger does not answer; says why, without a password, and what to do about it."""

    def __init__(self, why: str, cure: str | None = None) -> None:
        super().__init__(why)
        self.cure = cure


def database(patient: Patient) -> Finding:
    """Whether it answers and can be written; on SQLite also whether readers and a writer can work side by side."""
    try:
        with _ledger(patient) as connection:
            place = connection.engine.url.render_as_string(hide_password=True)
            _try_to_write(connection)
            mode = _journal_mode(connection)
    except Silent as error:
        return Finding("database", "fail", str(error), error.cure)
    if mode not in (None, "wal"):
        says = f"{place} works in mode {mode}: readers and writers wait for each other"
        return Finding("database", "warn", says, "keep it on a local disk: network file systems cannot do better")
    return Finding("database", "ok", place)


def migrations(patient: Patient) -> Finding | None:
    """Whether the tables have the shape this program needs."""
    from accounts.ledger import schema

    try:
        with _ledger(patient) as connection:
            found, needed = schema.current(connection.engine), schema.head()
    except Silent:
        return None  # said already
    if found is None:
        return Finding("migrations", "fail", "the database has no tables", MAKE_IT)
    if found != needed:
        return Finding("migrations", "fail", f"the database has version {found}, this program needs {needed}", MAKE_IT)
    return Finding("migrations", "ok", f"version {found}")


def lock(patient: Patient) -> Finding | None:
    """Whether the triggers are there that refuse what no code may do."""
    from accounts.ledger.locks import missing

    try:
        with _ledger(patient) as connection:
            gone = missing(connection)
    except Silent:
        return None
    if gone:
        says = f"the database lacks {', '.join(gone)}: a wrong list could leave"
        return Finding("lock", "fail", says, MAKE_IT)
    return Finding("lock", "ok", "no touch leaves without a certificate, whatever the code does")


@contextmanager
def _ledger(patient: Patient) -> Iterator[Connection]:
    """A connection that reads. A SQLite file is never made by looking at it."""
    url = make_url(patient.settings.ledger_url)
    place = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise Silent(f"there is none at {place}", f"{MAKE_IT}, if it was never made; see that database_url names it")
    try:
        engine = open_ledger(patient.settings.ledger_url)
    except TandemError as error:
        raise Silent(error.what, error.cure) from None
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        refused = unanswered(error, place)
        raise Silent(f"{place}: {refused.what}", refused.cure) from None
    except SQLAlchemyError as error:
        raise Silent(f"{place}: {str(error).splitlines()[0]}", "see that database_url names it") from None
    finally:
        engine.dispose()


def _try_to_write(connection: Connection) -> None:
    """Beginning to write is enough on SQLite; elsewhere a change of no row shows what we may do."""
    if inspect(connection).has_table("touch"):
        connection.execute(text("UPDATE touch SET error = error WHERE id < 0"))
    connection.rollback()


def _journal_mode(connection: Connection) -> str | None:
    if connection.dialect.name != "sqlite":
        return None
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
