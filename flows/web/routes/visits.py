"""`/t.js` and `/collect`: visits to our own sites, of people who consented and came from a mail of ours.

The snippet sends nothing for anybody else, and where somebody sends it all the same, nothing is kept.
"""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from accounts.ledger.engine import writing
from accounts.ledger.signals.visits import may_be_followed
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import Desk, desk_of, incoming, minds, read_body

MOST_BYTES = 2048
#: An address is kept up to this length, without its query.
LONGEST_URL = 300
_NOTE = {
    "requestBody": {
        "content": {
            "text/plain": {
                "schema": {"type": "object", "properties": {"t": {"type": "string"}, "u": {"type": "string"}}}
            }
        }
    }
}

routes = APIRouter()


async def _note(request: Request) -> bytes:
    return await read_body(request, MOST_BYTES)


@routes.get("/t.js")
def snippet(request: Request) -> Response:
    """The script for our own sites; there is none where no site is named."""
    desk = desk_of(request)
    if not desk.sites:
        return desk.pages.show("unknown", 404)
    headers = {"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"}
    return Response(desk.pages.snippet, media_type="text/javascript", headers=headers)


@routes.options("/collect")
def may_collect(request: Request) -> Response:
    """The browser's question before a request from another site."""
    return _answer(desk_of(request), request, 204)


@routes.post("/collect", openapi_extra=_NOTE)
def collect(request: Request, note: bytes = Depends(_note)) -> Response:
    """A visit. Whether it was kept, the answer does not say."""
    desk = desk_of(request)
    if _site(desk, request.headers.get("origin")) is None:
        return _answer(desk, request, 403)
    told = _read(note)
    if told is None:
        return _answer(desk, request, 400)
    if not minds(request):
        _keep(desk, request, told, desk.clock())
    return _answer(desk, request, 204)


def _keep(desk: Desk, request: Request, told: dict[str, Any], now: datetime) -> None:
    ids = tokens.verify_until(tokens.VISIT, str(told.get("t", "")), now.date(), desk.secret)
    url = _site(desk, told.get("u"))
    if ids is None or url is None:
        return
    (touch_id,) = ids
    # the same page within the same minute is a reload, not a second visit
    page = sha256(url.encode()).hexdigest()[:16]
    name = f"{SignalKind.VISITED}/{touch_id}/{now:%Y%m%dT%H%M}-{page}"
    with writing(desk.engine) as connection:
        if may_be_followed(connection, touch_id, now):
            desk.keep(connection, incoming(SignalKind.VISITED, touch_id, request, now, name=name, url=url), now)


def _site(desk: Desk, address: object) -> str | None:
    """An address on a site of ours, without query and fragment; None for any other."""
    if not isinstance(address, str):
        return None
    try:
        parts = urlsplit(address)
        ours = parts.scheme in ("https", "http") and parts.hostname in desk.sites
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:LONGEST_URL] if ours else None


def _read(note: bytes) -> dict[str, Any] | None:
    """None for what is no JSON, and for half characters: JSON can spell them, and nothing can keep them."""
    try:
        told = json.loads(note)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _answer(desk: Desk, request: Request, status: int) -> Response:
    """With leave to read it for pages of our own sites only."""
    origin = request.headers.get("origin")
    if origin is None or _site(desk, origin) is None:
        return Response(status_code=403)
    leave = {
        "access-control-allow-origin": origin, "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type", "access-control-max-age": "86400", "vary": "origin",
    }  # fmt: skip
    return Response(status_code=status, headers=leave)
