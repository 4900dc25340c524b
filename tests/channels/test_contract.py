"""One specification over every e-mail channel. Who writes a new one adds a road to tests/channels/roads.py."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

import pytest

from accounts.errors import ChannelError, InputRefused, NotSent, OutcomeUnknown, Unreachable
from flows.channels.email import EmailChannel, Letter, Outgoing, Sent
from flows.channels.email.compose import Mailbox
from flows.channels.email.registry import CHANNELS, open_channel
from flows.doctor import settings as doctor
from flows.settings import Settings
from tests.channels.finished import letter
from tests.channels.roads import HTML, NOBODY, OVER_HTTP, REPLY_TO, ROADS, SENDER, SUBJECT, TEXT, Road, mail
from tests.channels.servers import Arrived
from tests.operations.patients import patient

every_channel = pytest.mark.parametrize("road", ROADS, indirect=True)
#: An outbox takes everything: nobody is there who could say no.
who_can_say_no = pytest.mark.parametrize("road", [name for name in ROADS if name != "outbox"], indirect=True)
over_a_line = pytest.mark.parametrize("road", ["smtp", "smtp-lockstep", *OVER_HTTP], indirect=True)
bytes_as_they_are = pytest.mark.parametrize("road", ["memory", "outbox", "smtp", "smtp-lockstep"], indirect=True)
with_a_key = pytest.mark.parametrize("road", OVER_HTTP, indirect=True)
several_a_call = pytest.mark.parametrize("road", ["postmark", "resend"], indirect=True)

NAMES = ("Jürgen Müller, Dr.", 'Zoë "Zo" O\'Brien', "王小明", "Łukasz (Luke) Nowak; Sales", "مريم", "a@b", "")
SUBJECTS = (
    "Was Warten kostet: Köln",
    "東京の件について",
    "Ждать дорого",
    "=?utf-8?q?no?=",
    "so long " * 39 + "!",
    "👋",
)
NOBODY_BOX = Mailbox("Nobody Example", NOBODY)


def as_read(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def the_one(arrived: list[Arrived]) -> Arrived:
    (one,) = arrived
    return one


def told(error: BaseException) -> str:
    """Everything a log could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


# What is sent arrives.


@every_channel
def test_the_words_and_the_people_arrive_as_they_were_written(road: Road) -> None:
    with road.open() as channel:
        sent = channel.send(mail(channel))
    arrived = the_one(road.arrived())
    assert (arrived.subject, as_read(arrived.text), as_read(arrived.html)) == (SUBJECT, TEXT.strip(), HTML.strip())
    assert (arrived.sender, arrived.reply_to) == (SENDER, REPLY_TO)
    assert arrived.recipient == Mailbox("Dana Example", "dana17@acme.example")
    assert sent.provider == channel.name
    assert road.name.startswith(channel.name)
    assert sent.provider_id


@every_channel
def test_one_click_unsubscribing_and_our_own_headers_arrive(road: Road) -> None:
    with road.open() as channel:
        channel.send(mail(channel))
    headers = the_one(road.arrived()).headers
    assert headers["List-Unsubscribe"] == "<https://t.example/u/token-17>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["Feedback-ID"] == "discovery:new-business"
    assert headers["Message-ID"] == "<tandem.17.5d41402abc4b2a76@mail.example>"


@with_a_key
def test_the_provider_keeps_our_name_for_it(road: Road) -> None:
    with road.open() as channel:
        channel.send(mail(channel, 42))
    assert the_one(road.arrived()).key == "touch-42"


@every_channel
def test_names_of_all_alphabets_and_with_any_punctuation_arrive(road: Road) -> None:
    with road.open() as channel:
        for number, name in enumerate(NAMES):
            sender = Mailbox(name, "ravi@mail.example")
            channel.send(mail(channel, number, to=Mailbox(name, f"j{number}@acme.example"), sender=sender))
    arrived = {one.recipient: one.sender for one in road.arrived()}
    for number, name in enumerate(NAMES):
        assert arrived[Mailbox(name, f"j{number}@acme.example")] == Mailbox(name, "ravi@mail.example")


@with_a_key
def test_domains_of_all_alphabets_are_written_as_mail_servers_know_them(road: Road) -> None:
    with road.open() as channel:
        channel.send(mail(channel, to=Mailbox("Dana Example", "dana@köln.example")))
    assert the_one(road.arrived()).recipient.address == "dana@xn--kln-sna.example"


@every_channel
def test_subjects_of_all_alphabets_and_lengths_arrive(road: Road) -> None:
    with road.open() as channel:
        for number, subject in enumerate(SUBJECTS):
            channel.send(mail(channel, number, subject=subject))
    assert sorted(arrived.subject for arrived in road.arrived()) == sorted(SUBJECTS)


@bytes_as_they_are
@pytest.mark.parametrize("body", ["Hello Dana,\r\n.\r\n..dots\r\n", "Grüße aus Köln, 東京\r\n", "no line end"])
def test_a_finished_message_arrives_to_the_last_byte(road: Road, body: str) -> None:
    with road.open() as channel:
        channel.send(letter(body=body))
    (content,) = road.contents()
    assert content.removesuffix(b"\r\n") == letter(body=body).content.removesuffix(b"\r\n")


@every_channel
def test_several_messages_arrive_each_once(road: Road) -> None:
    with road.open() as channel:
        for number in range(5):
            channel.send(mail(channel, number))
    ids = [arrived.headers["Message-ID"] for arrived in road.arrived()]
    assert sorted(ids) == [f"<tandem.{number}.5d41402abc4b2a76@mail.example>" for number in range(5)]


@every_channel
def test_threads_as_many_as_there_are_lanes_send_at_once(road: Road) -> None:
    with road.open() as channel, ThreadPoolExecutor(channel.lanes) as lanes:
        sent = list(lanes.map(lambda number: channel.send(mail(channel, number)), range(12)))
    assert len({one.provider_id for one in sent}) == len(sent) or channel.name == "smtp"
    assert {arrived.recipient.address for arrived in road.arrived()} == {f"dana{n}@acme.example" for n in range(12)}


# Several in one call.


@every_channel
def test_answers_come_in_the_order_of_the_messages(road: Road) -> None:
    with road.open() as channel:
        numbers = range(min(channel.most, 7))
        answers = channel.send_many([mail(channel, number) for number in numbers])
    assert all(isinstance(answer, Sent) for answer in answers)
    assert [arrived.recipient.address for arrived in road.arrived()] == [f"dana{n}@acme.example" for n in numbers]


@every_channel
def test_no_messages_are_no_call(road: Road) -> None:
    with road.open() as channel:
        assert channel.send_many([]) == []
    assert road.arrived() == []


@several_a_call
@pytest.mark.parametrize("place", [0, 2, 4])
def test_whoever_is_refused_in_the_middle_of_a_call_hurts_nobody_else(road: Road, place: int) -> None:
    road.refuse(NOBODY, True)
    with road.open() as channel:
        messages = [mail(channel, n, to=NOBODY_BOX if n == place else None) for n in range(5)]
        answers = channel.send_many(messages)
    assert [isinstance(answer, Sent) for answer in answers] == [n != place for n in range(5)]
    refusal = answers[place]
    assert isinstance(refusal, NotSent)
    assert refusal.permanent
    assert NOBODY not in told(refusal)
    ids = [answer.provider_id for answer in answers if isinstance(answer, Sent)]
    assert ids == sorted(set(ids)), "each has the identifier of its own message"
    assert len(road.arrived()) == 4


@several_a_call
def test_what_cannot_be_written_is_left_out_of_the_call(road: Road) -> None:
    with road.open() as channel:
        bad = injected(channel, "Dana\r\nBcc: all@acme.example")
        answers = channel.send_many([mail(channel, 1), bad, mail(channel, 2)])
    assert [type(answer) for answer in answers] == [Sent, NotSent, Sent]
    assert len(road.arrived()) == 2


@several_a_call
def test_more_messages_than_a_call_may_carry_take_several_calls(road: Road) -> None:
    with road.open(batch=3) as channel:
        answers = channel.send_many([mail(channel, number) for number in range(8)])
    assert [answer.provider_id[3:] for answer in answers] == list("12345678")  # type: ignore[union-attr]
    assert road.api is not None
    assert len(road.api.asked) == 3


@several_a_call
def test_a_call_whose_answer_is_lost_leaves_all_of_it_unknown(road: Road) -> None:
    road.lose_answers()
    with road.open() as channel:
        answers = channel.send_many([mail(channel, number) for number in range(3)])
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 3


@several_a_call
def test_a_call_that_nobody_answers_is_not_a_matter_of_the_messages(road: Road) -> None:
    with road.open(**road.elsewhere) as channel, pytest.raises(Unreachable):
        channel.send_many([mail(channel, number) for number in range(3)])


# Who says no, and what it means.


@who_can_say_no
@pytest.mark.parametrize("permanent", [True, False])
def test_one_who_is_refused_hurts_nobody_else(road: Road, permanent: bool) -> None:
    road.refuse(NOBODY, permanent)
    with road.open() as channel:
        channel.send(mail(channel, 1))
        with pytest.raises(NotSent) as caught:
            channel.send(mail(channel, 2, to=NOBODY_BOX))
        channel.send(mail(channel, 3))
    assert caught.value.permanent is permanent
    assert not isinstance(caught.value, Unreachable)
    assert {arrived.recipient.address for arrived in road.arrived()} == {"dana1@acme.example", "dana3@acme.example"}


@who_can_say_no
def test_a_refusal_shows_no_address_in_full(road: Road) -> None:
    road.refuse(NOBODY, True)
    with road.open() as channel, pytest.raises(NotSent) as caught:
        channel.send(mail(channel, to=NOBODY_BOX))
    assert NOBODY not in told(caught.value)


@who_can_say_no
def test_an_answer_that_is_lost_leaves_the_outcome_unknown(road: Road) -> None:
    road.lose_answers()
    with road.open() as channel, pytest.raises(OutcomeUnknown):
        channel.send(mail(channel))


@with_a_key
def test_only_a_provider_that_knows_a_key_is_asked_again_when_an_answer_is_lost(road: Road) -> None:
    assert road.api is not None
    road.lose_answers()
    with road.open() as channel, pytest.raises(OutcomeUnknown):
        channel.send(mail(channel))
    keys = [asked.headers.get("idempotency-key") for asked in road.api.asked]
    assert len(keys) == 1 or (None not in keys and len(set(keys)) == 1)
    assert len(road.arrived()) == 1


@over_a_line
def test_nobody_there_is_no_fault_of_the_message(road: Road) -> None:
    with pytest.raises(Unreachable) as caught, road.open(**road.elsewhere) as channel:
        channel.send(mail(channel))
    assert caught.value.cure


@with_a_key
def test_a_wrong_key_stops_the_sending_and_says_which_setting(road: Road) -> None:
    with road.open(**road.wrong_key) as channel, pytest.raises(Unreachable) as caught:
        channel.send(mail(channel))
    assert road.name in str(caught.value.cure)
    shown = told(caught.value)
    assert not any(str(value) in shown for value in road.wrong_key.values())
    forgive(road)


def injected(channel: EmailChannel, name: str) -> Outgoing:
    """A message past the checks of those who write messages, with a line break in a name."""
    message = mail(channel)
    letter = message.letter
    assert letter is not None
    changed = Letter(
        letter.sender, Mailbox(name, letter.recipient.address), letter.reply_to, letter.subject, letter.text,
        letter.html, letter.headers,
    )  # fmt: skip
    return Outgoing(message.message_id, message.sender, message.recipient, b"", changed, message.key)


@every_channel
def test_no_name_and_no_subject_becomes_a_header_of_its_own(road: Road) -> None:
    with road.open() as channel:
        for line_break in ("\r\n", "\n", "\r", "\0", "\u2028"):
            sly = f"Dana{line_break}Bcc: all@acme.example"
            for sly_words in (
                {"subject": sly}, {"to": Mailbox(sly, "d@acme.example")}, {"sender": Mailbox(sly, "r@mail.example")}
            ):  # fmt: skip
                with pytest.raises(InputRefused):
                    channel.send(mail(channel, **sly_words))  # type: ignore[arg-type]
            if channel.letters:
                with pytest.raises(NotSent, match="line break") as caught:
                    channel.send(injected(channel, sly))
                assert caught.value.permanent
                assert "all@acme.example" not in told(caught.value)
    assert road.arrived() == []


# Opening, closing, asking.


@every_channel
def test_a_channel_can_be_entered_again(road: Road) -> None:
    channel = road.open()
    for number in range(2):
        with channel:
            channel.send(mail(channel, number))
    assert len(road.arrived()) == 2


@with_a_key
def test_connections_are_kept_while_it_is_open_and_closed_when_it_is_left(road: Road) -> None:
    assert road.api is not None
    with road.open() as channel:
        for number in range(5):
            channel.send(mail(channel, number))
        assert road.api.connections == 1
    wait_until(lambda: road.open_connections() == 0)


@every_channel
def test_a_channel_tells_the_doctor_what_answers(road: Road) -> None:
    channel = road.open()
    with channel:
        assert channel.check().startswith(f"{channel.name}: ")
    assert road.arrived() == []


@with_a_key
def test_tandem_doctor_says_which_provider_answers(road: Road) -> None:
    told = road.settings()
    found = doctor.mail(patient(channel=road.name, **{road.name: told}))
    assert (found.name, found.state) == ("mail", "ok")
    assert found.says.startswith(f"{road.name}: ")
    silent = doctor.mail(patient(channel=road.name, **{road.name: told.model_copy(update=road.elsewhere)}))
    assert (silent.state, bool(silent.cure)) == ("fail", True)


@with_a_key
def test_the_doctor_hears_of_a_wrong_key(road: Road) -> None:
    with road.open(**road.wrong_key) as channel, pytest.raises(Unreachable) as caught:
        channel.check()
    assert road.name in str(caught.value.cure)
    forgive(road)


@over_a_line
def test_the_doctor_hears_that_nobody_answers(road: Road) -> None:
    with pytest.raises(Unreachable), road.open(**road.elsewhere) as channel:
        channel.check()


@with_a_key
def test_a_key_shows_in_no_error_and_in_nothing_that_is_printed(road: Road) -> None:
    assert road.api is not None
    with road.open() as channel:
        for answer in road.api.errors.values():
            road.api.mood = lambda asked, said=answer: said  # type: ignore[misc]
            with pytest.raises(ChannelError) as caught:
                channel.send(mail(channel))
            shown = told(caught.value) + repr(channel) + str(vars(channel))
            assert not any(key in shown for key in road.secrets)
            assert NOBODY not in told(caught.value)


def test_the_registry_opens_what_the_settings_name(tmp_path: object) -> None:
    assert set(CHANNELS) == set(ROADS) - {"smtp-lockstep"}
    keys = {
        "sendgrid": {"key": "k"}, "postmark": {"token": "k"}, "mailgun": {"key": "k"}, "resend": {"key": "k"},
        "ses": {"region": "eu-west-1", "access_key_id": "k", "secret_access_key": "k"},
    }  # fmt: skip
    for name in CHANNELS:
        settings = Settings(channel=name, home=tmp_path, **keys)  # type: ignore[arg-type]
        channel = open_channel(settings)
        assert channel.name == name
        assert channel.lanes >= 1


def forgive(road: Road) -> None:
    """What the test asked wrongly on purpose."""
    assert road.api is not None
    assert road.api.refused
    road.api.refused.clear()


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    import time

    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_the_roads_read_messages_as_the_standard_library_does() -> None:
    """What the other tests rest on: a finished message read by the servers says what the library says."""

    class Finished:
        letters = False

    message = message_from_bytes(mail(Finished()).content, policy=policy.default)  # type: ignore[arg-type]
    assert message["subject"] == SUBJECT
    assert message["to"].addresses[0].addr_spec == "dana17@acme.example"
