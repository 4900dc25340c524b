"""A house whose lock was broken open, to see whether the other layers hold."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from accounts.ledger import locks
from accounts.ledger.engine import writing
from tests.cast import World


@pytest.fixture
def unlocked(world: World) -> Iterator[World]:
    """The cast, without a single trigger; they are put back for whoever comes next."""
    with writing(world.engine) as connection:
        for trigger in locks.TRIGGERS:
            on_table = f" ON {trigger.table}" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {trigger.name}{on_table}"))
    yield world
    with writing(world.engine) as connection:
        locks.install(connection)
