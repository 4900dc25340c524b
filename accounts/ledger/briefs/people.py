"""The people in briefs: what they did last, what marketing sent them and what planning answers for each."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from accounts.briefs.material import Outlook, Person, Sign, clean
from accounts.briefs.saying import DID_SHORT
from accounts.ledger.driver import Form, rows
from accounts.ledger.engagement.feedback import WRONG_PEOPLE
from accounts.ledger.planning.ahead import Coming, coming
from accounts.ledger.weeks import weekly
from accounts.playbook import Play
from accounts.vocabulary import Answer, EmailStatus, Reason, Role, SignalKind

#: Touch ids and content keys of what a person was sent.
Had = tuple[tuple[int, ...], frozenset[str]]

_NAMES = f"""
    SELECT account_id, id, first_name, last_name, title, email, role, email_status, {{time:opted_out_at}},
           id IN ({WRONG_PEOPLE})
      FROM stakeholder WHERE account_id {{among:accounts}} ORDER BY id"""
_OUTLOOKS = "SELECT stakeholder_id, answer, reason, content FROM decision WHERE account_id {among:accounts}"
_LAST_ACTS = """
    SELECT id, kind, stakeholder_id, {time:occurred_at}
      FROM (SELECT id, kind, stakeholder_id, occurred_at,
                   row_number() OVER (PARTITION BY stakeholder_id ORDER BY occurred_at DESC, id DESC) AS place
              FROM signal
             WHERE {weekly} AND account_id {among:accounts} AND kind {among:acts} AND is_machine = false
               AND stakeholder_id IS NOT NULL AND occurred_at <= :as_of AND received_at <= :as_of) AS ranked
     WHERE place = 1"""
_HAD = """
    SELECT stakeholder_id, {join}(CAST(id AS TEXT), ' '), {join}(content, ' ')
      FROM touch
     WHERE account_id {among:accounts} AND sent_at <= :as_of AND stakeholder_id IS NOT NULL
     GROUP BY stakeholder_id"""


def read_names(connection: Connection, ids: list[int]) -> dict[int, list[Person]]:
    """The buying group of each account, as far as news need it."""
    read, found = _time_or_none(connection), defaultdict[int, list[Person]](list)
    people = rows(connection, _NAMES, accounts=ids)
    for account, id, first, last, title, email, role, status, opted_out, is_wrong in people:
        name, out = _called(first, last, title, email), read(opted_out)
        found[account].append(Person(id, name, email, _role(role), _status(status), out, is_wrong=bool(is_wrong)))
    return found


def read_people(
    connection: Connection, groups: Mapping[int, Sequence[Person]], play: Play, as_of: datetime
) -> dict[int, tuple[Person, ...]]:  # fmt: skip
    """The same people, by account, with what they did and got, what planning answers for each, and what leaves to them
    in the days to come."""
    ids = list(groups)
    acts, had, outlooks = _last_acts(connection, ids, as_of), _had(connection, ids, as_of), _outlooks(connection, ids)
    ahead = {one.account_id: one for one in coming(connection, ids, play, as_of)}
    return {
        account: tuple(_whole(person, acts, had, outlooks, ahead[account]) for person in people)
        for account, people in groups.items()
    }


def _whole(
    person: Person, acts: dict[int, Sign], had: dict[int, Had], outlooks: dict[int, Outlook], ahead: Coming
) -> Person:  # fmt: skip
    touches, contents = had.get(person.id, ((), frozenset()))
    return Person(
        person.id, person.name, person.email, person.role, person.email_status, person.opted_out_at,
        acts.get(person.id), outlooks.get(person.id), ahead.to(person.id), person.id in ahead.braked, touches, contents,
        person.is_wrong,
    )  # fmt: skip


def _called(first: str | None, last: str | None, title: str | None, email: str) -> str:
    """As a person calls them; by what they do, or by their address, when nobody wrote a name."""
    return clean(f"{first or ''} {last or ''}") or clean(title) or clean(email.partition("@")[0])


def _outlooks(connection: Connection, ids: list[int]) -> dict[int, Outlook]:
    """Person -> what planning answers."""
    return {
        person: Outlook(_known(Answer, answer, Answer.NEVER), _known(Reason, reason, None), content)
        for person, answer, reason, content in rows(connection, _OUTLOOKS, accounts=ids)
    }


def _role(value: str) -> Role:
    role: Role = _known(Role, value, Role.UNKNOWN)
    return role


def _status(value: str) -> EmailStatus:
    status: EmailStatus = _known(EmailStatus, value, EmailStatus.OK)
    return status


def _known(words: type[StrEnum], value: str | None, otherwise: Any) -> Any:
    """The word for a value; a value of a newer version is no reason to fail."""
    return words._value2member_map_.get(value, otherwise)


def _time_or_none(connection: Connection) -> Callable[[Any], datetime | None]:
    read = Form.of(connection).read
    return lambda value: None if value is None else read(value)


def _last_acts(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, Sign]:
    """Person -> the last thing they did, ever."""
    read, acts = Form.of(connection).read, sorted(kind.value for kind in DID_SHORT)
    found = rows(connection, weekly(connection, _LAST_ACTS), accounts=ids, acts=acts, as_of=as_of)
    return {person: Sign(id, SignalKind(kind), person, read(at)) for id, kind, person, at in found}


def _had(connection: Connection, ids: list[int], as_of: datetime) -> dict[int, Had]:
    """Person -> all that marketing ever sent them; one row a person, the ids and keys strung together."""
    return {
        person: (tuple(sorted(map(int, touches.split()))), frozenset(contents.split()))
        for person, touches, contents in rows(connection, _HAD, accounts=ids, as_of=as_of)
    }
