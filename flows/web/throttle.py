"""How much one network may ask of us: a token bucket for each, in the memory of this process.

A bucket, and not a library's window, since its memory is bounded whatever addresses come by, and a burst after a
silence is what people behind one office router do.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from flows.web.desk import network_of

#: Networks remembered at once, the latest ones; a forgotten one begins with a full bucket.
REMEMBERED = 20_000
#: Webhooks are signed and come in bursts; the page that says "too many" shall look like one.
FREE = ("/hooks/", "/pages.css")
#: Mail providers post the opt-outs of all their users from a few networks, and no opt-out may be lost.
OPT_OUT_COSTS = 0.1


class Buckets:
    """`rate` tokens a second flow into each source's bucket, which holds `size`."""

    def __init__(self, rate: float, size: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._size, self._clock = rate, size, clock
        #: Source -> (what its bucket held, when).
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, tokens: float = 1) -> bool:
        """Whether there were as many; taken if so."""
        now = self._clock()
        held, at = self._held.pop(source, (self._size, now))
        held = min(self._size, held + (now - at) * self._rate)
        enough = held >= tokens
        self._held[source] = (held - tokens if enough else held, now)
        if len(self._held) > REMEMBERED:
            self._held.popitem(last=False)
        return enough


class Throttled:
    """Refuses, with 429, what comes too fast from one network."""

    def __init__(self, app: ASGIApp, buckets: Buckets, refusal: ASGIApp) -> None:
        self._app, self._buckets, self._refusal = app, buckets, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = network_of(scope["client"][0]) if scope["type"] == "http" and scope.get("client") else None
        allowed = source is None or scope["path"].startswith(FREE) or self._buckets.take(source, _price(scope))
        await (self._app if allowed else self._refusal)(scope, receive, send)


def _price(scope: Scope) -> float:
    return OPT_OUT_COSTS if scope["method"] == "POST" and scope["path"].startswith("/u/") else 1
