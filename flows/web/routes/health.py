"""`/healthz`, `/readyz`, `/metrics`: for those who keep the app running."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from accounts.ledger import schema
from accounts.ledger.engine import reading
from accounts.ledger.signals.recorded import count_waiting
from flows.web.desk import Desk, desk_of

#: What a proxy adds; where it stands, the request did not come from this machine.
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_WAITING = """# HELP tandem_signals_waiting Signals that were recorded and not applied yet.
# TYPE tandem_signals_waiting gauge
tandem_signals_waiting {}
"""

routes = APIRouter()


@routes.head("/healthz")
@routes.get("/healthz")
def health(request: Request) -> Response:
    """200 while the ledger answers."""
    with reading(desk_of(request).engine) as connection:
        connection.execute(text("SELECT 1 FROM signal LIMIT 1"))
    return JSONResponse({"status": "ok"})


@routes.head("/readyz")
@routes.get("/readyz")
def ready(request: Request) -> Response:
    """200 when the ledger has exactly the shape this program needs."""
    if schema.is_current(desk_of(request).engine):
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "the ledger has another version: tandem init"}, 503)


@routes.get("/metrics")
def metrics(request: Request) -> Response:
    """Prometheus text, for those who may read it; nothing for others."""
    desk = desk_of(request)
    if not _may_read(desk, request):
        return desk.pages.show("unknown", 404)
    with reading(desk.engine) as connection:
        waiting = _WAITING.format(count_waiting(connection))
    return Response(desk.watch.exposition() + waiting.encode(), media_type=CONTENT_TYPE_LATEST)


def _may_read(desk: Desk, request: Request) -> bool:
    if desk.metrics_token is not None:
        told = request.headers.get("authorization", "")
        return hmac.compare_digest(told.encode("latin-1"), f"Bearer {desk.metrics_token}".encode())
    return _is_here(request) and not any(name in request.headers for name in FORWARDED)


def _is_here(request: Request) -> bool:
    try:
        return ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
