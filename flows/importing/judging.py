"""Which staged rows may go in: rules set rows aside, and Great Expectations has the last word on what is left."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import Connection

from accounts.errors import InputRefused
from accounts.ledger.importing import facts, incoming, waiting_room
from expectations.judging import judge
from expectations.rules import Rule, any_broken
from flows.importing.datasets import Dataset
from flows.importing.job import Job


def set_rows_aside(job: Job, dataset: Dataset) -> None:
    """First the rules about single rows, then those about what is left: of two equal rows the good one is taken."""
    name, suite = dataset.name, dataset.suite
    job.tell(f"checking {name}", 0, None)
    with waiting_room.staging(job.engine) as connection:
        if incoming.suspect(connection, name, any_broken(suite.about_rows, job.values)):
            _note(connection, job, dataset, suite.about_rows, incoming.suspects(name))
        _note(connection, job, dataset, suite.about_all, incoming.accepted(name))


def _note(connection: Connection, job: Job, dataset: Dataset, rules: Sequence[Rule], batch: str) -> None:
    found = [incoming.note_failures(connection, dataset.name, rule.id, rule.query(batch, job.values)) for rule in rules]
    if any(found):
        incoming.set_aside(connection, dataset.name)


def compare(job: Job, dataset: Dataset) -> tuple[int, int]:
    """(new, changed): how many accepted rows the ledger does not have as they are."""
    with waiting_room.staging(job.engine) as connection:
        return facts.compare(connection, dataset.name)


@contextmanager
def judged(job: Job, dataset: Dataset, differing: tuple[int, int]) -> Iterator[None]:
    """The accepted rows are judged while the body writes them; the body must not commit. Where nothing differs from the
    ledger there is nothing to judge.

    Raises InputRefused if a rule is not kept by the rows that are about to be written.
    """
    if not any(differing):
        yield
        return
    place = waiting_room.room_file(job.engine) or job.engine
    with ThreadPoolExecutor(1) as beside:
        verdict = beside.submit(judge, place, incoming.accepted_rows(dataset.name), dataset.suite, job.values)
        yield
        job.tell(f"judging {dataset.name}", 0, None)
        if not verdict.result().passed:
            cure = "nothing of them was written; please report this with the file"
            raise InputRefused(f"{dataset.name} do not meet their expectations: {verdict.result()}", cure=cure)
