"""`/c/…`: a link of a mail. The click is written down, then leads to where that link of that mail led, nowhere else."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from accounts.ledger.engine import writing
from accounts.ledger.sending.links import Link, destination
from accounts.ledger.signals.visits import may_be_followed
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import Desk, desk_of, fetches_ahead, incoming, minds, not_yet

routes = APIRouter()


@routes.head("/c/{token}")
@routes.get("/c/{token}")
def click(token: str, request: Request) -> Response:
    """A link of a mail."""
    if fetches_ahead(request):
        return not_yet()
    desk = desk_of(request)
    clicked = tokens.verify_click(token, desk.secret)
    url = _write_down(desk, clicked, request, desk.clock()) if clicked else None
    return RedirectResponse(url, 302) if url else desk.pages.show("unknown", 404)


def is_web_address(link: Link | None) -> bool:
    """Only those are followed, whatever a file said when it was sent."""
    return link is not None and link.url.startswith(("https://", "http://"))


def _write_down(desk: Desk, clicked: tokens.Clicked, request: Request, now: datetime) -> str | None:
    """Where the link leads, once the click is safe; None for a link that never was."""
    with writing(desk.engine) as connection:
        link = destination(connection, clicked.touch_id, clicked.link)
        if link is None or not is_web_address(link):
            return None
        desk.keep(connection, incoming(SignalKind.CLICKED, clicked.touch_id, request, now, url=link.url), now)
        ours = urlsplit(link.url).hostname in desk.sites and not minds(request)
        follow = ours and may_be_followed(connection, clicked.touch_id, now)
    return with_visitor(link.url, clicked.touch_id, now, desk.secret) if follow else link.url


def with_visitor(url: str, touch_id: int, now: datetime, secret: str) -> str:
    """The address with a token for the snippet, in the fragment: that part never reaches a server or its log."""
    if "#" in url:
        return url
    tomorrow = (now + timedelta(days=1)).date()
    return f"{url}#tandem={tokens.sign_until(tokens.VISIT, tomorrow, secret, touch_id)}"
