"""E-mail as files: one .eml a message in a folder, beside it a page that shows it, and index.html that lists them all.

The default channel: everything happens except that anybody gets mail. The name of a file comes from the Message-ID, so
a message that is sent again finds itself already there. Files appear whole or not at all; they are not forced to disk
one by one, so after a power cut the last ones may be missing although the ledger has them as sent.
"""

import json
import os
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Self

from accounts.errors import Unreachable
from flows.channels.email import OneByOne, Outgoing, Sent

#: What index.html shows of a message: when, to, from, subject.
Shown = list[str]


class Outbox(OneByOne):
    """Writes into `folder`, which is made when it is missing. The pages are brought up to date on leaving."""

    name = "outbox"
    lanes = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        write_pages(self.folder)

    def send(self, message: Outgoing) -> Sent:
        name = file_name(message.message_id)
        try:
            _write_whole(self.folder / name, message.content)
        except OSError as error:
            said = f"the outbox cannot be written: {error.strerror}"
            raise Unreachable(said, where=str(self.folder), cure="check space and rights") from None
        return Sent(self.name, name)

    def check(self) -> str:
        """Raises Unreachable when the folder cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self.folder / ".check", b"")
            (self.folder / ".check").unlink()
        except OSError as error:
            said = f"the outbox cannot be written: {error.strerror}"
            raise Unreachable(said, where=str(self.folder), cure="check space and rights") from None
        return f"outbox: files in {self.folder}, nobody gets mail"


def file_name(message_id: str) -> str:
    """Safe in any file system, sorted as touches are numbered: ``tandem.00000017.5d41402abc4b2a76-8f14e45f.eml``."""
    core = message_id.strip().strip("<>")
    words = re.sub(r"[^A-Za-z0-9.-]+", "_", core.partition("@")[0]).strip("._")[:80]
    sortable = re.sub(r"\d+", lambda number: number.group().zfill(8), words, count=1)
    return f"{sortable or 'message'}-{sha256(core.encode()).hexdigest()[:8]}.eml"


def write_pages(folder: Path) -> int:
    """Bring the pages up to date with the .eml files that are there; returns how many messages are listed.

    Whatever was killed in between, the files decide: a message without a page gets one, a page without one goes.
    """
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".eml") and entry.name[0] != ".")
    known = _read_index(folder)
    new = [name for name in names if name not in known]
    if not new and len(known) == len(names):
        return len(names)
    for name in new:
        message = message_from_bytes((folder / name).read_bytes(), policy=policy.default)
        known[name] = _shown(message)
        _write_whole(folder / page_name(name), _page(name, message).encode())
    for name in known.keys() - set(names):
        (folder / page_name(name)).unlink(missing_ok=True)
    listed = {name: known[name] for name in names}
    _write_whole(folder / "index.json", json.dumps(listed, ensure_ascii=False, indent=0).encode())
    _write_whole(folder / "index.html", _index(listed).encode())
    return len(names)


def page_name(name: str) -> str:
    """The page beside a message."""
    return f"{name.removesuffix('.eml')}.html"


def _write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing, under its name only when complete."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_index(folder: Path) -> dict[str, Shown]:
    try:
        index: dict[str, Shown] = json.loads((folder / "index.json").read_bytes())
    except (OSError, ValueError):  # not there yet, or broken: it is made anew from the files
        return {}
    return index


def _shown(message: EmailMessage) -> Shown:
    return [_when(message), *(str(message.get(name, "")) for name in ("to", "from", "subject"))]


def _when(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(str(message["date"])).strftime("%Y-%m-%d %H:%M %z")
    except ValueError:
        return ""


STYLE = """<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .45rem .8rem .45rem 0;
border-bottom: 1px solid #8884; vertical-align: top; } td.time { white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: 1rem; border-radius: 6px; }
iframe { width: 100%; height: 46rem; border: 1px solid #8886; border-radius: 6px; background: #fff; }
</style>"""

_HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'


def _index(listed: dict[str, Shown]) -> str:
    rows = "\n".join(
        f'<tr><td class="time">{escape(when)}<td>{escape(to)}<td>{escape(sender)}'
        f'<td><a href="{page_name(name)}">{escape(subject) or "(no subject)"}</a>'
        f'<td><a href="{name}">file</a>'
        for name, (when, to, sender, subject) in sorted(listed.items(), key=lambda one: (one[1][0], one[0]))[::-1]
    )
    count = f"{len(listed)} message{'s' if len(listed) != 1 else ''}"
    return (
        f"{_HEAD}<title>Outbox: {count}</title>{STYLE}<h1>Outbox</h1>"
        f"<p>{count}, newest first. Nobody got any of these: channel <code>outbox</code> writes files.</p>"
        f"<table><thead><tr><th>When<th>To<th>From<th>Subject<th></thead><tbody>\n{rows}\n</tbody></table></html>"
    )


def _page(name: str, message: EmailMessage) -> str:
    headers = "\n".join(f"<tr><th>{escape(key)}<td>{escape(str(value))}" for key, value in message.items())
    subject = escape(str(message.get("subject", "")))
    return (
        f'{_HEAD}<title>{subject}</title>{STYLE}<p><a href="index.html">Outbox</a> · <a href="{name}">file</a></p>'
        f"<h1>{subject}</h1>{_rendered(message)}<h2>Text</h2><pre>{escape(_text(message))}</pre>"
        f"<h2>Headers</h2><table>{headers}</table></html>"
    )


def _rendered(message: EmailMessage) -> str:
    """The HTML part as a reader sees it, in a frame that runs nothing and opens nothing."""
    part = message.get_body(("html",))
    return f'<iframe sandbox srcdoc="{escape(part.get_content(), quote=True)}"></iframe>' if part else ""


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    return str(part.get_content()) if part else "(no text part)"
