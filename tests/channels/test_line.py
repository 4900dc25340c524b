"""The line to a provider: what leaves, to whom, and what is known when it breaks."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused, Unreachable
from flows.channels.email.http_line import Line
from flows.channels.email.mailgun import Mailgun
from flows.channels.email.postmark import Postmark
from flows.channels.email.registry import open_channel
from flows.providers import Mailgun as MailgunSettings
from flows.providers import Postmark as PostmarkSettings
from flows.providers import Provider
from flows.settings import Settings
from tests.channels.roads import OVER_HTTP, Road, mail, nowhere
from tests.channels.servers import Said, Trouble, at_work
from tests.channels.servers import mailgun as mailgun_server
from tests.channels.servers import postmark as postmark_server
from tests.channels.test_contract import wait_until
from tests.sending.post_office import Certificate, make_certificate

over_http = pytest.mark.parametrize("road", OVER_HTTP, indirect=True)


def line_to(url: str, **changes: float) -> Line:
    return Line("postmark", url, Provider(**{"timeout_seconds": 5, **changes}), cure="check postmark.token")


# When it breaks.


@over_http
def test_a_provider_that_says_nothing_in_time_may_have_taken_the_message(road: Road) -> None:
    assert road.api is not None
    road.api.mood = lambda asked: Trouble.SILENT
    with road.open(timeout_seconds=0.3) as channel:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            channel.send(mail(channel))
    assert time.monotonic() - began < 5


def test_a_line_that_breaks_before_the_whole_message_left_is_no_riddle() -> None:
    with at_work(postmark_server.Postmark()) as api:
        api.deaf = True
        line = line_to(api.url)
        with pytest.raises(NotSent, match="before the whole message had left") as caught:
            line.post("/email", b"x" * 50_000_000, {})
        line.close()
    assert not caught.value.permanent
    assert not isinstance(caught.value, Unreachable)
    assert api.asked == []


def test_after_a_break_the_next_message_takes_a_fresh_connection() -> None:
    with at_work(postmark_server.Postmark()) as api:
        settings = PostmarkSettings(token=SecretStr(postmark_server.TOKEN), base_url=api.url)
        with Postmark(settings) as channel:
            api.mood = lambda asked: Trouble.LOST
            with pytest.raises(OutcomeUnknown):
                channel.send(mail(channel, 1))
            api.mood = lambda asked: None
            channel.send(mail(channel, 2))
        assert api.connections == 2


@over_http
def test_a_connection_that_was_closed_while_it_was_idle_costs_no_message(road: Road) -> None:
    assert road.api is not None
    road.api.keeps_connections = False
    with road.open() as channel:
        for number in range(3):
            channel.send(mail(channel, number))
            wait_until(lambda: road.open_connections() == 0)
    assert len(road.arrived()) == road.api.connections == 3


def test_a_name_that_leads_nowhere_is_unreachable() -> None:
    line = line_to("https://api.postmark.invalid")
    with pytest.raises(Unreachable, match="does not answer") as caught:
        line.post("/email", b"{}", {})
    assert "postmark.base_url" in str(caught.value.cure)


# To whom it goes.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def test_a_certificate_that_nobody_vouches_for_gets_neither_key_nor_message(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work(postmark_server.Postmark(), certificate.server) as api:
        with pytest.raises(Unreachable, match="no trusted connection"):
            line_to(api.url).post("/email", b"{}", {})
        assert api.asked == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
        line = line_to(api.url)
        assert line.post("/email", b"{}", {}).status == 401
        line.close()


def test_a_key_never_travels_in_the_open() -> None:
    with pytest.raises(SettingsRefused, match="in the open") as caught:
        Line("postmark", "http://api.postmarkapp.example", Provider(), cure="")
    assert caught.value.where == "postmark.base_url"


@over_http
def test_nobody_is_followed_elsewhere(road: Road) -> None:
    assert road.api is not None
    with at_work(postmark_server.Postmark()) as stranger:
        road.api.mood = lambda asked: Said(307, b"", {"Location": f"{stranger.url}/email"})
        with road.open() as channel, pytest.raises((Unreachable, NotSent, OutcomeUnknown)):
            channel.send(mail(channel))
        assert stranger.asked == []


def test_a_netrc_does_not_replace_our_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with at_work(mailgun_server.Mailgun()) as api:
        settings = MailgunSettings(key=SecretStr(mailgun_server.KEY), base_url=api.url)
        with Mailgun(settings, "mail.example") as channel:
            channel.send(mail(channel))
        assert len(api.arrived) == 1


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with at_work(postmark_server.Postmark()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        there = nowhere()
        line = line_to(there)
        line.post("/email", b"{}", {})
        line.close()
        assert [asked.path for asked in proxy.asked] == [f"{there}/email"]


# What settings say.


@pytest.mark.parametrize(
    ("channel", "key"),
    [
        ("sendgrid", "sendgrid.key"),
        ("postmark", "postmark.token"),
        ("mailgun", "mailgun.key"),
        ("ses", "ses.region"),
        ("resend", "resend.key"),
    ],
)
def test_a_channel_without_its_key_names_the_setting(channel: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as caught:
        open_channel(Settings(channel=channel, home=tmp_path))  # type: ignore[arg-type]
    assert caught.value.where == key
    assert f"TANDEM_{key.upper().replace('.', '__')}" in str(caught.value.cure)


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused):
        open_channel(Settings(channel="resend", home=tmp_path, resend={"key": ""}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("channel", "key"),
    [
        ("sendgrid", "key"),
        ("postmark", "token"),
        ("mailgun", "key"),
        ("resend", "key"),
        ("ses", "access_key_id"),
        ("ses", "secret_access_key"),
    ],
)
def test_a_key_with_more_in_it_is_refused_without_being_shown(channel: str, key: str, tmp_path: Path) -> None:
    whole = {"region": "eu-west-1", "access_key_id": "AKIA", "secret_access_key": "k"} if channel == "ses" else {}
    for odd in ("hush\r\nBcc: x", "hush hush", "hüsh"):
        with pytest.raises(SettingsRefused) as caught:
            open_channel(Settings(channel=channel, home=tmp_path, **{channel: {**whole, key: odd}}))  # type: ignore[arg-type]
        assert caught.value.where == f"{channel}.{key}"
        assert odd[:4] not in str(caught.value)


def test_the_line_end_of_a_key_from_a_file_is_no_part_of_it() -> None:
    with at_work(postmark_server.Postmark()) as api:
        settings = PostmarkSettings(token=SecretStr(f"{postmark_server.TOKEN}\n"), base_url=api.url)
        with Postmark(settings) as channel:
            assert "answers" in channel.check()


def test_keys_show_in_no_settings_that_are_printed() -> None:
    told = {"sendgrid": {"key": "hush"}, "postmark": {"token": "hush"}, "ses": {"secret_access_key": "hush"}}
    settings = Settings(**told)  # type: ignore[arg-type]
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"
