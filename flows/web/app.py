"""The web app. Links in our mails lead here: a click is written down and goes on, an opt-out happens at once.

    /c/{token}  a link of a mail                  /p/{token}  what mail to get; POST changes it
    /u/{token}  no more mail; POST opts out       /a/{token}  the page of a document
    /o/{token}.gif, /n/{token}  the pixel, and the link that no person sees
    /r/{token}  pages for reps; POST answers
    /hooks/{provider}  what providers tell of our mails; /hooks/slack/actions  answers of reps from Slack
    /t.js, /collect  visits to our own sites      /healthz, /readyz, /metrics  for operators

A token that is not ours, in whatever way, gets one and the same friendly page.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from accounts.playbook import Play
from flows.settings import Settings
from flows.web.desk import Desk, desk_of, utc_now
from flows.web.pages import Pages, SafeHeaders
from flows.web.places import share_of
from flows.web.record import Record
from flows.web.routes import assets, clicks, health, opens, preferences, reps, slack, unsubscribe, visits, webhooks
from flows.web.throttle import REFUSED_AT_ONCE, REFUSED_PER_SECOND, Buckets, Sharing, Throttled, Unwelcome
from flows.web.watching import Watch, Watched
from flows.webhooks.reception import Reception
from flows.webhooks.registry import doors_of
from flows.webhooks.slack import Clicks

#: Asked by machines, which read no pages.
PROBES = ("/healthz", "/readyz")

log = logging.getLogger("tandem.web")
routes = APIRouter()


def create_app(engine: Engine, settings: Settings, play: Play, clock: Callable[[], datetime] = utc_now) -> ASGIApp:
    """The app over an open ledger; `clock` is asked once per request."""
    desk = open_desk(engine, settings, play, clock)

    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        busy = desk.pages.show("busy", 429)
        busy.headers["retry-after"] = "10"
        await busy(scope, receive, send)

    buckets = Buckets(settings.web.requests_per_second, settings.web.burst)
    refused_posts = Buckets(REFUSED_PER_SECOND, REFUSED_AT_ONCE)
    hooked = Unwelcome(build(desk), refused_posts, Response(status_code=429, headers={"retry-after": "60"}))
    throttled = Throttled(hooked, buckets, refused)
    shared = Sharing(throttled, share_of(settings.web.connections), refused)
    return SafeHeaders(Watched(shared, desk.watch), https=settings.base_url.startswith("https://"))


def open_desk(engine: Engine, settings: Settings, play: Play, clock: Callable[[], datetime] = utc_now) -> Desk:
    """What the requests of one app share."""
    token, watch = settings.web.metrics_token, Watch()
    chat = settings.reps.slack
    hooks = Reception(engine, doors_of(settings.webhooks), settings.base_url, watch.count_post)
    return Desk(
        engine, Pages(settings.templates, play.vendor), play, settings.secret_key.get_secret_value(), clock, watch,
        hooks, Record(engine), frozenset(settings.web.sites), token.get_secret_value() if token else None,
        Clicks(chat) if chat.signing_secret else None,
    )  # fmt: skip


def build(desk: Desk) -> FastAPI:
    """The addresses and what they answer, without what stands before them."""
    # an address with a stroke too many would be sent on to whatever host the request names
    app = FastAPI(title="Tandem", openapi_url=None, redirect_slashes=False)
    app.state.desk = desk
    # what is asked most comes first: each address is compared with all before it
    for room in (webhooks, clicks, opens, unsubscribe, preferences, assets, visits, reps, slack, health):
        app.include_router(room.routes)
    app.include_router(routes)
    app.add_exception_handler(SQLAlchemyError, ledger_is_away)
    app.add_exception_handler(HTTPException, nothing_here)
    app.add_exception_handler(ClientDisconnect, hung_up)
    app.add_exception_handler(Exception, our_mistake)
    return app


@routes.get("/pages.css")
def css(request: Request) -> Response:
    """How the pages look."""
    return Response(desk_of(request).pages.css, media_type="text/css")


@routes.get("/robots.txt")
def robots() -> Response:
    """Nothing here is for search engines."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


def ledger_is_away(request: Request, error: Exception) -> Response:
    log.error("the ledger did not answer: %s", type(error).__name__)  # no address, no token
    if request.url.path in PROBES:
        return JSONResponse({"status": "the ledger does not answer"}, 503)
    return desk_of(request).pages.show(_for_whom("sorry", request), 503)


def nothing_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return desk_of(request).pages.show(_for_whom("unknown", request), status)


def hung_up(request: Request, error: Exception) -> Response:
    """In the middle of a request: nobody's mistake, and nobody reads the answer. Thousands may do so at once."""
    return Response(status_code=400)


def our_mistake(request: Request, error: Exception) -> Response:
    return desk_of(request).pages.show(_for_whom("sorry", request), 500)


def _for_whom(page: str, request: Request) -> str:
    """Reps have words of their own: they get no mail that one could stop."""
    return f"rep_{page}" if request.url.path.startswith("/r/") else page
