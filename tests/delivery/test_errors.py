"""What each answer of Slack and of a Teams workflow means, over a real line; and what of it may be shown."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from accounts.briefs import write_brief
from accounts.errors import ChannelError, NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.reps.profiles import Reader
from flows.briefs.links import Links
from flows.briefs.mailing import Page
from flows.channels.reps import Message, RepChannel
from flows.channels.reps.slack import LATER, STOP, UNKNOWN, Slack
from flows.channels.reps.teams import Teams
from flows.providers import Slack as SlackSettings
from flows.providers import Teams as TeamsSettings
from tests.briefs.sample import tuesday
from tests.cast import NOW
from tests.channels.servers import Api, Said, Trouble, at_work
from tests.delivery.servers import SIG, TOKEN, SlackApi, TeamsWorkflow, no
from tests.plays import small_play

FOR_GOOD, LATER_ON, CLOSED, UNSURE = "for good", "later", "closed", "unknown"


@pytest.fixture(scope="module")
def message() -> Message:
    brief = write_brief(tuesday(), small_play(), NOW)
    assert brief is not None
    links = Links("https://tandem.lumenflow.example", "s" * 32, 1, 7, NOW.date())
    reader = Reader(1, "Ravi Menon", "ravi@lumenflow.example", "U0RAVI")
    return Message(7, brief, reader, links, Page("subject", "html", "text"), NOW)


@pytest.fixture(scope="module")
def slack_api() -> Iterator[SlackApi]:
    with at_work(SlackApi()) as api:
        yield api


@pytest.fixture(scope="module")
def workflow() -> Iterator[TeamsWorkflow]:
    with at_work(TeamsWorkflow()) as api:
        yield api


@pytest.fixture(scope="module")
def slack(slack_api: SlackApi) -> Iterator[Slack]:
    channel = Slack(SlackSettings(token=SecretStr(TOKEN), base_url=f"{slack_api.url}/api", timeout_seconds=10))
    yield channel
    channel.close()


@pytest.fixture(scope="module")
def teams(workflow: TeamsWorkflow) -> Iterator[Teams]:
    channel = Teams(TeamsSettings(url=SecretStr(workflow.address), timeout_seconds=10))
    yield channel
    channel.close()


def refusal(api: Api, channel: RepChannel, message: Message, mood: Said | Trouble) -> ChannelError:
    api.mood = lambda asked: mood
    with pytest.raises(ChannelError) as raised:
        channel.write(message)()
    api.mood = lambda asked: None
    return raised.value


def meaning(error: ChannelError) -> str:
    if isinstance(error, OutcomeUnknown):
        return UNSURE
    assert isinstance(error, NotSent)
    if isinstance(error, Unreachable):
        return CLOSED
    return FOR_GOOD if error.permanent else LATER_ON


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        *((no(word), CLOSED) for word in STOP),
        *((no(word), LATER_ON) for word in LATER),
        *((no(word), UNSURE) for word in UNKNOWN),
        *(
            (no(word), FOR_GOOD)
            for word in ("channel_not_found", "invalid_blocks", "is_archived", "a_word_of_tomorrow")
        ),
        (SlackApi.errors["limited"], LATER_ON),
        (SlackApi.errors["away"], LATER_ON),
        (Said(502), UNSURE),
        (Said(200, b"<html>Log in to the hotel's network</html>"), UNSURE),
        (Trouble.LOST, UNSURE),
        (Trouble.CUT, UNSURE),
    ],
    ids=str,
)
def test_slack(answer: Said | Trouble, means: str, slack: Slack, slack_api: SlackApi, message: Message) -> None:
    error = refusal(slack_api, slack, message, answer)
    assert meaning(error) == means
    assert TOKEN not in f"{error} {error!r} {error.__context__!r}"


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (TeamsWorkflow.errors["wrong signature"], FOR_GOOD),
        (TeamsWorkflow.errors["switched off"], FOR_GOOD),
        (TeamsWorkflow.errors["gone"], FOR_GOOD),
        (TeamsWorkflow.errors["too large"], FOR_GOOD),
        (TeamsWorkflow.errors["throttled"], LATER_ON),
        (TeamsWorkflow.errors["gateway"], UNSURE),
        (Said(503), LATER_ON),
        (Trouble.LOST, UNSURE),
    ],
    ids=str,
)
def test_teams(answer: Said | Trouble, means: str, teams: Teams, workflow: TeamsWorkflow, message: Message) -> None:
    error = refusal(workflow, teams, message, answer)
    assert meaning(error) == means
    assert SIG not in f"{error} {error!r} {error.__context__!r}"
    assert "/workflows" not in str(error)


@pytest.mark.parametrize(("answer", "seconds"), [(SlackApi.errors["limited"], 30), (no("ratelimited"), None)], ids=str)
def test_how_long_slack_asks_us_to_wait(
    answer: Said, seconds: int | None, slack: Slack, slack_api: SlackApi, message: Message
) -> None:
    error: Any = refusal(slack_api, slack, message, answer)
    assert error.retry_after == (timedelta(seconds=seconds) if seconds else None)


def test_a_pause_of_a_second_is_waited_for(slack: Slack, slack_api: SlackApi, message: Message) -> None:
    answers = [Said(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"})]
    slack_api.mood = lambda asked: answers.pop() if answers else None
    delivered = slack.write(message)()
    assert delivered.ref is not None
    assert delivered.ref.startswith("D0RAVI ")


def test_each_rep_has_a_workflow_of_their_own_or_the_teams(workflow: TeamsWorkflow) -> None:
    ravi, sofia = Reader(1, "Ravi", "ravi@lumenflow.example"), Reader(2, "Sofía", "sofia@lumenflow.example")
    url = SecretStr(workflow.address)
    own, shared = Teams(TeamsSettings(urls={"Ravi@lumenflow.example": url})), Teams(TeamsSettings(url=url))
    assert [own.reaches(rep) for rep in (ravi, sofia)] == [True, False]
    assert [shared.reaches(rep) for rep in (ravi, sofia)] == [True, True]
