"""A brief takes one road to its rep, whatever the first ones say: nothing lost, nothing twice."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from accounts.answers import AnswerKind, Via
from accounts.ledger.briefs.written import STUCK_AFTER
from accounts.ledger.engine import reading, writing
from accounts.models import Brief, BriefDelivery, Rep, RepAnswer
from accounts.playbook import Play
from accounts.vocabulary import BriefState as S
from flows.briefs.briefing import write_briefs
from flows.briefs.delivering import Told, deliver_briefs
from flows.channels.email.memory import Memory
from flows.providers import Reps, Slack, Teams
from flows.sales import answers as answering
from flows.sales.answers import hold
from flows.settings import Settings
from tests.briefs.conftest import Add
from tests.cast import NOW, World
from tests.channels.servers import Asked, Said, Trouble, at_work
from tests.delivery.servers import SIG, SIGNING_SECRET, TOKEN, SlackApi, TeamsWorkflow
from tests.web.visitor import on_sqlite

QUARTER = timedelta(minutes=15)
RAVI = "ravi@lumenflow.example"
Pass = Callable[..., list[Told]]


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
def ways(settings: Settings, slack: SlackApi, teams: TeamsWorkflow) -> Settings:
    """Slack first, then Teams, then e-mail."""
    reps = Reps(
        channels=["slack", "teams"],
        slack=Slack(
            token=SecretStr(TOKEN), signing_secret=SecretStr(SIGNING_SECRET), base_url=f"{slack.url}/api",
            timeout_seconds=10,
        ),
        teams=Teams(urls={RAVI: SecretStr(teams.address)}, timeout_seconds=10),
    )  # fmt: skip
    return settings.model_copy(update={"reps": reps})


@pytest.fixture
def mails() -> Memory:
    return Memory()


@pytest.fixture
def deliver(world: World, ways: Settings, play: Play, signal: Add, mails: Memory) -> Pass:
    """Alice replied, and Ravi's brief is written; each call is a pass of delivery."""
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.email == RAVI).values(slack_id="U0RAVI"))
    signal("alice", "acme", "replied", 0.2)
    write_briefs(world.engine, play, NOW)

    def at(now: datetime = NOW, settings: Settings = ways) -> list[Told]:
        return deliver_briefs(world.engine, settings, play, now, channel=mails)

    return at


def roads(world: World) -> dict[str, tuple[str, int]]:
    with reading(world.engine) as connection:
        rows = connection.execute(select(BriefDelivery.channel, BriefDelivery.state, BriefDelivery.attempts))
        return {channel: (state, attempts) for channel, state, attempts in rows}


def brief(world: World) -> Any:
    with reading(world.engine) as connection:
        return connection.execute(select(Brief.__table__)).one()


def always(answer: Said | Trouble) -> Callable[[Asked], Said | Trouble]:
    return lambda asked: answer


class TestOneRoad:
    def test_slack_first_and_nowhere_else(
        self, deliver: Pass, world: World, slack: SlackApi, teams: TeamsWorkflow, mails: Memory
    ) -> None:
        assert [one.state for one in deliver()] == [S.DELIVERED]
        ((at, message),) = slack.messages.items()
        assert (at[0], message["channel"]) == ("D0RAVI", "U0RAVI")
        assert "Acme Works" in message["text"]
        assert deliver(NOW + QUARTER) == []
        assert (len(slack.messages), teams.cards, mails.sent) == (1, [], [])
        row = brief(world)
        assert (row.state, row.channel, row.delivered_at) == (S.DELIVERED, "slack", NOW)
        assert roads(world) == {"slack": (S.DELIVERED, 1)}

    @on_sqlite
    def test_a_reps_own_wish_comes_first(
        self, deliver: Pass, world: World, teams: TeamsWorkflow, slack: SlackApi
    ) -> None:
        wish(world, "teams")
        deliver()
        assert (len(teams.cards), slack.messages) == (1, {})

    @on_sqlite
    def test_a_wish_that_cannot_be_met_gives_way(
        self, deliver: Pass, world: World, settings: Settings, mails: Memory
    ) -> None:
        wish(world, "slack")
        deliver(settings=settings)
        assert len(mails.sent) == 1

    @on_sqlite
    def test_a_task_is_a_file_of_its_own(self, deliver: Pass, world: World, ways: Settings) -> None:
        wish(world, "crm_task")
        deliver()
        (path,) = (ways.home / "tasks").iterdir()
        task = json.loads(path.read_text(encoding="utf-8"))
        assert (task["key"], task["owner"], task["due_on"]) == (path.stem, RAVI, "2026-11-24")
        assert "Alice Example replied" in task["text"]
        assert "/r/" in task["text"]


class TestRaces:
    def test_two_passes_at_once_deliver_it_once(self, deliver: Pass, world: World, slack: SlackApi) -> None:
        with ThreadPoolExecutor(2) as threads:
            told = [one for passed in threads.map(deliver, [NOW, NOW]) for one in passed]
        assert len(slack.messages) == 1
        assert [one.state for one in told].count(S.DELIVERED) == 1
        assert roads(world) == {"slack": (S.DELIVERED, 1)}


class TestNoes:
    @on_sqlite
    @pytest.mark.parametrize("error", ["no such channel", "too long", "revoked", "limited for long"])
    def test_a_no_for_good_takes_the_next_road_at_once(
        self, error: str, deliver: Pass, world: World, slack: SlackApi, teams: TeamsWorkflow
    ) -> None:
        """A token that is revoked says no to everybody: that road is tried three times like any that is closed."""
        slack.mood = always(SlackApi.errors[error])
        for quarter in range(3):
            deliver(NOW + quarter * QUARTER)
        assert len(teams.cards) == 1
        assert roads(world) == {"slack": (S.FAILED, 3 if error == "revoked" else 1), "teams": (S.DELIVERED, 1)}
        assert brief(world).channel == "teams"

    def test_three_noes_for_now_and_then_the_next_road(
        self, deliver: Pass, world: World, slack: SlackApi, teams: TeamsWorkflow, mails: Memory
    ) -> None:
        slack.mood = always(SlackApi.errors["away"])
        teams.mood = always(TeamsWorkflow.errors["gone"])
        told = [deliver(NOW + quarter * QUARTER) for quarter in range(3)]
        assert [one.state for (one,) in told] == [S.PLANNED, S.PLANNED, S.DELIVERED]
        assert roads(world) == {"slack": (S.FAILED, 3), "teams": (S.FAILED, 1), "email": (S.DELIVERED, 1)}
        assert [mail.recipient for mail in mails.sent] == [RAVI]

    @on_sqlite
    def test_who_asks_for_time_is_given_it(self, deliver: Pass, world: World, slack: SlackApi) -> None:
        slack.mood = always(SlackApi.errors["limited"])
        deliver()
        asked = len(slack.asked)
        deliver(NOW + timedelta(seconds=29))
        assert len(slack.asked) == asked, "30 seconds were asked for"
        slack.mood = lambda asked: None
        deliver(NOW + timedelta(seconds=30))
        assert roads(world) == {"slack": (S.DELIVERED, 2)}

    @on_sqlite
    def test_a_closed_road_is_asked_once_a_pass(
        self, deliver: Pass, world: World, slack: SlackApi, signal: Add, play: Play
    ) -> None:
        with writing(world.engine) as connection:
            connection.execute(update(Rep).where(Rep.email != RAVI).values(slack_id="U0SOFIA"))
        signal("judy", "initech-south", "visited", 0.1)
        write_briefs(world.engine, play, NOW + timedelta(seconds=1))
        slack.mood = always(SlackApi.errors["revoked"])
        told = deliver(NOW + timedelta(seconds=1))
        assert [one.state for one in told] == [S.PLANNED, S.PLANNED]
        assert len(slack.asked) == 1
        slack.mood = lambda asked: None
        assert [one.state for one in deliver(NOW + QUARTER)] == [S.DELIVERED, S.DELIVERED]


class TestDoubt:
    @on_sqlite
    @pytest.mark.parametrize("doubt", [Trouble.LOST, SlackApi.errors["internal"], Said(502)], ids=str)
    def test_a_lost_answer_is_not_repeated_anywhere(
        self, doubt: Said | Trouble, deliver: Pass, world: World, slack: SlackApi, teams: TeamsWorkflow, mails: Memory
    ) -> None:
        slack.mood = always(doubt)
        assert [one.state for one in deliver()] == [S.UNKNOWN]
        slack.mood = lambda asked: None
        assert deliver(NOW + QUARTER) == []
        assert (teams.cards, mails.sent, brief(world).state) == ([], [], S.UNKNOWN)

    def test_a_kill_between_claim_and_answer_is_not_repeated_anywhere(
        self, deliver: Pass, world: World, slack: SlackApi, teams: TeamsWorkflow, mails: Memory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """It dies when Slack has the message and before anybody could write that down."""

        def dies(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("accounts.ledger.briefs.delivery.settle", dies)
            with pytest.raises(KeyboardInterrupt):
                deliver()
        assert len(slack.messages) == 1
        assert roads(world) == {"slack": (S.SENDING, 1)}
        for later in (QUARTER / 2, STUCK_AFTER + QUARTER):
            assert deliver(NOW + later) == []
        assert (len(slack.messages), teams.cards, mails.sent) == (1, [], [])
        assert roads(world) == {"slack": (S.UNKNOWN, 1)}


class TestAnswers:
    def test_a_message_says_once_what_was_answered_by_whom_and_where(
        self, deliver: Pass, world: World, play: Play, slack: SlackApi
    ) -> None:
        """By its own links, by links that stand in no brief, and by command."""
        deliver()
        until = NOW + timedelta(days=9)
        answer(world, play, "not_yet", 5, brief_id=brief(world).id)
        hold(world.engine, "acme", by="Mia of operations", now=NOW + timedelta(minutes=5), until=until)
        answer(world, play, "objection", 5, words="Too dear.")
        deliver(NOW + timedelta(minutes=4))
        assert "✓" not in shown(slack)
        for minutes in (6, 7):
            deliver(NOW + timedelta(minutes=minutes))
        said = sentences(world)
        assert len(set(said)) == 3
        for sentence, where in zip(said, ("on the web", "by command", "on the web"), strict=True):
            who = "Mia of operations" if where == "by command" else "Ravi Menon"
            assert f"✓ {sentence} ({who}, {where})" in shown(slack)
        assert changes(slack) == 1
        assert len(slack.messages) == 1

    def test_an_answer_shows_in_every_message_that_tells_of_its_account(
        self, deliver: Pass, world: World, play: Play, slack: SlackApi, signal: Add
    ) -> None:
        deliver()
        later = NOW + timedelta(days=1)
        signal("alice", "acme", "replied", -0.5)
        write_briefs(world.engine, play, later)
        deliver(later)
        with reading(world.engine) as connection:
            _, second = connection.scalars(select(Brief.id).order_by(Brief.as_of))
        answer(world, play, "not_yet", 24 * 60 + 5, brief_id=second)
        deliver(later + QUARTER)
        (said,) = sentences(world)
        assert [said in json.dumps(one, ensure_ascii=False) for one in slack.messages.values()] == [True, True]

    def test_answers_of_other_accounts_and_of_before_the_brief_change_nothing(
        self, deliver: Pass, world: World, play: Play, slack: SlackApi
    ) -> None:
        answer(world, play, "not_yet", -5)
        deliver()
        answer(world, play, "not_yet", 5, account="globex")
        deliver(NOW + QUARTER)
        assert len(sentences(world)) == 2
        assert changes(slack) == 0

    @on_sqlite
    def test_what_was_answered_while_the_brief_waited_is_shown_once_it_is_there(
        self, deliver: Pass, world: World, play: Play, slack: SlackApi
    ) -> None:
        slack.mood = always(SlackApi.errors["limited"])
        deliver()
        slack.mood = lambda asked: None
        answer(world, play, "not_yet", 5)
        for quarter in (1, 2):
            deliver(NOW + quarter * QUARTER)
        assert f"✓ {sentences(world)[0]}" in shown(slack)

    @on_sqlite
    def test_what_cannot_be_shown_now_is_shown_later(
        self, deliver: Pass, world: World, play: Play, slack: SlackApi
    ) -> None:
        deliver()
        answer(world, play, "not_yet", 1)
        slack.mood = always(SlackApi.errors["limited"])
        deliver(NOW + QUARTER)
        slack.mood = lambda asked: None
        deliver(NOW + 2 * QUARTER)
        assert f"✓ {sentences(world)[0]}" in shown(slack)

    def test_a_task_whose_accounts_are_all_answered_is_done_wherever_they_were(
        self, deliver: Pass, world: World, ways: Settings
    ) -> None:
        wish(world, "crm_task")
        deliver()
        hold(world.engine, "acme", by="ravi", now=NOW + timedelta(minutes=1), until=NOW + timedelta(days=9))
        deliver(NOW + QUARTER)
        (path,) = (ways.home / "tasks").iterdir()
        task = json.loads(path.read_text(encoding="utf-8"))
        (said,) = sentences(world)
        assert (task["is_done"], task["text"].startswith(f"✓ Acme Works: {said}")) == (True, True)


@on_sqlite
@pytest.mark.parametrize("error", ["wrong signature", "unreachable"])
def test_no_secret_shows_in_errors_logs_or_the_ledger(
    error: str, deliver: Pass, world: World, ways: Settings, slack: SlackApi, teams: TeamsWorkflow,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    wish(world, "teams")
    if error == "unreachable":
        gone = SecretStr(teams.address.replace(teams.url, "http://127.0.0.1:1"))
        reps = ways.reps.model_copy(update={"teams": Teams(url=gone, timeout_seconds=10)})
        ways = ways.model_copy(update={"reps": reps})
    else:
        teams.mood = always(TeamsWorkflow.errors[error])
    slack.mood = always(SlackApi.errors["revoked"])
    told = deliver(settings=ways)
    with reading(world.engine) as connection:
        kept = [*connection.execute(select(BriefDelivery.__table__)), *connection.execute(select(Brief.error))]
    for where in (repr(told), repr(kept), repr(ways), caplog.text):
        for secret in (SIG, TOKEN, SIGNING_SECRET, "/workflows/"):
            assert secret not in where


def wish(world: World, channel: str) -> None:
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.email == RAVI).values(brief_channel=channel))


def answer(
    world: World, play: Play, kind: str, minutes: int, *, account: str = "acme", brief_id: int | None = None,
    **more: Any,
) -> None:  # fmt: skip
    """Ravi answers on a page, so many minutes after NOW; by a link of that brief, or of none."""
    said = answering.Said(AnswerKind(kind), world.accounts[account], **more)
    at = NOW + timedelta(minutes=minutes)
    answering.answer(
        world.engine, play, said, by=RAVI, rep_id=world.reps["ravi"], via=Via.WEB, now=at, brief_id=brief_id
    )  # fmt: skip


def sentences(world: World) -> list[str]:
    """What was told of each answer, in their order."""
    with reading(world.engine) as connection:
        return [detail["sentence"] for detail in connection.scalars(select(RepAnswer.detail).order_by(RepAnswer.id))]


def changes(slack: SlackApi) -> int:
    return [asked.path for asked in slack.asked].count("/api/chat.update")


def shown(slack: SlackApi) -> str:
    (message,) = slack.messages.values()
    return json.dumps(message, ensure_ascii=False)
