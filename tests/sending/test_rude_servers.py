"""Mail servers at their worst: what nobody can know is unknown, what did not leave comes again, and nobody gets two."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import Outgoing
from flows.channels.email.smtp import MOST_MISHAPS, Smtp
from flows.settings import Smtp as SmtpSettings
from tests.channels.finished import letter
from tests.sending.rude_server import HANG_UP, RudeServer, Said, rude_server


def channel(server: RudeServer, **changes: object) -> Smtp:
    values = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout_seconds": 5, "connections": 1}
    return Smtp(SmtpSettings.model_validate({**values, **changes}), "mail.example")


@contextmanager
def talking(**said: Said) -> Iterator[tuple[RudeServer, Smtp]]:
    with ExitStack() as stack:
        server = stack.enter_context(rude_server(**said))
        yield server, stack.enter_context(channel(server))


def names(server: RudeServer) -> list[str]:
    """The Message-IDs of what was brought to the final dot, taken or not."""
    found = (re.search(rb"(?im)^message-id: (\S+)", message) for message in server.messages)
    return [match[1].decode() if match else "" for match in found]


def sized(octets: int) -> Outgoing:
    """A message of so many octets on the line."""
    content = b"Subject: x\r\n\r\n".ljust(octets - 2, b"x") + b"\r\n"
    return Outgoing("<sized@mail.example>", "bounce@mail.example", "dana@acme.example", content)


# Replies in odd packets.


@pytest.mark.parametrize(
    "said",
    [
        {"MAIL": (b"250-2.1.0 o", b"k\r\n250", b" 2.1.0 ok\r", b"\n")},
        {"DATA": (b"3", b"5", b"4 go on\r\n")},
        {"DOT": (b"250-2.0.0 taken\r\n", b"250-2.0.0 and kept\r\n", b"250 2.0.0 queued as 1\r\n")},
        {"DOT": b"250-" + b"x" * 2_000 + b"\r\n250 ok\r\n"},
        {"RCPT": b"250\r\n"},
        {"MAIL": b"250 no carriage return\n"},
    ],
    ids=["in four", "digit by digit", "many lines", "a long one", "no words", "bare line feed"],
)
def test_replies_are_read_however_they_come(said: dict[str, Said]) -> None:
    with talking(**said) as (server, smtp):
        smtp.send(letter(1))
        smtp.send(letter(2))
    assert names(server) == [letter(1).message_id, letter(2).message_id]
    assert len(server.commands) == 1


JUNK = {
    "no digits": b"hello there\r\n",
    "no such code": b"999 what\r\n",
    "two codes in one reply": b"250-one\r\n550 two\r\n",
    "a line without an end": b"250 " + b"x" * 20_000,
    "lines without an end": b"250-more\r\n" * 3_000,
    "code glued to words": b"2500 ok\r\n",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_junk_before_the_message_leaves_costs_a_connection_and_nothing_else(junk: bytes) -> None:
    with talking(RCPT=[junk]) as (server, smtp):
        smtp.send(letter())
    assert names(server) == [letter().message_id]
    assert len(server.commands) == 2


@pytest.mark.parametrize("junk", [*JUNK.values(), b"354 go on\r\n"], ids=[*JUNK, "a code of another moment"])
def test_junk_after_the_final_dot_leaves_the_outcome_unknown_and_the_line_is_not_used_again(junk: bytes) -> None:
    with talking(DOT=[junk]) as (server, smtp):
        with pytest.raises(OutcomeUnknown, match="may have arrived"):
            smtp.send(letter(1))
        smtp.send(letter(2))
    assert names(server) == [letter(1).message_id, letter(2).message_id]
    assert len(server.commands) == 2


def test_a_server_one_reply_ahead_gets_no_message_on_that_line() -> None:
    """Else the answer to something earlier would be taken for the answer to the message."""
    with talking(DATA=[b"354 go on\r\n250 2.0.0 taken already\r\n"]) as (server, smtp):
        smtp.send(letter())
    assert names(server)[-1] == letter().message_id
    assert len(server.commands) == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_an_answer_of_another_moment_gets_no_message_on_that_line(verb: str) -> None:
    wrong = b"250 2.0.0 ok\r\n" if verb == "DATA" else b"354 go on\r\n"
    with talking(**{verb: [wrong]}) as (server, smtp):
        smtp.send(letter())
    assert names(server) == [letter().message_id]
    assert len(server.commands) == 2


# One bad recipient.


def test_a_server_that_asks_for_the_message_of_a_refused_recipient_gets_none() -> None:
    with talking(RCPT=[b"550 5.1.1 no such user\r\n"]) as (server, smtp):
        with pytest.raises(NotSent, match=r"5\.1\.1") as caught:
            smtp.send(letter(1))
        smtp.send(letter(2))
    assert caught.value.reason is Refusal.NO_SUCH_MAILBOX
    assert names(server) == [letter(2).message_id]


def test_a_recipient_who_is_refused_with_everything_behind_spoils_nobody_elses_mail() -> None:
    with talking(RCPT=[b"550 5.1.1 no such user\r\n"], DATA=[b"554 5.5.1 no valid recipients\r\n"]) as (server, smtp):
        with pytest.raises(NotSent, match=r"5\.1\.1"):
            smtp.send(letter(1))
        smtp.send(letter(2))
    assert names(server) == [letter(2).message_id]
    assert len(server.commands) == 1


def test_a_server_that_hangs_up_on_one_message_does_not_stop_the_next() -> None:
    with talking(RCPT=[HANG_UP, HANG_UP]) as (server, smtp):
        with pytest.raises(NotSent, match="sent us away") as caught:
            smtp.send(letter(1))
        smtp.send(letter(2))
    assert not caught.value.permanent
    assert not isinstance(caught.value, Unreachable)
    assert names(server) == [letter(2).message_id]


# Sizes and what a server can take.


def test_the_size_is_announced_and_one_octet_too_many_never_leaves() -> None:
    with talking() as (server, smtp):
        smtp.send(sized(9_000))
        with pytest.raises(NotSent, match="9,001 octets, the mail server takes 9,000") as caught:
            smtp.send(sized(9_001))
        smtp.send(letter())
    assert caught.value.permanent
    assert caught.value.reason is Refusal.TOO_LARGE
    announced = [command for command in server.commands[0] if command.startswith("MAIL")]
    assert announced == ["MAIL FROM:<bounce@mail.example> SIZE=9000", announced[1]]
    assert len(server.commands) == 1


@pytest.mark.parametrize("said", [b"SIZE", b"SIZE 0", b"SIZE plenty"])
def test_a_server_without_a_limit_takes_everything(said: bytes) -> None:
    with talking(EHLO=b"250-rude.example\r\n250 " + said + b"\r\n") as (server, smtp):
        smtp.send(sized(50_000))
    assert len(server.messages) == 1


def test_an_old_server_that_knows_no_extension_gets_its_mail_all_the_same() -> None:
    with talking(EHLO=b"502 5.5.1 what?\r\n") as (server, smtp):
        smtp.send(letter())
    assert names(server) == [letter().message_id]
    assert f"MAIL FROM:<{letter().sender}>" in server.commands[0]


def test_letters_that_are_not_ascii_go_only_where_they_are_taken() -> None:
    eight_bit = Outgoing("<8@mail.example>", "bounce@mail.example", "dana@acme.example", "Subject: x\r\n\r\né".encode())
    foreign = Outgoing("<u@mail.example>", "bounce@mail.example", "zoë@acme.example", b"Subject: x\r\n\r\n")
    with talking() as (server, smtp):
        for message, why in ((eight_bit, "7-bit messages only"), (foreign, "cannot write to")):
            with pytest.raises(NotSent, match=why) as caught:
                smtp.send(message)
            assert caught.value.permanent
    assert server.messages == []
    with talking(EHLO=b"250-rude.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n") as (server, smtp):
        smtp.send(eight_bit)
        smtp.send(foreign)
    mails = [command for command in server.commands[0] if command.startswith("MAIL")]
    assert [mail.partition("> ")[2] for mail in mails] == ["BODY=8BITMIME", "SMTPUTF8"]


# Patience, farewells, restarts.


def test_a_server_that_closed_the_line_in_a_quiet_hour_is_called_again_without_a_word() -> None:
    with talking(DOT=[b"250 2.0.0 taken\r\n421 4.4.2 idle for too long\r\n"]) as (server, smtp):
        smtp.send(letter(1))
        smtp.send(letter(2))
    assert names(server) == [letter(1).message_id, letter(2).message_id]
    assert len(server.commands) == 2


def test_a_server_that_takes_a_few_messages_a_connection_gets_many_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flows.channels.email.smtp.BREATH", 0.01)
    too_many = b"421 4.7.0 too many messages in this session\r\n"
    with talking(MAIL=[None, None, too_many] * 2) as (server, smtp):  # type: ignore[list-item]
        for number in range(6):
            smtp.send(letter(number))
    assert names(server) == [letter(number).message_id for number in range(6)]
    assert len(server.commands) == 3


def test_452_too_many_is_answered_with_a_breath_and_a_fresh_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.channels.email.smtp.BREATH", 0.1)
    with talking(RCPT=[b"452 4.5.3 too many recipients\r\n"]) as (server, smtp):
        begun = time.monotonic()
        smtp.send(letter())
        assert time.monotonic() - begun >= 0.1
    assert names(server) == [letter().message_id]
    assert len(server.commands) == 2


class Slow(RudeServer):
    """Takes its time once: over the answer to `verb`, so many seconds."""

    verb, seconds = "", 0.0

    def answer(self, verb: str) -> tuple[bytes, ...]:
        if verb == self.verb:
            self.verb = ""
            time.sleep(self.seconds)
        return super().answer(verb)


@contextmanager
def slow_server(verb: str, seconds: float) -> Iterator[tuple[RudeServer, Smtp]]:
    """The channel has a patience of a fifth of a second."""
    with Slow({}) as server:
        server.verb, server.seconds = verb, seconds
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with channel(server, timeout_seconds=0.2) as smtp:
            yield server, smtp
        server.shutdown()
        thread.join()


def test_a_server_too_slow_before_the_message_is_left_and_called_again() -> None:
    with slow_server("RCPT", 0.3) as (server, smtp):
        smtp.send(letter())
    assert names(server) == [letter().message_id]
    assert len(server.commands) == 2


def test_the_final_dot_has_twice_the_patience_of_a_command() -> None:
    with slow_server("DOT", 0.3) as (server, smtp):
        smtp.send(letter())
    assert len(server.commands) == 1
    with slow_server("DOT", 0.6) as (_, smtp), pytest.raises(OutcomeUnknown, match="TimeoutError"):
        smtp.send(letter())


def test_a_server_that_restarts_in_the_middle_of_a_run_is_found_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with ExitStack() as stack:
        with rude_server(port) as before:
            smtp = stack.enter_context(channel(before))
            smtp.send(letter(1))
            before.said["MAIL"] = HANG_UP
            with pytest.raises(NotSent):
                smtp.send(letter(2))
        with pytest.raises(Unreachable, match="does not answer"):
            smtp.send(letter(2))
        with rude_server(port) as after:
            smtp.send(letter(2))
            assert names(after) == [letter(2).message_id]
            smtp.__exit__(None, None, None)


# Mishaps in a row.


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"RCPT": b"554 5.7.1 Client [192.0.2.1] blocked using bl.example\r\n", "DATA": b"503 no\r\n"}, NotSent),
        ({"DOT": b"550 5.7.26 DMARC policy\r\n"}, NotSent),
        ({"DOT": b"451 4.3.0 temporary trouble\r\n"}, NotSent),
        ({"DOT": HANG_UP}, OutcomeUnknown),
        ({"MAIL": HANG_UP}, NotSent),
    ],
    ids=["blocklisted", "unauthenticated", "server in trouble", "lost after the dot", "hangs up"],
)
def test_what_would_happen_to_everybody_stops_the_run_after_a_few(
    said: dict[str, Said], error: type[Exception]
) -> None:
    with talking(**said) as (server, smtp):
        for number in range(MOST_MISHAPS):
            with pytest.raises(error) as caught:
                smtp.send(letter(number))
            assert not isinstance(caught.value, Unreachable)
        before = len(server.messages)
        with pytest.raises(Unreachable, match="5 messages in a row failed"):
            smtp.send(letter(99))
        assert len(server.messages) == before, "the message that stopped the run was never begun"


def test_a_message_that_is_taken_ends_a_row_of_mishaps() -> None:
    trouble = b"451 4.3.0 temporary trouble\r\n"
    with talking(DOT=[*[trouble] * (MOST_MISHAPS - 1), b"250 ok\r\n"] * 3) as (_, smtp):
        for _ in range(3):
            for _ in range(MOST_MISHAPS - 1):
                with pytest.raises(NotSent):
                    smtp.send(letter())
            smtp.send(letter())


@pytest.mark.parametrize(
    "said", [b"550 5.1.1 no such user\r\n", b"450 4.2.0 Greylisted\r\n", b"452 4.2.2 mailbox full\r\n"]
)
def test_readers_who_cannot_be_reached_never_stop_a_run(said: bytes) -> None:
    with talking(RCPT=[said] * 20, DATA=[b"503 no\r\n"] * 20) as (server, smtp):
        for number in range(20):
            with pytest.raises(NotSent):
                smtp.send(letter(number))
        smtp.send(letter(99))
    assert names(server) == [letter(99).message_id]
    assert len(server.commands) == 1


def test_a_sender_nobody_takes_stops_the_run_at_once() -> None:
    with talking(MAIL=b"550 5.7.1 Sender address rejected\r\n", RCPT=b"503 no\r\n", DATA=b"503 no\r\n") as (_, smtp):
        with pytest.raises(Unreachable, match="refused the sender") as caught:
            smtp.send(letter())
        assert caught.value.reason is Refusal.SENDER_REFUSED


def test_421_before_the_reader_is_named_stops_the_run_when_a_fresh_connection_fares_no_better() -> None:
    shutting_down = talking(MAIL=b"421 4.3.2 shutting down\r\n")
    with pytest.raises(Unreachable, match="sent us away: 421") as caught, shutting_down as (server, smtp):
        smtp.send(letter())
    assert caught.value.reason is Refusal.SERVER_BUSY
    assert len(server.commands) == 2


def test_a_greeting_that_turns_us_away_says_what_for() -> None:
    with rude_server(GREETING=b"554 5.7.1 192.0.2.1 is on our blocklist\r\n") as server:
        with pytest.raises(Unreachable, match=r"lets nobody in \(554\)") as caught:
            channel(server).check()
        assert caught.value.reason is Refusal.SENDER_BLOCKLISTED
