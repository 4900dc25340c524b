"""Whose signal is it? From a touch, a Message-ID, an address, an account's key or a domain to the rows it speaks of.

One query per kind of clue and batch, never one per signal.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection

from accounts.identity import domain_of, email_hash, normalise_email
from accounts.ledger.driver import Row, rows
from accounts.ledger.suppressions import forgotten_among
from accounts.vocabulary import SignalKind


class Incoming(NamedTuple):
    """A signal as a door hands it over. At least one clue to whose it is: touch, message, e-mail, account or domain."""

    #: The door, and its own name for the signal: together they tell a repetition from a second signal.
    source: str
    source_id: str
    #: A SignalKind; anything else is kept as `unknown` with its name in `data`.
    kind: str
    occurred_at: datetime
    touch_id: int | None = None
    #: RFC 5322 Message-ID, with or without angle brackets.
    message_id: str | None = None
    email: str | None = None
    account: str | None = None
    domain: str | None = None
    #: The provider's own name for the mail; with the address it leads to the touch.
    provider_id: str | None = None
    #: Key of the content it is about.
    content: str | None = None
    #: The raw event; `url`, `user_agent`, `method`, `machine`, `bounce`, `until` are understood.
    data: Mapping[str, Any] = MappingProxyType({})


class Whose(NamedTuple):
    """What the clues of one signal lead to."""

    account_id: int | None = None
    stakeholder_id: int | None = None
    touch_id: int | None = None
    email_hash: str | None = None
    #: The person asked to be erased: nothing of this signal may be kept.
    is_forgotten: bool = False
    #: Why no account was found, for a person to read.
    why_not: str | None = None


_FORGOTTEN = Whose(is_forgotten=True)

_TOUCHES = "SELECT id, account_id, stakeholder_id, address, message_id FROM touch WHERE clue {among:values}"
_PEOPLE = "SELECT id, account_id, email FROM stakeholder WHERE email {among:values} ORDER BY is_home DESC, id"


def find_owners(connection: Connection, incoming: Sequence[Incoming]) -> list[Whose]:
    """One Whose for each signal, in order."""
    touches = _touches(connection, incoming)
    clues = _Clues(connection, incoming, touches)
    return [clues.lead(signal, touch) for signal, touch in zip(incoming, touches, strict=True)]


class _Clues:
    """What a batch of signals can lead to, read once."""

    def __init__(
        self, connection: Connection, incoming: Sequence[Incoming], touches: Sequence["_Touch | None"]
    ) -> None:
        pairs = zip(incoming, touches, strict=True)
        others = [signal for signal, touch in pairs if not (touch and _is_reader(signal, touch))]
        known = {touch.id: touch for touch in touches if touch}
        addresses = {normalise_email(signal.email) for signal in others if signal.email}
        domains = {signal.domain.strip().lower() for signal in others if signal.domain}
        self.people = _people(connection, addresses)
        self.accounts = _accounts(connection, {signal.account.strip() for signal in others if signal.account})
        strangers = addresses - self.people.keys()
        self.domains = _domains(connection, domains | {domain_of(address) for address in strangers})
        self.mailed = _mailed(connection, others, self.people)
        self.named = _named_by_provider(connection, others, self.people)
        hashes = {email_hash(address) for address in addresses} | {touch.hash for touch in known.values()}
        self.forgotten = forgotten_among(connection, hashes)
        self.readers = {id: self._of_reader(touch) for id, touch in known.items()}

    def lead(self, signal: Incoming, touch: "_Touch | None") -> Whose:
        """Nine of ten speak of the reader of a touch, and then there is nothing to find out."""
        if touch and _is_reader(signal, touch):
            return self.readers[touch.id]
        return self._find(signal, touch)

    def _of_reader(self, touch: "_Touch") -> Whose:
        gone = touch.stakeholder_id is None or touch.hash in self.forgotten
        return _FORGOTTEN if gone else Whose(touch.account_id, touch.stakeholder_id, touch.id, touch.hash)

    def _find(self, signal: Incoming, touch: "_Touch | None") -> Whose:
        address = normalise_email(signal.email) if signal.email else None
        if touch is None and signal.provider_id:
            touch = self.named.get((address or "", signal.provider_id))
        hashed = email_hash(address) if address else None
        if hashed in self.forgotten or (touch and (touch.stakeholder_id is None or touch.hash in self.forgotten)):
            return _FORGOTTEN
        person = self._person(signal, address, touch)
        if person:
            touch_id = touch.id if touch else self.mailed.get((person.id, signal.content))
            return Whose(person.account_id, person.id, touch_id, hashed)
        if touch and signal.kind == SignalKind.REPLIED and address and address != touch.address:
            return Whose(touch.account_id, None, touch.id, hashed)  # it was passed on, and a colleague answers
        if touch:
            return Whose(touch.account_id, touch.stakeholder_id, touch.id, touch.hash)
        return self._account(signal, address, hashed)

    def _person(self, signal: Incoming, address: str | None, touch: "_Touch | None") -> "_Person | None":
        """The row of the person in the account that is meant; of several the touch's, the named one, the home."""
        rows = self.people.get(address or "", ())
        if touch:
            return next((row for row in rows if row.account_id == touch.account_id), None)
        if signal.account:
            return next((row for row in rows if row.account_id == self.accounts.get(signal.account.strip())), None)
        return rows[0] if rows else None

    def _account(self, signal: Incoming, address: str | None, hashed: str | None) -> Whose:
        if signal.account:
            account_id = self.accounts.get(signal.account.strip())
            return Whose(
                account_id, email_hash=hashed, why_not=None if account_id else f"no account {signal.account!r}"
            )
        domain = signal.domain.strip().lower() if signal.domain else domain_of(address or "")
        found = self.domains.get(domain, ())
        if len(found) == 1:
            return Whose(found[0], email_hash=hashed)
        if found:
            return Whose(email_hash=hashed, why_not=f"{len(found)} accounts have the domain {domain!r}")
        return Whose(
            email_hash=hashed, why_not=f"no account has the domain {domain!r}" if domain else "no clue to whose it is"
        )


@dataclass(frozen=True, slots=True)
class _Person:
    id: int
    account_id: int


class _Touch(NamedTuple):
    id: int
    account_id: int
    stakeholder_id: int | None
    address: str
    hash: str


def _is_reader(signal: Incoming, touch: _Touch) -> bool:
    """Whether the signal names no other address than the touch went to."""
    return not signal.email or signal.email == touch.address


def _touches(connection: Connection, incoming: Sequence[Incoming]) -> "list[_Touch | None]":
    """The touch of each signal, by our number, else by its Message-ID."""
    by_id = dict(_read_touches(connection, "id", sorted({signal.touch_id for signal in incoming if signal.touch_id})))
    keys = [None if signal.touch_id in by_id else _message_key(signal.message_id) for signal in incoming]
    by_message = dict(_read_touches(connection, "message_id", sorted({key for key in keys if key})))
    pairs = zip(incoming, keys, strict=True)
    return [by_message.get(key) if key else by_id.get(signal.touch_id) for signal, key in pairs]


def _message_key(message_id: str | None) -> str | None:
    return f"<{message_id.strip().strip('<>')}>" if message_id else None


def _read_touches(connection: Connection, clue: str, values: list[Any]) -> Iterator[tuple[int | str | None, "_Touch"]]:
    """By the clue they were asked by."""
    by_id = clue == "id"
    for id, account, person, address, message in _rows(connection, _TOUCHES.replace("clue", clue), values):
        yield id if by_id else message, _Touch(id, account, person, normalise_email(address), email_hash(address))


def _people(connection: Connection, addresses: Collection[str]) -> dict[str, list[_Person]]:
    """Rows of each address; a person's home account first, then the oldest."""
    found: dict[str, list[_Person]] = {}
    for id, account_id, email in _rows(connection, _PEOPLE, sorted(addresses)):
        found.setdefault(email, []).append(_Person(id, account_id))
    return found


def _accounts(connection: Connection, keys: Collection[str]) -> dict[str, int]:
    return dict(_rows(connection, "SELECT key, id FROM account WHERE key {among:values}", sorted(keys)))


def _domains(connection: Connection, domains: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Accounts of each domain; two divisions of one company may share it."""
    found: dict[str, tuple[int, ...]] = {}
    query = "SELECT domain, id FROM account WHERE domain {among:values} ORDER BY id"
    for domain, id in _rows(connection, query, sorted(set(domains) - {""})):
        found[domain] = (*found.get(domain, ()), id)
    return found


def _mailed(
    connection: Connection, incoming: Sequence[Incoming], people: Mapping[str, Sequence[_Person]]
) -> dict[tuple[int, str | None], int]:
    """The touch by which a person got a content; there is never more than one."""
    named = [signal for signal in incoming if signal.content and signal.email and not signal.touch_id]
    ids = sorted({person.id for signal in named for person in people.get(normalise_email(signal.email or ""), ())})
    query = "SELECT stakeholder_id, content, id FROM touch WHERE stakeholder_id {among:values}"
    return {(person, content): id for person, content, id in _rows(connection, query, ids)}


def _named_by_provider(
    connection: Connection, incoming: Sequence[Incoming], people: Mapping[str, Sequence[_Person]]
) -> dict[tuple[str, str], _Touch]:
    """Touches by address and the provider's name for them, for signals that bring both and nothing better."""
    named = [signal for signal in incoming if signal.provider_id and signal.email and not signal.touch_id]
    asked = {signal.provider_id for signal in named}
    emails = {normalise_email(signal.email or "") for signal in named}
    ids = sorted({person.id for email in emails for person in people.get(email, ())})
    query = "SELECT provider_id, id, account_id, stakeholder_id, address FROM touch WHERE stakeholder_id {among:values}"
    found = ((name, row) for name, *row in _rows(connection, query, ids) if name in asked)
    touches = (
        (name, _Touch(id, account, person, normalise_email(address), email_hash(address)))
        for name, (id, account, person, address) in found
    )
    return {(touch.address, name): touch for name, touch in touches}


def _rows(connection: Connection, query: str, values: list[Any]) -> Iterable[Row]:
    """Every delivery of every mail asks here, so the rows come straight from the driver."""
    return rows(connection, query, values=values) if values else ()
