"""Briefs in Microsoft Teams: a card, handed to a workflow ("When a Teams webhook request is received").

The address of the workflow is all the login there is: whoever knows it can post. It never shows, not even its path.

    202, 200                          taken; the workflow posts it a moment later
    400, 401, 403, 404, 405, 410      this workflow is off, gone, or wants another card: no, for good
    413                               too large, for good
    408, 429, 500, 503                later, after as long as Retry-After asks for
    502, 504                          a gateway lost the answer: unknown
"""

import logging
from urllib.parse import urlsplit

from pydantic import SecretStr

from accounts.errors import NotSent, OutcomeUnknown, SettingsRefused
from accounts.ledger.reps.profiles import Reader
from accounts.touch_states import Refusal
from flows.channels.email.http_line import Line, Reply
from flows.channels.reps import Delivered, Message, Note, Send
from flows.channels.reps.adaptive import message_of, message_of_note
from flows.operating.prefect_api import is_loopback
from flows.providers import Teams as TeamsSettings

HEADERS = {"Content-Type": "application/json; charset=utf-8"}
SHUT = {
    400: "see the workflow's run history in Teams",
    401: "copy the workflow's address again: its signature is not right",
    403: "copy the workflow's address again: its signature is not right",
    404: "the workflow is gone: make a new one",
    405: "copy the workflow's address again",
    410: "the workflow is gone: make a new one",
}


class _Discreet(logging.Filter):
    """The library under the line notes addresses when somebody debugs; those of workflows are secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple("…" if isinstance(arg, str) and "sig=" in arg else arg for arg in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Discreet())


class Teams:
    """Needs `reps.teams.url` or one of `reps.teams.urls`. Raises SettingsRefused for an address that is none."""

    name = "teams"
    changes = False

    def __init__(self, settings: TeamsSettings) -> None:
        self._urls = {email.strip().lower(): url for email, url in settings.urls.items()}
        self._for_all = settings.url
        every = [*self._urls.values(), *([settings.url] if settings.url else [])]
        origins = {origin_of(url) for url in every}
        cure = "check reps.teams.url"
        self._lines = {origin: Line(self.name, origin, settings, headers=HEADERS, cure=cure) for origin in origins}

    def reaches(self, reader: Reader) -> bool:
        return self._url(reader) is not None

    def write(self, message: Message) -> Send:
        content, url = message_of(message), self._url(message.reader)
        if url is None:
            raise SettingsRefused("no workflow for this rep", where="reps.teams.urls", cure="set reps.teams.url")
        return lambda: self._post(url, content)

    def write_note(self, note: Note) -> Send:
        """The same."""
        content, url = message_of_note(note), self._url(note.reader)
        if url is None:
            raise SettingsRefused("no workflow for this rep", where="reps.teams.urls", cure="set reps.teams.url")
        return lambda: self._post(url, content)

    def update(self, message: Message, ref: str) -> None:
        raise NotSent("a workflow cannot change what it posted", permanent=True)

    def close(self) -> None:
        for line in self._lines.values():
            line.close()

    def _url(self, reader: Reader) -> SecretStr | None:
        return self._urls.get(reader.email.lower(), self._for_all)

    def _post(self, url: SecretStr, content: bytes) -> Delivered:
        origin = origin_of(url)
        line = self._lines[origin]
        reply = line.post(url.get_secret_value().strip()[len(origin) :], content, {})
        if reply.status in (200, 202):
            return Delivered(self.name)
        raise _no(line, reply)


def origin_of(url: SecretStr) -> str:
    """``https://prod-1.westeurope.logic.azure.com``: what may be shown of it. Raises SettingsRefused."""
    value = url.get_secret_value().strip()
    parts = urlsplit(value)
    if not (parts.hostname and parts.path.strip("/")) or not (parts.scheme == "https" or is_loopback(value)):
        cure = "copy it from the workflow: https://…"
        raise SettingsRefused("the address of a workflow cannot be used", where="reps.teams", cure=cure)
    return f"{parts.scheme}://{parts.netloc}"


def _no(line: Line, reply: Reply) -> NotSent | OutcomeUnknown:
    """By the status alone: what a workflow says may repeat its address."""
    if reply.status in SHUT:
        said = line.say(reply.status, None)
        return NotSent(said, permanent=True, cure=SHUT[reply.status], reason=Refusal.REFUSED_BY_SERVER)
    return line.refusal(reply, "")
