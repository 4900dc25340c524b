"""One Dovecot for all tests of the reader; each test has a mailbox of its own."""

from collections.abc import Iterator

import pytest

from tests.mailbox.dovecot import Dovecot, Postbox, dovecot


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Dovecot]:
    with dovecot() as house:
        yield house


@pytest.fixture
def postbox(mail_server: Dovecot) -> Postbox:
    return mail_server.mailbox()
