"""`/a/…`: the page of a document. Opening it is the click on the mail's link; fetching the document is a download."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from accounts.ledger.engine import writing
from accounts.ledger.sending.links import Link, destination
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import Desk, desk_of, fetches_ahead, incoming, not_yet
from flows.web.routes.clicks import is_web_address

routes = APIRouter()


@routes.head("/a/{token}")
@routes.get("/a/{token}")
def page(token: str, request: Request) -> Response:
    """The title of the document, and where to get it."""
    if fetches_ahead(request):
        return not_yet()
    link = _follow(token, request, SignalKind.CLICKED)
    desk = desk_of(request)
    return desk.pages.show("asset", title=link.title, token=token) if link else desk.pages.show("unknown", 404)


@routes.head("/a/{token}/document")
@routes.get("/a/{token}/document")
def document(token: str, request: Request) -> Response:
    """The document itself. Who asks for headers only has not downloaded anything."""
    if fetches_ahead(request):
        return not_yet()
    link = _follow(token, request, SignalKind.DOWNLOADED if request.method == "GET" else None)
    return RedirectResponse(link.url, 302) if link else desk_of(request).pages.show("unknown", 404)


def _follow(token: str, request: Request, kind: SignalKind | None) -> Link | None:
    """The document a token is for, once what happened is safe; None for a token that opens nothing (any more)."""
    desk, now = desk_of(request), desk_of(request).clock()
    ids = tokens.verify_until(tokens.ASSET, token, now.date(), desk.secret)
    if ids is None:
        return None
    touch_id, number = ids
    with writing(desk.engine) as connection:
        return _write_down(connection, desk, touch_id, number, request, now, kind)


def _write_down(
    connection: Connection, desk: Desk, touch_id: int, number: int, request: Request, now: datetime,
    kind: SignalKind | None,
) -> Link | None:  # fmt: skip
    link = destination(connection, touch_id, number)
    if link is None or link.title is None or not is_web_address(link):
        return None
    if kind is not None:
        desk.keep(connection, incoming(kind, touch_id, request, now, url=link.url), now)
    return link
