"""People who may belong to a buying group: proposed by a list or by a note, accepted or rejected by a person.

A proposal is a question and nothing else: who is accepted without a basis for writing to them gets no mail either.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from accounts.errors import InputRefused, NotFound, Refused
from accounts.identity import email_hash, normalise_email
from accounts.ledger.bulk import among, insert_into
from accounts.ledger.importing import quarantine
from accounts.ledger.people.group import set_role
from accounts.ledger.people.newcomers import Newcomer, find, seat
from accounts.ledger.suppressions import forgotten_among, read_suppressions
from accounts.models import Account, Proposal, Stakeholder
from accounts.spelling import squeeze
from accounts.vocabulary import ConsentBasis, ProposalState, Role

#: What a name, a title or a reason can be at most: its column.
_LINE = 300


_LOST = Stakeholder.__table__.alias("lost")
_THERE = select(Stakeholder.id).where(
    Stakeholder.account_id == Proposal.account_id, Stakeholder.email_hash == Proposal.person_key
)
_ROWS = (
    select(
        Proposal.id, Proposal.account_id, Account.key.label("account"), Proposal.email, Proposal.first_name,
        Proposal.last_name, Proposal.title, Proposal.source, Proposal.why, Proposal.proposed_at,
        _LOST.c.email.label("replaces"),
    )
    .join(Account, Account.id == Proposal.account_id)
    .outerjoin(_LOST, _LOST.c.id == Proposal.replaces_id)
    .where(Proposal.state == ProposalState.OPEN, ~_THERE.exists())
)  # fmt: skip
_OPEN = _ROWS.order_by(Proposal.proposed_at, Proposal.id)
_OPEN_OF = _OPEN.where(Account.key == bindparam("account"))


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody who was seen; an address or a name at least. `why` is a sentence for the rep."""

    account_id: int
    source: str
    why: str
    #: When they were seen; of several the earliest counts.
    at: datetime
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    replaces_id: int | None = None

    @property
    def key(self) -> str:
        """What tells this person from others in the account, also when nothing else is kept of them."""
        return email_hash(self.email) if self.email else _key_of_name(self.first_name, self.last_name)


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A question that waits for an answer."""

    id: int
    account_id: int
    account: str
    email: str | None
    first_name: str | None
    last_name: str | None
    title: str | None
    source: str
    why: str
    #: When we were told.
    proposed_at: datetime
    #: Address of the person whose seat it is about.
    replaces: str | None

    @property
    def name(self) -> str:
        """``Zoe Lin``, or the address where no name is known."""
        return f"{self.first_name or ''} {self.last_name or ''}".strip() or self.email or ""


def split_name(name: str | None) -> tuple[str | None, str | None]:
    """First and last name of a name written in one: ``("Zoe", "van der Lin")``."""
    first, _, last = (name or "").strip().partition(" ")
    return first or None, last.strip() or None


def propose(connection: Connection, people: Iterable[Proposed], now: datetime) -> int:
    """Write them down, each once; how many are new. Who is in the account already, or was erased, is not proposed."""
    wanted = {(one.account_id, one.key): one for one in sorted(people, key=_earliest_last)}
    silent = forgotten_among(connection, {key for _, key in wanted})
    known = _known(connection, wanted.keys())
    rows = [_row(one, now) for key, one in wanted.items() if key[1] not in silent and key not in known]
    if rows:
        statement = insert_into(connection, Proposal).on_conflict_do_nothing(
            index_elements=["account_id", "person_key"]
        )
        connection.execute(statement, rows)
    return len(rows)


def read_open(connection: Connection, account: str | None = None) -> list[OpenProposal]:
    """Those that wait, the oldest first; of all accounts or of one. Who was imported meanwhile is no question."""
    query = _OPEN if account is None else _OPEN_OF
    return [_as_open(row) for row in connection.execute(query, {"account": account})]


def read_proposal(connection: Connection, id: int) -> OpenProposal:
    """One that waits. Raises NotFound; Refused for one that is decided."""
    row = connection.execute(_ROWS.where(Proposal.id == id)).one_or_none()
    if row is not None:
        return _as_open(row)
    decided = connection.scalar(select(Proposal.state).where(Proposal.id == id))
    if decided is None:
        raise NotFound(f"there is no proposal {id}", cure="see: tandem proposals list")
    raise Refused(f"proposal {id} is {decided}" if decided != ProposalState.OPEN else f"{id} is in the account by now")


def accept(
    connection: Connection, id: int, *, by: str, now: datetime, email: str | None = None, role: Role | None = None,
    consent: ConsentBasis | None = None,
) -> int:  # fmt: skip
    """The person becomes a stakeholder; the id of the row. Without `consent` nobody may write to them.

    Raises NotFound; Refused for a decided one and for somebody who was erased; InputRefused without an address.
    """
    asked = read_proposal(connection, id)
    address = normalise_email(email or asked.email or "")
    if "@" not in address:
        raise InputRefused(f"nobody knows the address of {asked.name}", where="--email", cure="give it with --email")
    person = _seat(connection, asked, address, consent, now)
    if role is not None:
        set_role(connection, person, role, by=by, now=now)
    _decide(connection, id, ProposalState.ACCEPTED, by, now)
    return person


def reject(connection: Connection, id: int, *, by: str, now: datetime) -> None:
    """The answer is no: they are not asked about again, and of the person nothing is kept but the hash.

    Rows in quarantine that speak of the address go as well. Raises NotFound; Refused for a decided one.
    """
    asked = read_proposal(connection, id)
    if asked.email:
        quarantine.forget_rows_of(connection, asked.email)
    blank = dict.fromkeys(("email", "first_name", "last_name", "title"), None)
    connection.execute(update(Proposal).where(Proposal.id == id).values(**blank, why="rejected"))
    _decide(connection, id, ProposalState.REJECTED, by, now)


def names_of(connection: Connection, hashed: str) -> list[Any]:
    """First and last names under which this address was proposed."""
    names = select(Proposal.first_name, Proposal.last_name).where(Proposal.person_key == hashed)
    return list(connection.execute(names))


def forget(connection: Connection, hashed: str, people: Collection[int], words: Sequence[str]) -> int:
    """Erase proposals of this person, and that others were named for their seat; how many rows it was."""
    unseated = update(Proposal).where(among(connection, Proposal.replaces_id, list(people)))
    connection.execute(unseated.values(replaces_id=None, why="named for a seat that is empty"))
    return connection.execute(delete(Proposal).where(_of_person(hashed, words))).rowcount


def of_person(connection: Connection, hashed: str, words: Sequence[str]) -> list[dict[str, Any]]:
    """Rows about this person, as they stand."""
    query = select(Proposal.__table__).where(_of_person(hashed, words))
    return [dict(row._mapping) for row in connection.execute(query)]


def was_silenced(connection: Connection, email: str) -> list[str]:
    """Why nobody may write to this address, whoever accepts it: reasons of suppressions."""
    return [reason for reason, _, _ in read_suppressions(connection, email_hash(email))]


def _key_of_name(first: str | None, last: str | None) -> str:
    return email_hash(f"name:{squeeze(first)}:{squeeze(last)}")


def _of_person(hashed: str, words: Sequence[str]) -> ColumnElement[bool]:
    """By the address, or by a full name where no address was known."""
    names = [_key_of_name(first, last) for first, last in map(split_name, words) if last]
    return Proposal.person_key.in_([hashed, *names])


def _seat(
    connection: Connection, asked: OpenProposal, address: str, consent: ConsentBasis | None, now: datetime
) -> int:
    """The new row."""
    if find(connection, asked.account_id, address) is not None:
        raise Refused(f"{address} is in {asked.account} already", cure="reject the proposal")
    newcomer = Newcomer(address, asked.first_name, asked.last_name, asked.title, consent)
    return seat(connection, asked.account_id, newcomer, now)


def _decide(connection: Connection, id: int, state: ProposalState, by: str, now: datetime) -> None:
    decided = {"state": state, "decided_by": by, "decided_at": now}
    connection.execute(update(Proposal).where(Proposal.id == id).values(**decided))


def _as_open(row: Any) -> OpenProposal:
    return OpenProposal(**row._mapping)


def _known(connection: Connection, keys: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Who stands in the account, and who was asked about before."""
    hashes = sorted({key for _, key in keys})
    if not hashes:
        return set()
    places = ((Stakeholder.account_id, Stakeholder.email_hash), (Proposal.account_id, Proposal.person_key))
    found = [
        connection.execute(select(account, key).where(among(connection, key, hashes))).all() for account, key in places
    ]
    return {(account, hashed) for rows in found for account, hashed in rows}


def _earliest_last(one: Proposed) -> tuple[float, str]:
    """So that of several the earliest stays in a dictionary, in whatever order they came."""
    return -one.at.timestamp(), one.why


def _row(one: Proposed, now: datetime) -> dict[str, Any]:
    texts = {name: (getattr(one, name) or "")[:_LINE] or None for name in ("first_name", "last_name", "title")}
    return {
        "account_id": one.account_id, "person_key": one.key, "email": normalise_email(one.email) if one.email else None,
        "source": one.source[:40], "why": one.why[:_LINE], "replaces_id": one.replaces_id, "proposed_at": now,
        "state": ProposalState.OPEN, **texts,
    }  # fmt: skip
