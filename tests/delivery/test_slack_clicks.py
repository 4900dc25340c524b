"""A rep answers without leaving Slack: two clicks, the same checks as on a page, and words for that person alone."""

import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy import insert, select, update

from accounts.ledger.audit import read_audit
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Brief, BriefDelivery, Feedback, Handover, Rep, RepAnswer, Veto
from accounts.playbook import Play
from flows.briefs.briefing import write_briefs
from flows.briefs.delivering import deliver_briefs
from flows.channels.email.memory import Memory
from flows.providers import Reps, Slack
from flows.settings import Settings
from flows.web.routes.slack import OVER
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.channels.servers import at_work
from tests.delivery.servers import SIGNING_SECRET, TOKEN, SlackApi, buttons_of
from tests.web.conftest import board as board
from tests.web.conftest import clock as clock
from tests.web.conftest import serve as serve
from tests.web.visitor import Browser, Clock, Serve, on_sqlite

pytestmark = on_sqlite
U_RAVI, U_SOFIA = "U0RAVI", "U0SOFIA"
Press = Callable[..., requests.Response]


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with at_work(SlackApi()) as api:
        yield api
        assert api.refused == []


@pytest.fixture
def settings(settings: Settings, slack: SlackApi) -> Settings:
    way = Slack(
        token=SecretStr(TOKEN), signing_secret=SecretStr(SIGNING_SECRET), base_url=f"{slack.url}/api",
        hooks_url=slack.url, timeout_seconds=10,
    )  # fmt: skip
    return settings.model_copy(update={"reps": Reps(channels=["slack"], slack=way)})


@pytest.fixture
def web(serve: Serve, world: World, settings: Settings, play: Play, clock: Clock) -> Browser:
    return serve(world.engine, clock, play, settings)


@pytest.fixture
def buttons(world: World, settings: Settings, play: Play, slack: SlackApi, signal: Add, decide: Add) -> dict[str, str]:
    """Words on a button -> its value, in Ravi's brief in Slack: Alice clicked, and a mail is planned."""
    with writing(world.engine) as connection:
        for name, id in (("ravi", U_RAVI), ("sofia", U_SOFIA)):
            connection.execute(update(Rep).where(Rep.id == world.reps[name]).values(slack_id=id))
    signal("alice", "acme", "clicked", 0.2)
    decide("bob", "acme", "touch", NOW + timedelta(days=1), "evaluation/pilot", not_after=NOW + timedelta(days=5))
    write_briefs(world.engine, play, NOW)
    deliver_briefs(world.engine, settings, play, NOW, channel=Memory())
    (message,) = slack.messages.values()
    return {one["text"]["text"]: one["value"] for one in reversed(buttons_of(message["blocks"])) if "value" in one}


@pytest.fixture
def press(web: Browser, slack: SlackApi, clock: Clock) -> Press:
    """What Slack posts when somebody has confirmed."""
    clock.now = NOW + timedelta(minutes=10)

    def post(value: str | None, user: str = U_RAVI, **more: Any) -> requests.Response:
        action = {"type": "button", "action_id": "a"} | ({"value": value} if value else {})
        payload = {
            "type": "block_actions", "user": {"id": user}, "actions": [action],
            "response_url": f"{slack.url}/actions/T1/{user}/x",
        }  # fmt: skip
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return web.post("/hooks/slack/actions", data=body, headers=signed(body, clock.now, **more))

    return post


def signed(body: bytes, at: datetime, secret: str = SIGNING_SECRET) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    proof = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
    return {
        "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={proof}",
        "content-type": "application/x-www-form-urlencoded",
    }  # fmt: skip


def heard(slack: SlackApi, count: int = 1) -> list[str]:
    """What was whispered; it follows the answer to Slack."""
    until = time.monotonic() + 10
    while len(slack.whispers) < count and time.monotonic() < until:
        time.sleep(0.01)
    return [one["text"] for one in slack.whispers]


def rows(world: World, table: Any) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(select(table.__table__)))


def test_a_word_from_slack_acts_and_the_message_shows_it(
    press: Press, buttons: dict[str, str], world: World, slack: SlackApi, settings: Settings, play: Play
) -> None:
    assert press(buttons["Not yet"]).status_code == 200
    (words,) = heard(slack)
    (said,) = rows(world, RepAnswer)
    assert (said.kind, said.via, said.rep_id) == ("not_yet", "slack", world.reps["ravi"])
    assert words.startswith(said.detail["sentence"])
    assert [row.verdict for row in rows(world, Feedback)] == ["not_yet"]
    assert rows(world, Brief)[0].opened_at == NOW + timedelta(minutes=10)
    assert (slack.whispers[0]["response_type"], slack.whispers[0]["replace_original"]) == ("ephemeral", False)
    deliver_briefs(world.engine, settings, play, NOW + timedelta(minutes=15), channel=Memory())
    (message,) = slack.messages.values()
    assert f"✓ {said.detail['sentence']}" in json.dumps(message, ensure_ascii=False)


def test_a_veto_is_of_the_mail_the_brief_spoke_of(press: Press, buttons: dict[str, str], world: World) -> None:
    planned = rows(world, Brief)[0].payload["accounts"][0]["planned"][0]
    press(buttons["Stop before then"])
    (veto,) = rows(world, Veto)
    assert (veto.stakeholder_id, veto.content) == (planned["person"], planned["content"])


def test_the_same_click_twice_changes_nothing(
    press: Press, buttons: dict[str, str], world: World, slack: SlackApi
) -> None:
    for _ in range(2):
        press(buttons["Not yet"])
    assert len(heard(slack, 2)) == 2
    assert len(rows(world, Feedback)) == 1


def test_somebody_else_can_do_nothing_with_it(
    press: Press, buttons: dict[str, str], world: World, slack: SlackApi
) -> None:
    assert press(buttons["Not yet"], user=U_SOFIA).status_code == 200
    assert (heard(slack), rows(world, RepAnswer)) == ([OVER], [])
    with reading(world.engine) as connection:
        assert "rep-link-refused" in [entry.action for entry in read_audit(connection)]


def test_a_token_of_nobody_does_nothing(press: Press, buttons: dict[str, str], slack: SlackApi, world: World) -> None:
    for token in ("nonsense", "a" * 400, "\u2028"):
        assert press(token).status_code == 200
    assert heard(slack, 3) == [OVER] * 3
    assert rows(world, RepAnswer) == []


def test_links_that_were_taken_back_work_in_slack_no_more(
    press: Press, buttons: dict[str, str], world: World, slack: SlackApi
) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).values(links_from=NOW + timedelta(minutes=1)))
    press(buttons["Not yet"])
    assert (heard(slack), rows(world, RepAnswer)) == ([OVER], [])


def test_an_account_that_has_another_owner_by_now(
    press: Press, buttons: dict[str, str], world: World, slack: SlackApi
) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Account).values(owner_id=world.reps["sofia"]))
    press(buttons["Not yet"])
    assert (heard(slack), rows(world, RepAnswer)) == ([OVER], [])
    with writing(world.engine) as connection:
        noted = {"account_id": world.accounts["acme"], "from_rep_id": world.reps["ravi"], "at": NOW}
        connection.execute(insert(Handover).values(to_rep_id=world.reps["sofia"], **noted))
    press(buttons["Not yet"], U_SOFIA)
    press(buttons["Not yet"])
    told = "Acme Works is no longer yours: Sofía Ortega has it now. Nothing has changed."
    assert (heard(slack, 3), rows(world, RepAnswer)) == ([OVER, OVER, told], [])
    with reading(world.engine) as connection:
        refused = [row for row in read_audit(connection) if row.action == "rep-link-refused"]
    assert [row.after["why"] for row in refused] == ["the account is no longer theirs"] * 3


def test_a_post_that_is_not_slacks_is_refused(
    press: Press, buttons: dict[str, str], world: World, web: Browser, clock: Clock
) -> None:
    body = b"payload=%7B%7D"
    assert press(buttons["Not yet"], secret="another secret").status_code == 403
    old = signed(body, clock.now - timedelta(minutes=6))
    early = signed(body, clock.now + timedelta(minutes=6))
    other = signed(b"payload=something+else", clock.now)
    odd = {**signed(body, clock.now), "x-slack-request-timestamp": "١٢"}
    for headers in (old, early, other, {}, {**other, "x-slack-signature": "v0="}):
        assert web.post("/hooks/slack/actions", data=body, headers=headers).status_code == 403
    odd = {name: value.encode() for name, value in odd.items()}
    assert web.post("/hooks/slack/actions", data=body, headers=odd).status_code == 403
    assert rows(world, RepAnswer) == []


def test_what_is_no_click_is_taken_and_left(web: Browser, clock: Clock) -> None:
    for body in (b"", b"payload=", b"payload=[]", b"payload=%7B%22type%22%3A1%7D", b"\xff", b"a=1&" * 9):
        answer = web.post("/hooks/slack/actions", data=body, headers=signed(body, clock.now))
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_button_that_is_a_link_wants_nothing_but_a_yes(press: Press, slack: SlackApi, world: World) -> None:
    assert press(None).status_code == 200
    assert slack.whispers == []


def test_a_place_for_answers_that_is_not_slacks_gets_none(
    web: Browser, buttons: dict[str, str], slack: SlackApi, clock: Clock
) -> None:
    payload = {
        "type": "block_actions", "user": {"id": U_RAVI}, "actions": [{"value": buttons["Not yet"]}],
        "response_url": f"{slack.url}.evil.example/actions/T1",
    }  # fmt: skip
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert web.post("/hooks/slack/actions", data=body, headers=signed(body, clock.now)).status_code == 200
    assert slack.whispers == []


def test_without_the_signing_secret_there_is_no_such_address(
    serve: Serve, world: World, clock: Clock, play: Play, settings: Settings
) -> None:
    web = serve(world.engine, clock, play, settings.model_copy(update={"reps": Reps()}))
    body = b"payload=%7B%7D"
    assert web.post("/hooks/slack/actions", data=body, headers=signed(body, clock.now)).status_code == 404


def test_delivery_rows_name_the_message(buttons: dict[str, str], world: World) -> None:
    (road,) = rows(world, BriefDelivery)
    assert road.ref == "D0RAVI 1764000000.000000"
