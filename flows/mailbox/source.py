"""The reply mailbox as a door of the intake: what has come since the last reading, as signals.

How far a folder was read is kept in the ledger and moved only after its signals are stored, so a kill loses no mail; a
mail that is read again has the same name, so it is stored once. A mail that cannot be read waits in quarantine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine

from accounts.ledger.bulk import chunks
from accounts.ledger.engine import reading, writing
from accounts.ledger.importing import quarantine
from accounts.ledger.importing.quarantine import Reason
from accounts.ledger.signals import mailboxes
from accounts.ledger.signals.whose import Incoming
from accounts.playbook import Play
from flows.mailbox.imap import Imap, Letter
from flows.mailbox.matching import Marks, Read, match, subjects_of
from flows.mailbox.reading import Mail, read_mail
from flows.mailbox.signals import SOURCE, Arrived, printable, signals_of
from flows.mailbox.understanding import understand
from flows.settings import Settings

DATASET = "mail"
#: Mails of a folder that one run reads.
MOST = 5_000
#: Mails that are matched with the same few queries.
AT_ONCE = 200
#: For how long a mail that could not be read is tried again.
TRY_AGAIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a folder was read, and which of its mails were new."""

    folder: str
    uidvalidity: int
    uid: int
    uids: tuple[int, ...]
    #: Rows of the quarantine whose mails could be read this time.
    mended: tuple[int, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Opened:
    """A mail that was fetched and understood. Its bytes are let go."""

    letter: Letter
    read: Read
    arrived: Arrived


#: A mail, and why it waits.
_Broken = tuple[Letter, str]


class ReplyMailbox:
    """A `flows.signals.intake.SignalSource`. Its calls raise Unreachable when the mailbox is closed to us.

    most: mails of a folder that one run reads; the next one goes on.
    """

    name = SOURCE

    def __init__(self, engine: Engine, settings: Settings, play: Play, most: int = MOST) -> None:
        self._engine, self._settings, self._most = engine, settings, most
        self._mailbox = settings.mailbox
        ours = {settings.sending_domain, settings.return_domain, play.vendor.domain}
        self._marks = Marks(
            settings.secret_key.get_secret_value(), frozenset(ours), subjects_of(play),
            timedelta(days=self._mailbox.window_days),
        )  # fmt: skip
        self._reached: list[Reached] = []

    def waiting(self, now: datetime) -> Sequence[Incoming]:
        """Signals of the mails that came since the last reading; broken ones are set aside."""
        self._reached = []
        signals: list[Incoming] = []
        with Imap(self._mailbox) as imap:
            for folder in self._mailbox.folder_names:
                signals += self._read_folder(imap, folder, now)
        return signals

    def taken(self) -> None:
        """The signals are stored: the next run begins after them."""
        with writing(self._engine) as connection:
            for at in self._reached:
                mailboxes.read_up_to(connection, self._title(at.folder), at.uidvalidity, at.uid, at.now)
                quarantine.mark_resolved(connection, at.mended, at.now)
        if self._mailbox.mark_read and any(at.uids for at in self._reached):
            self._mark_read()

    def _read_folder(self, imap: Imap, folder: str, now: datetime) -> Iterator[Incoming]:
        opened = imap.open(folder)
        place = f"{folder}/{opened.uidvalidity}"
        with reading(self._engine) as connection:
            last = mailboxes.last_read(connection, self._title(folder), opened.uidvalidity)
            again = _set_aside_of_late(connection, place, now)
        since = (now - timedelta(days=self._mailbox.first_days)).date() if last is None else None
        uids = imap.uids(last or 0, since)
        some = uids[: self._most]
        broken: set[int] = set()
        for uids_at_once in chunks([*again, *some], AT_ONCE):
            signals, not_read = self._understand(imap.fetch(uids_at_once), place, now)
            broken |= not_read
            yield from signals
        mended = tuple(row for uid, row in again.items() if uid not in broken)
        end = some[-1] if len(some) < len(uids) else max(opened.uidnext - 1, last or 0, *some)
        self._reached.append(Reached(folder, opened.uidvalidity, end, tuple(some), mended, now))

    def _understand(self, letters: Iterable[Letter], folder: str, now: datetime) -> tuple[list[Incoming], set[int]]:
        """Signals of these mails, and the UIDs of those that were set aside."""
        opened: list[_Opened] = []
        broken: list[_Broken] = []
        for letter in letters:
            if letter.broken is not None:
                broken.append((letter, letter.broken))
                continue
            try:
                opened.append(_open(letter, folder))
            except Exception as error:  # one mail never stops the others
                broken.append((letter, f"it could not be read: {type(error).__name__}"))
        signals, unmatched = self._match(opened)
        broken += unmatched
        self._set_aside(broken, folder, now)
        return signals, {letter.uid for letter, _ in broken}

    def _match(self, opened: Sequence[_Opened]) -> tuple[list[Incoming], list[_Broken]]:
        with reading(self._engine) as connection:
            matches = match(connection, [one.read for one in opened], self._marks)
        signals: list[Incoming] = []
        broken: list[_Broken] = []
        for one, found in zip(opened, matches, strict=True):
            try:
                signals += signals_of(one.read.understood, found, one.arrived)
            except Exception as error:  # as above
                broken.append((one.letter, f"it makes no signal: {type(error).__name__}"))
        return signals, broken

    def _set_aside(self, broken: Sequence[_Broken], folder: str, now: datetime) -> None:
        with writing(self._engine) as connection:
            quarantine.put_aside(connection, [_row(letter, why, folder, now) for letter, why in broken])

    def _mark_read(self) -> None:
        with Imap(self._mailbox) as imap:
            for at in self._reached:
                if at.uids and imap.open(at.folder, to_mark=True).uidvalidity == at.uidvalidity:
                    imap.mark_read(at.uids)

    def _title(self, folder: str) -> str:
        return f"{self._mailbox.username}@{self._mailbox.host}:{self._mailbox.port}/{folder}"[:300]


def _set_aside_of_late(connection: Connection, place: str, now: datetime) -> dict[int, int]:
    """UID -> row of the quarantine: what could not be read may have been the line's fault, and is tried for a day."""
    waiting = quarantine.read_open(connection, dataset=DATASET)
    ours = [entry for entry in waiting if entry.row.get("mail") == f"{place}/{entry.row_number}"]
    return {entry.row_number: entry.id for entry in ours if entry.row_number and entry.first_seen > now - TRY_AGAIN}


def _open(letter: Letter, folder: str) -> _Opened:
    mail = read_mail(letter.raw)
    arrived = Arrived(_digest(mail, letter.raw), f"{folder}/{letter.uid}", mail.subject, letter.received_at)
    understood = understand(letter.raw, letter.received_at)
    return _Opened(replace(letter, raw=b""), Read(understood, mail.subject, letter.received_at), arrived)


def _digest(mail: Mail, raw: bytes) -> str:
    """The name of a mail: the same for each copy of it, and after the server numbered its mails anew."""
    message_id = mail.header("message-id")
    if not message_id:
        return sha256(raw).hexdigest()
    told = "\0".join((message_id, *(mail.header(name) for name in ("date", "from", "subject"))))
    return sha256(told.encode("utf-8", "replace")).hexdigest()


def _row(letter: Letter, why: str, folder: str, now: datetime) -> dict[str, Any]:
    """A row of `quarantine`: where the mail stands; its bytes stay in the mailbox."""
    said = {"mail": f"{folder}/{letter.uid}", "bytes": str(letter.size), "came": letter.received_at.isoformat()}
    reason = Reason("mail_that_cannot_be_read", printable(why), None, None)
    return {
        "source": SOURCE, "dataset": DATASET, "row_number": letter.uid, "row": said,
        "row_hash": sha256(said["mail"].encode()).hexdigest(), "fields": None, "key": None, "account": None,
        "reasons": [reason.as_json()], "first_seen": now, "retried_at": None, "resolved_at": None,
    }  # fmt: skip
