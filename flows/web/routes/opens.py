"""`/o/….gif` and `/n/…`: what stands in a mail besides its words, a picture of one pixel and a link nobody sees."""

from base64 import b64decode
from typing import Any

from fastapi import APIRouter, Request, Response

from accounts.ledger.engine import writing
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import Desk, desk_of, incoming

#: One transparent pixel.
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

routes = APIRouter()


@routes.head("/o/{token}.gif")
@routes.get("/o/{token}.gif")
def opened(token: str, request: Request) -> Response:
    """The pixel. It looks the same whether it was counted or not, also for a play that has ceased to count."""
    desk = desk_of(request)
    if desk.play.tracking.opens:
        _keep(desk, SignalKind.OPENED, tokens.verify(tokens.OPEN, token, desk.secret), request)
    return Response(GIF, media_type="image/gif")


@routes.head("/n/{token}")
@routes.get("/n/{token}")
def followed_by_a_program(token: str, request: Request) -> Response:
    """The link that is hidden from people."""
    desk = desk_of(request)
    touch_id = tokens.verify(tokens.TRAP, token, desk.secret)
    _keep(desk, SignalKind.CLICKED, touch_id, request, honeypot=True, machine=True)
    return desk.pages.show("program") if touch_id is not None else desk.pages.show("unknown", 404)


def _keep(desk: Desk, kind: SignalKind, touch_id: int | None, request: Request, **more: Any) -> None:
    if touch_id is not None:
        now = desk.clock()
        with writing(desk.engine) as connection:
            desk.keep(connection, incoming(kind, touch_id, request, now, **more), now)
