"""Whoever the CRM wants forgotten is erased here as well: ledger, files, quarantine. The no acted at the door."""

import logging
from datetime import datetime

from sqlalchemy import Engine

from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from accounts.ledger.importing.quarantine import TO_FORGET
from accounts.ledger.signals.crm_contacts import addresses_of
from flows.forgetting import forget_person
from flows.settings import Settings
from flows.webhooks.contacts import DATASET

log = logging.getLogger("tandem.webhooks")


def erase_contacts(engine: Engine, settings: Settings, now: datetime) -> None:
    """A kill between the erasure and its note leaves an entry about nobody, for a person to dismiss."""
    with reading(engine) as connection:
        waiting = quarantine.open_for(connection, DATASET, TO_FORGET)
        numbers = {entry.id: entry.reasons[0].value or "" for entry in waiting}
        known = addresses_of(connection, set(numbers.values()))
    for entry, number in numbers.items():
        if number in known:
            erased = forget_person(engine, settings, known[number], by="CRM", now=now)
            with writing(engine) as connection:
                quarantine.mark_resolved(connection, [entry], now)
            if erased.leftovers:
                log.warning("%s files still spell somebody who was forgotten: tandem forget", len(erased.leftovers))
