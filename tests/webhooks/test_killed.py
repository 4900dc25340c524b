"""Every post that was answered is in the ledger, whole and once, although the app is killed while it takes them in."""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from itertools import count

import requests
from sqlalchemy import func, select

from accounts.ledger.engine import reading
from accounts.models import Signal, Webhook
from flows.webhooks.reading import read_posts
from tests.cast import NOW, World
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid, ses
from tests.webhooks.senders import Request
from tests.webhooks.serving import app

ROUNDS = 2
#: What each sender calls a post; it tells of three people.
THREE = ("alice", "bob", "charlie")


def by_sendgrid(name: str) -> Request:
    return senders.sendgrid([sendgrid("delivered", sg_event_id=f"{name}-{who}") for who in THREE])


def by_amazon(name: str, version: str) -> Request:
    """As its topic is set: with SHA1 or SHA256."""
    event = ses("Delivery", "delivery", recipients=[f"{who}@acme.example" for who in THREE])
    return senders.ses(event, version, MessageId=name)


SENDERS = (by_sendgrid, by_sendgrid, partial(by_amazon, version="1"), partial(by_amazon, version="2"))


class Providers:
    """Post as fast as they can, each body another one, until nobody answers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        #: Senders who were answered.
        self.heard: set[str] = set()

    def post(self, where: str, name: str, make: Callable[[str], Request]) -> None:
        for number in count():
            request = make(f"{name}-{number}")
            try:
                url, headers = f"{where}/hooks/{request.provider}", dict(request.headers)
                answer = requests.post(url, data=request.body, headers=headers, timeout=60)
            except requests.RequestException:
                return
            assert answer.status_code == 200
            self.told.append(sha256(request.body).hexdigest())
            self.heard.add(name)


def one_life(world: World, providers: Providers, round_: int, luck: random.Random) -> None:
    with app(world) as (where, process):
        enough = len(providers.told) + luck.randint(3, 20)
        requests.get(f"{where}/healthz", timeout=30)  # waits in the queue of the socket until it is up
        names = [f"r{round_}-{number}" for number in range(len(SENDERS))]
        threads = [
            threading.Thread(target=providers.post, args=(where, name, make))
            for name, make in zip(names, SENDERS, strict=True)
        ]
        for thread in threads:
            thread.start()
        while len(providers.told) < enough or not providers.heard.issuperset(names):
            assert all(thread.is_alive() for thread in threads)
            time.sleep(0.001)
        time.sleep(luck.uniform(0, 0.02))
        process.kill()
        for thread in threads:
            thread.join()


def test_what_was_answered_is_kept_whenever_the_app_is_killed(world: World) -> None:
    luck, providers = random.Random(11), Providers()
    for round_ in range(ROUNDS):
        one_life(world, providers, round_, luck)
    with reading(world.engine) as connection:
        kept = list(connection.scalars(select(Webhook.digest)))
    assert set(providers.told) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(providers.told) + ROUNDS * len(SENDERS)
    read_posts(world.engine, NOW)
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Signal)) == 3 * len(kept)
