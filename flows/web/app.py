"""The web app. Links in our mails lead here: a click is written down and goes on, an opt-out happens at once.

    GET  /c/{token}   writes the click down, then redirects to where that link of that mail leads, and nowhere else
    GET  /u/{token}   asks; changes nothing, since mail gateways open every link they see
    POST /u/{token}   opts out at once (RFC 8058: no login, no cookie, no further question)
    GET  /healthz     200 while the ledger answers

A token that is not ours, in whatever way, gets one and the same friendly page.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from secrets import token_hex
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from accounts.ledger.applying import opt_out
from accounts.ledger.engine import reading, writing
from accounts.ledger.links import destination
from accounts.ledger.signals import Incoming, record
from accounts.playbook import Vendor
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.settings import Settings
from flows.web.pages import Pages, SafeHeaders

SOURCE = "web"

log = logging.getLogger("tandem.web")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every request needs."""

    engine: Engine
    pages: Pages
    secret: str = field(repr=False)
    clock: Callable[[], datetime]


def create_app(
    engine: Engine, settings: Settings, vendor: Vendor, clock: Callable[[], datetime] = utc_now
) -> ASGIApp:  # fmt: skip
    """The app over an open ledger; `vendor` is who writes, `clock` is asked once per request."""
    app = FastAPI(title="Tandem", openapi_url=None)
    app.state.desk = Desk(engine, Pages(settings.templates, vendor), settings.secret_key.get_secret_value(), clock)
    app.include_router(routes)
    app.add_exception_handler(SQLAlchemyError, ledger_is_away)
    app.add_exception_handler(HTTPException, nothing_here)
    app.add_exception_handler(Exception, our_mistake)
    return SafeHeaders(app)


routes = APIRouter()


@routes.api_route("/c/{token}", methods=["GET", "HEAD"])
def click(token: str, request: Request) -> Response:
    desk = _desk(request)
    clicked = tokens.verify_click(token, desk.secret)
    url = _write_click_down(desk.engine, clicked, request, desk.clock()) if clicked else None
    return RedirectResponse(url, 302) if url else desk.pages.show("unknown", 404)


@routes.api_route("/u/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request) -> Response:
    desk = _desk(request)
    if tokens.verify(tokens.UNSUBSCRIBE, token, desk.secret) is None:
        return desk.pages.show("unknown", 404)
    return desk.pages.show("unsubscribe", token=token)


@routes.post("/u/{token}")
def unsubscribe(token: str, request: Request) -> Response:
    """Whatever the body says: mail programs, browsers and people with curl all mean the same."""
    desk = _desk(request)
    touch_id = tokens.verify(tokens.UNSUBSCRIBE, token, desk.secret)
    if touch_id is None:
        return desk.pages.show("unknown", 404)
    now = desk.clock()
    with writing(desk.engine) as connection:
        found = opt_out(connection, _incoming(SignalKind.UNSUBSCRIBED, touch_id, request, now), now)
    return desk.pages.show("unsubscribed") if found else desk.pages.show("unknown", 404)


@routes.get("/healthz")
def health(request: Request) -> Response:
    with reading(_desk(request).engine) as connection:
        connection.execute(text("SELECT 1 FROM signal LIMIT 1"))
    return JSONResponse({"status": "ok"})


@routes.get("/pages.css")
def css(request: Request) -> Response:
    return Response(_desk(request).pages.css, media_type="text/css")


@routes.get("/robots.txt")
def robots() -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def ledger_is_away(request: Request, error: Exception) -> Response:
    log.error("the ledger did not answer: %s", type(error).__name__)  # no address, no token
    if request.url.path == "/healthz":
        return JSONResponse({"status": "the ledger does not answer"}, 503)
    return _desk(request).pages.show("sorry", 503)


def nothing_here(request: Request, error: Exception) -> Response:
    return _desk(request).pages.show("unknown", error.status_code if isinstance(error, HTTPException) else 404)


def our_mistake(request: Request, error: Exception) -> Response:
    return _desk(request).pages.show("sorry", 500)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _write_click_down(engine: Engine, clicked: tokens.Clicked, request: Request, now: datetime) -> str | None:
    """Where the link leads, once the click is safe; None for a link that never was. Only web addresses are followed."""
    with writing(engine) as connection:
        url = destination(connection, clicked.touch_id, clicked.link)
        if url is None or not url.startswith(("https://", "http://")):
            return None
        record(connection, [_incoming(SignalKind.CLICKED, clicked.touch_id, request, now, url=url)], now)
    return url


def _incoming(kind: SignalKind, touch_id: int, request: Request, now: datetime, **more: Any) -> Incoming:
    """A request as a signal. Each is one: a second opt-out after a change of mind is no repetition."""
    data = {"method": request.method, "user_agent": request.headers.get("user-agent", "")[:300], **more}
    if network := _network(request):
        data["network"] = network
    name = f"{kind}/{touch_id}/{now:%Y%m%dT%H%M%S%f}-{token_hex(4)}"
    return Incoming(SOURCE, name, kind, now, touch_id=touch_id, data=data)


def _network(request: Request) -> str | None:
    """Where it came from, without the last part of the address: enough to know a scanner, too little for a person."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return None
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
