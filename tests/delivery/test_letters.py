"""Letters: a warning, an escalation, a handover, a plan that waits. Each is told once, to whom it concerns."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import insert, select, update

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.ledger.briefs.letters import FRESH, STUCK_AFTER, claim_letter, write_letter_row
from accounts.ledger.engine import reading, writing
from accounts.letters import LetterKind, Words
from accounts.models import Letter, Rep, SendPlan
from accounts.playbook import Play, Sla
from accounts.vocabulary import BriefState, Duty
from flows.briefs.letters import Lettered, deliver_letters
from flows.channels.email import Outgoing
from flows.channels.email.memory import Memory
from flows.sales.sla import keep_clocks
from flows.settings import Settings
from tests.cast import NOW, PLAY, World
from tests.sla.conftest import Days
from tests.web.visitor import on_sqlite

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
RAVI, SOFIA, GRACE = "ravi@lumenflow.example", "sofia@lumenflow.example", "grace@lumenflow.example"
MARKETING = "marketing@lumenflow.example"
HANDED = Words("Acme Works is yours now", ("Sofía had it until today.",), 1)
Post = Callable[..., list[Lettered]]


@pytest.fixture
def days(world: World, play: Play) -> Days:
    return Days(world, play.model_copy(update={"sla": Sla(marketing_owner=MARKETING)}))


@pytest.fixture
def post(world: World, settings: Settings, play: Play) -> Post:
    """Delivers what waits at a time through a channel."""

    def at(channel: Memory, now: object = NOW) -> list[Lettered]:
        return deliver_letters(world.engine, settings, play, now, channel=channel)  # type: ignore[arg-type]

    return at


def write(world: World, subject: str = "handover:1:to", words: Words = HANDED) -> bool:
    with writing(world.engine) as connection:
        return write_letter_row(
            connection, subject, LetterKind.HANDOVER, world.reps["ravi"], RAVI, words.payload(), NOW
        )  # fmt: skip


def refusing(error: Exception) -> Memory:
    def temper(_: Outgoing) -> None:
        raise error

    return Memory(temper)


def told(channel: Memory) -> list[tuple[str, str]]:
    return [(mail.recipient, message(mail)["Subject"]) for mail in channel.sent]


def message(mail: Outgoing) -> EmailMessage:
    parsed = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text_of(mail: Outgoing) -> str:
    part = message(mail).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def state(world: World) -> str:
    with reading(world.engine) as connection:
        return connection.scalars(select(Letter.state)).one()


class TestOnce:
    def test_a_subject_is_told_once_however_often_it_is_written(self, world: World, post: Post) -> None:
        assert [write(world), write(world, words=Words("Another wording"))] == [True, False]
        first, second = Memory(), Memory()
        assert [len(post(channel)) for channel in (first, second)] == [1, 0]
        assert told(first) == [(RAVI, "Acme Works is yours now")]
        assert not write(world), "also after it was delivered"

    @on_sqlite
    def test_what_was_not_accepted_is_tried_again_for_three_days(self, world: World, post: Post) -> None:
        write(world)
        later = NotSent("451 later", permanent=False)
        assert [one.state for one in post(refusing(later))] == [BriefState.PLANNED]
        assert [one.state for one in post(refusing(Unreachable("no mail server")))] == [BriefState.PLANNED]
        assert len(post(Memory(), NOW + FRESH - MINUTE)) == 1
        write(world, "handover:2:to")
        assert post(Memory(), NOW + FRESH) == []

    @on_sqlite
    def test_a_refusal_or_a_lost_answer_is_kept_and_not_repeated(self, world: World, post: Post) -> None:
        write(world)
        assert [one.state for one in post(refusing(OutcomeUnknown("hung up")))] == [BriefState.UNKNOWN]
        write(world, "handover:2:to")
        assert [one.state for one in post(refusing(NotSent("550 nobody", permanent=True)))] == [BriefState.FAILED]
        assert post(Memory(), NOW + HOUR) == []

    def test_a_process_that_died_while_sending_has_it_told_again(self, world: World, post: Post) -> None:
        write(world)
        with pytest.raises(KeyboardInterrupt):
            post(refusing(KeyboardInterrupt()))  # type: ignore[arg-type]
        assert (post(Memory()), state(world)) == ([], BriefState.SENDING)
        assert told_after(post, NOW + STUCK_AFTER) == [(RAVI, "Acme Works is yours now")]

    def test_of_two_senders_one_has_it(self, world: World) -> None:
        write(world)
        for expected in (True, False):
            with writing(world.engine) as connection:
                assert claim_letter(connection, 1, NOW) is expected


def told_after(post: Post, now: object) -> list[tuple[str, str]]:
    post(channel := Memory(), now)
    return told(channel)


@on_sqlite
class TestWhoReadsIt:
    def test_a_rep_gets_one_link_and_no_command(self, world: World, post: Post) -> None:
        write(world, words=Words("Acme Works is yours now", ("Sofía had it.",), 1, command="tandem why acme"))
        post(channel := Memory())
        text = text_of(channel.sent[0])
        assert text.count("http://127.0.0.1:8088/r/") == 1
        assert "tandem why" not in text

    def test_a_rep_who_is_away_has_it_read_by_their_backup(self, world: World, post: Post) -> None:
        away = {"away_from": NOW - DAY, "away_until": NOW + DAY, "backup_id": world.reps["sofia"]}
        with writing(world.engine) as connection:
            connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(**away))
        write(world)
        post(channel := Memory())
        assert told(channel) == [(SOFIA, "Acme Works is yours now")]
        assert "For Ravi Menon, who is away; you stand in." in text_of(channel.sent[0])

    def test_markup_in_names_stays_words(self, world: World, post: Post) -> None:
        write(world, words=Words("<b>Acme</b> is yours", ("<script>alert(1)</script>",)))
        post(channel := Memory())
        html = message(channel.sent[0]).get_body(("html",))
        assert html is not None
        assert "&lt;script&gt;" in html.get_content()
        assert "<script>" not in html.get_content()

    def test_an_address_nobody_can_write_to_fails_alone(self, world: World, post: Post) -> None:
        with writing(world.engine) as connection:
            for subject, address in (("a", "no address at all"), ("b", GRACE)):
                write_letter_row(
                    connection, subject, LetterKind.HANDOVER, None, address, HANDED.payload(), NOW
                )  # fmt: skip
        assert [one.state for one in post(Memory())] == [BriefState.FAILED, BriefState.DELIVERED]


class TestClocks:
    def test_a_rep_is_warned_at_50_and_80_percent_and_then_it_goes_to_the_manager_once(
        self, world: World, days: Days, post: Post
    ) -> None:
        """Tuesday 11:00 in Berlin; eight working hours from 9 to 17: half at 15:00, 80 % on Wednesday at 9:24."""
        with writing(world.engine) as connection:
            connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(manager_email=GRACE))
        days.signal("replied", NOW)
        mails = Memory()
        for hours in (1, 4, 4.5, 22.5, 24, 25, 30):
            days.look(NOW + hours * HOUR)
            post(mails, NOW + hours * HOUR)
        waits = "Acme Works waits for your answer by Wed 25 Nov, 11:00"
        assert told(mails) == [(RAVI, waits), (RAVI, waits), (GRACE, "Acme Works still waits for an answer")]
        half, most, over = map(text_of, mails.sent)
        assert "Alice Example asked on Tue 24 Nov, 11:00." in half
        assert ("50 % of the time" in half, "80 % of the time" in most) == (True, True)
        assert "It was due Wed 25 Nov, 11:00. Ravi Menon may need a hand." in over
        assert ("/r/" in over, "tandem sla" in over) == (True, False), "they answer for it by page"
        assert days.clock(Duty.ANSWER).told_at == NOW + 24 * HOUR

    @on_sqlite
    def test_a_manager_who_is_a_rep_as_well_gets_a_link(self, world: World, days: Days, post: Post) -> None:
        with writing(world.engine) as connection:
            connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(manager_email=SOFIA))
        days.signal("replied", NOW)
        days.look(NOW + HOUR)
        days.look(NOW + 2 * DAY)
        post(mails := Memory(), NOW + 2 * DAY)
        assert [mail.recipient for mail in mails.sent] == [SOFIA]
        text = text_of(mails.sent[0])
        assert ("/r/" in text, "tandem sla" in text) == (True, False)

    @on_sqlite
    def test_a_look_that_was_late_warns_once(self, days: Days, post: Post) -> None:
        days.signal("replied", NOW)
        days.look(NOW + HOUR)
        days.look(NOW + 23 * HOUR)
        assert len(told_after(post, NOW + 23 * HOUR)) == 1

    @on_sqlite
    def test_marketing_hears_of_its_own_promises(self, world: World, days: Days, post: Post) -> None:
        days.verdict("not_yet", NOW)
        days.look(NOW + HOUR)
        keep_clocks(world.engine, days.play, NOW + 10 * DAY)
        assert told_after(post, NOW + 10 * DAY) == [
            (MARKETING, "Acme Works came back from sales, and nobody answered")
        ]  # fmt: skip

    @on_sqlite
    def test_a_rep_without_a_manager_escalates_to_nobody(self, days: Days, post: Post) -> None:
        days.signal("replied", NOW)
        days.look(NOW + HOUR)
        days.look(NOW + 10 * DAY)
        assert told_after(post, NOW + 10 * DAY) == []


@on_sqlite
def test_a_plan_that_is_held_is_told_to_marketing_once(world: World, settings: Settings, days: Days) -> None:
    checks = {
        "word": "hold", "rows": 40, "failing": 0, "reasons": ["Twice as many as usual."], "cancelled": {}, "rules": []
    }  # fmt: skip
    with writing(world.engine) as connection:
        connection.execute(
            insert(SendPlan).values(created_at=NOW, play=PLAY, state="held", size=40, checks=checks)
        )  # fmt: skip
    mails = Memory()
    for minutes in (0, 15):
        deliver_letters(world.engine, settings, days.play, NOW + minutes * MINUTE, channel=mails)
    assert told(mails) == [(MARKETING, "New business: 40 mails wait for you")]
    assert "Twice as many as usual." in text_of(mails.sent[0])
    assert "tandem approve 1" in text_of(mails.sent[0])
