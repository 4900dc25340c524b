"""Which mail of ours is it about, and what is told to the intake? No server in here, and both ledgers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from accounts.ledger.engine import reading, writing
from accounts.ledger.signals.recorded import Incoming, record
from accounts.models import Signal
from flows import tokens
from flows.briefs.mailing import message_id_of
from flows.mailbox import Kind, understand
from flows.mailbox.matching import By, Marks, Match, Read, match, subjects_of
from flows.mailbox.reading import read_mail
from flows.mailbox.signals import Arrived, signals_of
from flows.settings import Settings
from tests.cast import NOW, PLAY, World
from tests.mailbox.letters import letter
from tests.mailbox.servers import report
from tests.plays import small_play, step
from tests.signals.post import send

SECRET = "of the tests and nobody else"
OURS = "mail.lumenflow.example"
ALICE, BOB = "alice@acme.example", "bob@acme.example"
DAY = timedelta(days=1)
#: What does not depend on the database is shown on one.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
SUBJECT = "{{ account.name }}: what waiting until {{ next_quarter }} costs"
STEPS = (step("evaluation/pilot", "champion", subject=SUBJECT), step("evaluation/privacy", "legal", subject="{{ x }}"))


@pytest.fixture
def marks() -> Marks:
    return Marks(SECRET, frozenset({OURS, "lumenflow.example"}), subjects_of(small_play(steps=STEPS)), 60 * DAY)


@pytest.fixture
def touch(world: World) -> int:
    """Alice got the pilot mail an hour ago."""
    with writing(world.engine) as connection:
        return send(connection, world, "alice", provider_id="0102018f-000000")


def from_(who: str, body: str = "Thanks, can we talk on Thursday?", subject: str = "Hello", **more: str) -> bytes:
    return letter(body, subject, **{"From": who, **more})


def matched(engine: Engine, marks: Marks, *mails: bytes, at: datetime = NOW) -> list[Match]:
    reads = [Read(understand(raw, at), read_mail(raw).subject, at) for raw in mails]
    with reading(engine) as connection:
        return match(connection, reads, marks)


def told(engine: Engine, marks: Marks, raw: bytes, at: datetime = NOW) -> list[Incoming]:
    arrived = Arrived("digest", "INBOX/1/1", read_mail(raw).subject, at)
    return signals_of(understand(raw, at), matched(engine, marks, raw, at=at)[0], arrived)


def kept(world: World, marks: Marks, raw: bytes) -> Iterator[Any]:
    """The rows that the ledger makes of this mail."""
    with writing(world.engine) as connection:
        record(connection, told(world.engine, marks, raw), NOW)
        yield from connection.execute(select(Signal.__table__).order_by(Signal.id)).all()


class TestWhichMail:
    def test_our_message_id_is_known_wherever_it_stands(self, world: World, marks: Marks, touch: int) -> None:
        ours = tokens.message_id(touch, SECRET, OURS)
        heads = {"In_Reply_To": ours}, {"References": f"<other@acme.example> {ours} <later@acme.example>"}
        found = matched(world.engine, marks, *(from_("x@elsewhere.example", **head) for head in heads))
        assert found == [Match(By.MESSAGE_ID, touch)] * 2

    def test_a_message_id_that_somebody_made_up_is_none(self, world: World, marks: Marks, touch: int) -> None:
        forged = f"<tandem.{touch}.0123456789abcdef@{OURS}>"
        assert matched(world.engine, marks, from_("x@elsewhere.example", In_Reply_To=forged)) == [Match(By.NOBODY)]

    def test_a_message_id_of_another_ledger_names_no_touch_here(self, world: World, marks: Marks, touch: int) -> None:
        theirs = tokens.message_id(touch + 1_000, SECRET, OURS)
        assert matched(world.engine, marks, from_("x@elsewhere.example", In_Reply_To=theirs)) == [Match(By.NOBODY)]

    @on_sqlite
    @pytest.mark.parametrize("head", ["To", "Delivered_To", "X_Original_To"])
    def test_the_return_path_says_which_mail_came_back(self, world: World, marks: Marks, touch: int, head: str) -> None:
        path = tokens.return_path("touch", touch, SECRET, OURS)
        assert matched(world.engine, marks, from_("x@elsewhere.example", **{head: path})) == [
            Match(By.RETURN_PATH, touch)
        ]

    def test_the_message_id_of_the_provider_is_known_to_who_got_it(
        self, world: World, marks: Marks, touch: int
    ) -> None:
        named = "<0102018f-000000@eu-west-1.amazonses.com>"
        found = matched(
            world.engine, marks, from_(ALICE, In_Reply_To=named), from_("x@elsewhere.example", In_Reply_To=named)
        )
        assert found == [Match(By.PROVIDER_ID, touch), Match(By.NOBODY)]

    @pytest.mark.parametrize(
        "subject",
        ["Re: Acme Works: what waiting until Q1 2027 costs", "AW: WG: Acme Works: What  waiting until Q4 2026 costs",
         "Automatic reply: Acme Works: what waiting until Q1 2027 costs"],
    )  # fmt: skip
    def test_a_subject_of_ours_names_the_mail_to_who_got_it(
        self, world: World, marks: Marks, touch: int, subject: str
    ) -> None:
        found = matched(world.engine, marks, from_(ALICE, subject=subject), from_(BOB, subject=subject))
        assert found == [Match(By.SUBJECT, touch), Match(By.ACCOUNT)], "Bob got none"

    def test_a_subject_that_says_nothing_names_nothing(self, world: World, marks: Marks) -> None:
        assert set(marks.subjects) == {f"{PLAY}/evaluation/pilot"}

    def test_an_address_is_known_for_a_while(self, world: World, marks: Marks, touch: int) -> None:
        mail = from_("Alice Example <ALICE@acme.example>")
        assert matched(world.engine, marks, mail) == [Match(By.ADDRESS)]
        assert matched(world.engine, marks, mail, at=NOW + 61 * DAY) == [Match(By.ACCOUNT)]
        assert matched(world.engine, marks, mail, at=NOW - DAY) == [Match(By.ACCOUNT)], "before anything was sent"

    def test_a_colleague_nobody_imported_speaks_for_the_account(self, world: World, marks: Marks) -> None:
        found = matched(world.engine, marks, from_("zoe@acme.example"), from_("x@elsewhere.example"))
        assert found == [Match(By.ACCOUNT), Match(By.NOBODY)]

    def test_who_of_us_answers_is_one_of_us(self, world: World, marks: Marks, touch: int) -> None:
        """A rep who answers a buyer, with the mailbox in copy, names our mail as well."""
        ours = tokens.message_id(touch, SECRET, OURS)
        mails = [from_(who, In_Reply_To=ours) for who in ("ravi@lumenflow.example", f"ravi@{OURS}")]
        assert [one.is_ours for one in matched(world.engine, marks, *mails)] == [True, True]
        assert [told(world.engine, marks, mail) for mail in mails] == [[], []]


class TestWhatIsTold:
    def test_a_reply_brings_its_own_words(self, world: World, marks: Marks, touch: int) -> None:
        raw = from_(
            ALICE, "Yes, on Thursday.\n\n> Hi Alice,\n> waiting costs.\n", "Re: Hello",
            In_Reply_To=tokens.message_id(touch, SECRET, OURS),
        )  # fmt: skip
        (row,) = kept(world, marks, raw)
        assert (row.kind, row.touch_id, row.stakeholder_id) == ("replied", touch, world.people["alice"])
        assert (row.data["words"], row.data["subject"], row.data["matched"]) == (
            "Yes, on Thursday.", "Re: Hello", "message_id",
        )  # fmt: skip

    @on_sqlite
    @pytest.mark.parametrize(
        "words",
        ["unsubscribe", "STOP!", "Please remove me from your list, I am not the right person.",
         "Bitte streichen Sie mich aus Ihrem Verteiler.", "Veuillez me retirer de votre liste.",
         "Por favor, elimíneme de su lista."],
    )  # fmt: skip
    def test_a_no_that_is_written_counts_as_one_that_is_clicked(
        self, world: World, marks: Marks, touch: int, words: str
    ) -> None:
        found = told(
            world.engine, marks, from_(ALICE, words, "Re: Hello", In_Reply_To=tokens.message_id(touch, SECRET, OURS))
        )
        assert [(one.kind, one.email) for one in found] == [("replied", ALICE), ("unsubscribed", ALICE)]
        assert len({one.source_id for one in found}) == 2

    @on_sqlite
    def test_a_no_may_stand_in_the_subject_above_a_signature(self, world: World, marks: Marks, touch: int) -> None:
        found = told(world.engine, marks, from_(ALICE, "Alice Example\nAcme", "Unsubscribe"))
        assert [(one.kind, one.email) for one in found] == [("replied", ALICE), ("unsubscribed", ALICE)]

    def test_a_no_needs_no_name(self, world: World, marks: Marks) -> None:
        found = told(world.engine, marks, from_("x@elsewhere.example", "Please remove me from your list."))
        assert [(one.kind, one.email) for one in found] == [("unsubscribed", "x@elsewhere.example")]

    @on_sqlite
    @pytest.mark.parametrize(
        "words",
        ["Thanks, can we talk on Thursday?", "Please do not stop here.", "Ok",
         "How does the unsubscribing of sites work?", "x " * 300 + "stop sending me the long version"],
    )  # fmt: skip
    def test_what_is_no_no_is_none(self, world: World, marks: Marks, touch: int, words: str) -> None:
        assert [one.kind for one in told(world.engine, marks, from_(ALICE, words))] == ["replied"]

    def test_a_no_below_our_own_footer_is_ours(self, world: World, marks: Marks, touch: int) -> None:
        """What a reply quotes of our mail says "unsubscribe" as well."""
        raw = from_(ALICE, "Yes, gladly.\n\n> Hi Alice,\n> Not for you? Please unsubscribe here.\n")
        assert [one.kind for one in told(world.engine, marks, raw)] == ["replied"]

    def test_who_answers_a_mail_that_was_passed_on_speaks_for_the_account(
        self, world: World, marks: Marks, touch: int
    ) -> None:
        raw = from_("zoe@acme.example", In_Reply_To=tokens.message_id(touch, SECRET, OURS))
        (row,) = kept(world, marks, raw)
        assert (row.kind, row.account_id, row.stakeholder_id) == ("replied", world.accounts["acme"], None)

    def test_of_a_stranger_not_a_word_is_kept(self, world: World, marks: Marks) -> None:
        (row,) = kept(world, marks, from_("x@elsewhere.example", "My secret offer"))
        assert (row.kind, row.account_id, row.data) == (
            "unknown", None, {"mail": "reply", "matched": "nobody", "place": "INBOX/1/1"},
        )  # fmt: skip

    def test_a_departure_is_believed_of_who_got_a_mail(self, world: World, marks: Marks, touch: int) -> None:
        note = "I am no longer with Acme. Please contact Max Muster, max.muster@acme.example."
        head = {"Auto_Submitted": "auto-replied", "subject": "Automatic reply"}
        (mailed,) = told(world.engine, marks, from_(ALICE, note, **head))
        (other,) = told(world.engine, marks, from_(BOB, note, **head))
        assert mailed.kind == "left_company"
        assert mailed.data["replacement"] == {"name": "Max Muster", "email": "max.muster@acme.example"}
        assert other.kind == "unknown", "anybody can write that Bob is gone"

    def test_a_bounce_is_believed_of_who_got_a_mail(self, world: World, marks: Marks, touch: int) -> None:
        copy = "From: Ravi <ravi@elsewhere.example>\r\nSubject: x\r\n\r\nx\r\n"
        about_alice, about_bob = (
            told(world.engine, marks, report("550 5.1.1 no such user", "5.1.1", final=who, copy=copy))[0]
            for who in (ALICE, BOB)
        )
        assert (about_alice.kind, about_alice.email) == ("bounced", ALICE)
        assert (about_alice.data["bounce"], about_alice.data["action"]) == ("hard", "never_again")
        assert about_bob.kind == "unknown"

    def test_a_report_that_gives_back_the_mail_of_another_house_is_not_about_ours(
        self, world: World, marks: Marks, touch: int
    ) -> None:
        """Of a mailbox that others use as well, and of who makes a report up to have Alice written off."""
        theirs, through_a_provider, a_reps = (
            f"From: Ravi <ravi@{house}>\r\nTo: {ALICE}\r\nMessage-ID: <a.1@{named}>\r\n\r\nx\r\n"
            for house, named in (
                ("elsewhere.example", "elsewhere.example"),
                ("lumenflow.example", "provider.example"),
                ("elsewhere.example", "lumenflow.example"),
            )
        )
        kinds = [
            told(world.engine, marks, report("550 5.1.1 no such user", "5.1.1", final=ALICE, copy=copy))[0].kind
            for copy in (theirs, through_a_provider, a_reps)
        ]
        assert kinds == ["unknown", "bounced", "bounced"]

    def test_a_mail_of_ours_that_came_back_needs_no_address(self, world: World, marks: Marks, touch: int) -> None:
        """Forwarded, and lost behind a forwarding that nobody told us of: the touch says whose it was."""
        path = tokens.return_path("touch", touch, SECRET, OURS)
        copy = f"Return-Path: <{path}>\r\nFrom: Ravi <ravi@{OURS}>\r\n\r\nx\r\n"
        raw = report("550 5.1.1 no such user", "5.1.1", final="a.private@home.example", copy=copy)
        (row,) = kept(world, marks, raw)
        assert (row.kind, row.touch_id, row.stakeholder_id) == ("bounced", touch, world.people["alice"])

    def test_a_brief_that_came_back_is_no_word_about_a_buyer(self, world: World, marks: Marks) -> None:
        path = tokens.return_path("brief", 7, SECRET, OURS)
        copy = f"Return-Path: <{path}>\r\nFrom: Tandem <tandem@{OURS}>\r\n\r\nx\r\n"
        (signal,) = told(world.engine, marks, report("550 5.1.1", "5.1.1", final="ravi@lumenflow.example", copy=copy))
        assert (signal.kind, signal.data["brief"], signal.email) == ("brief_bounced", 7, None)

    def test_a_brief_is_known_by_its_message_id_where_a_server_keeps_no_return_path(
        self, world: World, marks: Marks
    ) -> None:
        id = message_id_of(Settings(secret_key=SECRET, sending_domain=OURS), "brief", 7)
        copy = f"From: Tandem <tandem@{OURS}>\r\nMessage-ID: {id}\r\n\r\nx\r\n"
        (signal,) = told(world.engine, marks, report("550 5.1.1", "5.1.1", final="ravi@lumenflow.example", copy=copy))
        assert (signal.kind, signal.data["brief"]) == ("brief_bounced", 7)
        forged = copy.replace("tandem-brief.", "tandem-brief.x")
        (signal,) = told(world.engine, marks, report("550 5.1.1", "5.1.1", final="ravi@lumenflow.example", copy=forged))
        assert signal.kind == "unknown"

    def test_every_kind_of_mail_makes_a_signal_or_is_ours(self, world: World, marks: Marks, touch: int) -> None:
        for kind in Kind:
            found = signals_of(_of_kind(kind), Match(By.MESSAGE_ID, touch), Arrived("d", "p", "s", NOW))
            assert len(found) == 1, kind

    def test_what_no_database_takes_is_taken_out(self, world: World, marks: Marks, touch: int) -> None:
        raw = from_(ALICE, "Yes, please").replace(b"Yes", b"Yes\x00\x07")
        (row,) = kept(world, marks, raw)
        assert (row.kind, row.data["words"]) == ("replied", "Yes  , please")


def _of_kind(kind: Kind) -> Any:
    from flows.mailbox import Understood

    return Understood(kind, "a line", 0.9, words="yes", sender=ALICE)
