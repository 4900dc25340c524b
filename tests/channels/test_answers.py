"""What each documented answer of each provider means for the message it is about."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from accounts.errors import ChannelError, NotSent, OutcomeUnknown, Unreachable
from flows.channels.email import Sent
from flows.channels.email.http_line import LONGEST_PATIENCE, patience_of
from tests.channels.roads import OVER_HTTP, Road, mail
from tests.channels.servers import Said, Trouble
from tests.channels.servers.mailgun import Mailgun
from tests.channels.servers.postmark import Postmark
from tests.channels.servers.resend import Resend
from tests.channels.servers.sendgrid import SendGrid, in_40_seconds
from tests.channels.servers.ses import Ses

over_http = pytest.mark.parametrize("road", OVER_HTTP, indirect=True)

STOP, NEVER, LATER, UNKNOWN = "stops the sending", "never", "later", "unknown"
#: Provider, name of the documented error -> what it means.
MEANING = {
    ("sendgrid", "bad request"): NEVER,
    ("sendgrid", "unauthorized"): STOP,
    ("sendgrid", "sender"): STOP,
    ("sendgrid", "forbidden"): STOP,
    ("sendgrid", "not found"): STOP,
    ("sendgrid", "too large"): NEVER,
    ("sendgrid", "too many"): LATER,
    ("sendgrid", "internal"): LATER,
    ("sendgrid", "unavailable"): LATER,
    ("sendgrid", "gateway"): UNKNOWN,
    ("postmark", "unauthorized"): STOP,
    ("postmark", "maintenance"): LATER,
    ("postmark", "invalid"): NEVER,
    ("postmark", "sender not found"): STOP,
    ("postmark", "sender not confirmed"): STOP,
    ("postmark", "not allowed"): STOP,
    ("postmark", "inactive"): NEVER,
    ("postmark", "too many in a batch"): NEVER,
    ("postmark", "pending"): STOP,
    ("postmark", "may not send"): STOP,
    ("postmark", "no stream"): STOP,
    ("postmark", "too large"): NEVER,
    ("postmark", "too many"): LATER,
    ("postmark", "internal"): LATER,
    ("postmark", "unavailable"): LATER,
    ("postmark", "gateway"): UNKNOWN,
    ("mailgun", "bad request"): NEVER,
    ("mailgun", "sender"): STOP,
    ("mailgun", "unauthorized"): STOP,
    ("mailgun", "payment"): STOP,
    ("mailgun", "forbidden"): STOP,
    ("mailgun", "not found"): STOP,
    ("mailgun", "too large"): NEVER,
    ("mailgun", "limit"): LATER,
    ("mailgun", "too many"): LATER,
    ("mailgun", "internal"): LATER,
    ("mailgun", "unavailable"): LATER,
    ("mailgun", "gateway"): UNKNOWN,
    ("ses", "bad request"): NEVER,
    ("ses", "rejected"): NEVER,
    ("ses", "not verified"): STOP,
    ("ses", "sender"): STOP,
    ("ses", "suspended"): STOP,
    ("ses", "paused"): STOP,
    ("ses", "limit"): STOP,
    ("ses", "not found"): STOP,
    ("ses", "unauthorized"): STOP,
    ("ses", "signature"): STOP,
    ("ses", "denied"): STOP,
    ("ses", "too many"): LATER,
    ("ses", "day's quota"): STOP,
    ("ses", "throttled"): LATER,
    ("ses", "internal"): LATER,
    ("ses", "unavailable"): LATER,
    ("ses", "gateway"): UNKNOWN,
    ("resend", "validation"): NEVER,
    ("resend", "missing field"): NEVER,
    ("resend", "missing key"): STOP,
    ("resend", "invalid key"): STOP,
    ("resend", "testing"): STOP,
    ("resend", "sender"): STOP,
    ("resend", "not found"): STOP,
    ("resend", "other words"): UNKNOWN,
    ("resend", "at the same time"): UNKNOWN,
    ("resend", "too many"): LATER,
    ("resend", "day's quota"): STOP,
    ("resend", "month's quota"): STOP,
    ("resend", "internal"): LATER,
    ("resend", "unavailable"): LATER,
    ("resend", "gateway"): UNKNOWN,
}


def meaning(error: ChannelError) -> str:
    if isinstance(error, NotSent):
        return STOP if isinstance(error, Unreachable) else NEVER if error.permanent else LATER
    return UNKNOWN


def says(road: Road, said: Said | Trouble) -> None:
    assert road.api is not None
    road.api.mood = lambda asked: said


def test_every_documented_error_has_a_meaning() -> None:
    servers = {"sendgrid": SendGrid, "postmark": Postmark, "mailgun": Mailgun, "ses": Ses, "resend": Resend}
    assert MEANING.keys() == {(name, error) for name, server in servers.items() for error in server.errors}


@over_http
def test_an_error_means_what_the_table_says(road: Road) -> None:
    assert road.api is not None
    found = {}
    with road.open() as channel:
        for name, said in road.api.errors.items():
            says(road, said)
            with pytest.raises(ChannelError) as caught:
                channel.send(mail(channel))
            found[name] = meaning(caught.value)
            assert (caught.value.cure is not None) == (found[name] == STOP), name
    assert found == {name: what for (provider, name), what in MEANING.items() if provider == road.name}


@pytest.mark.parametrize("road", ["postmark", "resend"], indirect=True)
def test_an_error_about_a_whole_call_means_the_same_for_each_message_of_it(road: Road) -> None:
    assert road.api is not None
    with road.open() as channel:
        for name, said in road.api.errors.items():
            says(road, said)
            messages = [mail(channel, number) for number in range(3)]
            if MEANING[road.name, name] == STOP:
                with pytest.raises(Unreachable):
                    channel.send_many(messages)
            else:
                answers = channel.send_many(messages)
                assert [meaning(answer) for answer in answers] == [MEANING[road.name, name]] * 3  # type: ignore[arg-type]


@over_http
def test_answers_that_nobody_documents_are_never_taken_for_a_success(road: Road) -> None:
    with road.open() as channel:
        for status in (302, 307, 308, 404, 405, 418, 451, 501, 507, 520, 524, 599):
            says(road, Said(status, b"<html>?</html>", {"Location": "/elsewhere"} if status < 400 else {}))
            with pytest.raises(ChannelError) as caught:
                channel.send(mail(channel))
            expected = UNKNOWN if status >= 500 else NEVER if status in (418, 451) else STOP
            assert (status, meaning(caught.value)) == (status, expected)


# How long to wait.


@over_http
def test_a_provider_that_asks_for_patience_is_heard(road: Road) -> None:
    assert road.api is not None
    said = road.api.errors["too many"]
    says(road, in_40_seconds(said) if road.name == "sendgrid" else said)
    with road.open() as channel, pytest.raises(NotSent) as caught:
        channel.send(mail(channel))
    assert caught.value.retry_after is not None
    assert timedelta(seconds=35) <= caught.value.retry_after <= timedelta(seconds=40)
    assert len(road.api.asked) == 1


@pytest.mark.parametrize("road", ["sendgrid", "postmark", "mailgun", "resend"], indirect=True)
def test_too_many_a_second_is_waited_for_and_asked_again_once(road: Road) -> None:
    assert road.api is not None
    too_many = Said(429, b"", {"Retry-After": "0"})
    said = [too_many, None, too_many, too_many]
    road.api.mood = lambda asked: said.pop(0)
    with road.open() as channel:
        assert isinstance(channel.send(mail(channel, 1)), Sent)
        with pytest.raises(NotSent) as caught:
            channel.send(mail(channel, 2))
    assert not caught.value.permanent
    assert said == []
    assert len(road.arrived()) == 1


@pytest.mark.parametrize("asked", ["", "soon", "-5", "1.5", "Tue, 24 Nov 2026", "٣"])
def test_what_is_no_time_is_no_request_for_patience(asked: str) -> None:
    assert patience_of({"Retry-After": asked}) in (None, timedelta(seconds=3))
    assert patience_of({}) is None


def test_a_date_counts_by_the_providers_own_clock() -> None:
    now = datetime(2026, 11, 24, 10, tzinfo=UTC)
    headers = {"Date": format_datetime(now), "Retry-After": format_datetime(now + timedelta(minutes=3))}
    assert patience_of(headers) == timedelta(minutes=3)
    assert patience_of({**headers, "Retry-After": format_datetime(now - timedelta(days=3))}) == timedelta(0)


@pytest.mark.parametrize("asked", ["99999999", "9" * 400])
def test_patience_has_an_end(asked: str) -> None:
    assert patience_of({"Retry-After": asked}) == LONGEST_PATIENCE


# A success that cannot be read.


@over_http
def test_a_yes_in_words_the_provider_does_not_use_is_not_believed(road: Road) -> None:
    with road.open() as channel:
        for body in (b"", b"<html>Please log in to the hotel's network</html>", b"[]", b"{}", b"null", b"7"):
            says(road, Said(200, body))
            with pytest.raises(OutcomeUnknown):
                channel.send(mail(channel))


@pytest.mark.parametrize("road", ["postmark", "resend"], indirect=True)
@pytest.mark.parametrize(
    "body",
    [[], {}, [{"ErrorCode": 0}], {"data": [{"id": "a"}]}, {"data": [1, 2]}, {"data": [], "errors": [7, 8]}, "ok"],
)
def test_answers_to_a_call_that_do_not_match_its_messages_are_not_believed(road: Road, body: object) -> None:
    says(road, Said(200, body))
    with road.open() as channel:
        answers = channel.send_many([mail(channel, 1), mail(channel, 2)])
    assert [meaning(answer) for answer in answers] == [UNKNOWN] * 2  # type: ignore[arg-type]


def broken_off(road: Road) -> ChannelError | Sent:
    says(road, Trouble.CUT)
    with road.open() as channel:
        try:
            return channel.send(mail(channel))
        except ChannelError as error:
            return error


@pytest.mark.parametrize("road", ["postmark", "mailgun", "ses"], indirect=True)
def test_a_yes_that_breaks_off_is_unknown(road: Road) -> None:
    assert isinstance(broken_off(road), OutcomeUnknown)
    assert len(road.arrived()) == 1


@pytest.mark.parametrize("road", ["sendgrid"], indirect=True)
def test_sendgrids_yes_is_its_status_and_stands_without_the_body(road: Road) -> None:
    assert isinstance(broken_off(road), Sent)


@pytest.mark.parametrize("road", ["resend"], indirect=True)
def test_resends_yes_that_breaks_off_is_unknown_and_not_sent_again(road: Road) -> None:
    assert isinstance(broken_off(road), OutcomeUnknown)
    assert len(road.arrived()) == 1


@pytest.mark.parametrize("road", ["sendgrid", "postmark", "mailgun", "resend"], indirect=True)
def test_a_no_stands_although_its_words_break_off(road: Road) -> None:
    says(road, Said(413, b'{"mess', cut=True))
    with road.open() as channel, pytest.raises(NotSent) as caught:
        channel.send(mail(channel))
    assert caught.value.permanent
