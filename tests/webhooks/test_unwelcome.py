"""Whoever posts what no provider has signed is heard for a while, and then no more; others are."""

import asyncio
from dataclasses import replace
from itertools import islice

import httpx
import pytest
from sqlalchemy import Engine
from starlette.responses import Response

from flows.settings import Settings
from flows.web.app import build, open_desk
from flows.web.desk import Shelf, network_of
from flows.web.throttle import REFUSED_AT_ONCE, Buckets, Unwelcome
from flows.webhooks import Later, sns
from tests.cast import World
from tests.signals.post import play
from tests.web.visitor import Browser, Clock, on_sqlite
from tests.webhooks import senders
from tests.webhooks.samples import SAMPLES
from tests.webhooks.senders import Request

HERE, ELSEWHERE = "203.0.113.9", "198.51.100.1"
EVENT = SAMPLES["sendgrid"][0][0]
FORGED = senders.sendgrid([EVENT]).but(x_twilio_email_event_webhook_signature="no")


def signed(number: int = 0) -> Request:
    return senders.sendgrid([{**EVENT, "sg_event_id": f"event-{number}"}])


class Door:
    """The app behind a limit of three refused posts, which fills again when `now` moves."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.now = 0.0
        desk = open_desk(engine, settings, play(), Clock())
        refused = Buckets(1, 3, clock=lambda: self.now)
        self._app = Unwelcome(build(desk), refused, Response(status_code=429))

    def take(self, *requests: Request, source: str = HERE) -> list[int]:
        return asyncio.run(self._take(requests, source))

    async def _take(self, requests: tuple[Request, ...], source: str) -> list[int]:
        transport = httpx.ASGITransport(app=self._app, client=(source, 1))
        async with httpx.AsyncClient(transport=transport, base_url=senders.BASE_URL) as client:
            answers = [
                await client.post(f"/hooks/{one.provider}", content=one.body, headers=dict(one.headers))
                for one in requests
            ]
        return [answer.status_code for answer in answers]


@pytest.fixture
def door(world: World, settings: Settings) -> Door:
    return Door(world.engine, settings)


@on_sqlite
def test_posts_that_are_refused_count_against_their_network_alone(door: Door) -> None:
    assert door.take(signed(), FORGED, FORGED, FORGED) == [200, 403, 403, 403]
    assert door.take(FORGED, signed(1), source="203.0.113.77") == [429, 429], "a neighbour in the same network"
    assert door.take(signed(1), source=ELSEWHERE) == [200]
    door.now = 1.0
    assert door.take(FORGED, FORGED) == [403, 429], "a second later there is room for one"


@on_sqlite
def test_whatever_the_refusal_is_called_it_counts(door: Door) -> None:
    elsewhere = Request("nobody", {"content-type": senders.JSON}, b"{}")
    assert door.take(elsewhere, FORGED.but(content_type="text/html"), FORGED, FORGED) == [404, 415, 403, 429]


@on_sqlite
def test_what_cannot_be_proved_now_counts_as_well(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger can name certificates that nobody has."""

    def fetch(url: str) -> bytes:
        raise Later("Amazon answered 404")

    monkeypatch.setattr(sns.Door.__init__, "__defaults__", (fetch,))
    door, unknown = Door(world.engine, settings), senders.ses(SAMPLES["ses"][0][0])
    assert door.take(unknown, unknown, unknown, unknown) == [503, 503, 503, 429]
    assert door.take(signed(), source=ELSEWHERE) == [200]


@on_sqlite
def test_what_is_signed_costs_nothing_and_makes_up_for_what_was_not(door: Door) -> None:
    assert door.take(*(signed(number) for number in range(10))) == [200] * 10
    assert door.take(FORGED, FORGED, signed(), FORGED, FORGED, FORGED, FORGED) == [403, 403, 200, 403, 403, 403, 429]
    door.now = 1.0
    assert door.take(signed(), FORGED, FORGED) == [200, 403, 403], "a provider among strangers is heard again"


@on_sqlite
def test_all_bodies_together_have_so_much_room_and_it_is_free_again(world: World, settings: Settings) -> None:
    """Before it is proved, strangers decide how much is sent, and from how many addresses."""

    def posts(room: int, *requests: Request) -> list[httpx.Response]:
        desk = replace(open_desk(world.engine, settings, play(), Clock()), shelf=Shelf(room, room))

        async def post() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=build(desk))
            async with httpx.AsyncClient(transport=transport, base_url=senders.BASE_URL) as client:
                return [
                    await client.post("/hooks/sendgrid", content=one.body, headers=dict(one.headers))
                    for one in requests
                ]

        return asyncio.run(post())

    size = len(FORGED.body)
    assert [answer.status_code for answer in posts(size, signed(), FORGED, signed(), signed(1))] == [200, 403, 200, 200]
    (refused,) = posts(len(signed(2).body) - 1, signed(2))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")


@on_sqlite
def test_the_app_has_such_a_limit(web: Browser) -> None:
    def post(request: Request, source: str) -> int:
        headers = {**request.headers, "x-forwarded-for": source}
        return web.post("/hooks/sendgrid", data=request.body, headers=headers).status_code

    answers = iter(lambda: post(FORGED, HERE), 429)
    refused = list(islice(answers, 10 * REFUSED_AT_ONCE))
    assert REFUSED_AT_ONCE <= len(refused) < 10 * REFUSED_AT_ONCE
    assert set(refused) == {403}
    assert post(signed(), ELSEWHERE) == 200
    assert web.get("/healthz", headers={"x-forwarded-for": HERE}).status_code == 200, "only posts of providers"


@on_sqlite
def test_a_network_whose_bodies_fill_its_share_comes_again_and_others_are_heard(
    world: World, settings: Settings
) -> None:
    room = len(signed().body)
    desk = replace(open_desk(world.engine, settings, play(), Clock()), shelf=Shelf(3 * room, room))

    async def post(source: str) -> int:
        transport = httpx.ASGITransport(app=build(desk), client=(source, 1))
        async with httpx.AsyncClient(transport=transport, base_url=senders.BASE_URL) as client:
            answer = await client.post("/hooks/sendgrid", content=signed().body, headers=dict(signed().headers))
        return answer.status_code

    with desk.shelf.place(network_of(HERE)) as take:
        take(room)
        assert asyncio.run(post(HERE)) == 503
        assert asyncio.run(post(ELSEWHERE)) == 200
    assert asyncio.run(post(HERE)) == 200
