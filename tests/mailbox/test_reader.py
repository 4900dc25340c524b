"""From the mail that left to the answer that came, and what follows: nurture over SMTP, Dovecot, intake, ledger.

A mail leaves over a real mail server; what comes back lies in a real mailbox; `collect` reads it there.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from accounts.errors import Unreachable
from accounts.ledger.engine import reading, writing
from accounts.models import Hold, MailboxState, Quarantine, Signal, Stakeholder, Suppression
from accounts.playbook import Play
from accounts.playfiles import load_play
from flows import nurturing, tokens
from flows.briefs.telling import tell_reps
from flows.channels.email.registry import open_channel
from flows.mailbox import source
from flows.mailbox.source import ReplyMailbox
from flows.settings import TEMPLATES, Settings
from flows.signals.intake import Collected, collect
from tests.cast import NOW, World
from tests.mailbox.dovecot import Postbox, needs_dovecot
from tests.mailbox.letters import letter
from tests.mailbox.servers import report
from tests.sending.post_office import PostOffice, post_office, settings_for
from tests.signals.post import send

pytestmark = needs_dovecot
#: What does not depend on the database is shown on one.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALICE, IVAN = "alice@acme.example", "ivan@initech.example"


@pytest.fixture(scope="module")
def play() -> Play:
    """The play that is shipped."""
    return load_play(TEMPLATES / "plays" / "new-business")


class House:
    """Tandem with a mail server to send over and a mailbox to read."""

    def __init__(self, world: World, office: PostOffice, postbox: Postbox, play: Play, home: Path) -> None:
        self.world, self.office, self.postbox, self.play = world, office, postbox, play
        self.settings = Settings(
            home=home, channel="smtp", smtp=settings_for(office), mailbox=postbox.settings,
            sending_domain="mail.lumenflow.example",
        )  # fmt: skip

    def nurture(self, now: datetime) -> list[str]:
        """Whom this run writes to."""
        before = len(self.office.letters)
        with open_channel(self.settings) as channel:
            nurturing.nurture(self.world.engine, self.settings, self.play, now, channel=channel)
        return sorted(letter.rcpt_tos[0] for letter in self.office.letters[before:])

    def mail(self, name: str = "alice") -> EmailMessage:
        """A mail to this person, for tests that begin when it has been sent."""
        with writing(self.world.engine) as connection:
            touch = send(connection, self.world, name)
        secret, domain = self.settings.secret_key.get_secret_value(), self.settings.sending_domain
        message = EmailMessage()
        message["To"] = f"{name.capitalize()} Example <{name}@acme.example>"
        message["Reply-To"] = message["From"] = "ravi@lumenflow.example"
        message["Subject"] = "What waiting costs"
        message["Message-ID"] = tokens.message_id(touch, secret, domain)
        message["Return-Path"] = f"<{tokens.return_path('touch', touch, secret, domain)}>"
        return message

    def with_mailbox(self, **changes: Any) -> None:
        mailbox = self.settings.mailbox.model_copy(update=changes)
        self.settings = self.settings.model_copy(update={"mailbox": mailbox})

    def collect(self, now: datetime = NOW + HOUR) -> Collected:
        return collect(self.world.engine, self.settings, self.play, now)

    def sent_to(self, address: str) -> EmailMessage:
        """The mail that this reader got, with the envelope sender as Return-Path."""
        envelope = next(one for one in self.office.letters if one.rcpt_tos == [address])
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        message["Return-Path"] = f"<{envelope.mail_from}>"
        return message


@pytest.fixture
def house(world: World, postbox: Postbox, play: Play, tmp_path: Path) -> Any:
    with post_office(PostOffice()) as office:
        yield House(world, office, postbox, play, tmp_path)


def answer(sent: EmailMessage, body: str, **head: str) -> bytes:
    """What a person's mail program makes of it."""
    quoted = "\n".join(f"> {line}" for line in ("Hi Alice,", "", "what waiting costs."))
    ours = str(sent["Message-ID"])
    values = {
        "From": str(sent["To"]), "To": str(sent["Reply-To"]), "In_Reply_To": ours, "References": ours,
        "Message-ID": "<answer-1@acme.example>", **head,
    }  # fmt: skip
    return letter(f"{body}\n\n{quoted}\n", f"Re: {sent['Subject']}", **values)


def note(sent: EmailMessage, body: str, subject: str = "Automatic reply", **head: str) -> bytes:
    """What a program answers by itself: to the envelope sender (RFC 3834), and without our words."""
    path = str(sent["Return-Path"]).strip("<>")
    values = {"From": str(sent["To"]), "To": path, "Auto_Submitted": "auto-replied", "Return_Path": "<>", **head}
    return letter(body, subject, **values)


def returned(sent: EmailMessage, diagnostic: str, status: str) -> bytes:
    """What a mail server gives back."""
    head = "".join(f"{name}: {sent[name]}\r\n" for name in ("Return-Path", "From", "To", "Message-ID"))
    return report(diagnostic, status, final=str(sent["To"].addresses[0].addr_spec), copy=f"{head}\r\nx\r\n")


def rows(engine: Engine, table: Any, *columns: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(*(columns or (table.__table__,))).order_by(table.__table__.c[0])).all())


def kinds(engine: Engine) -> list[str]:
    return [row.kind for row in rows(engine, Signal)]


def person(house: House, name: str) -> Any:
    with reading(house.world.engine) as connection:
        return connection.execute(select(Stakeholder.__table__).where(Stakeholder.id == house.world.people[name])).one()


@on_sqlite
class TestAReply:
    def test_without_one_the_others_of_the_group_are_written_to(self, house: House) -> None:
        assert house.nurture(NOW) == [ALICE, IVAN]
        house.collect()
        assert "bob@acme.example" in {who for day in range(1, 8) for who in house.nurture(NOW + day * DAY)}

    def test_holds_the_account_and_nobody_else_of_the_group_gets_mail(self, house: House) -> None:
        house.nurture(NOW)
        house.postbox.put(answer(house.sent_to(ALICE), "Thanks. Can we talk on Thursday at 10?"), at=NOW + HOUR)
        done = house.collect()
        assert (done.replies, done.closed_doors) == (("acme",), ())
        (hold,) = rows(house.world.engine, Hold)
        assert (hold.cause, hold.account_id, hold.starts_at) == (
            "reply", house.world.accounts["acme"], NOW + HOUR,
        )  # fmt: skip
        later = {who for day in range(1, 8) for who in house.nurture(NOW + day * DAY)}
        assert not [who for who in later if who.endswith("@acme.example")]
        assert later, "other accounts go on"

    def test_keeps_its_words_for_the_rep(self, house: House) -> None:
        house.nurture(NOW)
        house.postbox.put(answer(house.sent_to(ALICE), "Not now. Try again in March."))
        house.collect()
        (row,) = rows(house.world.engine, Signal)
        assert (row.kind, row.data["words"]) == ("replied", "Not now. Try again in March.")
        assert row.stakeholder_id == house.world.people["alice"]

    def test_comes_to_the_mailbox_and_the_rep_hears_it_from_us(self, house: House) -> None:
        """With `mailbox.reply_to` no rep has to pass anything on."""
        house.with_mailbox(reply_to="replies@lumenflow.example")
        house.nurture(NOW)
        sent = house.sent_to(ALICE)
        assert str(sent["Reply-To"]) == "Ravi Menon <replies@lumenflow.example>"
        house.postbox.put(answer(sent, "Thanks. Can we talk on Thursday at 10?"), at=NOW + HOUR)
        house.collect()
        tell_reps(house.world.engine, house.settings, house.play, NOW + HOUR)
        notice = message_from_bytes(bytes(house.office.letters[-1].content or b""), policy=policy.default)
        assert isinstance(notice, EmailMessage)
        assert (str(notice["To"]), str(notice["Subject"])) == (
            "Ravi Menon <ravi@lumenflow.example>", "Alice Example replied (Acme Works)",
        )  # fmt: skip
        body = notice.get_body(("plain",))
        assert body is not None
        assert "Can we talk on Thursday at 10?" in body.get_content()
        assert "what waiting costs" not in body.get_content(), "what she quoted is ours"


@on_sqlite
class TestAnAbsence:
    @pytest.mark.parametrize(
        "words",
        [
            "I am out of the office until 7 December 2026 and will answer when I am back.",
            "Ich bin bis einschließlich 04.12.2026 nicht im Büro und lese keine E-Mails.",
            "Je suis absente du bureau jusqu'au vendredi 4 décembre 2026 inclus.",
            "Estoy fuera de la oficina hasta el viernes 4 de diciembre de 2026 inclusive.",
        ],
        ids=["en", "de", "fr", "es"],
    )
    def test_pauses_the_person_until_the_day_and_nobody_else(self, house: House, words: str) -> None:
        house.nurture(NOW)
        house.postbox.put(note(house.sent_to(ALICE), words, Date="Tue, 24 Nov 2026 11:30:00 +0100"))
        done = house.collect()
        assert (dict(done.kinds), done.replies) == ({"out_of_office": 1}, ())
        until = person(house, "alice").paused_until
        assert until is not None
        assert f"{until:%Y-%m-%d %H:%M}" == "2026-12-07 07:00", "a Monday, at eight in the zone of the note"
        assert rows(house.world.engine, Hold) == []
        assert person(house, "bob").paused_until is None


@on_sqlite
class TestADeparture:
    def test_empties_the_seat_and_names_who_follows(self, house: House) -> None:
        house.nurture(NOW)
        words = "Alice Example is no longer with Acme. Please contact Max Muster at max.muster@acme.example."
        house.postbox.put(note(house.sent_to(ALICE), words))
        done = house.collect()
        assert done.vacancies == (("acme", "champion"),)
        assert person(house, "alice").email_status == "left"
        (row,) = rows(house.world.engine, Signal)
        assert row.data["replacement"] == {"name": "Max Muster", "email": "max.muster@acme.example"}
        later = {who for day in (1, 2) for who in house.nurture(NOW + day * DAY)}
        assert later.isdisjoint({ALICE, "max.muster@acme.example"}), "a rep decides whether Max belongs to the group"


@on_sqlite
class TestABounce:
    def test_that_is_for_good_empties_the_seat(self, house: House) -> None:
        house.nurture(NOW)
        house.postbox.put(returned(house.sent_to(ALICE), "550 5.1.1 <alice@acme.example>: user unknown", "5.1.1"))
        assert house.collect().vacancies == (("acme", "champion"),)
        assert person(house, "alice").email_status == "bounced"
        assert len(rows(house.world.engine, Suppression)) == 1

    def test_of_a_full_mailbox_is_a_pause(self, house: House) -> None:
        house.nurture(NOW)
        house.postbox.put(returned(house.sent_to(ALICE), "452 4.2.2 mailbox full", "4.2.2"))
        assert house.collect().vacancies == ()
        alice = person(house, "alice")
        assert (alice.email_status, alice.paused_until is not None) == ("ok", True)

    def test_that_is_our_fault_leaves_the_person_as_they_are(self, house: House) -> None:
        house.nurture(NOW)
        said = "550 5.7.1 blocked: your IP address is listed at bl.spam.example"
        house.postbox.put(returned(house.sent_to(ALICE), said, "5.7.1"))
        house.collect()
        (row,) = rows(house.world.engine, Signal)
        assert (row.kind, row.data["action"], row.touch_id is not None) == ("bounced", "our_fault", True)
        alice = person(house, "alice")
        assert (alice.email_status, alice.paused_until) == ("ok", None)
        assert rows(house.world.engine, Suppression) == []


def feedback_report(sent: EmailMessage) -> bytes:
    head = f"Return-Path: {sent['Return-Path']}\r\nFrom: {sent['From']}\r\nMessage-ID: {sent['Message-ID']}\r\n"
    return (
        "From: feedback@mailbox.example\r\nTo: abuse@mail.lumenflow.example\r\nSubject: FW\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="cut"\r\n\r\n'
        "--cut\r\nContent-Type: text/plain\r\n\r\nThis is a spam report.\r\n"
        "--cut\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
        f"User-Agent: Desk/1\r\n\r\n--cut\r\nContent-Type: message/rfc822\r\n\r\n{head}\r\nx\r\n--cut--\r\n"
    ).encode()


@on_sqlite
def test_a_complaint_is_a_no_for_good_and_holds_the_account(house: House) -> None:
    house.nurture(NOW)
    house.postbox.put(feedback_report(house.sent_to(ALICE)))
    assert house.collect().complaints == 1
    assert person(house, "alice").email_status == "complained"
    assert [hold.cause for hold in rows(house.world.engine, Hold)] == ["complaint"]


class TestReadingAgain:
    def test_a_mail_is_read_once(self, house: House) -> None:
        house.postbox.put(answer(house.mail(), "Yes"))
        assert [house.collect().recorded for _ in range(3)] == [1, 0, 0]
        assert house.postbox.flags() == [()], "and stays unread"
        house.postbox.put(answer(house.mail("bob"), "No", **{"Message-ID": "<answer-2@acme.example>"}))
        assert house.collect().recorded == 1

    @pytest.mark.parametrize("moment", ["before the signals are stored", "before the reader is told so"])
    def test_a_kill_loses_nothing_and_repeats_nothing(self, house: House, moment: str) -> None:
        house.postbox.put(answer(house.mail(), "Yes"))
        reader = ReplyMailbox(house.world.engine, house.settings, house.play)
        if moment == "before the signals are stored":
            assert len(reader.waiting(NOW + HOUR)) == 1
        else:
            reader.taken = partial(_die, reader)  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                collect(house.world.engine, house.settings, house.play, NOW + HOUR, [reader])
        house.collect()
        house.collect()
        assert kinds(house.world.engine) == ["replied"]
        assert len(rows(house.world.engine, Hold)) == 1

    def test_other_numbers_for_the_same_mails_make_no_second_signal(self, house: House) -> None:
        """UIDVALIDITY changed: the mailbox was moved to another server, or made again."""
        house.with_mailbox(folders="Replies")
        sent = house.mail()
        mail = answer(sent, "Yes")
        house.postbox.put(mail, folder="Replies")
        house.collect()
        (before,) = rows(house.world.engine, MailboxState)
        house.postbox.drop("Replies")
        house.postbox.put(mail, folder="Replies")
        done = house.collect()
        (after,) = rows(house.world.engine, MailboxState)
        assert before.uidvalidity != after.uidvalidity
        assert (done.recorded, done.duplicates) == (0, 1)

    def test_a_run_reads_so_many_and_the_next_one_goes_on(self, house: House) -> None:
        sent = house.mail()
        mails = (answer(sent, "Yes", **{"Message-ID": f"<{n}@acme.example>"}) for n in range(5))
        house.postbox.put(*mails)
        reader = ReplyMailbox(house.world.engine, house.settings, house.play, most=2)
        runs = [collect(house.world.engine, house.settings, house.play, NOW + HOUR, [reader]) for _ in range(4)]
        assert [run.recorded for run in runs] == [2, 2, 1, 0]

    @on_sqlite
    def test_what_lay_there_before_is_left_alone(self, house: House) -> None:
        house.postbox.put(letter("from last year"), at=NOW - 300 * DAY)
        assert house.collect().recorded == 0
        assert house.collect().recorded == 0, "nor is it read the second time"
        house.postbox.put(letter("new"))
        assert house.collect().recorded == 1

    @on_sqlite
    def test_mails_are_marked_as_read_where_that_is_set(self, house: House) -> None:
        house.with_mailbox(mark_read=True)
        house.postbox.put(letter("one"))
        house.collect()
        assert house.postbox.flags() == [(b"\\Seen",)]

    @on_sqlite
    def test_several_folders_are_read(self, house: House) -> None:
        house.with_mailbox(folders="INBOX, Junk")
        sent = house.mail()
        house.postbox.put(letter("an offer", From="x@elsewhere.example"))
        house.postbox.put(answer(sent, "Yes"), folder="Junk")
        assert dict(house.collect().kinds) == {"replied": 1, "unknown": 1}


def _die(reader: ReplyMailbox) -> None:
    raise KeyboardInterrupt


@on_sqlite
class TestBadMail:
    def test_a_mail_that_cannot_be_read_waits_in_quarantine_and_stops_no_other(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`understand` raises on nothing we know of; here it does on one mail."""
        sent = house.mail()
        sane: Callable[..., Any] = source.understand

        def stumble(raw: bytes, received_at: datetime) -> Any:
            if b"stumble over this" in raw:
                raise RecursionError
            return sane(raw, received_at)

        monkeypatch.setattr(source, "understand", stumble)
        house.postbox.put(letter("stumble over this", **{"Message-ID": "<1@x.example>"}), answer(sent, "Yes"))
        assert house.collect().replies == ("acme",)
        assert house.collect().recorded == 0
        (row,) = rows(house.world.engine, Quarantine)
        assert (row.source, row.dataset, row.row_number) == ("mailbox", "mail", 1)
        assert row.reasons[0]["sentence"] == "it could not be read: RecursionError"
        monkeypatch.setattr(source, "understand", sane)
        assert house.collect(NOW + 2 * HOUR).recorded == 1, "it is tried again, for a day"
        (row,) = rows(house.world.engine, Quarantine)
        assert row.resolved_at == NOW + 2 * HOUR
        assert house.collect(NOW + 3 * HOUR).recorded + house.collect(NOW + 3 * HOUR).duplicates == 0

    def test_garbage_stops_nothing(self, house: House) -> None:
        sent = house.mail()
        house.postbox.put(
            b"\x00\xff\xfe", b"\r\n\r\n", b"From: \xff\xfe <x@\x00>\r\nSubject: =?bad?q?\xff?=\r\n\r\n\x00\x01",
            b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 5_000,
            answer(sent, "Yes"),
        )  # fmt: skip
        done = house.collect()
        assert done.replies == ("acme",)
        assert done.recorded + len(rows(house.world.engine, Quarantine)) == 5

    def test_a_reply_with_a_large_attachment_is_heard(self, house: House) -> None:
        sent = house.mail()
        message = message_from_bytes(answer(sent, "See the attachment."), policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        message.add_attachment(b"\x07" * 2_000_000, maintype="application", subtype="pdf", filename="offer.pdf")
        house.postbox.put(message.as_bytes())
        assert house.collect().replies == ("acme",)
        (row,) = rows(house.world.engine, Signal)
        assert row.data["words"] == "See the attachment."


@on_sqlite
def test_a_mailbox_that_is_closed_stops_no_other_door(house: House) -> None:
    house.with_mailbox(folders="Nowhere")
    inbox = house.settings.home / "inbox" / "signals"
    inbox.mkdir(parents=True)
    (inbox / "fair.csv").write_text(f"signal,email,kind,occurred_at\ns1,{ALICE},visited,2026-11-24T09:00:00Z\n")
    done = house.collect()
    assert done.recorded == 1
    assert len(done.closed_doors) == 1
    assert "mailbox.folders" in done.closed_doors[0]


@on_sqlite
def test_a_reader_without_a_server_says_so(house: House) -> None:
    closed = house.settings.mailbox.model_copy(update={"port": 1})
    settings = house.settings.model_copy(update={"mailbox": closed})
    with pytest.raises(Unreachable):
        ReplyMailbox(house.world.engine, settings, house.play).waiting(NOW)


def test_without_a_host_no_mailbox_is_read(world: World, play: Play, tmp_path: Path) -> None:
    assert collect(world.engine, Settings(home=tmp_path), play, NOW).closed_doors == ()
    with reading(world.engine) as connection:
        assert connection.scalar(select(func.count()).select_from(MailboxState)) == 0
