"""What every request needs, and how a request becomes a signal."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import token_hex
from typing import Any

from fastapi import Request, Response
from sqlalchemy import Connection, Engine
from starlette.exceptions import HTTPException

from accounts.ledger.signals.recorded import Incoming, record
from accounts.playbook import Play
from accounts.vocabulary import SignalKind
from flows.web.pages import Pages
from flows.web.record import Record
from flows.web.watching import Watch
from flows.webhooks.reception import Reception
from flows.webhooks.slack import Clicks

SOURCE = "web"
#: Octets of bodies to `/hooks/` that one process reads and keeps at a time; one of Mailgun's may have 30 millions.
SHELF = 2**27


def utc_now() -> datetime:
    return datetime.now(UTC)


class Shelf:
    """What the bodies of all requests together may take in memory: each may be large, and strangers may send many. One
    network may have `share` of it, since it may send as slowly as it likes."""

    def __init__(self, most: int, share: int) -> None:
        self._room, self._share = most, share
        self._held = Counter[str | None]()

    @contextmanager
    def place(self, network: str | None) -> Iterator[Callable[[int], None]]:
        """For one request: what is told the octets of each piece; raises HTTPException 503 where there is no room."""
        taken = 0

        def take(octets: int) -> None:
            nonlocal taken
            if octets > min(self._room, self._share - self._held[network]):
                raise HTTPException(503)
            self._room -= octets
            self._held[network] += octets
            taken += octets

        try:
            yield take
        finally:
            self._room += taken
            self._held[network] -= taken
            if not self._held[network]:
                del self._held[network]


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
    shelf: Shelf = field(default_factory=lambda: Shelf(SHELF, SHELF // 4))

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
    alone = f"{kind}/{touch_id}/{now:%Y%m%dT%H%M%S%f}-{token_hex(4)}"
    return Incoming(SOURCE, name or alone, kind, now, touch_id=touch_id, is_dated=name is None, data=data)


def network_of(host: str | None) -> str | None:
    """Where it came from, without the last part of the address: enough to know a scanner, too little for a person."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


#: Where a browser says that it fetches a page before anybody wants it, and how (Sec-Purpose of the Fetch standard, and
#: what Firefox and Safari said before it).
_SAID, _AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz"), ("prefetch", "prerender", "preview")


def fetches_ahead(request: Request) -> bool:
    """Whether a browser asks in case somebody might want it, so that nobody has clicked yet."""
    said = [request.headers.get(name, "").lower() for name in _SAID]
    return any(word in value for word in _AHEAD for value in said)


def not_yet() -> Response:
    """To a browser that fetches ahead: it forgets what did not succeed, and asks again when a person clicks."""
    return Response(status_code=503)


def minds(request: Request) -> bool:
    """Whether the browser says: do not track me (DNT), do not pass me on (Global Privacy Control)."""
    return request.headers.get("dnt") == "1" or request.headers.get("sec-gpc") == "1"


async def read_body(request: Request, most: int, take: Callable[[int], None] = lambda octets: None) -> bytes:
    """The body, if it is not longer than `most` bytes. Raises HTTPException 413, and what `take` raises for a piece."""
    body = bytearray()
    async for piece in request.stream():
        take(len(piece))
        body += piece
        if len(body) > most:
            raise HTTPException(413)
    return bytes(body)
