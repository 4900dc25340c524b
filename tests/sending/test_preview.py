"""What `tandem preview --out` writes is, byte for byte, what sending put into the outbox."""

import email
import email.policy
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from accounts.ledger.engine import reading
from accounts.models import Touch
from accounts.playfiles import load_play
from flows import nurturing
from flows.cli import tandem
from flows.settings import TEMPLATES, load_settings
from tests.cast import NOW, PLAY, World


@pytest.fixture
def outbox(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """After a run over the cast, with the channel and the settings a first user has: address -> file in the outbox."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    settings = load_settings()
    nurturing.nurture(world.engine, settings, load_play(TEMPLATES / "plays" / PLAY), NOW)
    files = sorted(settings.outbox.glob("*.eml"))
    return {parsed(file.read_bytes())["To"].addresses[0].addr_spec: file for file in files}


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def sent_contents(world: World) -> dict[str, str]:
    """Address -> the content its one mail was made of."""
    with reading(world.engine) as connection:
        return dict(connection.execute(select(Touch.address, Touch.content)).tuples().all())


def previewed(content: str, address: str, at: datetime) -> bytes:
    words = ["preview", content, "--for", address, "--out", "x.eml", "--as-of", at.isoformat()]
    CliRunner().invoke(tandem, words, catch_exceptions=False, standalone_mode=False)
    return Path("x.eml").read_bytes()


def test_a_written_preview_is_the_file_in_the_outbox(world: World, outbox: dict[str, Path]) -> None:
    """Promise 8: from the command line's end to the channel's."""
    assert outbox.keys() == {"alice@acme.example", "ivan@initech.example"} == sent_contents(world).keys()
    for address, content in sent_contents(world).items():
        assert previewed(content, address, NOW) == outbox[address].read_bytes()


def test_of_another_hour_only_the_date_differs(world: World, outbox: dict[str, Path]) -> None:
    for address, content in sent_contents(world).items():
        sent = outbox[address].read_bytes().splitlines()
        shown = previewed(content, address, NOW + timedelta(hours=1)).splitlines()
        apart = [(was, now) for was, now in zip(sent, shown, strict=True) if was != now]
        assert [(was[:6], now[:6]) for was, now in apart] == [(b"Date: ", b"Date: ")]
