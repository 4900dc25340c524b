"""The history of an account as a table for a spreadsheet; no cell is taken for a formula."""

from fastapi import Response
from sqlalchemy import Connection

from accounts.ledger.pages.account_page import read_account_facts
from accounts.ledger.pages.timeline import read_whole_history
from accounts.rep_pages.timeline import say
from flows.spreadsheet import write_sheet
from flows.web.routes.reps.door import Visit

HEADERS = ("when", "who", "what", "person")


def sheet(connection: Connection, visit: Visit) -> Response:
    """All of it, latest first, in the rep's own time."""
    facts = read_account_facts(connection, visit.to.account_id, visit.now)
    names, play, account = facts.names, visit.desk.play, facts.material
    rows = (
        {
            "when": entry.at.astimezone(visit.local.zone).isoformat(sep=" ", timespec="minutes"),
            "who": entry.source.label,
            "what": say(entry, names, play, account.name),
            "person": names.get(entry.person or 0, ""),
        }
        for entry in read_whole_history(connection, account.id, visit.now)
    )
    # a byte order mark, or Excel reads the names in the wrong letters
    text = "\ufeff" + write_sheet(HEADERS, rows)
    name = f'attachment; filename="account-{account.id}-{visit.local.today}.csv"'
    return Response(text, media_type="text/csv; charset=utf-8", headers={"content-disposition": name})
