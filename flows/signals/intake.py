"""One intake for everything that comes back: take it in, understand it, let it act.

Doors (web app, files, later webhooks and the mailbox) only record. `collect` takes what waits at the doors, then
applies every recorded signal in batches. Each step is one short transaction; a kill anywhere loses nothing and repeats
nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine

from accounts.errors import ChannelError, InputRefused, NotFound, SettingsRefused
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from accounts.ledger.people.proposals import propose
from accounts.ledger.signals.applying import Applied, apply_waiting
from accounts.ledger.signals.effects import replan
from accounts.ledger.signals.recorded import Incoming, Recorded, record
from accounts.ledger.signals.settling import settle_by_evidence
from accounts.ledger.signals.whose import find_owners
from accounts.ledger.subjects import account_keys
from accounts.outcomes import NO_NEEDS_NO_NAME, read_kind
from accounts.playbook import Play
from accounts.vocabulary import SignalKind
from flows.settings import Settings
from flows.signals.defects import defects
from flows.signals.files import (
    DATASET,
    Row,
    Taken,
    open_signals,
    quarantined,
    read_rows,
    sort_out,
    unknown_kinds,
)
from flows.signals.reweighing import Rescored, Shift, rescore
from flows.webhooks.erasing import erase_contacts
from flows.webhooks.reading import read_posts

#: Signals applied in one transaction: about a tenth of a second, so that an opt-out on the web never waits long.
BATCH = 5_000
#: What lists are called, in capitals as well: text is read, a workbook refused with its cure.
LISTS = frozenset({".csv", ".txt", ".xlsx", ".xls", ".ods"})
#: The source of rows in files that name none.
CSV = "csv"


class SignalSource(Protocol):
    """A door that keeps signals until they are taken: a mailbox, a provider's export, a demo's buyers."""

    def waiting(self, now: datetime) -> Sequence[Incoming]:
        """What has come in by now and was not taken yet."""

    def taken(self) -> None:
        """They are safe in the ledger. Not called when something fails; then the same signals may come again."""


@dataclass(slots=True)
class Tally:
    """Counts of what was taken in at the doors."""

    recorded: int = 0
    duplicates: int = 0
    forgotten: int = 0
    quarantined: int = 0
    retried: int = 0
    proposed: int = 0
    files: list[str] = field(default_factory=list)
    refused_files: list[tuple[str, str]] = field(default_factory=list)
    closed_doors: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def add(self, recorded: Recorded) -> None:
        self.recorded += recorded.new
        self.duplicates += recorded.duplicates
        self.forgotten += recorded.forgotten


@dataclass(frozen=True, slots=True)
class Collected:
    """What one run of the intake did; accounts by key, no addresses."""

    #: New signals taken in at the doors; others may have been recorded by the web app before.
    recorded: int
    duplicates: int
    #: About people who asked to be erased: not stored.
    forgotten: int
    #: Rows that wait with their reason; and rows that waited and could be taken now.
    quarantined: int
    retried: int
    #: People nobody knew before, put to the reps as a question.
    proposed: int
    #: Signals whose effects were applied, by kind; how many of them no person made.
    applied: int
    kinds: Mapping[str, int]
    machine: int
    #: Touches of unknown outcome that are now known to have been sent.
    settled: int
    #: Accounts that a reply came from.
    replies: tuple[str, ...]
    #: (account, role) of people who left, or whose address is dead.
    vacancies: tuple[tuple[str, str], ...]
    #: Files that were read; and files that could not be, with the reason.
    files: tuple[str, ...]
    refused_files: tuple[tuple[str, str], ...]
    #: Why doors could not be opened this time; the next run tries again.
    closed_doors: tuple[str, ...]
    #: Kinds nobody knows, as they were written.
    unknown_kinds: tuple[str, ...]
    #: People whose score was made anew since weights changed, and the accounts which that moved most.
    rescored: int
    moved: tuple[Shift, ...]

    @property
    def opt_outs(self) -> int:
        return self.kinds.get(SignalKind.UNSUBSCRIBED, 0)

    @property
    def bounces(self) -> int:
        return self.kinds.get(SignalKind.BOUNCED, 0)

    @property
    def complaints(self) -> int:
        return self.kinds.get(SignalKind.COMPLAINED, 0)


def collect(
    engine: Engine, settings: Settings, play: Play, now: datetime, sources: Sequence[SignalSource] | None = None
) -> Collected:  # fmt: skip
    """Everything that waits, taken in and applied. Running it again for the same facts changes nothing.

    sources: the doors that keep signals; None: those that the settings name.
    """
    tally = Tally()
    take_sources(engine, doors_of(engine, settings, play) if sources is None else sources, now, tally)
    take_webhooks(engine, now, tally)
    take_inbox(engine, inbox_of(settings), now, tally)
    retry_quarantined(engine, now, tally)
    rescored = rescore(engine, play, now)
    applied = list(drain(engine, play, now))
    late = settle_late(engine, now)
    erase_contacts(engine, settings, now)
    return summarise(engine, tally, applied, rescored, late)


def inbox_of(settings: Settings) -> Path:
    """Files in here are read by the next run. A name that ends as `LISTS` do is a file that is whole: write, then
    rename."""
    return settings.home / "inbox" / "signals"


def doors_of(engine: Engine, settings: Settings, play: Play) -> list[SignalSource]:
    """The doors that the settings name."""
    if settings.mailbox.host is None:
        return []
    from flows.mailbox.source import ReplyMailbox

    return [ReplyMailbox(engine, settings, play)]


def take_sources(engine: Engine, sources: Iterable[SignalSource], now: datetime, tally: Tally) -> None:
    """What other doors have kept for us; they are told only after it is committed. A closed one stops no other."""
    for source in sources:
        try:
            _take_source(engine, source, now, tally)
        except (ChannelError, SettingsRefused) as error:
            tally.closed_doors.append(str(error))


def _take_source(engine: Engine, source: SignalSource, now: datetime, tally: Tally) -> None:
    waiting = source.waiting(now)
    with writing(engine) as connection:
        tally.add(record(connection, waiting, now))
    tally.unknown |= unknown_kinds(waiting)
    source.taken()


def take_webhooks(engine: Engine, now: datetime, tally: Tally) -> None:
    """What providers posted and the web app kept."""
    understood = read_posts(engine, now)
    for recorded in understood.recorded:
        tally.add(recorded)
    tally.quarantined += understood.quarantined
    tally.unknown |= understood.unknown


def take_inbox(engine: Engine, inbox: Path, now: datetime, tally: Tally) -> None:
    """Every list in the inbox, by name; moved to `done` after the commit, or to `refused` with a reason."""
    lists = (path for path in inbox.iterdir() if path.suffix.lower() in LISTS) if inbox.is_dir() else ()
    for path in sorted(lists):
        with suppress(FileNotFoundError):  # another run was faster
            _take_and_file_away(engine, path, now, tally)


def _take_and_file_away(engine: Engine, path: Path, now: datetime, tally: Tally) -> None:
    size = path.stat().st_size
    try:
        take_file(engine, path, now, tally)
    except InputRefused as error:
        tally.refused_files.append((path.name, error.what))
        _move(path, path.parent / "refused", now).with_suffix(".why.txt").write_text(f"{error}\n")
        return
    if path.stat().st_size == size:  # else somebody is still writing: the rest comes with the next run
        _move(path, path.parent / "done", now)


def take_file(engine: Engine, path: Path, now: datetime, tally: Tally | None = None, source: str = CSV) -> Tally:
    """One signals file, in pieces, each of them a transaction; reading it again records nothing twice.

    Raises InputRefused when nothing of it can be read.
    """
    tally = tally or Tally()
    for rows, broken in read_rows(open_signals(path)):
        with writing(engine) as connection:
            taken, refused = sort_out(connection, rows, source, now)
            tally.add(_record(connection, taken, now))
            aside = [quarantined(one, f"{source}/{path.name}", now) for one in (*refused, *broken)]
            quarantine.put_aside(connection, aside)
            tally.proposed += propose(connection, [one.proposed for one in refused if one.proposed], now)
        tally.quarantined += len(aside)
        tally.unknown |= unknown_kinds([one.signal for one in taken])
    tally.files.append(path.name)
    return tally


def add_by_hand(engine: Engine, play: Play, signal: Incoming, now: datetime) -> Collected:
    """One signal that a person tells us of, recorded and applied at once.

    Raises NotFound when it is about nobody we know; a no needs no name and is always taken. InputRefused for what a
    row of a file would be refused for: a time to come, nobody named.
    """
    tally = Tally()
    if wrong := defects(_as_told(signal), now):
        raise InputRefused(wrong[0].sentence, where=wrong[0].column, cure="see: tandem signal add --help")
    with writing(engine) as connection:
        whose = find_owners(connection, [signal])[0]
        named = whose.stakeholder_id if signal.email else whose.account_id
        if not (named or whose.is_forgotten or (signal.email and read_kind(signal.kind) in NO_NEEDS_NO_NAME)):
            raise NotFound(whose.why_not or f"nobody has the address {signal.email}", cure="import the person first")
        tally.add(record(connection, [signal], now, [whose]))
    return summarise(engine, tally, list(drain(engine, play, now)))


def _as_told(signal: Incoming) -> dict[str, str]:
    """As a row of a file would say it."""
    clues = {"email": signal.email, "account": signal.account, "domain": signal.domain, "content": signal.content}
    until = signal.data.get("until")
    said = {"kind": signal.kind, "occurred_at": signal.occurred_at.isoformat(), "until": until, **clues}
    return {name: value for name, value in said.items() if value}


def retry_quarantined(engine: Engine, now: datetime, tally: Tally) -> None:
    """Rows that waited for a person or an account to be imported are taken as soon as there is one."""
    with reading(engine) as connection:
        pieces = list(quarantine.open_in_pieces(connection, DATASET))
    for entries in pieces:
        by_source: dict[str, dict[int, Row]] = defaultdict(dict)
        for entry in entries:
            by_source[entry.source.partition("/")[0]][entry.id] = Row(entry.row_number or 0, entry.fields or {})
        for source, rows in by_source.items():
            tally.retried += _retry(engine, source, rows, now, tally)


def _retry(engine: Engine, source: str, rows: Mapping[int, Row], now: datetime, tally: Tally) -> int:
    with writing(engine) as connection:
        taken, refused = sort_out(connection, list(rows.values()), source, now)
        tally.proposed += propose(connection, [one.proposed for one in refused if one.proposed], now)
        if not taken:
            return 0
        tally.add(_record(connection, taken, now))
        good = {id(one.row) for one in taken}
        quarantine.mark_resolved(connection, [entry for entry, row in rows.items() if id(row) in good], now)
    return len(taken)


def drain(engine: Engine, play: Play, now: datetime) -> Iterator[Applied]:
    """Apply what waits, a batch a transaction, until nothing does."""
    while True:
        with writing(engine) as connection:
            applied = apply_waiting(connection, play, now, BATCH)
        if not applied.signals:
            return
        yield applied


def settle_late(engine: Engine, now: datetime) -> int:
    """Touches that became `unknown` after their proof had come in."""
    with writing(engine) as connection:
        accounts = settle_by_evidence(connection)
        replan(connection, set(accounts), now)
    return len(accounts)


def summarise(
    engine: Engine, tally: Tally, applied: Sequence[Applied], rescored: Rescored | None = None, late: int = 0
) -> Collected:
    """Counts of all batches, and accounts by their keys."""
    kinds = sum((one.kinds for one in applied), Counter[str]())
    vacancies = [vacancy for one in applied for vacancy in one.vacancies]
    replies = {account for one in applied for account in one.replies}
    with reading(engine) as connection:
        keys = account_keys(connection, replies | {account for account, _ in vacancies})
    return Collected(
        recorded=tally.recorded,
        duplicates=tally.duplicates,
        forgotten=tally.forgotten,
        quarantined=tally.quarantined,
        retried=tally.retried,
        proposed=tally.proposed,
        applied=sum(one.signals for one in applied),
        kinds=dict(sorted(kinds.items())),
        machine=sum(one.machine for one in applied),
        settled=late + sum(one.settled for one in applied),
        replies=tuple(sorted(keys[account] for account in replies)),
        vacancies=tuple(sorted((keys[account], role) for account, role in vacancies)),
        files=tuple(tally.files),
        refused_files=tuple(tally.refused_files),
        closed_doors=tuple(tally.closed_doors),
        unknown_kinds=tuple(sorted(tally.unknown)),
        rescored=rescored.people if rescored else 0,
        moved=rescored.most if rescored else (),
    )


def _record(connection: Connection, taken: Sequence[Taken], now: datetime) -> Recorded:
    return record(connection, [one.signal for one in taken], now, [one.whose for one in taken])


def _move(path: Path, folder: Path, now: datetime) -> Path:
    """Into `folder`, under a name of its own. Raises FileNotFoundError when it is gone."""
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if target.exists():
        target = folder / f"{path.stem}-{now:%Y%m%dT%H%M%S%f}{path.suffix}"
    return path.rename(target)
