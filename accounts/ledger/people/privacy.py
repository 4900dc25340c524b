"""A person's rights: everything the ledger holds about an address, and its erasure.

Erased: who it was. Kept, about nobody: that the account got a content, that somebody there clicked. The hash of the
address stays suppressed as `forgotten`, so that no import, file or web hit brings the person back.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    text,
    true,
    update,
)

from accounts.audiences import ADDRESS_FORMS, member_of
from accounts.errors import NotFound
from accounts.fingerprints import fingerprint
from accounts.identity import email_hash, normalise_email
from accounts.ledger.bulk import chunks
from accounts.ledger.importing import quarantine
from accounts.ledger.people import proposals
from accounts.ledger.reps import leases
from accounts.ledger.suppressions import FORGOTTEN, read_suppressions, suppress
from accounts.models import (
    Account,
    Activity,
    Audience,
    AudienceMember,
    Brief,
    Decision,
    Delay,
    Feedback,
    Hold,
    Letter,
    Objection,
    Proposal,
    Quarantine,
    RepAnswer,
    Reprieve,
    RoleChange,
    Score,
    SendPlan,
    Signal,
    Stakeholder,
    Touch,
    Veto,
)
from accounts.vocabulary import MemberState, TouchState

#: Stands where a name or an address stood in a text.
ERASED = "[erased]"

TRUE = true()

#: Rows that exist for the person only.
_OF_THE_PERSON: tuple[Any, ...] = (
    Decision, Veto, Feedback, Hold, RoleChange, Reprieve, Delay, Objection, RepAnswer
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased. No address in here: it may be shown and kept."""

    email_hash: str
    #: The person's rows, and the accounts they stood in.
    people: tuple[int, ...] = ()
    accounts: tuple[int, ...] = ()
    #: Rows changed or deleted, by table.
    rows: Mapping[str, int] = field(default_factory=dict)
    #: Words to look for outside the ledger: the address and the names of the person.
    words: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_new(self) -> bool:
        """Whether there was anything left to erase."""
        return any(self.rows.values())


def forget(connection: Connection, email: str, now: datetime) -> Forgotten:
    """Erase everything about this address in the caller's transaction, and suppress its hash.

    Raises NotFound for an address the ledger knows nothing of. Doing it again erases what came in since.
    """
    address = normalise_email(email)
    hashed = email_hash(address)
    people = _people(connection, hashed)
    ids = [row.id for row in people]
    if not (ids or _is_known(connection, address, hashed)):
        raise NotFound(f"nothing is known about {email!r}", cure="check the spelling")
    accounts = tuple(sorted({row.account_id for row in people}))
    words = _words(address, [*people, *proposals.names_of(connection, hashed)])

    def of(table: Any) -> ColumnElement[bool]:
        return or_(table.account_id.in_(accounts), table.account_id.is_(None))

    suppress(connection, [(hashed, FORGOTTEN, now)])
    rows = {
        "touch": _blank_touches(connection, ids, address),
        "signal": _blank_signals(connection, ids, hashed, address),
        "activity": _blank_activities(connection, ids),
        "quarantine": quarantine.forget_address(connection, address),
        "audience_member": _leave_audiences(connection, address),
        "proposal": proposals.forget(connection, hashed, ids, words),
        "brief": _blank_texts(connection, Brief, Brief.payload, words),
        "send_plan": _blank_texts(connection, SendPlan, SendPlan.checks, words),
        "other_signal": _blank_texts(connection, Signal, Signal.data, words, of(Signal)),
        "answer": _blank_texts(connection, RepAnswer, RepAnswer.detail, words, of(RepAnswer)),
        "heard": _blank_texts(connection, Objection, Objection.words, words, of(Objection)),
        "letter": _blank_texts(connection, Letter, Letter.payload, words),
        "lease": leases.forget(connection, ids),
        "note": sum(_blank_texts(connection, table, table.note, words, of(table)) for table in (Hold, Feedback)),
        **{table.__tablename__: _delete(connection, table, table.stakeholder_id.in_(ids)) for table in _OF_THE_PERSON},
        "score": _delete(connection, Score, Score.person.in_(ids)),
        "stakeholder": _delete(connection, Stakeholder, Stakeholder.id.in_(ids)),
    }
    return Forgotten(hashed, tuple(ids), accounts, {name: count for name, count in rows.items() if count}, words)


def export(connection: Connection, email: str) -> dict[str, Any]:
    """Everything the ledger holds about this address, table by table, as JSON values.

    Raises NotFound for an address it knows nothing of.
    """
    address = normalise_email(email)
    hashed = email_hash(address)
    ids = [row.id for row in _people(connection, hashed)]
    if not (ids or _is_known(connection, address, hashed)):
        raise NotFound(f"nothing is known about {email!r}", cure="check the spelling")
    signals = or_(Signal.stakeholder_id.in_(ids), Signal.email_hash == hashed)
    of_the_person = {
        table.__tablename__: _all(connection, table, table.stakeholder_id.in_(ids)) for table in _OF_THE_PERSON
    }
    return {
        "email": address,
        "stakeholder": _all(connection, Stakeholder, Stakeholder.id.in_(ids)),
        "account": _all(
            connection, Account, Account.id.in_(select(Stakeholder.account_id).where(Stakeholder.id.in_(ids)))
        ),
        "touch": _all(connection, Touch, or_(Touch.stakeholder_id.in_(ids), Touch.address == address)),
        "signal": _all(connection, Signal, signals),
        "activity": _all(connection, Activity, Activity.stakeholder_id.in_(ids)),
        "score": _all(connection, Score, Score.person.in_(ids)),
        **of_the_person,
        "leases": leases.naming(connection, ids),
        "proposal": proposals.of_person(connection, hashed, _words(address, _people(connection, hashed))),
        "suppression": [
            {"reason": reason, "at": at, "expires_at": expires}
            for reason, at, expires in read_suppressions(connection, hashed)
        ],
        "audiences": _audiences(connection, address),
        "quarantine": _all(connection, Quarantine, _spells(Quarantine.row, address)),
        "briefs": _mentions(connection, address),
    }


def _people(connection: Connection, hashed: str) -> Sequence[Any]:
    columns = (Stakeholder.id, Stakeholder.account_id, Stakeholder.first_name, Stakeholder.last_name)
    return connection.execute(select(*columns).where(Stakeholder.email_hash == hashed).order_by(Stakeholder.id)).all()


def _is_known(connection: Connection, address: str, hashed: str) -> bool:
    """Nobody has the address now; does anything else still speak of it?"""
    traces = (
        select(Touch.id).where(Touch.address == address),
        select(Signal.id).where(Signal.email_hash == hashed),
        select(Proposal.id).where(Proposal.person_key == hashed),
        select(Quarantine.id).where(_spells(Quarantine.row, address)),
    )
    return bool(read_suppressions(connection, hashed)) or any(
        connection.execute(trace.limit(1)).first() is not None for trace in traces
    )


def _words(address: str, people: Iterable[Any]) -> tuple[str, ...]:
    """What names the person in a text: the address and the full name. A first name alone names many, and is used only
    where nothing better is known."""
    names = {f"{row.first_name or ''} {row.last_name or ''}".strip() for row in people}
    full = sorted(name for name in names if " " in name)
    return (address, *(full or ([address.partition("@")[0]] if people else [])))


def _blank_touches(connection: Connection, ids: Sequence[int], address: str) -> int:
    """What is still to leave is cancelled; what left stays as something this account got."""
    to_leave = Touch.state.in_((TouchState.PLANNED, TouchState.CERTIFIED))
    blank = update(Touch).where(or_(Touch.stakeholder_id.in_(ids), Touch.address == address))
    return connection.execute(
        blank.values(
            stakeholder_id=None, address="", timezone=None, timezone_source=None, provider_id=None, error=None,
            state=case((to_leave, TouchState.CANCELLED), else_=Touch.state),
            reason=case((to_leave, FORGOTTEN), else_=Touch.reason),
        )
    ).rowcount  # fmt: skip


def _blank_signals(connection: Connection, ids: Sequence[int], hashed: str, address: str) -> int:
    """Somebody in the account did it; nobody knows who."""
    theirs = or_(Signal.stakeholder_id.in_(ids), Signal.email_hash == hashed)
    spelled = func.lower(Signal.source_id).contains(address, autoescape=True)
    named = connection.execute(select(Signal.id, Signal.source, Signal.source_id).where(theirs, spelled)).all()
    if named:
        anew = update(Signal).where(Signal.id == bindparam("signal"))
        rename = anew.values(source_id=bindparam("name"), fingerprint=bindparam("print"))
        hidden = [(id, source, sha256(name.encode()).hexdigest()) for id, source, name in named]
        values = [{"signal": id, "name": name, "print": fingerprint(source, name)} for id, source, name in hidden]
        connection.execute(rename, values)
    blank = update(Signal).where(theirs).values(stakeholder_id=None, email_hash=None, data=None)
    return connection.execute(blank).rowcount


def _blank_activities(connection: Connection, ids: Sequence[int]) -> int:
    """The contact stays as evidence of the account; its subject line may name the person."""
    theirs = update(Activity).where(Activity.stakeholder_id.in_(ids))
    return connection.execute(theirs.values(stakeholder_id=None, subject=None)).rowcount


def _leave_audiences(connection: Connection, address: str) -> int:
    """The next sync takes the person out of every audience."""
    hashes = {hashed for platform in ADDRESS_FORMS if (hashed := member_of(platform, address))}
    there = AudienceMember.state.in_((MemberState.ADDED, MemberState.PENDING_ADD))
    leaving = update(AudienceMember).where(AudienceMember.member_hash.in_(hashes), there)
    return connection.execute(leaving.values(state=MemberState.PENDING_REMOVE)).rowcount


def _blank_texts(
    connection: Connection, table: Any, column: Any, words: Sequence[str], where: ColumnElement[bool] = TRUE
) -> int:
    """Names and addresses inside stored texts and JSON; the rest of it stays."""
    spelled = or_(*(_spells(column, word) for word in words))
    rows = connection.execute(select(table.id, column).where(where, spelled)).all()
    for chunk in chunks(rows, 500):
        blank = update(table).where(table.id == bindparam("entry")).values({column: bindparam("text")})
        connection.execute(blank, [{"entry": id, "text": without(value, words)} for id, value in chunk])
    return len(rows)


def without(value: Any, words: Sequence[str]) -> Any:
    """A JSON value with each of the words, however capitalised, replaced by ERASED."""
    if isinstance(value, str):
        return erase_words(value, words)
    if isinstance(value, list):
        return [without(item, words) for item in value]
    if isinstance(value, dict):
        return {key: without(item, words) for key, item in value.items()}
    return value


def erase_words(said: str, words: Sequence[str]) -> str:
    """A text with each of the words, however capitalised, replaced by ERASED; parts of longer words stay."""
    for word in words:
        said = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", ERASED, said, flags=re.IGNORECASE)
    return said


def _spells(column: Any, word: str) -> ColumnElement[bool]:
    """The JSON text of a column contains the word, as JSON writes it."""
    written = json.dumps(word)[1:-1].lower()
    return func.lower(cast(column, Text)).contains(written, autoescape=True)


def _delete(connection: Connection, table: Any, condition: Any) -> int:
    return connection.execute(delete(table).where(condition)).rowcount


def _all(connection: Connection, table: Any, condition: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table.__table__).where(condition))]


def _audiences(connection: Connection, address: str) -> list[dict[str, Any]]:
    query = (
        select(Audience.platform, Audience.name, AudienceMember.state, AudienceMember.synced_at)
        .join(Audience, Audience.id == AudienceMember.audience_id)
        .where(AudienceMember.member_hash.in_({member_of(platform, address) for platform in ADDRESS_FORMS} - {None}))
        .order_by(Audience.platform, Audience.name)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _mentions(connection: Connection, address: str) -> list[dict[str, Any]]:
    query = select(Brief.id, Brief.rep_id, Brief.as_of).where(_spells(Brief.payload, address)).order_by(Brief.as_of)
    return [dict(row._mapping) for row in connection.execute(query)]


def overwrite_deleted(connection: Connection) -> None:
    """On SQLite: what this transaction deletes is overwritten in the file, not only unlinked."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))
