"""Every post that was answered is in the ledger, whole and once, although the app is killed while it takes them in."""

import random
import socket
import threading
import time
from hashlib import sha256

import requests
from sqlalchemy import func, select

from accounts.ledger.engine import open_ledger, reading
from accounts.models import Signal, Webhook
from flows.webhooks.reading import read_posts
from tests.cast import NOW, World
from tests.web.test_killed import NURSERY
from tests.web.visitor import SECRET
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid

ROUNDS, SENDERS = 2, 4


def serve(url: str, key: str, listener: socket.socket) -> None:
    """A process of its own: the product's app behind the product's server."""
    import uvicorn

    from flows.settings import Settings
    from flows.web.app import create_app
    from flows.web.serving import config_of
    from flows.webhooks.secrets import Webhooks
    from tests.plays import small_play

    app = create_app(open_ledger(url), Settings(secret_key=SECRET, webhooks=Webhooks(sendgrid_key=key)), small_play())
    uvicorn.Server(config_of(app, log_level="critical")).run(sockets=[listener])


class Provider:
    """Posts as fast as it can, each body another one, until nobody answers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def post(self, port: int, name: str) -> None:
        number = 0
        while True:
            number += 1
            events = [sendgrid("delivered", sg_event_id=f"{name}-{number}-{place}") for place in range(3)]
            request = senders.sendgrid(events)
            try:
                answer = requests.post(
                    f"http://127.0.0.1:{port}/hooks/sendgrid",
                    data=request.body,
                    headers=dict(request.headers),
                    timeout=10,
                )
            except requests.RequestException:
                return
            assert answer.status_code == 200
            self.told.append(sha256(request.body).hexdigest())


def one_life(world: World, provider: Provider, round_: int, luck: random.Random) -> None:
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        url = world.engine.url.render_as_string(hide_password=False)
        process = NURSERY.Process(target=serve, args=(url, senders.sendgrid_public(), listener))
        process.start()
    enough = len(provider.told) + luck.randint(3, 20)
    requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30)  # waits in the queue of the socket until it is up
    threads = [threading.Thread(target=provider.post, args=(port, f"r{round_}-{n}")) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    while len(provider.told) < enough:
        time.sleep(0.001)
    time.sleep(luck.uniform(0, 0.02))
    process.kill()
    for thread in threads:
        thread.join()
    process.join(10)


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
