"""The reps: whether their briefs reach them."""

from accounts.errors import TandemError
from flows.doctor.finding import Finding, Patient
from flows.masking import mask

#: Reps that are named in one line.
NAMED = 3


def briefs(patient: Patient) -> Finding | None:
    """Whether anybody's last brief came back, or was refused for good."""
    from accounts.ledger.briefs.bounces import unreached_reps
    from accounts.ledger.engine import open_existing_ledger, reading

    try:
        engine = open_existing_ledger(patient.settings.ledger_url)
        try:
            with reading(engine) as connection:
                unreached = unreached_reps(connection)
        finally:
            engine.dispose()
    except TandemError:  # told by the check of the database
        return None
    if not unreached:
        return Finding("briefs", "ok", "no rep's last brief failed")
    named = "; ".join(f"{mask(one.email)} ({one.error or 'no reason was given'})" for one in unreached[:NAMED])
    more = f"; {len(unreached) - NAMED} more" if len(unreached) > NAMED else ""
    cure = "mend the address in reps.csv and import it: the next brief tells what they missed"
    return Finding("briefs", "warn", f"the last brief did not reach {named}{more}", cure)
