"""How much one network may ask of us: a token bucket for each, in the memory of this process.

A bucket, and not a library's window, since its memory is bounded whatever addresses come by, and a burst after a
silence is what people behind one office router do.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.web.desk import network_of

#: Networks remembered at once, the latest ones; a forgotten one begins with a full bucket.
REMEMBERED = 20_000
#: Webhooks are signed and come in bursts: only those that are refused count, see `Unwelcome`.
HOOKS = "/hooks/"
#: The page that says "too many" shall look like one.
FREE = (HOOKS, "/pages.css")
#: Mail providers post the opt-outs of all their users from a few networks, and no opt-out may be lost.
OPT_OUT_COSTS = 0.1

#: Stands for whatever a proxy calls somebody whose address it hides.
UNREADABLE = "unreadable"

#: Refused posts to `/hooks/` of one network. A provider whose secret was entered wrongly gets beyond that as well, and
#: tries again for hours, whatever the refusal is called.
REFUSED_PER_SECOND, REFUSED_AT_ONCE = 1, 60


class Buckets:
    """`rate` tokens a second flow into each source's bucket, which holds `size`."""

    def __init__(self, rate: float, size: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._size, self._clock = rate, size, clock
        #: Source -> (what its bucket held, when).
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def has(self, source: str, tokens: float = 1) -> bool:
        """Whether there are as many; none is taken."""
        return self._holds(source, self._clock()) >= tokens

    def take(self, source: str, tokens: float = 1) -> bool:
        """Whether there were as many; taken if so."""
        now = self._clock()
        held = self._holds(source, now)
        self._held.pop(source, None)
        enough = held >= tokens
        self._held[source] = (held - tokens if enough else held, now)
        if len(self._held) > REMEMBERED:
            self._held.popitem(last=False)
        return enough

    def fill(self, source: str) -> None:
        """Nothing was taken from it."""
        self._held.pop(source, None)

    def _holds(self, source: str, now: float) -> float:
        held, at = self._held.get(source, (self._size, now))
        return min(self._size, held + (now - at) * self._rate)


class Throttled:
    """Refuses, with 429, what comes too fast from one network."""

    def __init__(self, app: ASGIApp, buckets: Buckets, refusal: ASGIApp) -> None:
        self._app, self._buckets, self._refusal = app, buckets, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = _source(scope)
        allowed = source is None or scope["path"].startswith(FREE) or self._buckets.take(source, _price(scope))
        await (self._app if allowed else self._refusal)(scope, receive, send)


class Sharing:
    """Refuses, with 429, what one network asks while `most` requests of its are under way. Behind a proxy all come
    over the proxy's own connections, and there are as many of those as there are places."""

    def __init__(self, app: ASGIApp, most: int, refusal: ASGIApp) -> None:
        self._app, self._most, self._refusal = app, most, refusal
        self._under_way = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = _source(scope)
        if source is None:
            await self._app(scope, receive, send)
        elif self._under_way[source] >= self._most:
            await self._refusal(scope, receive, send)
        else:
            self._under_way[source] += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._under_way[source] -= 1
                if not self._under_way[source]:
                    del self._under_way[source]


class Unwelcome:
    """Refuses, with 429, posts to `/hooks/` from a network whose posts were refused too often. What a provider has
    signed costs nothing, however much of it comes, and all before it is forgiven: strangers send from the networks of
    providers as well, and what could not be taken for reasons of ours counts until the next that is."""

    def __init__(self, app: ASGIApp, refused: Buckets, refusal: ASGIApp) -> None:
        self._app, self._refused, self._refusal = app, refused, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = _source(scope)
        if source is None or not scope["path"].startswith(HOOKS):
            await self._app(scope, receive, send)
        elif self._refused.has(source):
            await self._app(scope, receive, self._counting(source, send))
        else:
            await self._refusal(scope, receive, send)

    def _counting(self, source: str, send: Send) -> Send:
        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] < 300:
                    self._refused.fill(source)
                else:
                    self._refused.take(source)
            await send(message)

        return send_and_count


def _source(scope: Scope) -> str | None:
    """The network a request came from; what names itself in no way that can be read is one as well."""
    return network_of(scope["client"][0]) or UNREADABLE if scope["type"] == "http" and scope.get("client") else None


def _price(scope: Scope) -> float:
    return OPT_OUT_COSTS if scope["method"] == "POST" and scope["path"].startswith("/u/") else 1
