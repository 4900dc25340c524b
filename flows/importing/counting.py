"""What became of the rows, and what the accounts still lack: counted while the staging tables are there."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from accounts.ledger.importing import facts, incoming, waiting_room
from expectations.readiness import READINESS
from expectations.rules import Rule, filled
from flows.importing.answers import SetAside, Taken, Warned
from flows.importing.datasets import Dataset
from flows.importing.job import Job
from flows.importing.staging import Staged


def sum_up(job: Job, dataset: Dataset, staged: Staged, differing: tuple[int, int], files: Sequence[str]) -> Taken:
    """What became of one data set; `differing`: new and changed rows, `files`: names by number."""
    name, (added, changed) = dataset.name, differing
    with waiting_room.staging(job.engine) as connection:
        rejected = incoming.count_rejected(connection, name)
        reasons = tuple(_reasons(connection, dataset, files))
        warned = [_warning(connection, job, rule, name, incoming.accepted(name)) for rule in dataset.suite.warnings]
    return Taken(
        dataset=name,
        files=tuple(dict.fromkeys(files)),
        read=staged.entries + staged.left_out,
        added=added,
        changed=changed,
        unchanged=staged.entries - staged.forgotten - staged.copies - rejected - added - changed,
        quarantined=rejected,
        left_out=staged.left_out,
        forgotten=staged.forgotten,
        copies=staged.copies,
        reasons=reasons,
        warnings=tuple(filter(None, warned)),
    )


def ready_or_not(job: Job) -> tuple[Warned, ...]:
    """What the accounts of this import still lack before somebody in them can be nurtured well."""
    with waiting_room.staging(job.engine) as connection:
        facts.count_groups(connection, job.now)
        group = incoming.GROUP.name
        return tuple(filter(None, (_warning(connection, job, rule, "group", group) for rule in READINESS.warnings)))


def _reasons(connection: Connection, dataset: Dataset, files: Sequence[str]) -> Iterator[SetAside]:
    for id, (count, first) in incoming.count_by_rule(connection, dataset.name).items():
        file, line = incoming.place_of(connection, dataset.name, first)
        rule = dataset.suite.rule(id)
        yield SetAside(dataset.name, id, rule.complaint, rule.cure, count, f"{files[file]}:{line}")


def _warning(connection: Connection, job: Job, rule: Rule, dataset: str, batch: str) -> Warned | None:
    cases, examples = incoming.found_by(connection, dataset, rule.query(batch, job.values))
    return Warned(rule.id, filled(rule.complaint, job.values), rule.cure, cases, tuple(examples)) if cases else None
