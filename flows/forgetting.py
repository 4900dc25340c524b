"""Erasing a person: the ledger in one transaction, then the files Tandem wrote, then what the database left on disk.

A kill in between leaves nothing half-erased in the ledger; the same command again finishes the files.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import Engine

from accounts.ledger import audit
from accounts.ledger.engagement import scores
from accounts.ledger.engine import writing
from accounts.ledger.people.privacy import Forgotten, erase_words, forget, overwrite_deleted
from accounts.ledger.signals.applying import one_at_a_time
from accounts.ledger.signals.effects import replan
from flows.channels.email.outbox import write_pages
from flows.settings import Settings

BLOCK = 1 << 20

#: Text files of ours that may name people, by ending, in small letters.
TEXTS = (".csv", ".html", ".txt", ".json", ".md")


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased where; no address in here."""

    ledger: Forgotten
    #: Files below `home` that were deleted or rewritten.
    files: tuple[str, ...]
    #: Files that still contain the address and that we cannot rewrite: somebody has to.
    leftovers: tuple[str, ...]


def forget_person(engine: Engine, settings: Settings, email: str, *, by: str, now: datetime) -> Erased:
    """Everything about this address, everywhere we write. The hash stays suppressed; ads follow at the next sync.

    Raises NotFound for an address the ledger knows nothing of.
    """
    with writing(engine) as connection:
        one_at_a_time(connection)
        overwrite_deleted(connection)
        forgotten = forget(connection, email, now)
        scores.recompute(connection, forgotten.accounts)
        replan(connection, forgotten.accounts, now)
        if forgotten.is_new:
            subject = f"sha256:{forgotten.email_hash}"
            audit.append(connection, actor=by, action="forget", subject=subject, at=now, after=dict(forgotten.rows))
    files = tuple(erase_files(settings, forgotten.words))
    rewrite_database(engine)
    return Erased(forgotten, files, tuple(_leftovers(settings.home, forgotten.words[0])))


def erase_files(settings: Settings, words: Sequence[str]) -> Iterator[str]:
    """Mails to or about the person are deleted, lines of signal files dropped, words in pages replaced."""
    for path in sorted(settings.home.rglob("*")):
        if path.suffix == ".eml" and path.is_file() and _is_about(path.read_bytes(), words):
            path.unlink()
            yield _shown(settings, path)
        elif path.suffix.lower() in TEXTS and path.is_file() and _rewrite(path, words):
            yield _shown(settings, path)
    if settings.outbox.is_dir():
        write_pages(settings.outbox)


def rewrite_database(engine: Engine) -> None:
    """On SQLite: free pages and the write-ahead log are rewritten too. Skipped while somebody else is writing."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    except engine.dialect.loaded_dbapi.Error:
        return
    finally:
        connection.close()


def _is_about(raw: bytes, words: Sequence[str]) -> bool:
    """Whether an e-mail names the person anywhere, headers and parts decoded."""
    message = message_from_bytes(raw, policy=policy.default)
    said = [str(value) for _, value in message.items()]
    for part in message.walk():
        if isinstance(part, EmailMessage) and part.get_content_maintype() == "text":
            said.append(str(part.get_content()))
    return any(erase_words(one, words) != one for one in said)


def _rewrite(path: Path, words: Sequence[str]) -> bool:
    """A signals file loses the lines that name the person, every other text the words themselves."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if path.suffix.lower() == ".csv":
        kept = "".join(line for line in text.splitlines(keepends=True) if erase_words(line, words) == line)
    else:
        kept = erase_words(text, words)
    if kept == text:
        return False
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(kept.encode("utf-8", "surrogateescape"))
    os.replace(new, path)
    return True


def _leftovers(home: Path, address: str) -> Iterator[str]:
    """Files that still spell the address, the database's own files included."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and any(_spells(path, address.encode(encoding)) for encoding in ("utf-8", "utf-16-le")):
            yield path.relative_to(home).as_posix()


def _spells(path: Path, word: bytes) -> bool:
    """A block at a time, and never missing a word that lies across two."""
    tail = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            window = (tail + block).lower()
            if word in window:
                return True
            tail = window[-len(word) :]
    return False


def _shown(settings: Settings, path: Path) -> str:
    return path.relative_to(settings.home).as_posix()
