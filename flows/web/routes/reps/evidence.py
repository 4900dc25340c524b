"""How we know: what stands behind each sentence of a brief, said when somebody asks for it."""

from collections.abc import Callable, Container
from datetime import UTC, datetime

from sqlalchemy import Connection

from accounts.briefs import Brief
from accounts.briefs.material import Evidence
from accounts.ledger.briefs.proofs import owned_behind, read_proofs
from flows.web.routes.reps.door import Visit

#: Lines behind one sentence; the others are counted.
MOST_PROOFS = 8
#: Where what holds now stands: below what happened.
ALWAYS = datetime.min.replace(tzinfo=UTC)
#: When, where from, what.
Line = tuple[str, str, str]


def proofs_of(
    connection: Connection, visit: Visit, brief: Brief, gone: Container[int]
) -> Callable[[Evidence], tuple[Line, ...]]:  # fmt: skip
    """Evidence -> its lines, the latest first; of accounts that are theirs to look at today, not of those `gone`."""
    told = {account.id for account in brief.accounts if account.id not in gone}
    named = owned_behind(connection, visit.to.rep_id, [one for line in brief.also for one in line.evidence])
    known = read_proofs(connection, visit.desk.play, told | named, _all_of(brief))

    def lines(evidence: Evidence) -> tuple[Line, ...]:
        found = [known[one] for one in evidence if one in known]
        found.sort(key=lambda proof: proof.at or ALWAYS, reverse=True)
        return tuple((visit.local.moment(one.at) if one.at else "", one.source, one.text) for one in found)

    return lines


def _all_of(brief: Brief) -> set[str]:
    said = [statement for account in brief.accounts for statement in account.statements()]
    return {one for statement in (*said, *brief.also) for one in statement.evidence}
