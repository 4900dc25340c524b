"""By whichever door a no comes in, the very next claim refuses the person, and lets a colleague's mail go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from accounts.ledger.engine import reading, writing
from accounts.vocabulary import Reason, SignalKind
from flows.cli import tandem
from flows.mailbox import understand
from flows.mailbox.matching import Marks, Read, match, subjects_of
from flows.mailbox.signals import Arrived, signals_of
from flows.settings import Settings
from flows.signals.intake import collect, inbox_of
from tests.cast import NOW, World
from tests.importing.files import person, take, write
from tests.mailbox.letters import letter
from tests.mailbox.servers import report
from tests.sending.desk import certified, claim, touch_of
from tests.signals.post import play, send
from tests.signals.test_intake import Door
from tests.web.visitor import SECRET, Browser, opt_out_path
from tests.webhooks import senders
from tests.webhooks.samples import SAMPLES
from tests.webhooks.test_doors import amazon, deliver  # noqa: F401  a fixture
from tests.webhooks.test_noes import wait_for

ALICE, BOB = "alice@acme.example", "bob@acme.example"
K = SignalKind
NOES = frozenset({K.UNSUBSCRIBED, K.COMPLAINED, K.BOUNCED, K.LEFT_COMPANY})
#: What holds the colleagues as well: who writes a no has answered.
HOLDING = (K.COMPLAINED, K.REPLIED)
REFUSED = {Reason.OPTED_OUT, Reason.SUPPRESSED, Reason.BOUNCED, Reason.LEFT, Reason.ACCOUNT_HELD}
SOON = NOW + timedelta(seconds=1)
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # what the claim asks runs on both elsewhere

OF_PROVIDERS = [
    pytest.param(provider, event, kind, id=f"{provider} {number}: {kind}")
    for provider, samples in SAMPLES.items()
    for number, (event, kind, how) in enumerate(samples)
    if kind in NOES and how != "soft"
]


@contextmanager
def refused_afterwards(world: World, kind: SignalKind = K.UNSUBSCRIBED) -> Iterator[int]:
    """Two mails are certified; what is done meanwhile keeps Alice's back. Gives the number of hers."""
    plan = certified(world, {"alice": "evaluation/pilot", "bob": "evaluation/three-numbers"})
    hers = touch_of(world, "alice")
    yield hers
    answer = claim(world, plan, now=SOON)
    assert [touch.address for touch in answer.touches] == ([] if kind in HOLDING else [BOB])
    assert answer.refused[hers] in REFUSED


@on_sqlite
@pytest.mark.parametrize("data", [None, {"List-Unsubscribe": "One-Click"}], ids=["the link", "the header"])
def test_the_link_in_the_mail_and_the_header_of_the_mail_program(web: Browser, world: World, data: Any) -> None:
    with refused_afterwards(world) as touch:
        assert web.post(opt_out_path(touch), data=data).status_code == 200


@on_sqlite
@pytest.mark.parametrize(("provider", "event", "kind"), OF_PROVIDERS)
def test_every_providers_own_words(
    web: Browser, world: World, provider: str, event: dict[str, Any], kind: SignalKind
) -> None:
    make: Callable[[Any], senders.Request] = getattr(senders, provider)
    with refused_afterwards(world, kind) as touch:
        assert touch == 1, "which the samples speak of"
        assert deliver(web, make([event] if provider == "sendgrid" else event)) == 200
        wait_for(world)


def arf(address: str) -> bytes:
    """A complaint as a mailbox provider's feedback loop writes it (RFC 5965)."""
    return (
        "From: fbl@isp.example\r\nTo: abuse@mail.lumenflow.example\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="cut"\r\n\r\n'
        "--cut\r\nContent-Type: text/plain\r\n\r\nThis is an e-mail abuse report.\r\n"
        "--cut\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
        f"User-Agent: FBL/1\r\nOriginal-Rcpt-To: <{address}>\r\n\r\n"
        f"--cut\r\nContent-Type: message/rfc822\r\n\r\nFrom: ravi@lumenflow.example\r\nTo: {address}\r\n"
        "Subject: The pilot\r\n\r\nHi\r\n--cut--\r\n"
    ).encode()


BEFORE = "<tandem.before@mail.lumenflow.example>"
FROM = f"Alice Example <{ALICE}>"
LETTERS = {
    "asks in words": (letter("Please take me off your list.", From=FROM), K.REPLIED),
    "has left": (
        letter(
            "Alice Example has left the company.", subject="Automatic reply: The pilot", From=FROM,
            Auto_Submitted="auto-replied",
        ),
        K.LEFT_COMPANY,
    ),
    "is unknown there": (
        report(
            "550 5.1.1 no such user", "5.1.1", final=ALICE,
            copy=f"From: Ravi <ravi@lumenflow.example>\r\nTo: {ALICE}\r\nMessage-ID: {BEFORE}\r\n\r\nHi\r\n",
        ),
        K.BOUNCED,
    ),
    "complains": (arf(ALICE), K.COMPLAINED),
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize(("raw", "kind"), LETTERS.values(), ids=LETTERS)
def test_a_letter_in_the_mailbox(world: World, tmp_path: Path, raw: bytes, kind: SignalKind) -> None:
    ours = frozenset({"mail.lumenflow.example", "lumenflow.example"})
    marks = Marks(SECRET, ours, subjects_of(play()), timedelta(days=60))
    with refused_afterwards(world, kind):
        with writing(world.engine) as connection:
            send(connection, world, "alice", "new-business/evaluation/before", message_id=BEFORE)
        understood = understand(raw, NOW)
        with reading(world.engine) as connection:
            (found,) = match(connection, [Read(understood, "The pilot", NOW)], marks)
        signals = signals_of(understood, found, Arrived("d", "INBOX/1/1", "The pilot", NOW))
        collect(world.engine, Settings(home=tmp_path), play(), NOW, [Door(signals)])


@on_sqlite
@pytest.mark.parametrize("kind", sorted(NOES))
def test_a_row_of_a_list(world: World, tmp_path: Path, kind: SignalKind) -> None:
    settings = Settings(home=tmp_path)
    inbox_of(settings).mkdir(parents=True)
    (inbox_of(settings) / "noes.csv").write_text(f"email;kind;occurred_at\n{ALICE};{kind};24.11.2026\n")
    with refused_afterwards(world, kind):
        assert collect(world.engine, settings, play(), NOW, []).recorded == 1


@on_sqlite
@pytest.mark.parametrize("kind", sorted(NOES))
def test_by_hand(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: SignalKind) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path))
    monkeypatch.setenv("TANDEM_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    with refused_afterwards(world, kind):
        words = ["signal", "add", "--email", ALICE, "--kind", kind.value, "--as-of", NOW.isoformat()]
        assert CliRunner().invoke(tandem, words, catch_exceptions=False).exit_code == 0


@on_sqlite
def test_a_list_of_people_from_the_crm(world: World, tmp_path: Path) -> None:
    with refused_afterwards(world):
        take(world.engine, write(tmp_path / "stakeholders.csv", [person("alice", opted_out="true")]))
