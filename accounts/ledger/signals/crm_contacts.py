"""People as the CRM numbers them: its webhooks name nobody in any other way."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from accounts.ledger.driver import rows
from accounts.ledger.signals.whose import Incoming

_ADDRESSES = "SELECT crm_id, email FROM stakeholder WHERE crm_id {among:numbers} ORDER BY is_home, id DESC"


def addresses_of(connection: Connection, numbers: Collection[str]) -> dict[str, str]:
    """The CRM's number -> address, of those that an import has brought."""
    asked = sorted(numbers)
    return dict(rows(connection, _ADDRESSES, numbers=asked) if asked else ())


def with_addresses(connection: Connection, signals: Sequence[Incoming]) -> tuple[list[Incoming], list[Incoming]]:
    """The signals, with addresses in place of the CRM's numbers; and those whose number nobody here has."""
    numbers = {signal.crm_id for signal in signals if signal.crm_id}
    if not numbers:
        return list(signals), []
    known = addresses_of(connection, numbers)
    named = [
        signal._replace(email=known[signal.crm_id]) if signal.crm_id else signal
        for signal in signals
        if not signal.crm_id or signal.crm_id in known
    ]
    return named, [signal for signal in signals if signal.crm_id and signal.crm_id not in known]
