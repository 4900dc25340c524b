"""The ledger opens on both databases and keeps time, rules and transactions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from accounts.ledger.engine import reading, writing
from accounts.models import Account, Rep, Stakeholder
from tests.cast import NOW, World


def test_a_time_comes_back_as_aware_utc_whatever_zone_it_went_in_with(world: World) -> None:
    berlin = timezone(timedelta(hours=1))
    with writing(world.engine) as connection:
        connection.execute(Account.__table__.update().values(synced_at=datetime(2026, 11, 24, 11, 0, tzinfo=berlin)))
    with reading(world.engine) as connection:
        assert set(connection.scalars(select(Account.synced_at))) == {datetime(2026, 11, 24, 10, 0, tzinfo=UTC)}


def test_a_time_without_a_zone_is_refused(world: World) -> None:
    with pytest.raises(StatementError, match="without a zone"), writing(world.engine) as connection:
        connection.execute(Account.__table__.update().values(synced_at=datetime(2026, 11, 24)))  # noqa: DTZ001


def test_one_stakeholder_per_account_and_address(world: World) -> None:
    again = {"account_id": world.accounts["acme"], "email": "dana@acme.example", "email_hash": "x"}
    with pytest.raises(IntegrityError), writing(world.engine) as connection:
        connection.execute(insert(Stakeholder).values(**again))


def test_a_transaction_that_fails_leaves_nothing(world: World) -> None:
    def interrupted() -> None:
        with writing(world.engine) as connection:
            connection.execute(insert(Rep).values(email="new@lumenflow.example", name="New"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Rep)) == 2


def test_everyone_in_the_cast_has_consent_but_frank(world: World) -> None:
    with reading(world.engine) as connection:
        without = connection.scalars(select(Stakeholder.first_name).where(Stakeholder.consent_at.is_(None))).all()
    assert without == ["Frank"]
    assert NOW.weekday() == 1
