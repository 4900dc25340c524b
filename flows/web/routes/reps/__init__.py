"""`/r/…`: pages for reps, opened by signed links. GET shows, and never changes anything; POST answers.

door.py      whether a link opens         account.py    the page of an account      own.py    brief, list, rhythm
forms.py     every answer: what it asks   fields.py     the fields of its form      answering.py   asked and done
other.py     all further answers on one page       sheet.py   a history for a spreadsheet
away.py      when a rep is away, and who stands in       evidence.py   what stands behind each sentence of a brief
"""

from collections.abc import Mapping
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from accounts.answers import AnswerKind
from accounts.ledger.engine import reading
from flows.web.desk import Desk, desk_of, read_body
from flows.web.routes.reps import account, answering, away, other, own, sheet
from flows.web.routes.reps.door import Shut, Visit, enter, further, note

#: Longer than any form of ours that somebody filled in.
MOST_BYTES = 16_384
MOST_FIELDS = 100
FORM = "application/x-www-form-urlencoded"
_FORM = {
    "requestBody": {
        "content": {FORM: {"schema": {"type": "object", "properties": {"words": {"type": "string"}}}}}
    }
}  # fmt: skip

routes = APIRouter()


async def _form(request: Request) -> Mapping[str, tuple[str, ...]]:
    """The fields of a form and their values. Raises HTTPException for what is no form, or too much of one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415)
    body = await read_body(request, MOST_BYTES)
    try:
        return _fields(body.decode("utf-8", "replace"))
    except ValueError:
        raise HTTPException(400) from None


def _fields(text: str) -> Mapping[str, tuple[str, ...]]:
    fields = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    return {name: tuple(values) for name, values in fields.items()}


@routes.head("/r/{token}")
@routes.get("/r/{token}")
def show(token: str, request: Request) -> Response:
    """Whatever the link is for, and nothing happens by it."""
    desk, now = desk_of(request), desk_of(request).clock()
    with reading(desk.engine) as connection:
        visit = enter(connection, desk, token, now)
        page = _page(connection, visit, request) if isinstance(visit, Visit) else None
    note(desk, request, visit, now)
    return page or _shut(desk, visit)


@routes.get("/r/{token}/history.csv")
def history(token: str, request: Request) -> Response:
    """The history of an account, for a spreadsheet."""
    desk, now = desk_of(request), desk_of(request).clock()
    with reading(desk.engine) as connection:
        visit = enter(connection, desk, token, now)
        is_account = isinstance(visit, Visit) and visit.to.kind == "page" and visit.to.account_id != 0
        table = sheet.sheet(connection, visit) if isinstance(visit, Visit) and is_account else None
    note(desk, request, visit, now)
    return table or _shut(desk, visit)


@routes.post("/r/{token}", openapi_extra=_FORM)
def answer(token: str, request: Request, form: Mapping[str, tuple[str, ...]] = Depends(_form)) -> Response:
    """Does what the link is for, at once, and says in a sentence what changed."""
    desk, now = desk_of(request), desk_of(request).clock()
    with reading(desk.engine) as connection:
        visit = enter(connection, desk, token, now)
    note(desk, request, visit, now)
    done = _done(visit, form) if isinstance(visit, Visit) else None
    return done or _shut(desk, visit)


def _page(connection: Connection, visit: Visit, request: Request) -> Response | None:
    to = visit.to
    if to.kind == "brief":
        return own.show_brief(connection, visit)
    if to.kind == "off":
        return own.ask_rhythm(connection, visit)
    if to.kind == "away":
        return away.ask_away(connection, visit)
    if to.kind == "page":
        is_list = not to.account_id
        return (
            own.show_list(connection, visit) if is_list else account.show_account(connection, visit, _number(request))
        )
    if to.kind == "other":
        return other.show_others(connection, visit) if to.account_id else None
    return answering.ask(connection, visit, _asked(request)) if to.account_id else None


def _done(visit: Visit, form: Mapping[str, tuple[str, ...]]) -> Response | None:
    to = visit.to
    if to.kind == "off":
        return own.choose_rhythm(visit, form)
    if to.kind == "away":
        return away.go(visit, form)
    if to.kind == "page":
        return account.decide_proposal(visit, form) if to.account_id else None
    return answering.act(visit, form) if to.kind in list(AnswerKind) and to.account_id else None


def _asked(request: Request) -> Mapping[str, tuple[str, ...]]:
    """What a link of ours says besides its token; nothing where that cannot be read."""
    return {name: (value,) for name, value in request.query_params.items()}


def _number(request: Request) -> int:
    """Which page of the history; the first for anything that is no number."""
    asked = request.query_params.get("page", "")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else 1


def _shut(desk: Desk, found: Visit | Shut) -> Response:
    """One and the same page, whatever the reason; but whoever had the account before reads who has it now."""
    if isinstance(found, Shut) and found.given_up and found.to:
        return desk.pages.show("rep_moved", 410, given_up=found.given_up, back=further(desk, found.to)("page"))
    return desk.pages.show("rep_over", 404)
