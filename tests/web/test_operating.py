"""What operators rely on: health, readiness, metrics, brakes on single sources, HTTPS."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from accounts.errors import Refused
from accounts.ledger import schema
from accounts.ledger.engine import open_ledger
from flows.settings import Settings, Web
from flows.web.desk import network_of
from flows.web.serving import listen
from flows.web.throttle import REMEMBERED, Buckets
from tests.cast import World
from tests.signals.post import person
from tests.web.visitor import Browser, Clock, Serve, click_path, on_sqlite, opt_out_path


def with_web(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"web": Web.model_validate(changes)})


def test_ready_is_a_ledger_of_exactly_this_version(serve: Serve, tmp_path: Path, world: World) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path / 'new.db'}")
    web = serve(engine, Clock())
    assert web.get("/readyz").status_code == 503
    schema.upgrade(engine)
    answer = web.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    engine.dispose()
    assert serve(world.engine, Clock()).get("/readyz").status_code == 503, "tables that no migration made"


def metrics(web: Browser) -> str:
    return web.get("/metrics").text


@on_sqlite
def test_metrics_count_requests_by_route_and_signals_by_kind(web: Browser, touch: int) -> None:
    for path in (click_path(touch), click_path(touch, 1), "/c/unknown", "/nowhere/1", "/nowhere/2"):
        web.get(path)
    web.post(opt_out_path(touch))
    web.ask("BREW", "/nowhere/3")
    told = metrics(web)
    for line in (
        'tandem_http_requests_total{method="GET",route="/c/{token}",status="302"} 2.0',
        'tandem_http_requests_total{method="GET",route="/c/{token}",status="404"} 1.0',
        'tandem_http_requests_total{method="POST",route="/u/{token}",status="200"} 1.0',
        'tandem_http_requests_total{method="GET",route="elsewhere",status="404"} 2.0',
        'tandem_http_request_seconds_count{route="/c/{token}"} 3.0',
        'tandem_web_signals_total{kind="clicked"} 2.0',
        'tandem_web_signals_total{kind="unsubscribed"} 1.0',
        "tandem_signals_waiting 3",
    ):
        assert line in told
    assert 'method="other"' in told
    assert "BREW" not in told
    assert "nowhere" not in told


@on_sqlite
def test_metrics_are_for_this_machine_or_for_who_has_the_token(
    serve: Serve, world: World, clock: Clock, settings: Settings
) -> None:
    web = serve(world.engine, clock)
    assert web.get("/metrics").status_code == 200
    for header in ("x-forwarded-for", "forwarded", "via", "x-real-ip"):
        assert web.get("/metrics", headers={header: "203.0.113.9"}).status_code == 404
    locked = serve(world.engine, clock, None, with_web(settings, metrics_token=SecretStr("opén sesame")))
    for told in ({}, {"authorization": "Bearer sesame"}, {"authorization": "Bearer opén sesame x".encode()}):
        assert locked.get("/metrics", headers=told).status_code == 404
    assert locked.get("/metrics", headers={"authorization": "Bearer opén sesame".encode()}).status_code == 200


@on_sqlite
def test_one_network_cannot_take_all_and_an_opt_out_counts_a_tenth(
    serve: Serve, world: World, clock: Clock, settings: Settings, touch: int
) -> None:
    web = serve(world.engine, clock, None, with_web(settings, requests_per_second=0.001, burst=3))
    assert [web.get("/robots.txt").status_code for _ in range(3)] == [200, 200, 200]
    refused = web.get(click_path(touch))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert "try again" in refused.text
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    elsewhere = {"x-forwarded-for": "203.0.113.9"}
    assert web.get("/robots.txt", headers=elsewhere).status_code == 200, "another network"
    assert [web.get("/robots.txt", headers=elsewhere).status_code for _ in range(2)] == [200, 200]
    other = {"x-forwarded-for": "198.51.100.1"}
    assert {web.post("/u/x", headers=other).status_code for _ in range(29)} == {404}
    assert web.post(opt_out_path(touch), headers=other).status_code == 200
    assert person(world.engine, world, "alice").opted_out_at == clock.now


def test_a_bucket_fills_again_at_its_rate_and_never_beyond_its_size() -> None:
    now = [0.0]
    buckets = Buckets(rate=2, size=4, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert buckets.take("b")
    now[0] = 0.5
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    now[0] = 1000
    assert [buckets.take("a") for _ in range(5)] == [True] * 4 + [False]


def test_however_many_networks_come_by_memory_is_bounded() -> None:
    buckets = Buckets(rate=1, size=1, clock=lambda: 0.0)
    for number in range(REMEMBERED + 100):
        buckets.take(str(number))
    assert not buckets.take(str(REMEMBERED + 99)), "the latest are remembered"
    assert buckets.take("0"), "the first was forgotten"
    assert len(buckets._held) == REMEMBERED


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"), ("", None), (None, None), ("testclient", None),
    ],
)  # fmt: skip
def test_a_source_is_a_network_and_not_a_person(address: str | None, network: str | None) -> None:
    assert network_of(address) == network


@on_sqlite
def test_browsers_that_came_by_https_never_try_without(
    serve: Serve, world: World, clock: Clock, settings: Settings
) -> None:
    secure = settings.model_copy(update={"base_url": "https://go.lumenflow.example"})
    assert (
        serve(world.engine, clock, None, secure).get("/c/x").headers["strict-transport-security"] == "max-age=31536000"
    )
    assert "strict-transport-security" not in serve(world.engine, clock).get("/c/x").headers


def test_an_address_where_nobody_can_listen_is_refused_in_one_line() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=rf"^127\.0\.0\.1:{port}: cannot listen there: .*--port"):
            listen("127.0.0.1", port)


@on_sqlite
def test_whoever_only_asks_whether_we_are_there_need_not_take_the_answer(web: Browser) -> None:
    answer = web.ask("HEAD", "/healthz")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("proxies", ["127.0.0.1", "127.0.0.1, ::1,10.0.0.0/8", "*", ""])
def test_a_proxy_is_an_address_or_a_network(proxies: str) -> None:
    assert Web(proxies=proxies).proxies == proxies


@pytest.mark.parametrize("proxies", ["10.0.0.5/8", "proxy.example", "127.0.0.1 ::1", "127.0.0.1,*"])
def test_a_proxy_that_nobody_would_believe_is_refused_at_the_start(proxies: str) -> None:
    with pytest.raises(ValueError, match="proxies"):
        Web(proxies=proxies)
