"""Letters and notices take the road a rep has chosen; by e-mail where that road does not take them, and for others."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from accounts.ledger.briefs.letters import write_letter_row
from accounts.ledger.engine import writing
from accounts.letters import LetterKind, Words
from accounts.models import Rep
from accounts.playbook import Play
from accounts.vocabulary import BriefState
from flows.briefs.letters import Lettered, deliver_letters
from flows.briefs.telling import tell_reps
from flows.channels.email.memory import Memory
from flows.providers import Reps, Slack, Teams
from flows.settings import Settings
from tests.cast import NOW, World
from tests.channels.servers import at_work
from tests.delivery.servers import TOKEN, SlackApi, TeamsWorkflow, buttons_of
from tests.signals.post import play as small
from tests.signals.post import signal, tell
from tests.web.visitor import on_sqlite

RAVI = "ravi@lumenflow.example"
HOT = Words("Acme <Works> is hot: please call by 17:00", ("50 % of the time is over.",), 1, command="tandem sla")


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with at_work(SlackApi()) as api:
        yield api
        assert api.refused == []


@pytest.fixture
def teams() -> Iterator[TeamsWorkflow]:
    with at_work(TeamsWorkflow()) as api:
        yield api
        assert api.refused == []


@pytest.fixture
def ways(settings: Settings, slack: SlackApi, teams: TeamsWorkflow, world: World) -> Settings:
    """Ravi is in Slack; everybody has a workflow in Teams."""
    reps = Reps(
        channels=["slack"],
        slack=Slack(token=SecretStr(TOKEN), base_url=f"{slack.url}/api", timeout_seconds=10),
        teams=Teams(url=SecretStr(teams.address), timeout_seconds=10),
    )
    change(world, slack_id="U0RAVI")
    return settings.model_copy(update={"reps": reps})


def change(world: World, **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.email == RAVI).values(**values))


def write(world: World, subject: str = "sla:1:50", rep: str | None = "ravi", address: str = RAVI) -> None:
    with writing(world.engine) as connection:
        rep_id = world.reps[rep] if rep else None
        write_letter_row(connection, subject, LetterKind.SLA_WARNING, rep_id, address, HOT.payload(), NOW)


def deliver(world: World, ways: Settings, play: Play, mails: Memory) -> list[Lettered]:
    return deliver_letters(world.engine, ways, play, NOW, channel=mails)


def test_a_letter_comes_by_slack_with_its_link_and_not_by_mail_as_well(
    world: World, ways: Settings, play: Play, slack: SlackApi
) -> None:
    write(world)
    mails = Memory()
    assert [one.state for one in deliver(world, ways, play, mails)] == [BriefState.DELIVERED]
    ((_, said),) = slack.messages.items()
    text = said["blocks"][0]["text"]["text"]
    assert text == "*Acme &lt;Works&gt; is hot: please call by 17:00*\n50 % of the time is over."
    (button,) = buttons_of(said["blocks"])
    assert button["url"].startswith(f"{ways.base_url}/r/")
    assert mails.sent == []
    assert deliver(world, ways, play, mails) == []


@on_sqlite
def test_who_chose_teams_gets_it_there(world: World, ways: Settings, play: Play, teams: TeamsWorkflow) -> None:
    change(world, brief_channel="teams")
    write(world)
    mails = Memory()
    deliver(world, ways, play, mails)
    (card,) = teams.cards
    assert "is hot: please call" in repr(card)
    assert mails.sent == []


@on_sqlite
@pytest.mark.parametrize("trouble", ["revoked", "no such channel", "limited for long", "away"])
def test_where_the_road_is_shut_it_comes_by_mail_at_once(
    world: World, ways: Settings, play: Play, slack: SlackApi, trouble: str
) -> None:
    slack.mood = lambda _: SlackApi.errors[trouble]
    write(world)
    mails = Memory()
    assert [one.state for one in deliver(world, ways, play, mails)] == [BriefState.DELIVERED]
    assert [mail.recipient for mail in mails.sent] == [RAVI]


@on_sqlite
def test_who_is_no_rep_or_wants_mail_gets_mail(
    world: World, ways: Settings, play: Play, slack: SlackApi, teams: TeamsWorkflow
) -> None:
    change(world, brief_channel="email")
    write(world)
    write(world, "plan:8:held", rep=None, address="marketing@lumenflow.example")
    mails = Memory()
    deliver(world, ways, play, mails)
    assert [mail.recipient for mail in mails.sent] == [RAVI, "marketing@lumenflow.example"]
    assert (slack.messages, teams.cards) == ({}, [])


@on_sqlite
def test_a_reply_is_told_by_slack_at_once_in_the_buyers_words(world: World, ways: Settings, slack: SlackApi) -> None:
    tell(world.engine, signal("replied", "bob@acme.example", NOW, data={"words": "Call <me> on Friday"}))
    (told,) = tell_reps(world.engine, ways, small(), NOW, channel=Memory())
    assert told.state == BriefState.DELIVERED
    ((_, said),) = slack.messages.items()
    text = said["blocks"][0]["text"]["text"]
    assert "*Bob Example replied (Acme Works)*" in text
    assert "“Call &lt;me&gt; on Friday”" in text
    assert [button["text"]["text"] for button in buttons_of(said["blocks"])] == [
        "End that earlier", "Another answer", "Everything about Acme Works",
    ]  # fmt: skip
