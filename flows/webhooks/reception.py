"""What happens to a post at the door: proved, kept, answered; and a no in it is heard at once.

The answer means that the bytes are safe in the ledger. An opt-out, a complaint or a bounce among them acts right after
that, before anybody reads the rest: the claim refuses the person a moment later.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from hashlib import sha256

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from accounts.ledger.engine import writing
from accounts.ledger.signals.applying import act_on_noes
from accounts.ledger.signals.crm_contacts import with_addresses
from accounts.ledger.signals.webhooks import Kept, Post, keep
from flows.webhooks import Call, Door, Forged
from flows.webhooks.reading import noes_in
from flows.webhooks.together import Together

#: Posts of one commit.
MOST = 100
#: Seconds between two lots of noes: acting on a hundred posts together costs half of acting on them as they come.
BREATH = 0.1
#: What fits into the column; a longer name is known by its digest.
LONGEST_NAME = 120

log = logging.getLogger("tandem.webhooks")


class Reception:
    """The doors of one app, by provider. `base_url`: how providers know us; `count`: of a provider and an outcome.

    Threads are made when the first post comes.
    """

    def __init__(
        self, engine: Engine, doors: Mapping[str, Door], base_url: str, count: Callable[[str, str], None]
    ) -> None:
        self.doors, self.base_url, self.count = doors, base_url.rstrip("/"), count
        # SQLite has one writer at a time: two threads would only wait for each other, and its waiting is coarse.
        threads = 1 if engine.dialect.name == "sqlite" else 2
        executor = ThreadPoolExecutor(threads, thread_name_prefix="webhooks")
        self._keeping = Together(partial(_keep, engine), executor, MOST)
        self._hearing = Together(partial(_hear, engine), executor, MOST, BREATH)

    async def take(self, provider: str, call: Call, now: datetime) -> None:
        """Returns when the post is safe. Raises Forged, Later; SQLAlchemyError when the ledger does not answer."""
        door = self.doors[provider]
        try:
            name = await run_in_threadpool(door.prove, call, now) if door.may_wait else door.prove(call, now)
            if door.may_wait and await run_in_threadpool(door.confirm, call):
                self.count(provider, "confirmed")
                log.warning("%s asked whether its events shall come here, and was told yes", provider)
                return
            kept = await self._keep(provider, name, call, now)
        except Forged:
            self.count(provider, "forged")
            raise
        self.count(provider, kept)

    async def _keep(self, provider: str, name: str | None, call: Call, now: datetime) -> Kept:
        digest = sha256(call.body).hexdigest()
        content_type = call.headers.get("content-type", "")[:300]
        post = Post(provider, _fitting(name) or digest, digest, now, content_type, call.body)
        kept = await self._keeping.put(post)
        if kept is Kept.FORGED:
            raise Forged
        if kept is Kept.NEW:
            self._hearing.put(post)
        return kept


def _fitting(name: str | None) -> str | None:
    fits = name is None or (len(name) <= LONGEST_NAME and name.isprintable())
    return name if fits else sha256(str(name).encode("utf-8", "replace")).hexdigest()


def _keep(engine: Engine, posts: Sequence[Post]) -> list[Kept]:
    with writing(engine) as connection:
        return keep(connection, posts)


def _hear(engine: Engine, posts: Sequence[Post]) -> list[None]:
    """What goes wrong here is not lost: the posts wait, and whoever reads them hears the same no again."""
    try:
        signals = [signal for post in posts for signal in noes_in(post)]
        if signals:
            with writing(engine) as connection:
                named, _ = with_addresses(connection, signals)
                act_on_noes(connection, named, max(post.received_at for post in posts))
    except Exception as error:
        log.error("a no could not be heard at the door: %s", type(error).__name__)  # no address
    return [None] * len(posts)
