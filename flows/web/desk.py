"""What every request needs, and how a request becomes a signal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import token_hex
from typing import Any

from fastapi import Request
from sqlalchemy import Connection, Engine
from starlette.exceptions import HTTPException

from accounts.ledger.signals import Incoming, record
from accounts.playbook import Play
from accounts.vocabulary import SignalKind
from flows.web.pages import Pages
from flows.web.record import Record
from flows.web.watching import Watch
from flows.webhooks.reception import Reception
from flows.webhooks.slack import Clicks

SOURCE = "web"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """Of one app. `clock` is asked once per request; `sites`: hosts of our own whose pages carry the snippet."""

    engine: Engine
    pages: Pages
    play: Play
    secret: str = field(repr=False)
    clock: Callable[[], datetime]
    watch: Watch
    hooks: Reception
    record: Record
    sites: frozenset[str] = frozenset()
    metrics_token: str | None = field(default=None, repr=False)
    #: Answers from Slack; None: buttons there are links.
    clicks: Clicks | None = None

    def keep(self, connection: Connection, signal: Incoming, now: datetime) -> None:
        """Write a signal down, to be applied by the next collection."""
        record(connection, [signal], now)
        self.watch.signals.labels(kind=signal.kind).inc()


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def incoming(
    kind: SignalKind, touch_id: int, request: Request, now: datetime, *, name: str | None = None, **more: Any
) -> Incoming:
    """A request as a signal. Each is one, unless `name` says which: a second opt-out after a change of mind is no
    repetition."""
    data = {"method": request.method, "user_agent": request.headers.get("user-agent", "")[:300], **more}
    if network := network_of(request.client.host if request.client else None):
        data["network"] = network
    name = name or f"{kind}/{touch_id}/{now:%Y%m%dT%H%M%S%f}-{token_hex(4)}"
    return Incoming(SOURCE, name, kind, now, touch_id=touch_id, data=data)


def network_of(host: str | None) -> str | None:
    """Where it came from, without the last part of the address: enough to know a scanner, too little for a person."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


def minds(request: Request) -> bool:
    """Whether the browser says: do not track me (DNT), do not pass me on (Global Privacy Control)."""
    return request.headers.get("dnt") == "1" or request.headers.get("sec-gpc") == "1"


async def read_body(request: Request, most: int) -> bytes:
    """The body, if it is not longer than `most` bytes. Raises HTTPException 413."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HTTPException(413)
    return bytes(body)
