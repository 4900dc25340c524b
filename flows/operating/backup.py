"""`tandem backup` and `tandem restore`: the whole ledger in one file that either database can take.

    backup.zip
      account.jsonl, touch.jsonl, …   a JSON array a row (accounts/ledger/portable.py)
      manifest.json                   version of the tables; for each table its columns, rows and digest

The file is a snapshot of one moment, made while everything works. It holds people's addresses, so only its owner may
read it. It holds no secret: tandem.toml, with the key that signs links, is kept beside it by whoever runs Tandem.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from sqlalchemy import Engine, Table

from accounts.errors import InputRefused, Refused
from accounts.ledger import portable, schema

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a backup holds."""

    version: str
    made_at: datetime
    rows: int
    #: Over all tables: two ledgers with the same digest hold the same.
    digest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def back_up(engine: Engine, path: Path, now: datetime) -> Kept:
    """Write the ledger to `path`, which must not exist; half a file never stands there.

    Raises Refused for a file that exists and for a ledger that is not up to date.
    """
    if path.exists():
        raise Refused("there is a file already", where=str(path), cure="name another one")
    _must_be_current(engine)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with ZipFile(part, "w", ZIP_DEFLATED, compresslevel=6) as archive:
            manifest = _write(archive, engine, now)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return _kept(manifest)


def restore(engine: Engine, path: Path, *, replace: bool = False) -> Kept:
    """Make the ledger what it was when `path` was written, in one transaction; an empty database gets its tables first.

    replace: delete what is there. Raises Refused for a ledger that holds something else, InputRefused for a file that
    is no backup, was damaged, or has tables of another version.
    """
    with _opened(path) as archive:
        manifest = _manifest(archive, path)
        if schema.current(engine) is None:
            schema.upgrade(engine)
        _must_be_current(engine)
        if manifest["version"] != schema.head():
            says = f"its tables have version {manifest['version']}, this program's {schema.head()}"
            raise InputRefused(
                says, where=str(path), cure="restore it with the Tandem that wrote it; then tandem init with this one"
            )
        with portable.replacing(engine) as connection:
            if not portable.is_empty(connection):
                if not replace:
                    raise Refused(
                        "the ledger is not empty", where=_place(engine), cure="--replace deletes what is there"
                    )
                portable.clear(connection)
            for table in portable.TABLES:
                portable.put(connection, table, _read(archive, table, manifest, path))
    return _kept(manifest)


def digest_of(engine: Engine) -> str:
    """The digest a backup of this ledger would have."""
    digests = {}
    with portable.snapshot(engine) as connection:
        for table in portable.TABLES:
            digest = sha256()
            for _ in portable.checked(portable.lines(connection, table), digest):
                pass
            digests[table.name] = digest.hexdigest()
    return _digest_of_all(digests)


def _write(archive: ZipFile, engine: Engine, now: datetime) -> dict[str, Any]:
    tables = {}
    with portable.snapshot(engine) as connection:
        for table in portable.TABLES:
            digest, count = sha256(), 0
            with archive.open(_member(table), "w", force_zip64=True) as file:
                for line in portable.checked(portable.lines(connection, table), digest):
                    file.write(line.encode())
                    count += 1
            tables[table.name] = {
                "columns": portable.columns(table),
                "rows": count,
                "sha256": digest.hexdigest(),
            }
    manifest = {"format": FORMAT, "version": schema.head(), "made_at": now.isoformat(), "tables": tables}
    archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return manifest


def _read(archive: ZipFile, table: Table, manifest: dict[str, Any], path: Path) -> Iterator[portable.Line]:
    """Its rows; at their end, whether they are what was written: if not, nothing of the restore stays."""
    digest = sha256()
    try:
        with TextIOWrapper(archive.open(_member(table)), encoding="utf-8", newline="\n") as file:
            for line in file:
                digest.update(line.encode())
                yield json.loads(line)
    except (BadZipFile, ValueError, KeyError, EOFError) as error:
        raise _damaged(path, table.name) from error
    if digest.hexdigest() != manifest["tables"][table.name]["sha256"]:
        raise _damaged(path, table.name)


def _opened(path: Path) -> ZipFile:
    try:
        return ZipFile(path)
    except (OSError, BadZipFile) as error:
        raise InputRefused(
            f"it cannot be read: {error}", where=str(path), cure="name a file of tandem backup"
        ) from None


def _manifest(archive: ZipFile, path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
        known = manifest["format"] == FORMAT
    except (KeyError, ValueError, TypeError, BadZipFile):
        known = False
    if not known:
        raise InputRefused("it is no backup of Tandem", where=str(path), cure="name a file of tandem backup")
    return manifest


def _kept(manifest: dict[str, Any]) -> Kept:
    tables = manifest["tables"]
    digest = _digest_of_all({name: table["sha256"] for name, table in tables.items()})
    rows = sum(table["rows"] for table in tables.values())
    return Kept(manifest["version"], datetime.fromisoformat(manifest["made_at"]), rows, digest)


def _digest_of_all(digests: dict[str, str]) -> str:
    return sha256("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()).hexdigest()


def _must_be_current(engine: Engine) -> None:
    if not schema.is_current(engine):
        raise Refused("the database is not up to date", where=_place(engine), cure="tandem init")


def _damaged(path: Path, table: str) -> InputRefused:
    return InputRefused(f"it was damaged: {table} is not what was written", where=str(path), cure="take another backup")


def _member(table: Table) -> str:
    return f"{table.name}.jsonl"


def _place(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
