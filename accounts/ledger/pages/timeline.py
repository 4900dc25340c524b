"""The history of one account: one query over everything that happened, latest first; what machines did is left out."""

from datetime import datetime

from sqlalchemy import Connection

from accounts.briefs.saying import DID
from accounts.ledger.driver import Form, rows
from accounts.ledger.reps.spokesmen import CALLED
from accounts.ledger.weeks import weekly
from accounts.rep_pages.timeline import Entry, History, Source

#: Lines on one page.
PAGE = 30
#: Pages one can leaf through, and lines of a whole history: what is older is for a database's own tools.
MOST_PAGES = 100

#: Each kind gives no more rows than could stand on the page, so that a long history costs little more.
_LATEST = """
    SELECT * FROM (SELECT {{time:{at}}} AS at, '{source}' AS source, {table}.id AS id, {columns}
                     FROM {table} {join}
                    WHERE {table}.account_id = :account AND {at} <= :now {which}
                    ORDER BY {at} DESC, {table}.id DESC LIMIT :most) AS {source}"""


def _latest(source: Source, table: str, at: str, columns: str, *, join: str = "", which: str = "") -> str:
    """Of one kind: person, word, more and note are what `Entry` says."""
    return _LATEST.format(source=source, table=table, at=f"{table}.{at}", columns=columns, join=join, which=which)


_NOTHING, _NOBODY = "CAST(NULL AS VARCHAR(300))", "CAST(NULL AS BIGINT)"
_PIECES = (
    _latest(Source.SALES, "activity", "occurred_at",
            "stakeholder_id AS person, kind AS word, subject AS more, direction AS note"),
    _latest(Source.MARKETING, "touch", "sent_at", f"stakeholder_id, content, {_NOTHING}, {_NOTHING}"),
    _latest(Source.BUYER, "signal", "occurred_at", f"signal.stakeholder_id, kind, touch.content, {_NOTHING}",
            join="LEFT JOIN touch ON touch.id = signal.touch_id",
            which="AND {weekly} AND is_machine = false AND kind {among:kinds}"),
    _latest(Source.STAGE, "stage_change", "at", f"{_NOBODY}, to_stage, from_stage, refused_reason"),
    _latest(Source.HOLD, "hold", "starts_at", f'stakeholder_id, cause, "by", {_NOTHING}'),
    _latest(Source.RELEASE, "hold", "released_at", f"stakeholder_id, cause, released_by, {_NOTHING}"),
    _latest(Source.ANSWER, "rep_answer", "at", "stakeholder_id, kind, detail ->> 'sentence', \"by\""),
)  # fmt: skip
#: Who released and who answered are looked up for the lines of the page alone.
_HISTORY = f"""
    SELECT at, source, id, person, word,
           CASE WHEN source = '{Source.RELEASE}' THEN {CALLED.format(who="more")} ELSE more END AS more,
           CASE WHEN source = '{Source.ANSWER}' THEN {CALLED.format(who="note")} ELSE note END AS note
      FROM (SELECT * FROM ({" UNION ALL ".join(_PIECES)}) AS everything
             ORDER BY at DESC, source, id DESC LIMIT :length OFFSET :start) AS lines
     ORDER BY at DESC, source, id DESC"""


def read_history(connection: Connection, account_id: int, now: datetime, page: int = 1) -> History:
    """A page of it, from 1; beyond the last page there is none. One query."""
    here = min(max(page, 1), MOST_PAGES)
    found = _entries(connection, account_id, now, start=(here - 1) * PAGE, length=PAGE + 1)
    return History(tuple(found[:PAGE]), here, len(found) > PAGE and here < MOST_PAGES)


def read_whole_history(connection: Connection, account_id: int, now: datetime) -> list[Entry]:
    """All that one could leaf through, latest first."""
    return _entries(connection, account_id, now, start=0, length=MOST_PAGES * PAGE)


def _entries(connection: Connection, account_id: int, now: datetime, *, start: int, length: int) -> list[Entry]:
    read = Form.of(connection).read
    found = rows(
        connection, weekly(connection, _HISTORY), account=account_id, now=now, kinds=sorted(kind.value for kind in DID),
        most=start + length, length=length, start=start,
    )  # fmt: skip
    return [Entry(read(at), Source(source), *more) for at, source, *more in found]
