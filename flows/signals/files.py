"""The CSV door for signals: rows of a signals file as signals, or as rows with a reason why not.

Columns: `kind` and `occurred_at` are required; `email`, `account` or `domain` say whose it is; `signal` is the file's
own name for it (without one, the row is its own name). `content` is a content key or a Message-ID. `url`, `until` (back
from absence, or when a meeting takes place) and `bounce` (hard, soft) are understood; `first_name`, `last_name` and
`title` say who it was, for people we do not know yet; all else is kept as it is.

A row about somebody unknown waits in quarantine. Where the account is known, and the row says that the person did
something, the person is proposed to the rep: nobody gets mail for having been on a list.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from accounts.briefs.material import clean
from accounts.errors import InputRefused
from accounts.ledger.importing.quarantine import Reason
from accounts.ledger.people.proposals import Proposed
from accounts.ledger.signals.recorded import Known, owner_of, read_known
from accounts.ledger.signals.whose import Incoming, Whose, find_owners
from accounts.outcomes import NO_NEEDS_NO_NAME, read_address, read_kind
from accounts.vocabulary import SignalKind
from flows.importing.mapping import field_name
from flows.importing.reading import Broken, Sheet, open_sheet
from flows.signals.defects import CLUES, REQUIRED, defects
from flows.signals.moments import the_moment

DATASET = "signals"
NAMES = ("first_name", "last_name", "title")
COLUMNS = ("signal", *CLUES, *REQUIRED, "url", "until", "bounce", *NAMES)
_ALSO_CALLED = {"e_mail": "email", "email_address": "email", "e_mail_address": "email"}
#: What people do of their own accord; that mail to somebody bounced proposes nobody.
THEIR_OWN: frozenset[SignalKind] = frozenset(
    {
        SignalKind.REPLIED, SignalKind.CLICKED, SignalKind.VISITED, SignalKind.DOWNLOADED, SignalKind.FORM_FILLED,
        SignalKind.WEBINAR_REGISTERED, SignalKind.WEBINAR_ATTENDED, SignalKind.EVENT_ATTENDED,
        SignalKind.MEETING_BOOKED, SignalKind.MEETING_HELD,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: where it stands and what it says, by column."""

    line: int
    values: Mapping[str, str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(sorted(self.values.items())).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that is a signal, and whose it is."""

    row: Row
    signal: Incoming
    whose: Whose


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is none, with its reasons."""

    row: Row
    reasons: tuple[Reason, ...]
    #: Somebody the account does not know yet, who did something: to be asked about.
    proposed: Proposed | None = None


def open_signals(path: Path) -> Sheet:
    """Raises InputRefused for a file that cannot be read or lacks a required column."""
    sheet = open_sheet(path, lambda name: _column(name) in COLUMNS)
    names = [_column(name) for name in sheet.header]
    missing = [name for name in REQUIRED if name not in names]
    if not missing and set(names).isdisjoint(CLUES):
        missing = [" or ".join(CLUES[:3])]
    cure = f"the first row must name at least {', '.join(REQUIRED)} and one of {', '.join(CLUES[:3])}"
    if missing:
        raise InputRefused(f"has no column {' and no column '.join(missing)}", where=f"{path}:1", cure=cure)
    twin = next((name for name in COLUMNS if names.count(name) > 1), None)
    if twin:
        raise InputRefused(f"has two columns {twin!r}", where=f"{path}:1", cure="rename or remove one of them")
    return sheet


def _column(name: str) -> str:
    """What a column is called here: `E-Mail` is `email`, `First name` is `first_name`, others are as they come."""
    plain = field_name(name)
    plain = _ALSO_CALLED.get(plain, plain)
    return plain if plain in COLUMNS else name.lower()


def read_rows(sheet: Sheet, at_once: int = 5_000) -> Iterator[tuple[list[Row], list[Refused]]]:
    """Pieces of the file: its rows, and those that are no rows at all."""
    names = [_column(name) or f"column {place}" for place, name in enumerate(sheet.header, start=1)]
    for piece in sheet.rows(at_once):
        rows = [
            Row(line, {name: value.strip() for name, value in zip(names, values, strict=True) if value.strip()})
            for line, values in zip(piece.lines, piece.rows, strict=True)
            if any(map(str.strip, values))  # spreadsheets end with rows of nothing but delimiters
        ]
        yield rows, [_broken(broken) for broken in piece.broken]


def sort_out(
    connection: Connection, rows: Sequence[Row], source: str, now: datetime
) -> tuple[list[Taken], list[Refused]]:  # fmt: skip
    """Rows that can be recorded, and rows that cannot, with every reason."""
    read = [(row, _as_signal(row, source), defects(row.values, now)) for row in rows]
    good = [(row, signal) for row, signal, wrong in read if signal and not wrong]
    refused = [Refused(row, wrong) for row, _, wrong in read if wrong]
    owners = find_owners(connection, [signal for _, signal in good])
    names = [name for (_, signal), whose in zip(good, owners, strict=True) for name in _names(signal, whose)]
    known = read_known(connection, source, names)
    taken = []
    for (row, told), whose in zip(good, owners, strict=True):
        signal = _called(told, whose, known)
        reasons = (*_stranger(row, signal, whose), *_namesake(row, signal, known))
        if reasons and not whose.is_forgotten:
            refused.append(Refused(row, reasons, _proposed(row, signal, whose, source)))
        else:
            taken.append(Taken(row, signal, whose))
            known[signal.source_id] = Known(read_kind(signal.kind), signal.occurred_at, now, _owner(whose))
    return taken, refused


def _names(signal: Incoming, whose: Whose) -> tuple[str, str]:
    """What the list calls it, and what it is called where the list calls somebody else's like that."""
    return signal.source_id, f"{signal.source_id}/{_owner(whose)}"


def _called(signal: Incoming, whose: Whose, known: Mapping[str, Known]) -> Incoming:
    """By a name that is nobody else's: two fairs both have a badge 1, and a name may be the fair's."""
    plain, own = _names(signal, whose)
    told = known.get(plain)
    return signal if told is None or told.owner == _owner(whose) else signal._replace(source_id=own)


def _owner(whose: Whose) -> str:
    return owner_of(whose.email_hash, whose.account_id)


def _proposed(row: Row, signal: Incoming, whose: Whose, source: str) -> Proposed | None:
    """Who is to be asked about: somebody with an address, in an account we know, who did something."""
    address, kind = read_address(signal.email), read_kind(signal.kind)
    if whose.stakeholder_id or whose.account_id is None or address is None or kind not in THEIR_OWN:
        return None
    why = f"{kind.value.replace('_', ' ')} on {signal.occurred_at:%Y-%m-%d} ({source})"
    first, last, title = (clean(row.values.get(name)) or None for name in NAMES)
    return Proposed(whose.account_id, source, why, signal.occurred_at, address, first, last, title)


def _as_signal(row: Row, source: str) -> Incoming | None:
    said = row.values
    occurred_at, until = the_moment(said.get("occurred_at")), the_moment(said.get("until"))
    if occurred_at is None:
        return None
    data = {name: value for name, value in said.items() if name not in {"signal", *CLUES, *REQUIRED, *NAMES}}
    content = said.get("content")
    is_message = content is not None and "@" in content
    return Incoming(
        source=source,
        source_id=said.get("signal") or row.digest,
        kind=said.get("kind", ""),
        occurred_at=occurred_at,
        message_id=content if is_message else None,
        content=None if is_message else content,
        email=said.get("email"),
        account=said.get("account"),
        domain=said.get("domain"),
        data=data | ({"until": until.isoformat()} if until else {}),
    )


def _stranger(row: Row, signal: Incoming, whose: Whose) -> Iterator[Reason]:
    """A no needs no name: its address is enough. Everything else wants a person, or an account where none is named."""
    if signal.email and whose.stakeholder_id is None and read_kind(signal.kind) not in NO_NEEDS_NO_NAME:
        place = f" in {signal.account}" if signal.account else ""
        yield Reason("person_unknown", f"nobody{place} has this address", "email", signal.email)
    elif not signal.email and whose.account_id is None:
        column = next(name for name in ("account", "domain", "content") if name in row.values)
        yield Reason("account_unknown", whose.why_not or "leads to no account", column, row.values[column])


def _namesake(row: Row, signal: Incoming, known: Mapping[str, Known]) -> Iterator[Reason]:
    """Two lists may both number their rows 1, 2, 3: that is not a repetition."""
    told = known.get(signal.source_id)
    if told and not told.is_told_again_by(signal):
        at = f"{told.occurred_at:%Y-%m-%d %H:%M} UTC"
        sentence = f"the name is taken by a signal '{told.kind}' of {at}; import the list with --source"
        yield Reason("name_taken", sentence, "signal", row.values.get("signal"))


def _broken(broken: Broken) -> Refused:
    reason = Reason("row_unreadable", broken.complaint, None, None)
    return Refused(Row(broken.line, {"": broken.text}), (reason,))


def quarantined(refused: Refused, source: str, now: datetime) -> dict[str, Any]:
    """A refused row as a row of `quarantine`."""
    said = dict(refused.row.values)
    return {
        "source": source[:120], "dataset": DATASET, "row_number": refused.row.line, "row": said,
        "row_hash": refused.row.digest, "fields": None if "" in said else said,
        "key": said.get("signal", "")[:320] or None, "account": said.get("account", "")[:120] or None,
        "reasons": [reason.as_json() for reason in refused.reasons],
        "first_seen": now, "retried_at": None, "resolved_at": None,
    }  # fmt: skip


def unknown_kinds(signals: Collection[Incoming]) -> set[str]:
    """Kinds that nobody knows; such signals are kept as `unknown` and weigh nothing."""
    return {one.kind for one in signals if read_kind(one.kind) is SignalKind.UNKNOWN and one.kind != SignalKind.UNKNOWN}
