"""The app ends while noes wait for the next lot: what was answered is kept, and the next run hears each of them."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from accounts.ledger.engine import open_ledger, reading
from accounts.models import Stakeholder, Webhook
from flows.settings import Settings
from flows.signals.intake import collect
from tests.cast import NOW, World
from tests.nursery import NURSERY
from tests.signals.post import play
from tests.web.visitor import SECRET
from tests.webhooks import senders
from tests.webhooks.samples import sendgrid

#: Whom the posts are about, in their order; the first is heard at once, and the others would be after the breath.
WHO = ("alice", "bob", "charlie", "erin")


def serve(url: str, key: str, listener: socket.socket) -> None:
    """A process of its own: the product's app behind the product's server, and one breath for its whole life."""
    import uvicorn

    from flows.web.app import create_app
    from flows.web.serving import config_of
    from flows.webhooks import reception
    from flows.webhooks.secrets import Webhooks
    from tests.plays import small_play

    reception.BREATH = 3600
    settings = Settings(secret_key=SECRET, webhooks=Webhooks(sendgrid_key=key))
    app = create_app(open_ledger(url), settings, small_play(), lambda: NOW)
    uvicorn.Server(config_of(app, log_level="critical")).run(sockets=[listener])


@contextmanager
def app(world: World) -> Iterator[tuple[str, BaseProcess]]:
    """Where it takes posts, and its process, which has ended when this does."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        url = world.engine.url.render_as_string(hide_password=False)
        process = NURSERY.Process(target=serve, args=(url, senders.sendgrid_public(), listener))
        process.start()
    try:
        yield f"http://127.0.0.1:{port}/hooks/sendgrid", process
    finally:
        process.kill()
        process.join(60)


def told(world: World, where: str) -> list[int]:
    """Each post tells that somebody opted out; what it was answered."""
    answers = []
    for name in WHO:
        request = senders.sendgrid([sendgrid("unsubscribe", email=f"{name}@acme.example", sg_event_id=name)])
        taken = requests.post(where, data=request.body, headers=dict(request.headers), timeout=60)
        answers.append(taken.status_code)
    return answers


def silent(world: World) -> set[str]:
    """Who said no, as far as the ledger knows."""
    with reading(world.engine) as connection:
        theirs = select(Stakeholder.id).where(Stakeholder.opted_out_at.is_not(None))
        known = set(connection.scalars(theirs))
    return {name for name in WHO if world.people[name] in known}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_what_waited_for_the_breath_is_heard_by_the_next_run(world: World, end: signal.Signals, tmp_path: Path) -> None:
    with app(world) as (where, process):
        assert told(world, where) == [200] * len(WHO)
        os.kill(process.pid or 0, end)
        process.join(60)
        assert process.exitcode is not None, "it ends, however long the breath would have been"
    assert silent(world) <= {"alice"}
    with reading(world.engine) as connection:
        assert len(list(connection.scalars(select(Webhook.id)))) == len(WHO)
    collect(world.engine, Settings(home=tmp_path), play(), NOW + timedelta(minutes=1))
    assert silent(world) == set(WHO)
