"""The history of one account: one query over everything that happened, latest first; what machines did is left out."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, String, cast, func, literal, null, select, union_all

from accounts.briefs.saying import DID
from accounts.models import Activity, Hold, RepAnswer, Signal, StageChange, Touch
from accounts.rep_pages.timeline import Entry, History, Source

#: Lines on one page.
PAGE = 30
#: Pages one can leaf through, and lines of a whole history: what is older is for a database's own tools.
MOST_PAGES = 100


def read_history(connection: Connection, account_id: int, now: datetime, page: int = 1) -> History:
    """A page of it, from 1; beyond the last page there is none. One query."""
    here = min(max(page, 1), MOST_PAGES)
    found = _entries(connection, account_id, now, start=(here - 1) * PAGE, length=PAGE + 1)
    return History(tuple(found[:PAGE]), here, len(found) > PAGE and here < MOST_PAGES)


def read_whole_history(connection: Connection, account_id: int, now: datetime) -> list[Entry]:
    """All that one could leaf through, latest first."""
    return _entries(connection, account_id, now, start=0, length=MOST_PAGES * PAGE)


def _entries(connection: Connection, account_id: int, now: datetime, *, start: int, length: int) -> list[Entry]:
    """Each kind gives no more rows than could stand on the page, so that a long history costs little more."""
    pieces = []
    for query in _kinds(account_id, now):
        at, id = query.selected_columns.at, query.selected_columns.id
        latest = query.order_by(at.desc(), id.desc()).limit(start + length).subquery()
        pieces.append(select(latest))
    everything = union_all(*pieces).subquery()
    order = (everything.c.at.desc(), everything.c.source, everything.c.id.desc())
    rows = connection.execute(select(everything).order_by(*order).offset(start).limit(length))
    return [Entry(row.at, Source(row.source), row.id, row.person, row.word, row.more, row.note) for row in rows]


def _kinds(account_id: int, now: datetime) -> tuple[Select[Any], ...]:
    return (
        _rows(
            Source.SALES, Activity.occurred_at, Activity.id, Activity.stakeholder_id, Activity.kind, Activity.subject,
            Activity.direction,
        ).where(Activity.account_id == account_id, Activity.occurred_at <= now),
        _rows(Source.MARKETING, Touch.sent_at, Touch.id, Touch.stakeholder_id, Touch.content)
        .where(Touch.account_id == account_id, Touch.sent_at.is_not(None), Touch.sent_at <= now),
        _rows(Source.BUYER, Signal.occurred_at, Signal.id, Signal.stakeholder_id, Signal.kind, Touch.content)
        .outerjoin(Touch, Touch.id == Signal.touch_id)
        .where(Signal.account_id == account_id, Signal.is_machine.is_(False), Signal.kind.in_(sorted(DID)))
        .where(Signal.occurred_at <= now),
        _rows(
            Source.STAGE, StageChange.at, StageChange.id, null(), StageChange.to_stage, StageChange.from_stage,
            StageChange.refused_reason,
        ).where(StageChange.account_id == account_id, StageChange.at <= now),
        _rows(Source.HOLD, Hold.starts_at, Hold.id, Hold.stakeholder_id, Hold.cause, Hold.by)
        .where(Hold.account_id == account_id, Hold.starts_at <= now),
        _rows(Source.RELEASE, Hold.released_at, Hold.id, Hold.stakeholder_id, Hold.cause, Hold.released_by)
        .where(Hold.account_id == account_id, Hold.released_at.is_not(None), Hold.released_at <= now),
        _rows(
            Source.ANSWER, RepAnswer.at, RepAnswer.id, RepAnswer.stakeholder_id, RepAnswer.kind,
            RepAnswer.detail["sentence"].as_string(), RepAnswer.by,
        ).where(RepAnswer.account_id == account_id, RepAnswer.at <= now),
    )  # fmt: skip


def _rows(
    source: Source, at: Any, id: Any, person: Any, word: Any, more: Any = None, note: Any = None
) -> Select[Any]:  # fmt: skip
    """In one shape, so that they can stand in one list."""
    texts = (cast(null() if value is None else value, String(300)) for value in (more, note))
    shown, noted = texts
    return select(
        at.label("at"), literal(str(source)).label("source"), id.label("id"),
        func.coalesce(person, 0).label("person"), cast(word, String(120)).label("word"), shown.label("more"),
        noted.label("note"),
    )  # fmt: skip
