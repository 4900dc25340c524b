"""`/u/…`: no more mail. GET asks and changes nothing, since mail gateways open every link; POST opts out at once."""

from fastapi import APIRouter, Request, Response

from accounts.ledger.engine import writing
from accounts.ledger.signals.applying import opt_out
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import desk_of, incoming

routes = APIRouter()


@routes.head("/u/{token}")
@routes.get("/u/{token}")
def ask(token: str, request: Request) -> Response:
    """Asks whether to opt out."""
    desk = desk_of(request)
    if tokens.verify(tokens.UNSUBSCRIBE, token, desk.secret) is None:
        return desk.pages.show("unknown", 404)
    return desk.pages.show("unsubscribe", token=token)


@routes.post("/u/{token}")
def unsubscribe(token: str, request: Request) -> Response:
    """RFC 8058: no login, no cookie, no further question. Whatever the body says: mail programs, browsers and people
    with curl all mean the same."""
    desk = desk_of(request)
    touch_id = tokens.verify(tokens.UNSUBSCRIBE, token, desk.secret)
    if touch_id is None:
        return desk.pages.show("unknown", 404)
    now = desk.clock()
    with writing(desk.engine) as connection:
        found = opt_out(connection, incoming(SignalKind.UNSUBSCRIBED, touch_id, request, now), now)
    desk.watch.signals.labels(kind=SignalKind.UNSUBSCRIBED).inc(found)
    return desk.pages.show("unsubscribed") if found else desk.pages.show("unknown", 404)
