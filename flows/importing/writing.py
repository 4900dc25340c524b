"""Accepted rows into the ledger: new and changed ones, and the marks on the accounts they concern."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from accounts.ledger.bulk import chunks
from accounts.ledger.importing import facts
from accounts.ledger.signals.effects import Caused, perform
from accounts.outcomes import OptOut, Suppress
from flows.importing.datasets import Dataset
from flows.importing.job import Job
from flows.importing.shaping import written_columns
from flows.importing.staging import Staged
from flows.webhooks.contacts import hear_again


def write_facts(connection: Connection, job: Job, dataset: Dataset, staged: Staged) -> None:
    """Everything the rows of one data set change, in the caller's transaction."""
    name = dataset.name
    job.tell(f"writing {name}", 0, None)
    for given, files in staged.by_fields().items():
        facts.write(connection, name, written_columns(name, given), files, source=job.source, now=job.now)
        if "parent" in given:
            facts.link_parents(connection, files)
        if "backup_email" in given:
            facts.link_backups(connection, files)
        if "opted_out" in given:
            _hear(connection, facts.opted_out(connection, files), job.now)
    facts.mark_changed(connection, name, job.now)
    facts.mark_seen(connection, name, job.now)
    if name == "stakeholders":
        facts.note_owner_conflicts(connection, job.now)
        hear_again(connection, job.now)


def _hear(connection: Connection, noes: Sequence[str], now: datetime) -> None:
    """What people told the CRM they told us; nobody did it today, so it is no signal and weighs nothing."""
    effects = OptOut(now), Suppress("opted_out", now)
    for some in chunks(noes):
        perform(connection, [Caused(effect, 0, None, None, None, hashed) for hashed in some for effect in effects], now)
