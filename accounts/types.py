"""Column kinds, named once, so that a model reads like a form."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import mapped_column

#: 64-bit on PostgreSQL; SQLite only autoincrements a column that is called INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")


class Utc(TypeDecorator[datetime]):
    """An aware UTC instant. Naive datetimes are refused on the way in; aware UTC comes back on every database.

    SQLite keeps it as text, ``2026-11-22 09:00:00.000000``, which sorts as time does.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone is not a time: {value.isoformat()}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


pk = Annotated[int, mapped_column(Key, primary_key=True, autoincrement=True)]
utc = Annotated[datetime, mapped_column(Utc())]
slug = Annotated[str, mapped_column(String(120))]
word = Annotated[str, mapped_column(String(40))]
line = Annotated[str, mapped_column(String(300))]
text = Annotated[str, mapped_column(Text)]
mailbox = Annotated[str, mapped_column(String(320))]
sha256 = Annotated[str, mapped_column(String(64))]
json_value = Annotated[Any, mapped_column(JSON)]


def refers(target: str, *, ondelete: str | None = None, index: bool = True) -> Any:
    """A foreign key column; indexed, since we always look from both ends."""
    return mapped_column(Key, ForeignKey(target, ondelete=ondelete), index=index)
