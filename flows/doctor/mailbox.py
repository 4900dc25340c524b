"""The reply mailbox: whether it lets us in, and whether it is read."""

from datetime import timedelta

from accounts.errors import TandemError
from flows.doctor.finding import Finding, Patient, refused

#: The flow reads every ten minutes; after so long something is wrong with it.
SILENT = timedelta(hours=6)


def mailbox(patient: Patient) -> Finding | None:
    """Whether its folders can be read, with the security and the login that are set."""
    from flows.mailbox.imap import Imap

    settings = patient.settings
    if settings.mailbox.host is None:
        if settings.channel in ("outbox", "memory"):
            return None
        says = "no mailbox is read: bounces and absences of readers stay unknown"
        return Finding("mailbox", "warn", says, "set mailbox.host, or have the provider's events come in")
    try:
        with Imap(settings.mailbox) as imap:
            for folder in settings.mailbox.folder_names:
                imap.open(folder)
    except TandemError as error:
        return refused("mailbox", error)
    return _read_of_late(patient)


def _read_of_late(patient: Patient) -> Finding:
    from accounts.ledger.engine import open_existing_ledger, reading
    from accounts.ledger.signals.mailboxes import latest_reading

    place = f"{patient.settings.mailbox.username} at {patient.settings.mailbox.host}"
    try:
        engine = open_existing_ledger(patient.settings.ledger_url)
        try:
            with reading(engine) as connection:
                latest = latest_reading(connection)
        finally:
            engine.dispose()
    except TandemError:  # told by the check of the database
        latest = None
    if latest is None:
        return Finding("mailbox", "ok", f"{place} can be read; it never was", "tandem run signals")
    if patient.now - latest > SILENT:
        says = f"{place} was last read on {latest:%d %b %Y, %H:%M} UTC"
        return Finding("mailbox", "warn", says, "see whether collect-signals runs: tandem up")
    return Finding("mailbox", "ok", f"{place}, last read at {latest:%H:%M} UTC")
