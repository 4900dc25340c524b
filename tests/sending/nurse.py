"""A sender in a process of its own, to be killed: despatches a certified plan to a mail server on loopback."""

from datetime import datetime
from pathlib import Path

from accounts.ledger.engine import open_ledger, writing
from accounts.ledger.planning import brakes
from accounts.playfiles import load_play
from accounts.vocabulary import BrakeScope
from flows.channels.email.smtp import Smtp
from flows.content.mailing import Mailroom, open_mailroom
from flows.sending.journal import Journal
from flows.sending.leaving import despatch
from flows.settings import TEMPLATES, Settings
from flows.settings import Smtp as SmtpSettings
from tests.sending.desk import ALWAYS

#: The one content these senders send.
CONTENT = "new-business/discovery/why-now"


def mailroom() -> Mailroom:
    """The real play with one content compiled, and a window that never closes."""
    play = load_play(TEMPLATES / "plays" / "new-business").model_copy(update={"window": ALWAYS})
    return open_mailroom(Settings(), play, only=CONTENT)


def send(url: str, port: int, plan_id: int, now: datetime, home: Path, lanes: int = 1) -> None:
    """What the process does: batches of ten, until the plan is through or the process is dead."""
    engine = open_ledger(url)
    settings = SmtpSettings(host="127.0.0.1", port=port, security="none", timeout_seconds=5, connections=lanes)
    with Smtp(settings, "mail.example") as smtp, Journal.open(home / "journal", engine) as journal:
        despatch(engine, mailroom(), plan_id, now, smtp, batch=10, journal=journal)
    engine.dispose()


def pull_the_brake(url: str, now: datetime) -> None:
    """Somebody in another process stops all sending."""
    engine = open_ledger(url)
    with writing(engine) as connection:
        brakes.pull(connection, BrakeScope.GLOBAL, "", by="ravi", now=now)
    engine.dispose()
