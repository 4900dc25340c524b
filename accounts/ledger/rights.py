"""Who may do what in a PostgreSQL ledger: the script that makes two roles, one that works and one that looks.

The owner    made the tables (`tandem init`), upgrades them, restores backups; nothing that runs every day is the owner.
The app      reads and writes rows. It cannot change or drop a table or a trigger, and the audit it can only add to.
             Staging tables of an import stand in a schema of their own, which is all it may build in.
The reader   for reports: figures, times, states and keys. No name of a person, no address, no text that somebody wrote,
             no hash that stands for an address. A column is shown when its kind can hold none of these, so a new one is
             hidden until somebody says otherwise here.
"""

import re

from sqlalchemy import Boolean, Column, Date, Float, Integer, Numeric, String, Table

from accounts.errors import Refused
from accounts.models import Audit, Base
from accounts.types import Utc

STAGING_SCHEMA = "tandem_staging"
#: Only ever added to.
APPEND_ONLY = frozenset({Audit.__tablename__})
#: Texts up to this length are keys and words of ours (accounts/types.py: slug, word); longer ones hold what people say.
LONGEST_KEY = 120
_HASH = 64
#: Shown although their kind could hide something, and hidden although it could not.
SHOWN = frozenset({"account.name", "account.domain", "account.industry", "account.territory", "account.division"})
HIDDEN = frozenset({"rep.slack_id", "signal.source_id", "signal.fingerprint", "activity.source_id", "webhook.name",
                    "quarantine.account", "touch.claimed_by"})  # fmt: skip
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def script(app: str = "tandem_app", reader: str = "tandem_reader") -> str:
    """SQL for the owner, or whoever may make roles. Running it again brings rights up to date, after an upgrade too.

    Raises Refused for a name that is none.
    """
    for name in (app, reader):
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} is no name for a role", cure="small letters, digits and _")
    tables = Base.metadata.sorted_tables
    lines = [
        "-- Two roles for Tandem's ledger; run it in its database, as the owner of the tables.",
        "-- They come without a password: \\password " + app + ", \\password " + reader,
        "BEGIN;",
        *(_make(name) for name in (app, reader)),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {app}, {reader};",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {app}, {reader};",
        f"GRANT USAGE ON SCHEMA public TO {app}, {reader};",
        "",
        "-- The app: rows, and nothing but rows.",
        *(f"GRANT {_rows(table)} ON {table.name} TO {app};" for table in tables),
        f"GRANT SELECT ON alembic_version TO {app};",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app};",
        f"CREATE SCHEMA IF NOT EXISTS {STAGING_SCHEMA};",
        f"GRANT USAGE, CREATE ON SCHEMA {STAGING_SCHEMA} TO {app};",
        _in_this_database(f"ALTER ROLE {app} IN DATABASE %I SET search_path = {STAGING_SCHEMA}, public"),
        "",
        "-- The reader: what is about nobody.",
        *(f"GRANT SELECT ({', '.join(names)}) ON {table.name} TO {reader};" for table in tables
          if (names := shown(table))),
        "COMMIT;",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def shown(table: Table) -> list[str]:
    """Names of the columns the reader sees."""
    return [column.name for column in table.columns if _is_shown(column)]


def _is_shown(column: Column[object]) -> bool:
    name = f"{column.table.name}.{column.name}"
    if name in SHOWN or name in HIDDEN:
        return name in SHOWN
    if isinstance(column.type, String):
        length = column.type.length or 0
        return 0 < length <= LONGEST_KEY and length != _HASH
    return isinstance(column.type, Boolean | Date | Float | Integer | Numeric | Utc)


def _rows(table: Table) -> str:
    return "SELECT, INSERT" if table.name in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"


def _make(name: str) -> str:
    exists = f"EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')"
    return f"DO $$ BEGIN IF NOT {exists} THEN CREATE ROLE {name} LOGIN; END IF; END $$;"


def _in_this_database(statement: str) -> str:
    return f"DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$;"
