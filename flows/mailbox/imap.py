"""A mailbox over IMAP: what has come, and its bytes. Nothing is deleted, nothing is marked unless told so.

Sizes are asked first: of a large mail only its beginning is fetched, where its head and its words stand. A mail that
the server cannot hand over, or that breaks the line, is handed on as broken, and the others are read.
"""

import imaplib
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from accounts.errors import SettingsRefused, Unreachable
from flows.mailbox.login import access_token, takes_tokens
from flows.operating.prefect_api import is_loopback
from flows.settings import Mailbox as Settings
from flows.trust import trust_of

#: Bytes up to which a mail is fetched whole, and what is fetched of a larger one.
LARGE, BEGINNING = 1_000_000, 65_536
#: Bytes of mails that are fetched with one command.
AT_ONCE = 4_000_000
#: Seconds of one IDLE. Servers end it after 30 minutes (RFC 2177); but what a server says in one breath with its "+"
#: lies in the buffer of the line, where no wait for the socket sees it, until the IDLE is over.
LONGEST_IDLE = 60.0

#: It would write down commands with what is in them.
logging.getLogger("imapclient").setLevel(logging.WARNING)

#: How a server, or the line to it, fails.
_FAILURES = (OSError, imaplib.IMAP4.error, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail of a folder."""

    uid: int
    #: When it came into the mailbox.
    received_at: datetime
    #: Bytes it has.
    size: int
    #: All of it, or its beginning; empty when it could not be fetched.
    raw: bytes
    #: Why it could not be fetched.
    broken: str | None = None


class Head(NamedTuple):
    """What is asked of a mail before its bytes."""

    size: int
    at: datetime


class Opened(NamedTuple):
    """A folder as it was when it was opened."""

    uidvalidity: int
    #: No mail of the folder had this UID or a higher one yet.
    uidnext: int


class Imap:
    """A connection, opened when it is entered. Raises Unreachable with where and cure, never with a secret."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: IMAPClient | None = None
        self._folder: tuple[str, bool] | None = None

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None and error is None:  # else nobody knows in which state the line is
            with suppress(*_FAILURES):
                self._client.logout()
        self._drop()

    def open(self, folder: str, *, to_mark: bool = False) -> Opened:
        """Look into this folder from now on. Without `to_mark` the server itself refuses changes."""
        with self._explained():
            said = self._line.select_folder(folder, readonly=not to_mark)
        self._folder = (folder, to_mark)
        return Opened(int(said.get(b"UIDVALIDITY", 0)), int(said.get(b"UIDNEXT", 1)))

    def uids(self, after: int, since: date | None = None) -> list[int]:
        """UIDs of the mails that came after the one with that UID, and since that day, in order."""
        wanted: list[Any] = ["UID", f"{after + 1}:*", *(["SINCE", since] if since else [])]
        with self._explained():
            found = self._line.search(wanted)
        return sorted(uid for uid in found if uid > after)  # `*` is the last mail, also where that was seen before

    def fetch(self, uids: Sequence[int]) -> Iterator[Letter]:
        """These mails, in order; what is gone meanwhile is left out."""
        sizes = self._heads(uids)
        for some in _portions(uids, sizes):
            yield from self._bodies(some, sizes)

    def mark_read(self, uids: Sequence[int]) -> None:
        with self._explained():
            self._line.add_flags(list(uids), [b"\\Seen"], silent=True)

    @property
    def can_wait(self) -> bool:
        """Whether the server tells when mail comes (IDLE, RFC 2177)."""
        return bool(self._line.has_capability("IDLE"))

    def wait(self, seconds: float) -> bool:
        """Wait until something comes into the folder, or for so long, a minute at most; whether something came."""
        with self._explained():
            _, told = self._line.noop()  # what came since the last command
            if not _tells_of_mail(told):
                self._line.idle()
                told = self._line.idle_check(min(seconds, LONGEST_IDLE))
                told += self._line.idle_done()[1]
        return _tells_of_mail(told)

    def knock(self) -> None:
        """Keep the line open."""
        with self._explained():
            self._line.noop()

    @property
    def where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    @property
    def _line(self) -> IMAPClient:
        if self._client is None:
            self._connect()
        assert self._client is not None  # noqa: S101  for the type checker
        return self._client

    def _connect(self) -> None:
        settings = self._settings
        _refuse_open_password(settings)
        with self._explained():
            trust = trust_of(settings.ca_file, "mailbox.ca_file") if settings.security != "none" else None
            client = IMAPClient(
                settings.host, settings.port, ssl=settings.security == "tls", ssl_context=trust,
                timeout=settings.timeout_seconds,
            )  # fmt: skip
            self._client = client
            client.normalise_times = False  # with their zone
            if settings.security == "starttls":
                client.starttls(trust)
            if takes_tokens(settings):
                client.oauth2_login(settings.username, access_token(settings))
            else:
                client.login(settings.username or "", settings.password.get_secret_value() if settings.password else "")

    def _drop(self) -> None:
        if self._client is not None:
            with suppress(*_FAILURES):
                self._client.shutdown()
        self._client = None

    def _heads(self, uids: Sequence[int]) -> dict[int, Head]:
        with self._explained():
            told = self._line.fetch(list(uids), ["RFC822.SIZE", "INTERNALDATE"])
        return {
            uid: Head(int(said.get(b"RFC822.SIZE", 0)), _instant(said.get(b"INTERNALDATE")))
            for uid, said in told.items()
        }

    def _bodies(self, uids: Sequence[int], heads: Mapping[int, Head]) -> Iterator[Letter]:
        try:
            told = self._bytes_of(uids, heads)
        except _FAILURES as error:
            yield from self._one_by_one(uids, heads, error)
            return
        for uid in uids:
            if uid in told:
                size, at = heads[uid]
                yield Letter(uid, at, size, told[uid])

    def _one_by_one(self, uids: Sequence[int], heads: Mapping[int, Head], error: BaseException) -> Iterator[Letter]:
        """Over a fresh line: one of them broke the last one, or the server does not want to part with it."""
        self._again()
        if len(uids) == 1:
            size, at = heads[uids[0]]
            yield Letter(uids[0], at, size, b"", broken=f"the server did not hand it over: {type(error).__name__}")
            return
        for uid in uids:
            yield from self._bodies([uid], heads)

    def _bytes_of(self, uids: Sequence[int], heads: Mapping[int, Head]) -> dict[int, bytes]:
        large = [uid for uid in uids if heads[uid].size > LARGE]
        whole = [uid for uid in uids if heads[uid].size <= LARGE]
        told = self._line.fetch(whole, ["BODY.PEEK[]"]) if whole else {}
        told |= self._line.fetch(large, [f"BODY.PEEK[]<0.{BEGINNING}>"]) if large else {}
        bodies = ((uid, said.get(b"BODY[]", said.get(b"BODY[]<0>"))) for uid, said in told.items())
        return {uid: body for uid, body in bodies if isinstance(body, bytes)}

    def _again(self) -> None:
        self._drop()
        self._connect()
        if self._folder is not None:
            folder, to_mark = self._folder
            self.open(folder, to_mark=to_mark)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever goes wrong, in one line with its cure, and without a word of the login."""
        try:
            yield
        except LoginError:
            cure = "check mailbox.username, and the password or token"
            raise Unreachable("the mail server refused the login", where=self.where, cure=cure) from None
        except ssl.SSLCertVerificationError as error:
            said = f"the mail server's certificate is not trusted: {error.verify_message}"
            cure = "check mailbox.host, or name its authority in mailbox.ca_file"
            raise Unreachable(said, where=self.where, cure=cure) from None
        except imaplib.IMAP4.abort as error:  # a token that ran out, a limit, a restart: nothing of ours is set wrong
            said, cure = (
                f"the mail server hung up: {str(error)[:200]}",
                "it is tried again; ask its log if this goes on",
            )
            raise Unreachable(said, where=self.where, cure=cure) from None
        except imaplib.IMAP4.error as error:
            said = f"the mail server says no: {str(error)[:200]}"
            raise Unreachable(said, where=self.where, cure="check mailbox.folders and mailbox.security") from None
        except _FAILURES as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            cure = "check mailbox.host and mailbox.port"
            raise Unreachable(f"the mail server does not answer: {said}", where=self.where, cure=cure) from None


def _refuse_open_password(settings: Settings) -> None:
    if settings.security == "none" and not is_loopback(f"//{settings.host}"):
        raise SettingsRefused(
            "the login would travel in the open", where="mailbox.security", cure="set it to tls or starttls"
        )


def _portions(uids: Sequence[int], heads: Mapping[int, Head]) -> Iterator[list[int]]:
    """In order, in pieces of a few megabytes."""
    some: list[int] = []
    room = AT_ONCE
    for uid in uids:
        if uid not in heads:
            continue
        size = heads[uid].size
        room -= BEGINNING if size > LARGE else size
        if some and room < 0:
            yield some
            some, room = [], AT_ONCE - size
        some.append(uid)
    if some:
        yield some


def _tells_of_mail(told: Sequence[Sequence[Any]]) -> bool:
    return any(len(one) > 1 and one[1] in (b"EXISTS", b"RECENT") for one in told)


def _instant(said: object) -> datetime:
    """A server that does not say when a mail came says nothing of the past."""
    if not isinstance(said, datetime):
        return datetime.now(UTC)
    return said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
