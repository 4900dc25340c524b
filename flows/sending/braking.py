"""Brakes that Tandem pulls by itself: on a play, or a recipient domain, whose mails bounce or are called spam too much.

Asked when signals have come in and before mails leave. A person lets it go on: `tandem stop --release`. From then on it
counts anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from accounts.ledger import audit
from accounts.ledger.engine import reading, writing
from accounts.ledger.planning import brakes
from accounts.ledger.planning.brakes import Pulled
from accounts.ledger.sending.reputation import records
from accounts.reputation import Finding, Tolerance, Word, judge

#: Who pulls them.
TANDEM = "tandem"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found when somebody looked how the mails fared."""

    #: Brakes pulled by this look.
    pulled: tuple[Pulled, ...] = ()
    #: What is not yet bad enough to stop.
    warnings: tuple[Finding, ...] = ()
    #: Every brake that holds now, these included.
    standing: tuple[Pulled, ...] = ()


def watch(engine: Engine, tolerance: Tolerance, now: datetime) -> Watched:
    """Stop each play and each recipient domain whose record is too bad. Looking again pulls nothing twice."""
    with reading(engine) as connection:
        standing = brakes.pulled(connection)
        found = findings(connection, tolerance, now)
    warnings = tuple(finding for finding in found if finding.word is Word.WARN)
    held = {(brake.scope, brake.target) for brake in standing}
    bad = [one for one in found if one.word is Word.STOP and (one.record.scope, one.record.target) not in held]
    if not bad:
        return Watched((), warnings, tuple(standing))
    with writing(engine) as connection:
        _pull(connection, bad, now)
        after = brakes.pulled(connection)
    return Watched(tuple(brake for brake in after if brake not in standing), warnings, tuple(after))


def findings(connection: Connection, tolerance: Tolerance, now: datetime) -> list[Finding]:
    """What there is to say of each play and each recipient domain; nothing is pulled."""
    return [finding for record in records(connection, tolerance, now) if (finding := judge(record, tolerance))]


def _pull(connection: Connection, found: Iterable[Finding], now: datetime) -> None:
    for finding in found:
        scope, target = finding.record.scope, finding.record.target
        brakes.pull(connection, scope, target, by=TANDEM, now=now, note=finding.says)
        audit.append(
            connection, actor=TANDEM, action="stop", subject=f"{scope}:{target}", at=now, after={"note": finding.says}
        )
