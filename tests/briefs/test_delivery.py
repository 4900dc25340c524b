"""A brief reaches its rep once: written, claimed, sent, settled; on both databases, through kills and refusals."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr
from sqlalchemy import delete, select, update

from accounts.errors import NotFound, NotSent, OutcomeUnknown, Refused, SettingsRefused, Unreachable
from accounts.ledger.briefs.written import STUCK_AFTER, claim_brief, waiting_briefs
from accounts.ledger.engine import reading, writing
from accounts.models import Account, Brief, BriefDelivery, Decision, Rep, Stakeholder
from accounts.playbook import Play
from accounts.vocabulary import BriefState
from flows.briefs.briefing import Briefed, brief_reps, write_briefs
from flows.briefs.delivering import deliver_briefs
from flows.channels.email import Outgoing
from flows.channels.email.memory import Memory
from flows.settings import Dkim, Settings
from flows.tokens import Returned, returned
from tests.briefs.conftest import Add
from tests.cast import NOW, World

TOMORROW = NOW + timedelta(days=1)
Run = Callable[..., Briefed]


@pytest.fixture
def run(world: World, settings: Settings, play: Play) -> Run:
    """Briefs at a time through a channel."""

    def at(now: object = NOW, channel: Memory | None = None, **more: object) -> Briefed:
        return brief_reps(world.engine, settings, play, now, channel=channel or Memory(), **more)  # type: ignore[arg-type]

    return at


@pytest.fixture
def reply(signal: Add) -> int:
    """Something for Ravi: Alice of Acme replied."""
    return signal("alice", "acme", "replied", 0.2)


def message(outgoing: Outgoing) -> EmailMessage:
    parsed = message_from_bytes(outgoing.content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def states(world: World) -> list[str]:
    with reading(world.engine) as connection:
        return list(connection.scalars(select(Brief.state).order_by(Brief.id)))


def refusing(error: Exception, times: int = 99) -> Memory:
    left = [error] * times

    def temper(_: Outgoing) -> None:
        if left:
            raise left.pop()

    return Memory(temper)


class TestDelivery:
    def test_a_rep_with_news_gets_a_brief_and_one_without_gets_none(self, run: Run, reply: int) -> None:
        channel = Memory()
        briefed = run(channel=channel)
        assert (briefed.reps, briefed.quiet, briefed.delivered) == (2, 1, 1)
        assert [mail.recipient for mail in channel.sent] == ["ravi@lumenflow.example"]

    def test_it_comes_from_the_vendors_tandem_address_with_html_and_text(self, run: Run, reply: int) -> None:
        channel = Memory()
        run(channel=channel)
        mail = message(channel.sent[0])
        assert mail["From"] == "Tandem at Lumenflow <tandem@mail.lumenflow.example>"
        assert mail["To"] == "Ravi Menon <ravi@lumenflow.example>"
        assert mail["Subject"] == "Brief: Acme Works: somebody asked"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert "List-Unsubscribe" not in mail
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        assert "Alice Example replied, Tue 06:12" in text.get_content()
        assert f'data-evidence="signal:{reply}"' in html.get_content()

    def test_a_bounced_brief_comes_back_to_an_address_that_names_it(
        self, run: Run, reply: int, world: World, settings: Settings
    ) -> None:
        channel = Memory()
        run(channel=channel)
        with reading(world.engine) as connection:
            id = connection.scalars(select(Brief.id)).one()
        mail = channel.sent[0]
        assert returned(mail.sender, settings.secret_key.get_secret_value()) == Returned("brief", id)
        assert mail.key == f"brief-{id}"

    def test_a_provider_that_writes_messages_itself_is_told_the_same(self, run: Run, reply: int, world: World) -> None:
        finished, told = Memory(), Memory()
        told.letters = True
        run(channel=finished)
        with writing(world.engine) as connection:
            connection.execute(update(Brief).values(state=BriefState.PLANNED))
            connection.execute(delete(BriefDelivery))
        run(channel=told)
        [letter], mail = [sent.letter for sent in told.sent], message(finished.sent[0])
        assert letter is not None
        assert (letter.subject, letter.headers["Message-ID"]) == (mail["Subject"], mail["Message-ID"])
        assert letter.headers["Auto-Submitted"] == "auto-generated"
        assert told.sent[0].content == b""

    def test_a_key_that_cannot_sign_stops_all_briefs_before_one_is_claimed(
        self, world: World, settings: Settings, play: Play, reply: int
    ) -> None:
        channel = Memory()
        bad = settings.model_copy(update={"dkim": Dkim(rsa_key=SecretStr("hush-hush"))})
        with pytest.raises(SettingsRefused, match="rsa_key"):
            brief_reps(world.engine, bad, play, NOW, channel=channel)
        assert (channel.sent, states(world)) == ([], [BriefState.PLANNED])
        key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        good = settings.model_copy(update={"dkim": Dkim(ed25519_key=SecretStr(key.decode()))})
        assert brief_reps(world.engine, good, play, NOW, channel=channel).delivered == 1
        assert channel.sent[0].content.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")

    def test_running_twice_delivers_once(self, run: Run, reply: int, world: World) -> None:
        channel = Memory()
        first, second = run(channel=channel), run(channel=channel)
        assert (first.delivered, second.delivered, second.briefs) == (1, 0, ())
        assert len(channel.sent) == 1
        assert states(world) == [BriefState.DELIVERED]

    def test_the_next_day_without_news_is_silent(self, run: Run, reply: int, world: World, add: Add) -> None:
        run()
        answer_by_phone(world, add)
        channel = Memory()
        assert run(TOMORROW, channel).quiet == 2
        assert channel.sent == []

    def test_an_unanswered_reply_comes_back_as_overdue(self, run: Run, reply: int) -> None:
        run()
        channel = Memory()
        briefed = run(TOMORROW, channel)
        assert briefed.briefs[0].why == "an answer is overdue"

    def test_the_next_seven_days_are_planned_anew_before_they_are_told(
        self, run: Run, reply: int, world: World, decide: Add, signal: Add
    ) -> None:
        """Planning had a mail for Gina; since then she opted out, and nobody has planned again."""
        decide("gina", "globex", "touch", NOW, "discovery/why-now", not_after=TOMORROW)
        signal("gina", "globex", "visited", 0.2)
        with writing(world.engine) as connection:
            no = update(Stakeholder).where(Stakeholder.id == world.people["gina"]).values(opted_out_at=NOW)
            connection.execute(no)
            connection.execute(update(Account).where(Account.id == world.accounts["globex"]).values(replan_at=NOW))
        channel = Memory()
        run(channel=channel)
        assert "to Gina Example" not in message(channel.sent[0]).as_string()
        with reading(world.engine) as connection:
            answer = select(Decision.answer).where(Decision.stakeholder_id == world.people["gina"])
            assert connection.scalar(answer) == "never"

    def test_the_ledger_keeps_the_brief_with_its_evidence(self, run: Run, reply: int, world: World) -> None:
        run()
        with reading(world.engine) as connection:
            row = connection.execute(select(Brief)).one()
        assert row.delivered_at == row.as_of == NOW
        assert row.channel == "memory"
        assert row.words == sum(1 for _ in " ".join(_words(row.payload["accounts"][0])).split())
        assert row.payload["accounts"][0]["news"][0]["evidence"] == [f"signal:{reply}"]
        assert row.payload["known"] == []

    def test_the_page_is_kept_beside(self, run: Run, reply: int, settings: Settings) -> None:
        run()
        (page,) = settings.briefs.iterdir()
        assert page.name == "ravi-lumenflow-example-2026-11-24-1100.html"
        assert "Alice Example" in page.read_text(encoding="utf-8")

    def test_only_the_named_rep_is_briefed(self, run: Run, reply: int, signal: Add) -> None:
        signal("judy", "initech-south", "visited", 0.1)
        channel = Memory()
        assert run(channel=channel, rep="sofia").reps == 1
        assert [mail.recipient for mail in channel.sent] == ["sofia@lumenflow.example"]

    def test_an_unknown_rep_is_refused(self, run: Run) -> None:
        with pytest.raises(NotFound, match="no rep 'nobody'"):
            run(rep="nobody")

    def test_the_summary_names_no_address(self, run: Run, reply: int) -> None:
        told = run().briefs[0]
        assert told.rep == "r…i@lumenflow.example"
        assert (told.accounts, told.why, told.state) == (("acme",), "somebody asked", BriefState.DELIVERED)


class TestTrouble:
    def test_a_kill_while_sending_never_sends_it_again(self, run: Run, reply: int, world: World, signal: Add) -> None:
        """Died between claim and outcome: nobody knows, so the next brief says so and repeats nothing."""
        with pytest.raises(KeyboardInterrupt):
            run(channel=refusing(KeyboardInterrupt()))  # type: ignore[arg-type]
        assert states(world) == [BriefState.SENDING]
        channel = Memory()
        assert run(channel=channel).briefs == ()
        assert channel.sent == [], "not while the first sender may still be alive"
        later = NOW + STUCK_AFTER + timedelta(minutes=1)
        assert run(later, channel).doubted == 1
        assert (states(world), channel.sent) == ([BriefState.UNKNOWN], [])
        signal("bob", "acme", "clicked", -0.5)
        run(TOMORROW, channel)
        (mail,) = channel.sent
        body = message(mail).get_body(("plain",))
        assert body is not None
        assert "The brief of Tue 11:00 may not have reached you" in body.get_content()
        assert "Alice Example replied, Tue 06:12" not in body.get_content()

    def test_a_kill_after_writing_loses_nothing(self, run: Run, reply: int, world: World, play: Play) -> None:
        write_briefs(world.engine, play, NOW)
        assert states(world) == [BriefState.PLANNED]
        channel = Memory()
        assert run(channel=channel).delivered == 1
        assert len(channel.sent) == 1

    def test_what_never_left_is_told_by_the_next_brief(self, run: Run, reply: int, world: World, play: Play) -> None:
        write_briefs(world.engine, play, NOW)
        channel = Memory()
        later = NOW + timedelta(hours=3)
        assert run(later, channel).delivered == 1
        assert states(world) == [BriefState.SUPERSEDED, BriefState.DELIVERED]
        assert "Alice Example replied" in message(channel.sent[0]).as_string()

    def test_two_runs_that_wrote_the_same_news_deliver_them_once(
        self, run: Run, reply: int, world: World, play: Play, settings: Settings
    ) -> None:
        """Both looked before either had claimed; whoever claims first tells it."""
        moment_later = NOW + timedelta(seconds=1)
        write_briefs(world.engine, play, moment_later)
        channel = Memory()
        with writing(world.engine) as connection:  # the other run wrote without seeing ours
            row = connection.execute(select(Brief.rep_id, Brief.words, Brief.payload)).one()
            connection.execute(
                Brief.__table__.insert().values(
                    rep_id=row.rep_id, words=row.words, payload=row.payload, as_of=NOW, state=BriefState.PLANNED
                )
            )
        assert len(deliver_briefs(world.engine, settings, play, NOW, channel=channel)) == 1
        assert deliver_briefs(world.engine, settings, play, moment_later, channel=channel) == []
        assert len(channel.sent) == 1
        assert states(world) == [BriefState.SUPERSEDED, BriefState.DELIVERED]

    def test_of_two_senders_with_the_same_list_one_gets_each_brief(self, reply: int, world: World, play: Play) -> None:
        write_briefs(world.engine, play, NOW)
        with reading(world.engine) as connection:
            (mine,) = waiting_briefs(connection, NOW)
        for expected in (True, False):
            with writing(world.engine) as connection:
                assert claim_brief(connection, mine, NOW, "<the-same@mail.lumenflow.example>") is expected
            assert states(world) == [BriefState.SENDING]

    def test_a_refused_brief_is_recorded_and_its_news_are_told_again(self, run: Run, reply: int, world: World) -> None:
        gone = NotSent("550 no such user", permanent=True)
        briefed = run(channel=refusing(gone))
        assert (briefed.failed, briefed.briefs[0].error) == (1, "550 no such user")
        assert states(world) == [BriefState.FAILED]
        channel = Memory()
        run(TOMORROW, channel)
        assert "Alice Example replied" in message(channel.sent[0]).as_string()

    def test_a_brief_that_was_not_accepted_for_now_is_tried_again(self, run: Run, reply: int, world: World) -> None:
        channel = refusing(NotSent("451 try later", permanent=False), times=1)
        first = run(channel=channel)
        assert (first.waiting, states(world)) == (1, [BriefState.PLANNED])
        assert run(channel=channel).delivered == 1
        assert len(channel.sent) == 1

    def test_a_lost_answer_is_not_sent_again(self, run: Run, reply: int, world: World) -> None:
        briefed = run(channel=refusing(OutcomeUnknown("the connection broke after the last byte"), times=1))
        assert (briefed.unknown, states(world)) == (1, [BriefState.UNKNOWN])
        channel = Memory()
        assert run(channel=channel).briefs == ()
        assert channel.sent == []

    def test_a_dead_channel_stops_the_run_and_nobody_loses_a_brief(
        self, run: Run, reply: int, world: World, signal: Add
    ) -> None:
        signal("judy", "initech-south", "visited", 0.1)
        briefed = run(channel=refusing(Unreachable("the mail server does not answer"), times=1))
        assert (briefed.waiting, briefed.delivered) == (2, 0)
        assert states(world) == [BriefState.PLANNED, BriefState.PLANNED]
        assert run().delivered == 2

    def test_a_rep_nobody_can_write_to_fails_alone(self, run: Run, reply: int, world: World, signal: Add) -> None:
        signal("judy", "initech-south", "visited", 0.1)
        with writing(world.engine) as connection:
            connection.execute(update(Rep).where(Rep.id == world.reps["ravi"]).values(email="no address at all"))
        briefed = run()
        assert (briefed.failed, briefed.delivered) == (1, 1)
        assert sorted(states(world)) == [BriefState.DELIVERED, BriefState.FAILED]

    def test_a_folder_that_cannot_be_written_stops_before_anything_leaves(
        self, run: Run, reply: int, world: World, settings: Settings
    ) -> None:
        settings.home.mkdir(parents=True)
        settings.briefs.write_text("a file where the folder should be")
        channel = Memory()
        with pytest.raises(Refused, match="the brief cannot be saved"):
            run(channel=channel)
        assert (channel.sent, states(world)) == ([], [BriefState.PLANNED])


class TestWhatIsShown:
    def test_names_with_markup_are_escaped(self, run: Run, reply: int, world: World) -> None:
        with writing(world.engine) as connection:
            evil = {"first_name": '<img src=x onerror="alert(1)">', "last_name": "{{ 7 * 7 }}"}
            connection.execute(update(Stakeholder).where(Stakeholder.id == world.people["alice"]).values(evil))
        channel = Memory()
        run(channel=channel)
        html = message(channel.sent[0]).get_body(("html",))
        assert html is not None
        assert "<img" not in html.get_content()
        assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;…" in html.get_content()

    def test_a_name_with_a_line_break_writes_no_header(self, run: Run, reply: int, world: World) -> None:
        with writing(world.engine) as connection:
            connection.execute(
                update(Rep).where(Rep.id == world.reps["ravi"]).values(name="Ravi\r\nBcc: all@acme.example")
            )
        channel = Memory()
        run(channel=channel)
        mail = message(channel.sent[0])
        assert mail["Bcc"] is None
        assert mail["To"].addresses[0].display_name == "Ravi Bcc: all@acme.example"

    def test_a_machine_click_is_not_mentioned(self, run: Run, signal: Add) -> None:
        signal("alice", "acme", "clicked", 0.1, is_machine=True, machine_reason="three links in two seconds")
        signal("bob", "acme", "visited", 0.1)
        channel = Memory()
        run(channel=channel)
        body = message(channel.sent[0]).get_body(("plain",))
        assert body is not None
        assert "Bob Example visited our website" in body.get_content()
        assert "– Alice Example, champion: no mail yet" in body.get_content()

    def test_the_same_brief_goes_out_through_the_outbox(
        self, world: World, settings: Settings, play: Play, reply: int
    ) -> None:
        files = settings.model_copy(update={"channel": "outbox"})
        assert brief_reps(world.engine, files, play, NOW).delivered == 1
        assert [path.suffix for path in sorted(files.outbox.glob("tandem-brief*"))] == [".eml", ".html"]


def answer_by_phone(world: World, add: Add) -> None:
    from accounts.models import Activity

    add(
        Activity, account_id=world.accounts["acme"], stakeholder_id=world.people["alice"], rep_id=world.reps["ravi"],
        kind="call", direction="outbound", outcome="connected", occurred_at=NOW + timedelta(hours=1), source_id="call",
    )  # fmt: skip


def _words(account: dict[str, object]) -> list[str]:
    from pydantic import TypeAdapter

    from accounts.briefs import AccountBrief

    return TypeAdapter(AccountBrief).validate_python(account).spoken()


def test_a_stored_brief_reads_back_the_same(tmp_path: Path) -> None:
    import json

    from accounts.briefs import write_brief
    from accounts.briefs.stored import from_payload, to_payload
    from tests.briefs.sample import tuesday
    from tests.plays import small_play

    brief = write_brief(tuesday(), small_play(), NOW)
    assert brief is not None
    assert from_payload(json.loads(json.dumps({**to_payload(brief), "known": [1], "of a later version": 2}))) == brief
