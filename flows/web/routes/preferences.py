"""`/p/…`: a pause, fewer mails, one topic only, all of them again, or none. GET shows, POST changes at once."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.preferences import content_of, prefer
from accounts.preferences import FEWER, PAUSE, Choice, said
from accounts.vocabulary import SignalKind
from flows import tokens
from flows.web.desk import Desk, desk_of, incoming, read_body

#: Longer than any form of ours.
MOST_BYTES = 4096
_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object", "required": ["choice"],
                    "properties": {"choice": {"enum": [*(choice.value for choice in Choice), "topic:cost"]}},
                }
            }
        }
    }
}  # fmt: skip

routes = APIRouter()


async def _form(request: Request) -> bytes:
    return await read_body(request, MOST_BYTES)


@dataclass(frozen=True, slots=True)
class _Wish:
    choice: Choice
    topic: str | None = None


@routes.head("/p/{token}")
@routes.get("/p/{token}")
def show(token: str, request: Request) -> Response:
    """Shows what can be chosen."""
    desk = desk_of(request)
    touch_id = _touch_of(token, desk, desk.clock())
    if touch_id is None:
        return desk.pages.show("unknown", 404)
    with reading(desk.engine) as connection:
        topics = _topics(connection, desk, touch_id)
    return desk.pages.show("unknown", 404) if topics is None else _ask(desk, token, topics)


@routes.post("/p/{token}", openapi_extra=_FORM)
def choose(token: str, request: Request, form: bytes = Depends(_form)) -> Response:
    """Does what was chosen, at once."""
    desk, now = desk_of(request), desk_of(request).clock()
    touch_id = _touch_of(token, desk, now)
    if touch_id is None:
        return desk.pages.show("unknown", 404)
    with writing(desk.engine) as connection:
        topics = _topics(connection, desk, touch_id)
        if topics is None:
            return desk.pages.show("unknown", 404)
        wish = _read(form, topics)
        if wish is None:
            return _ask(desk, token, topics, missing=True)
        kind = SignalKind.UNSUBSCRIBED if wish.choice is Choice.NONE else SignalKind.PREFERRED
        signal = incoming(kind, touch_id, request, now, **said(wish.choice, wish.topic, now))
        prefer(connection, signal, wish.choice, now)
    desk.watch.signals.labels(kind=kind).inc()
    if wish.choice is Choice.NONE:
        return desk.pages.show("unsubscribed")
    return desk.pages.show("preferred", choice=wish.choice.value, topic=wish.topic, token=token, days=FEWER.days)


def _touch_of(token: str, desk: Desk, now: datetime) -> int | None:
    ids = tokens.verify_until(tokens.PREFERENCES, token, now.date(), desk.secret)
    return ids[0] if ids else None


def _topics(connection: Connection, desk: Desk, touch_id: int) -> tuple[str, ...] | None:
    """What the mail was about; empty when the play has that content no longer, None for a mail that never was."""
    content = content_of(connection, touch_id)
    if content is None:
        return None
    step = desk.play.step(content)
    return step.topics if step else ()


def _read(form: bytes, topics: tuple[str, ...]) -> _Wish | None:
    """The choice, or None for anything that the form does not offer."""
    chosen = parse_qs(form.decode("latin-1"), max_num_fields=20).get("choice", [""])[0] if form.count(b"&") < 20 else ""
    name, _, topic = chosen.partition(":")
    if name == Choice.TOPIC:
        return _Wish(Choice.TOPIC, topic) if topic in topics else None
    return _Wish(Choice(chosen)) if chosen in list(Choice) else None


def _ask(desk: Desk, token: str, topics: tuple[str, ...], *, missing: bool = False) -> Response:
    status = 400 if missing else 200
    return desk.pages.show(
        "preferences", status, token=token, topics=topics, missing=missing, pause=PAUSE.days, days=FEWER.days
    )
