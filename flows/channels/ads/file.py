"""Audiences as CSV files, ready to be uploaded by hand: one file per audience and action, in the platform's columns.

    <home>/audiences/linkedin/20261124T100000Z-new-business-evaluation-people-remove-1f9a03c2.csv

Upload the `remove` file of an audience before its `add` file. "Confirmed" here means: the file is complete on disk.
Files hold hashed addresses of people and are readable by their owner only.

Columns, as the platforms documented them when this was written:
- LinkedIn contact list: the headers of Campaign Manager's template, none renamed or left out, e-mail as SHA-256 hex; at
  most 300,000 rows or 20 MB (linkedin.com/help/lms/answer/a1489764). Company list: the template's ten headers, the
  name required, the domain raising the match rate.
- Google Customer Match: headers in English, any subset of Email, Phone, First Name, Last Name, Country, Zip; hashed
  values as SHA-256 hex (support.google.com/google-ads/answer/7476159).
- Meta customer list: one column per identifier, here `email` (facebook.com/business/help/2082575038703844).
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from accounts.audiences import AudienceKey, Kind
from accounts.errors import NotSent
from flows.channels.ads import Member
from flows.spreadsheet import write_sheet


@dataclass(frozen=True, slots=True)
class Sheet:
    """A platform's CSV: its headers, and which of them a member fills."""

    headers: tuple[str, ...]
    fill: Callable[[Member], Mapping[str, str]]


SHEETS: Mapping[tuple[str, Kind], Sheet] = {
    ("linkedin", "people"): Sheet(
        ("email", "firstname", "lastname", "jobtitle", "employeecompany", "country", "googleaid"),
        lambda person: {"email": person.key},
    ),
    ("linkedin", "companies"): Sheet(
        (
            "companyname", "companywebsite", "companyemaildomain", "linkedincompanypageurl", "stocksymbol", "industry",
            "city", "state", "companycountry", "zipcode",
        ),
        lambda firm: {
            "companyname": firm.name or firm.key, "companywebsite": firm.key, "companyemaildomain": firm.key,
        },
    ),
    ("google", "people"): Sheet(("Email",), lambda person: {"Email": person.key}),
    ("meta", "people"): Sheet(("email",), lambda person: {"email": person.key}),
}  # fmt: skip


class FileAds:
    """Writes files below `folder`, one subfolder per platform."""

    #: Below LinkedIn's 20 MB: a row is 72 bytes.
    batch = 250_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remove(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        return self._write("remove", audience, members, now)

    def add(self, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        return self._write("add", audience, members, now)

    def _write(self, action: str, audience: AudienceKey, members: Sequence[Member], now: datetime) -> Sequence[Member]:
        sheet = SHEETS.get((audience.platform, audience.kind))
        if sheet is None:
            known = ", ".join(f"{platform} {kind}" for platform, kind in SHEETS)
            what = f"there is no file format for {audience.kind} on {audience.platform}"
            raise NotSent(what, permanent=True, where="play.yaml: ads", cure=f"use one of: {known}")
        text = write_sheet(sheet.headers, map(sheet.fill, members))
        path = self.folder / audience.platform / _file_name(action, audience, text, now)
        try:
            _write_whole(path, text)
        except OSError as error:
            cure = "free space or mend the folder's rights; the next run tries again"
            raise NotSent(f"cannot write {path.name}: {error.strerror}", permanent=False, cure=cure) from None
        return members


def _file_name(action: str, audience: AudienceKey, text: str, now: datetime) -> str:
    """Sorts by time; the same members at the same time have the same name."""
    name = re.sub(r"[^a-z0-9]+", "-", audience.name.lower()).strip("-")
    digest = sha256(text.encode()).hexdigest()[:8]
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}-{audience.kind}-{action}-{digest}.csv"


def _write_whole(path: Path, text: str) -> None:
    """The file is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
