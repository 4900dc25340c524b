"""Briefs as tasks in the CRM. What a CRM has to be able to do stands in `TaskDesk`; `FileDesk` does it with files.

A task is put under a key of its own, so that putting it again changes it and makes no second one.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from accounts.errors import Refused, Unreachable
from accounts.ledger.reps.profiles import Reader
from flows.channels.reps import Delivered, Message, Note, Send
from flows.channels.reps.cards import DONE


@dataclass(frozen=True, slots=True)
class Task:
    """A task for a rep."""

    #: ``tandem-brief-17``
    key: str
    #: The rep's address.
    owner: str
    subject: str
    text: str
    #: The rep's own day, ``2026-11-24``.
    due_on: str
    #: Keys of the accounts it is about.
    accounts: tuple[str, ...]
    is_done: bool = False


class TaskDesk(Protocol):
    """Where tasks of a CRM are put."""

    name: str

    def reaches(self, reader: Reader) -> bool:
        """Whether the CRM knows this rep."""
        ...

    def put(self, task: Task) -> str:
        """Makes the task of this key, or changes it; returns its id there. Raises NotSent, OutcomeUnknown."""
        ...


class FileDesk:
    """Tasks as JSON files in a folder, one each, for a CRM that takes files and for rehearsals."""

    name = "task-file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reaches(self, reader: Reader) -> bool:
        return True

    def put(self, task: Task) -> str:
        path = self._folder / f"{task.key}.json"
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(asdict(task), ensure_ascii=False, indent=2), encoding="utf-8")
            os.replace(unfinished, path)
        except OSError as error:
            said = f"tasks cannot be written: {error.strerror}"
            raise Unreachable(said, where=str(self._folder), cure="check space and rights") from None
        return task.key


class CrmTask:
    """Briefs as tasks at a desk."""

    name = "crm_task"
    changes = True

    def __init__(self, desk: TaskDesk) -> None:
        self._desk = desk

    def reaches(self, reader: Reader) -> bool:
        return self._desk.reaches(reader)

    def write(self, message: Message) -> Send:
        task = _task(message)
        return lambda: Delivered(self._desk.name, self._desk.put(task))

    def write_note(self, note: Note) -> Send:
        task = Task(
            key=f"tandem-{note.about}-{note.id}", owner=note.reader.email, subject=note.headline, text=note.page.text,
            due_on=f"{note.now:%Y-%m-%d}", accounts=(),
        )  # fmt: skip
        return lambda: Delivered(self._desk.name, self._desk.put(task))

    def update(self, message: Message, ref: str) -> None:
        self._desk.put(_task(message))

    def close(self) -> None:
        return None


def _task(message: Message) -> Task:
    """Done once every account of it was answered."""
    brief, answered = message.brief, message.answered
    said = [f"{DONE}{account.title}: {one}" for account in brief.accounts for one in answered.get(account.id, ())]
    if not brief.accounts:
        raise Refused("a brief without an account is no task")
    return Task(
        key=f"tandem-brief-{message.brief_id}",
        owner=message.reader.email,
        subject=f"Brief: {brief.subject}",
        text="\n".join([*said, *([""] if said else []), message.page.text]),
        due_on=f"{brief.as_of.astimezone(ZoneInfo(brief.zone)):%Y-%m-%d}",
        accounts=tuple(account.key for account in brief.accounts),
        is_done=all(answered.get(account.id) for account in brief.accounts),
    )
