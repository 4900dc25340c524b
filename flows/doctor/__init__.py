"""`tandem doctor`: everything Tandem needs, checked one by one; each finding is one line and names its cure.

A check asks one question and changes nothing. It returns a `Finding`, or None where there is nothing to ask.
"""

from flows.doctor.brakes import brakes
from flows.doctor.chat import chat
from flows.doctor.finding import Check, Finding, Patient, State, refused
from flows.doctor.ledger import database, lock, migrations
from flows.doctor.machine import bytecode, disk, home, packages, python, time_zones
from flows.doctor.mailbox import mailbox
from flows.doctor.prefect import (
    api,
    backlog,
    dead_runs,
    entrypoints,
    guard,
    late_runs,
    memory,
    pages,
    paused,
    schedules,
)
from flows.doctor.reps import briefs
from flows.doctor.reputation import alignment, one_click, published, signing
from flows.doctor.settings import mail, secrets, sender, variables
from flows.doctor.words import deployments, templates

__all__ = ["CHECKS", "Check", "Finding", "Patient", "State", "examine", "refused"]

#: In the order in which one would mend things: what a later one finds often follows from an earlier one.
CHECKS: tuple[Check, ...] = (
    python,
    packages,
    bytecode,
    time_zones,
    home,
    disk,
    variables,
    secrets,
    sender,
    mail,
    signing,
    alignment,
    one_click,
    published,
    database,
    migrations,
    lock,
    mailbox,
    chat,
    briefs,
    brakes,
    templates,
    deployments,
    api,
    guard,
    pages,
    entrypoints,
    schedules,
    paused,
    late_runs,
    dead_runs,
    backlog,
    memory,
)


def examine(patient: Patient, checks: tuple[Check, ...] = CHECKS) -> list[Finding]:
    """All findings, in order. A check that breaks is a finding too."""
    return [found for check in checks if (found := _ask(check, patient))]


def _ask(check: Check, patient: Patient) -> Finding | None:
    try:
        return check(patient)
    except Exception as error:  # the doctor never falls ill
        name = check.__name__.replace("_", " ")
        return Finding(name, "fail", f"could not be checked: {type(error).__name__}: {error}", "please report this")
