"""Whose signal is it? From a touch, a Message-ID, an address, an account's key or a domain to the rows it speaks of.

One query per kind of clue and batch, never one per signal.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, cast

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
    #: The CRM's own number of the contact; the address is found by it before anything else is, see crm_contacts.py.
    crm_id: str | None = None
    #: Every telling of it brings the same time: then repetitions are looked for among signals of that time.
    is_dated: bool = False
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

_PEOPLE = "SELECT id, account_id, email FROM stakeholder WHERE email {among:values} ORDER BY is_home DESC, id"


def find_owners(connection: Connection, incoming: Sequence[Incoming]) -> list[Whose]:
    """One Whose for each signal, in order. Nine of ten speak of the reader of a touch: nothing more is asked then."""
    touches = _touches(connection, incoming)
    owners = [
        touch.reader if touch and (not (email := signal.email) or email == touch.address) else None
        for signal, touch in zip(incoming, touches, strict=True)
    ]
    if None not in owners:
        return cast(list[Whose], owners)
    pairs = list(zip(incoming, touches, strict=True))
    clues = _Clues(connection, [pair for pair, whose in zip(pairs, owners, strict=True) if whose is None])
    return [whose or clues.lead(*pair) for pair, whose in zip(pairs, owners, strict=True)]


class _Clues:
    """What a batch of signals that name somebody else than a touch's reader can lead to, read once."""

    def __init__(self, connection: Connection, pairs: Sequence[tuple[Incoming, "_Touch | None"]]) -> None:
        others = [signal for signal, _ in pairs]
        addresses = {normalise_email(signal.email) for signal in others if signal.email}
        domains = {signal.domain.strip().lower() for signal in others if signal.domain}
        self.people = _people(connection, addresses)
        self.accounts = _accounts(connection, {signal.account.strip() for signal in others if signal.account})
        strangers = addresses - self.people.keys()
        self.domains = _domains(connection, domains | {domain_of(address) for address in strangers})
        self.mailed = _mailed(connection, others, self.people)
        self.named = _named_by_provider(connection, others, self.people)
        self.forgotten = forgotten_among(connection, {email_hash(address) for address in addresses})

    def lead(self, signal: Incoming, touch: "_Touch | None") -> Whose:
        address = normalise_email(signal.email) if signal.email else None
        if touch is None and signal.provider_id:
            touch = self.named.get((address or "", signal.provider_id))
        hashed = email_hash(address) if address else None
        if hashed in self.forgotten or (touch and touch.reader.is_forgotten):
            return _FORGOTTEN
        reader = touch.reader if touch else None
        person = self._person(signal, address, reader)
        if person:
            touch_id = reader.touch_id if reader else self.mailed.get((person.id, signal.content))
            return Whose(person.account_id, person.id, touch_id, hashed)
        if touch and signal.kind == SignalKind.REPLIED and address and address != touch.address:
            return touch.reader._replace(stakeholder_id=None, email_hash=hashed)  # passed on: a colleague answers
        return reader or self._account(signal, address, hashed)

    def _person(self, signal: Incoming, address: str | None, reader: Whose | None) -> "_Person | None":
        """The row of the person in the account that is meant; of several the touch's, the named one, the home."""
        rows = self.people.get(address or "", ())
        if reader:
            return next((row for row in rows if row.account_id == reader.account_id), None)
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
    address: str
    #: Who got it.
    reader: Whose


def _touches(connection: Connection, incoming: Sequence[Incoming]) -> "list[_Touch | None]":
    """The touch of each signal, by our number, else by its Message-ID."""
    by_id = dict(_read_touches(connection, "id", {signal.touch_id for signal in incoming} - {None}))
    found = [by_id.get(signal.touch_id) for signal in incoming]
    if None not in found:
        return cast("list[_Touch | None]", found)
    keys = [None if touch else _message_key(signal.message_id) for signal, touch in zip(incoming, found, strict=True)]
    by_message = dict(_read_touches(connection, "message_id", {*keys} - {None}))
    return [touch or by_message.get(key) for touch, key in zip(found, keys, strict=True)]


def _message_key(message_id: str | None) -> str | None:
    return f"<{message_id.strip().strip('<>')}>" if message_id else None


def _read_touches(connection: Connection, clue: str, values: Collection[Any]) -> Iterator[tuple[Any, "_Touch"]]:
    """By the clue they were asked by."""
    query = f"SELECT {clue}, id, account_id, stakeholder_id, address FROM touch WHERE {clue} {{among:values}}"
    return _as_touches(connection, list(_rows(connection, query, sorted(values))))


def _as_touches(connection: Connection, found: Sequence[Row]) -> Iterator[tuple[Any, "_Touch"]]:
    """From rows of a clue, the touch's id, its account, its reader and the address it went to."""
    addresses = [normalise_email(address) for *_, address in found]
    hashes = [email_hash(address) for address in addresses]
    forgotten = forgotten_among(connection, hashes)
    for (clue, id, account, person, _), address, hashed in zip(found, addresses, hashes, strict=True):
        gone = person is None or hashed in forgotten
        yield clue, _Touch(address, _FORGOTTEN if gone else Whose(account, person, id, hashed))


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
    found = [row for row in _rows(connection, query, ids) if row[0] in asked]
    return {(touch.address, name): touch for name, touch in _as_touches(connection, found)}


def _rows(connection: Connection, query: str, values: list[Any]) -> Iterable[Row]:
    """Every delivery of every mail asks here, so the rows come straight from the driver."""
    return rows(connection, query, values=values) if values else ()
