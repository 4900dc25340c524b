"""Lines of briefs that reps called wrong: as they stood, and what is true instead, for who answers for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from accounts.answers.kinds import AnswerKind
from accounts.briefs.stored import from_payload
from accounts.models import Account, Brief, Rep, RepAnswer

#: What a run page counts: since the same hour a week ago.
LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that somebody called wrong."""

    id: int
    account: str
    #: Their address, where they are a rep; otherwise as they signed.
    by: str
    at: datetime
    brief_id: int | None
    #: Its number among the account's lines, and its words; None: said without naming the brief it stands in.
    line: int
    stood: str | None
    #: What is true instead; None: they did not say.
    instead: str | None


def read_wrong_lines(connection: Connection, since: datetime | None, until: datetime, most: int) -> list[WrongLine]:
    """Said after `since` and up to `until`, the latest first, at most so many."""
    query = (
        select(RepAnswer.__table__, Account.key, Rep.email, Brief.payload)
        .join(Account, Account.id == RepAnswer.account_id)
        .outerjoin(Rep, Rep.id == RepAnswer.rep_id)
        .outerjoin(Brief, Brief.id == RepAnswer.brief_id)
        .where(RepAnswer.kind == AnswerKind.WRONG_LINE, RepAnswer.at <= until)
    )
    if since is not None:
        query = query.where(RepAnswer.at > since)
    rows = connection.execute(query.order_by(RepAnswer.at.desc(), RepAnswer.id.desc()).limit(most))
    return [_as_wrong_line(row) for row in rows]


def count_lately(connection: Connection, now: datetime) -> int:
    """How many were called wrong within the last week."""
    query = select(func.count()).where(
        RepAnswer.kind == AnswerKind.WRONG_LINE, RepAnswer.at > now - LATELY, RepAnswer.at <= now
    )
    return connection.scalar(query) or 0


def _as_wrong_line(row: Any) -> WrongLine:
    line = int(row.about.removeprefix("line:"))
    instead = (row.detail or {}).get("words")
    return WrongLine(
        row.id, row.key, row.email or row.by, row.at, row.brief_id, line, _stood(row.payload, row.key, line), instead
    )


def _stood(payload: dict[str, Any] | None, account: str, line: int) -> str | None:
    """The words of a line of an account, as the brief was written."""
    told = [one for one in from_payload(payload).accounts if one.key == account] if payload else []
    said = [statement.text for one in told for statement in one.statements()]
    return said[line - 1] if line <= len(said) else None
