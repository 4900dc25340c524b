"""How our mails fare: what is stopped, and what comes close to it."""

from accounts.errors import TandemError
from flows.doctor.finding import Finding, Patient

#: Things that are named in one line.
NAMED = 3


def brakes(patient: Patient) -> Finding | None:
    """Whether any sending is stopped, or bounces and complaints come near to stopping it."""
    from accounts.ledger.engine import open_existing_ledger, reading
    from accounts.ledger.planning.brakes import pulled
    from accounts.reputation import Word
    from flows.sending.braking import findings

    try:
        engine = open_existing_ledger(patient.settings.ledger_url)
        try:
            with reading(engine) as connection:
                stopped = [f"{brake.what} is stopped: {brake.note or f'by {brake.by}'}" for brake in pulled(connection)]
                found = findings(connection, patient.settings.reputation, patient.now)
        finally:
            engine.dispose()
    except TandemError:  # told by the check of the database
        return None
    told = [*stopped, *(one.says for one in found if one.word is Word.WARN)]
    if not told:
        return Finding("brakes", "ok", "nothing is stopped, and no mails fare badly")
    more = f"; {len(told) - NAMED} more" if len(told) > NAMED else ""
    cure = "see why with tandem stop --list, mend it, then tandem stop --release"
    return Finding("brakes", "warn", "; ".join(told[:NAMED]) + more, cure)
