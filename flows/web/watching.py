"""What the app counts about itself, for Prometheus: requests, how long they took, signals, refusals. Nobody's data."""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Seconds; a redirect takes a few milliseconds, a ledger that is busy holds a writer for up to thirty.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
#: Stands for addresses that lead nowhere: each of them as a label of its own would let strangers fill the memory.
ELSEWHERE = "elsewhere"


class Watch:
    """The counters of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "tandem_http_requests", "Answers, by route, method and status.", ["route", "method", "status"],
            registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "tandem_http_request_seconds", "Time to the end of the answer.", ["route"], buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self.signals = Counter(
            "tandem_web_signals", "Signals the web app wrote down, by kind.", ["kind"], registry=self._registry
        )

        self.posts = Counter(
            "tandem_webhook_posts", "Posts of providers, by outcome.", ["provider", "outcome"], registry=self._registry
        )

    def count_post(self, provider: str, outcome: str) -> None:
        """new, again, forged, confirmed, or the status it was refused with."""
        self.posts.labels(provider, outcome).inc()

    def exposition(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)


class Watched:
    """Counts every answer of an app, by the route that gave it."""

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app, self._watch = app, watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 0, perf_counter()

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_look)
        finally:
            route = getattr(scope.get("route"), "path", ELSEWHERE)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._watch.requests.labels(route, method, str(status or 500)).inc()
            self._watch.seconds.labels(route).observe(perf_counter() - begun)
