"""What is special about one provider."""

import json
import sys
from email import message_from_bytes, policy

import pytest
from pydantic import SecretStr

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from flows.channels.email import Outgoing, Sent
from flows.channels.email.compose import Mailbox
from flows.channels.email.ses import Ses
from flows.providers import Ses as SesSettings
from tests.channels.roads import NOBODY, Road, mail
from tests.channels.servers import Asked, Said, Trouble
from tests.channels.servers.postmark import error as postmark_error
from tests.channels.servers.resend import error as resend_error


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("road", [name], indirect=True)


def in_turn(road: Road, *said: Said | Trouble | None) -> None:
    """These answers, one after the other, and then none of ours."""
    assert road.api is not None
    left = list(said)
    road.api.mood = lambda asked: left.pop(0) if left else None


def asked_of(road: Road) -> list[Asked]:
    assert road.api is not None
    return road.api.asked


@pytest.mark.parametrize("road", ["sendgrid", "postmark", "mailgun", "resend"], indirect=True)
def test_nothing_personal_is_in_what_the_provider_keeps_beside_the_message(road: Road) -> None:
    with road.open() as channel:
        channel.send(mail(channel, to=Mailbox("Dana Example", "dana@acme.example")))
    sent = asked_of(road)[0].body.decode()
    beside = {
        "sendgrid": lambda: json.loads(sent)["personalizations"][0]["custom_args"],
        "postmark": lambda: json.loads(sent)["Metadata"],
        "resend": lambda: json.loads(sent)["tags"],
        "mailgun": lambda: sent[sent.index('name="v:tandem"') : sent.index('name="to"')],
    }[road.name]()
    assert "touch-17" in str(beside)
    assert not any(word in str(beside).lower() for word in ("dana", "acme", "@"))


@pytest.mark.parametrize("road", ["sendgrid", "postmark", "mailgun"], indirect=True)
def test_the_provider_tracks_nobody(road: Road) -> None:
    with road.open() as channel:
        channel.send(mail(channel))
    sent = asked_of(road)[0].body.decode()
    if road.name == "sendgrid":
        assert [how["enable"] for how in json.loads(sent)["tracking_settings"].values()] == [False] * 3
    elif road.name == "postmark":
        assert (json.loads(sent)["TrackOpens"], json.loads(sent)["TrackLinks"]) == (False, "None")
    else:
        assert sent.count('name="o:tracking') == sent.count("\r\n\r\nno\r\n") == 3


# SendGrid.


@only("sendgrid")
def test_a_key_that_may_not_send_is_found_by_the_doctor(road: Road) -> None:
    in_turn(road, Said(200, {"scopes": ["stats.read"]}))
    with road.open() as channel, pytest.raises(Unreachable, match="may not send"):
        channel.check()


# Postmark.


@only("postmark")
def test_a_refusal_of_the_account_in_the_middle_of_a_call_stops_and_leaves_the_sent_ones_sent(road: Road) -> None:
    taken = {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1"}
    in_turn(road, Said(200, [taken, postmark_error(405, "You ran out of credits.")]))
    with road.open() as channel:
        first, second = channel.send_many([mail(channel, 1), mail(channel, 2)])
    assert first == Sent("postmark", "pm-1")
    assert isinstance(second, Unreachable)


@only("postmark")
def test_a_call_never_weighs_more_than_the_provider_takes(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.channels.email.postmark.Postmark.octets", 5_000)
    with road.open() as channel:
        answers = channel.send_many([mail(channel, number, text="x" * 1_500) for number in range(6)])
    assert all(isinstance(answer, Sent) for answer in answers)
    assert [len(asked.body) <= 5_000 for asked in asked_of(road)] == [True] * len(asked_of(road))
    assert 3 <= len(asked_of(road)) < 6


@only("postmark")
def test_a_call_that_fails_after_another_went_through_does_not_hide_that(road: Road) -> None:
    in_turn(road, None, Said(401, postmark_error(10, "Bad or missing Server API token.")))
    with road.open(batch=2) as channel:
        answers = channel.send_many([mail(channel, number) for number in range(4)])
    assert [type(answer) for answer in answers] == [Sent, Sent, Unreachable, Unreachable]


@only("postmark")
def test_the_stream_is_that_of_the_settings(road: Road) -> None:
    with road.open(stream="outbound") as channel, pytest.raises(Unreachable) as caught:
        channel.send(mail(channel))
    assert caught.value.cure == "check postmark.stream"


@only("postmark")
def test_five_hundred_messages_are_one_call(road: Road) -> None:
    with road.open() as channel:
        message = mail(channel)
        answers = channel.send_many([message] * 500)
    assert len(asked_of(road)) == 1
    assert {type(answer) for answer in answers} == {Sent}


# Mailgun.


@only("mailgun")
def test_a_key_that_may_only_send_is_enough_for_the_doctor(road: Road) -> None:
    with road.open() as channel:
        assert channel.check() == "mailgun: answers, the key may send from mail.example"


@only("mailgun")
def test_a_domain_that_mailgun_does_not_know_is_a_matter_of_settings(road: Road) -> None:
    with road.open(domain="other.example") as channel, pytest.raises(Unreachable, match=r"mailgun\.key, domain"):
        channel.check()
    assert road.api is not None
    assert road.api.refused.pop() == "/v3/other.example/messages.mime"


@pytest.mark.parametrize("road", ["mailgun", "ses"], indirect=True)
def test_a_finished_message_arrives_to_the_last_byte(road: Road) -> None:
    with road.open() as channel:
        message = mail(channel)
        channel.send(message)
    body = asked_of(road)[0].body
    if road.name == "ses":
        from base64 import b64decode

        assert b64decode(json.loads(body)["Content"]["Raw"]["Data"]) == message.content
    else:
        assert message.content in body
    assert message_from_bytes(message.content, policy=policy.default)["subject"] == "Why now"


@pytest.mark.parametrize("road", ["mailgun", "ses"], indirect=True)
def test_an_envelope_that_nobody_can_be_reached_at_fails_for_good_and_is_not_asked_for(road: Road) -> None:
    with road.open() as channel:
        message = mail(channel)
        astray = Outgoing(message.message_id, message.sender, "dana acme@x, eve@acme.example", message.content)
        with pytest.raises(NotSent) as caught:
            channel.send(astray)
    assert caught.value.permanent
    assert asked_of(road) == []


# Resend.


@only("resend")
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("trouble", [Trouble.LOST, Trouble.SILENT, Said(502, b""), Said(504, b"")])
def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_is_sent_twice(
    road: Road, trouble: Said | Trouble, many: bool
) -> None:
    in_turn(road, trouble)
    with road.open(timeout_seconds=0.4 if trouble is Trouble.SILENT else 10) as channel:
        messages = [mail(channel, number) for number in range(3)]
        answers = channel.send_many(messages) if many else [channel.send(messages[0])]
    assert all(isinstance(answer, Sent) for answer in answers)
    assert len(road.arrived()) == len(answers)
    first, second = asked_of(road)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@only("resend")
@pytest.mark.parametrize(
    "second",
    [
        Trouble.LOST,
        Said(503, b""),
        resend_error(429, "rate_limit_exceeded", "Too many"),
        resend_error(401, "missing_api_key", "?"),
        resend_error(409, "concurrent_idempotent_requests", "Still in progress"),
    ],
)
def test_what_the_second_question_fails_by_says_nothing_about_the_first(road: Road, second: Said | Trouble) -> None:
    in_turn(road, Trouble.LOST, second)
    with road.open() as channel, pytest.raises(OutcomeUnknown):
        channel.send(mail(channel))
    assert len(asked_of(road)) == 2


@only("resend")
def test_a_message_that_resend_has_read_and_refused_was_not_taken_the_first_time(road: Road) -> None:
    in_turn(road, Said(502, b""), resend_error(422, "validation_error", f"Invalid `to` field: {NOBODY}"))
    with road.open() as channel, pytest.raises(NotSent) as caught:
        channel.send(mail(channel))
    assert caught.value.permanent


@only("resend")
def test_no_two_installations_share_a_key(road: Road) -> None:
    """Keys count for a team at Resend, and both a trial and a live installation have a touch 17."""
    with road.open() as channel:
        message = mail(channel)
        assert message.letter is not None
        twin = Outgoing(
            "<tandem.17.ffff@trial.example>", message.sender, message.recipient, b"", message.letter, message.key
        )
        channel.send(message)
        channel.send(twin)
    assert len({asked.headers["idempotency-key"] for asked in asked_of(road)}) == 2
    assert len(road.arrived()) == 2


@only("resend")
def test_a_key_that_may_only_send_answers_the_doctor(road: Road) -> None:
    in_turn(road, resend_error(401, "restricted_api_key", "This API key is restricted to only send emails"))
    with road.open() as channel:
        assert channel.check() == "resend: answers, the key may only send"


# Amazon SES.


@only("ses")
def test_the_configuration_set_travels_along(road: Road) -> None:
    with road.open(configuration_set="nurture") as channel:
        channel.send(mail(channel))
    assert json.loads(asked_of(road)[0].body)["ConfigurationSetName"] == "nurture"


@only("ses")
@pytest.mark.parametrize(
    ("account", "says"),
    [
        ({"SendingEnabled": True, "ProductionAccessEnabled": True}, "ses: eu-west-1 answers"),
        ({"SendingEnabled": True, "ProductionAccessEnabled": False}, "sandbox"),
        ({"SendingEnabled": False}, None),
    ],
)
def test_the_doctor_sees_the_state_of_the_account(road: Road, account: dict[str, bool], says: str | None) -> None:
    in_turn(road, Said(200, account))
    with road.open() as channel:
        if says is None:
            with pytest.raises(Unreachable, match="paused"):
                channel.check()
        else:
            assert says in channel.check()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"region": None}, "ses.region"),
        ({"secret_access_key": None}, "ses"),
        ({"access_key_id": None}, "ses"),
        ({"endpoint_url": "not an address"}, "ses"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_sent(changes: dict[str, None], where: str) -> None:
    told = {"region": "eu-west-1", "access_key_id": "AKIA", "secret_access_key": SecretStr("hush")}
    with pytest.raises(SettingsRefused) as caught:
        Ses(SesSettings(**{**told, **changes}))  # type: ignore[arg-type]
    assert caught.value.where == where


def test_without_boto3_the_channel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SettingsRefused, match=r"tandem-abm\[ses\]"):
        Ses(SesSettings(region="eu-west-1"))


@only("ses")
def test_a_machine_without_keys_is_told_so(road: Road, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    channel = road.open(access_key_id=None, secret_access_key=None)
    with channel, pytest.raises(Unreachable, match="no keys to sign with") as caught:
        channel.send(mail(channel))
    assert "ses.access_key_id" in str(caught.value.cure)
