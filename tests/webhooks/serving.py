"""The product's app in a process of its own, to which a provider posts and which can be killed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from accounts.ledger.engine import open_ledger
from flows.webhooks.secrets import Webhooks
from tests.cast import NOW, World
from tests.nursery import NURSERY
from tests.web.visitor import SECRET
from tests.webhooks import senders


@contextmanager
def app(world: World, breath: float | None = None) -> Iterator[tuple[str, BaseProcess]]:
    """Where it listens, as soon as it is called, and its process, which has ended when this does.

    breath: seconds between two lots of noes, if not as many as usual.
    """
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        url = world.engine.url.render_as_string(hide_password=False)
        shown = senders.amazon()[1]
        process = NURSERY.Process(target=_serve, args=(url, senders.secrets(), shown, listener, breath))
        process.start()
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.join(60)


def _serve(url: str, secrets: Webhooks, certificate: bytes, listener: socket.socket, breath: float | None) -> None:
    import uvicorn

    from flows.settings import Settings
    from flows.web.app import create_app
    from flows.web.serving import config_of
    from flows.webhooks import reception
    from tests.plays import small_play

    reception.BREATH = reception.BREATH if breath is None else breath
    senders.show(certificate)
    settings = Settings(secret_key=SECRET, webhooks=secrets)
    served = create_app(open_ledger(url), settings, small_play(), lambda: NOW)
    uvicorn.Server(config_of(served, log_level="critical")).run(sockets=[listener])
