"""The doctor looks at the ways to reps; nobody is asked unless somebody wants to know."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from flows.doctor import Finding, Patient
from flows.doctor.chat import chat
from flows.providers import Reps, Slack, Teams
from flows.settings import Settings
from tests.cast import NOW
from tests.channels.servers import at_work
from tests.delivery.servers import TOKEN, SlackApi

PUBLIC = "https://tandem.lumenflow.example"
GOOD_TOKEN, GOOD_SECRET = SecretStr("xoxb-123456789012-abcdef"), SecretStr("0123456789abcdef" * 2)
WORKFLOW = SecretStr("https://prod-1.logic.azure.example/workflows/0f3c?sig=hush-hush")


def look(reps: Reps, *, asks: bool = False, base_url: str = PUBLIC) -> Finding | None:
    return chat(Patient(Settings(reps=reps, base_url=base_url), NOW, asks=asks))


def test_who_writes_mail_only_hears_nothing() -> None:
    assert look(Reps()) is None


@pytest.mark.parametrize(
    ("reps", "state", "says"),
    [
        ({"channels": ["slack"]}, "fail", "there is no token"),
        ({"channels": ["teams"]}, "fail", "no workflow is known"),
        ({"slack": Slack(token=SecretStr("xoxp-hush-hush"))}, "fail", "not the token of a bot"),
        ({"slack": Slack(token=GOOD_TOKEN, signing_secret=SecretStr("hush-hush"))}, "warn", "does not look like one"),
        ({"teams": Teams(url=SecretStr("http://hooks.example/hush-hush"))}, "fail", "cannot be used"),
        ({"teams": Teams(urls={"ravi@lumenflow.example": SecretStr("hush-hush")})}, "fail", "cannot be used"),
        ({"channels": ["slack"], "slack": Slack(token=GOOD_TOKEN)}, "ok", "told by slack, email"),
        ({"channels": ["teams", "email"], "teams": Teams(url=WORKFLOW)}, "ok", "told by teams, email"),
    ],
)
def test_what_is_set_is_looked_at_and_no_secret_shown(reps: dict[str, Any], state: str, says: str) -> None:
    found = look(Reps(**reps))
    assert found is not None
    assert found.state == state
    assert says in found.says
    assert (found.cure is None) is (state == "ok")
    assert "hush-hush" not in repr(found)


def test_clicks_cannot_come_to_this_machine() -> None:
    slack = Slack(token=GOOD_TOKEN, signing_secret=GOOD_SECRET)
    assert look(Reps(slack=slack)) == Finding("chat", "ok", "reps are told by email")
    found = look(Reps(slack=slack), base_url="http://127.0.0.1:8088")
    assert found is not None
    assert found.state == "warn"


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with at_work(SlackApi()) as api:
        yield api


@pytest.mark.parametrize(
    ("token", "state", "says"),
    [(TOKEN, "ok", "slack: tandem of Lumenflow answers"), ("xoxb-of-somebody-else", "fail", "slack said invalid_auth")],
)
def test_slack_is_asked_on_request(token: str, state: str, says: str, slack: SlackApi) -> None:
    reps = Reps(channels=["slack"], slack=Slack(token=SecretStr(token), base_url=f"{slack.url}/api"))
    look(reps)
    assert slack.asked == []
    found = look(reps, asks=True)
    assert found is not None
    assert (found.state, found.says) == (state, says)
