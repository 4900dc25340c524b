"""`/hooks/…`: what providers of mail and the CRM post. The answer comes when it is safe; it says nothing else."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from flows.web.desk import Desk, desk_of, network_of, read_body
from flows.webhooks import Call, Forged, Later

routes = APIRouter()


@routes.post("/hooks/{provider}")
async def receive(provider: str, request: Request) -> Response:
    """A provider tells what became of mails."""
    desk = desk_of(request)
    door = desk.hooks.doors.get(provider)
    if door is None:
        return Response(status_code=404)
    if _media_type(request) not in door.content_types:
        return _refuse(desk, provider, 415)
    with desk.shelf.place(network_of(request.client.host if request.client else None)) as take:
        try:
            call = await _read(desk, request, door.most, take)
            await desk.hooks.take(provider, call, desk.clock())
        except HTTPException as refusal:
            return _refuse(desk, provider, refusal.status_code)
        except Forged:
            return Response(status_code=403)
        except Later:
            return _refuse(desk, provider, 503)
    return Response(status_code=200)


async def _read(desk: Desk, request: Request, most: int, take: Callable[[int], None]) -> Call:
    """Raises HTTPException for too much; what says so of itself is not read at all."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 12 and int(length) > most:
        raise HTTPException(413)
    body = await read_body(request, most, take)
    query = f"?{request.url.query}" if request.url.query else ""
    # the address as the provider knows it: behind a proxy the request has another one
    return Call(f"{desk.hooks.base_url}{request.url.path}{query}", request.headers, body, request.method)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refuse(desk: Desk, provider: str, status: int) -> Response:
    desk.hooks.count(provider, str(status))
    return Response(status_code=status, headers={"retry-after": "10"} if status == 503 else None)
