"""The ledger opens on both databases and keeps time, rules and transactions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from accounts.ledger import engine
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


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestTakingTurns:
    """SQLite has one writer at a time."""

    def test_whoever_waits_looks_every_few_milliseconds(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        holder = world.engine.connect()
        holder.execute(select(1))  # begins, and a transaction that may write holds the lock

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 50:
                holder.rollback()

        monkeypatch.setattr(engine, "sleep", sleep)
        with writing(world.engine) as connection:
            connection.execute(insert(Rep).values(email="new@lumenflow.example", name="New"))
        holder.close()
        assert len(pauses) == 50
        assert max(pauses) <= engine.LONGEST_PAUSE < 0.01

    def test_whoever_waits_in_vain_is_told_so_and_can_wait_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
        with world.engine.connect() as holder:
            holder.execute(select(1))
            for _ in range(2):
                with pytest.raises(OperationalError, match="is locked"), writing(world.engine):
                    pass
        with writing(world.engine) as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10
