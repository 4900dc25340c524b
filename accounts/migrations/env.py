"""How Alembic runs our migrations: on the connection it is handed, inside that connection's transaction.

`accounts.ledger.schema` is the only caller; there is no alembic.ini.
"""

from typing import Any, Literal

from alembic import context

from accounts.models import Base
from accounts.types import Utc


def plainly(kind: str, value: Any, _autogenerate: Any) -> str | Literal[False]:
    """Migrations stay true when our column kinds change: they name the database's own types."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(value, Utc) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_item=plainly,
    render_as_batch=True,  # SQLite alters little; batches rebuild the table there and alter it elsewhere
    transactional_ddl=True,  # SQLite can, whatever Alembic believes: all of an upgrade, or nothing
)
context.run_migrations()
