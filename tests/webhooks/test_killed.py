"""Every post that was answered is in the ledger, whole and once, although the app is killed while it takes them in."""

import random
import threading
import time
from hashlib import sha256

import requests
from sqlalchemy import func, select

from accounts.ledger.engine import reading
from accounts.models import Signal, Webhook
from flows.webhooks.reading import read_posts
from tests.cast import NOW, World
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid
from tests.webhooks.serving import app

ROUNDS, SENDERS = 2, 4


class Provider:
    """Posts as fast as it can, each body another one, until nobody answers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def post(self, where: str, name: str) -> None:
        number = 0
        while True:
            number += 1
            events = [sendgrid("delivered", sg_event_id=f"{name}-{number}-{place}") for place in range(3)]
            request = senders.sendgrid(events)
            try:
                url, headers = f"{where}/hooks/sendgrid", dict(request.headers)
                answer = requests.post(url, data=request.body, headers=headers, timeout=10)
            except requests.RequestException:
                return
            assert answer.status_code == 200
            self.told.append(sha256(request.body).hexdigest())


def one_life(world: World, provider: Provider, round_: int, luck: random.Random) -> None:
    with app(world) as (where, process):
        enough = len(provider.told) + luck.randint(3, 20)
        requests.get(f"{where}/healthz", timeout=30)  # waits in the queue of the socket until it is up
        threads = [threading.Thread(target=provider.post, args=(where, f"r{round_}-{n}")) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        while len(provider.told) < enough:
            time.sleep(0.001)
        time.sleep(luck.uniform(0, 0.02))
        process.kill()
        for thread in threads:
            thread.join()


def test_what_was_answered_is_kept_whenever_the_app_is_killed(world: World) -> None:
    luck, provider = random.Random(11), Provider()
    for round_ in range(ROUNDS):
        one_life(world, provider, round_, luck)
    with reading(world.engine) as connection:
        kept = list(connection.scalars(select(Webhook.digest)))
    assert set(provider.told) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(provider.told) + ROUNDS * SENDERS
    read_posts(world.engine, NOW)
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(Signal)) == 3 * len(kept)
