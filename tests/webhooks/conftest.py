"""The real server of the web tests, with all doors open."""

from pathlib import Path

import pytest

from flows.settings import Settings
from tests.web.conftest import board, clock, serve, web  # noqa: F401  fixtures
from tests.web.visitor import SECRET
from tests.webhooks import senders


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, secret_key=SECRET, base_url=senders.BASE_URL, webhooks=senders.secrets())
