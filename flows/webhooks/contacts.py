"""A no that names a contact by the CRM's number: it acts at once on whoever an import has brought under that number.

A number that nobody has waits in quarantine, for the import that brings it or for a person who knows better. What asks
for an erasure waits there as well until the next collection has erased the person (erasing.py).
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from accounts.ledger.importing import quarantine
from accounts.ledger.importing.quarantine import NAMELESS, TO_FORGET, Entry, Reason
from accounts.ledger.signals.applying import act_on_noes
from accounts.ledger.signals.crm_contacts import with_addresses
from accounts.ledger.signals.webhooks import Post
from accounts.ledger.signals.whose import Incoming
from flows.webhooks.registry import READERS

DATASET = "webhooks"
WAITS = {
    NAMELESS: "says no to mail by the CRM's number, which nobody here has; opt the person out, or import the number",
    TO_FORGET: "asks for a contact to be forgotten, by the CRM's number; the next collection erases who has it",
}


def name_contacts(
    connection: Connection, signals: Sequence[Incoming]
) -> tuple[list[Incoming], list[tuple[Incoming, Reason]]]:
    """The signals with addresses in place of numbers; and those that have to wait, with the reason."""
    named, nameless = with_addresses(connection, signals)
    to_forget = [one for one in signals if one.crm_id and one.data.get("erase")]
    only_nameless = [one for one in nameless if not one.data.get("erase")]
    rules = [*((one, NAMELESS) for one in only_nameless), *((one, TO_FORGET) for one in to_forget)]
    return named, [(one, Reason(rule, WAITS[rule], "crm_id", one.crm_id)) for one, rule in rules]


def hear_again(connection: Connection, now: datetime) -> None:
    """After an import: what waits and names somebody it has brought acts in the same transaction."""
    for rule in (NAMELESS, TO_FORGET):
        for entry in quarantine.open_for(connection, DATASET, rule):
            named, _ = with_addresses(connection, list(_signals_of(entry)))
            if named:
                act_on_noes(connection, named, now)
                if rule == NAMELESS:
                    quarantine.mark_resolved(connection, [entry.id], now)


def _signals_of(entry: Entry) -> Iterable[Incoming]:
    written = entry.row[""]
    post = Post(entry.source, "", "", entry.first_seen, "", written.encode())
    return READERS[entry.source].translate(json.loads(written), post)
