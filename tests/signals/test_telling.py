"""A rep hears at once who replied, booked a meeting or complained; each of it once, in the buyer's own words."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.briefs.notices import FRESH, STUCK_AFTER, claim, untold
from accounts.ledger.engine import reading, writing
from accounts.models import Notice, Rep
from accounts.vocabulary import BriefState
from flows.briefs.telling import Told, tell_reps
from flows.channels.email.memory import Memory
from flows.settings import Settings
from tests.cast import NOW, World
from tests.signals.post import K, play, signal, tell

ALICE = "alice@acme.example"
MINUTE = timedelta(minutes=1)


def told(world: World, channel: Memory, now: datetime = NOW, **settings: Any) -> list[Told]:
    with channel:
        return tell_reps(world.engine, Settings(home=Path("/nowhere"), **settings), play(), now, channel=channel)


def reply(world: World, words: str = "Yes, on Thursday.", **more: Any) -> None:
    tell(world.engine, signal(K.REPLIED, ALICE, data={"words": words}, **more))


def text_of(channel: Memory) -> str:
    return channel.sent[-1].content.decode()


def test_the_owner_of_the_account_hears_the_words(world: World) -> None:
    reply(world)
    (one,) = told(world, channel := Memory())
    assert (one.rep, one.account, one.cause, one.state) == (
        "r…i@lumenflow.example", "acme", "reply", BriefState.DELIVERED,
    )  # fmt: skip
    (mail,) = channel.sent
    assert mail.recipient == "ravi@lumenflow.example"
    text = text_of(channel)
    assert "Subject: Alice Example replied (Acme Works)" in text
    for words in ("Yes, on Thursday.", "11:00 (Europe/Berlin)", ALICE, "End that earlier", "until"):
        assert words in text.replace("=\r\n", "")
    assert "Auto-Submitted: auto-generated" in text


def test_nothing_is_told_twice(world: World) -> None:
    reply(world)
    channels = [Memory() for _ in range(3)]
    assert [len(told(world, channel)) for channel in channels] == [1, 0, 0]


def test_each_reply_is_told(world: World) -> None:
    reply(world)
    told(world, Memory())
    reply(world, "One more thing.")
    told(world, channel := Memory())
    assert "One more thing." in text_of(channel)


def test_meetings_and_complaints_are_told_and_clicks_are_not(world: World) -> None:
    tell(
        world.engine, signal(K.MEETING_BOOKED, ALICE), signal(K.COMPLAINED, "gina@globex.example"),
        signal(K.CLICKED, "judy@initech.example"),
    )  # fmt: skip
    told(world, channel := Memory())
    subjects = sorted(
        line for mail in channel.sent for line in mail.content.decode().split("\r\n") if "Subject:" in line
    )
    assert subjects == [
        "Subject: Alice Example booked a meeting (Acme Works)", "Subject: Gina Example called our mail spam (Globex)",
    ]  # fmt: skip
    assert "until you say so" in text_of(channel).replace("=\r\n", "")


def test_while_the_owner_is_away_the_stand_in_hears(world: World) -> None:
    away = {"away_from": NOW - MINUTE, "away_until": NOW + MINUTE, "backup_id": world.reps["sofia"]}
    with writing(world.engine) as connection:
        connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(**away))
    reply(world)
    told(world, channel := Memory())
    assert channel.sent[0].recipient == "sofia@lumenflow.example"


def test_words_of_a_buyer_are_words_and_nothing_else(world: World) -> None:
    reply(world, "<script>alert(1)</script>")
    told(world, channel := Memory())
    html = text_of(channel).replace("=\r\n", "").partition("text/html")[2]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("failure", "state", "again"),
    [
        (NotSent("greylisted", permanent=False), BriefState.PLANNED, True),
        (NotSent("no such mailbox", permanent=True), BriefState.FAILED, False),
        (OutcomeUnknown("lost"), BriefState.UNKNOWN, False),
        (Unreachable("down"), BriefState.PLANNED, True),
    ],
)
def test_what_could_not_be_sent_is_tried_again_where_that_makes_sense(
    world: World, failure: Exception, state: BriefState, again: bool
) -> None:
    def refuse(_mail: object) -> None:
        raise failure

    reply(world)
    (one,) = told(world, Memory(refuse))
    assert one.state is state
    told(world, channel := Memory(), NOW + MINUTE)
    assert bool(channel.sent) is again


def test_a_process_that_died_is_made_up_for(world: World) -> None:
    reply(world)
    with writing(world.engine) as connection:
        (news,) = untold(connection, NOW)
        assert claim(connection, news, NOW)
        assert not claim(connection, news, NOW), "only one may tell it"
    assert told(world, Memory(), NOW + MINUTE) == []
    assert len(told(world, Memory(), NOW + STUCK_AFTER)) == 1


def test_what_is_old_is_left_to_the_brief(world: World) -> None:
    reply(world)
    assert told(world, Memory(), NOW + FRESH) == []


def test_the_ledger_keeps_not_a_word_of_it(world: World) -> None:
    reply(world)
    told(world, Memory())
    with reading(world.engine) as connection:
        row = connection.execute(select(Notice.__table__)).one()
    assert "Thursday" not in str(row)
    assert ALICE not in str(row)
