"""Briefs by e-mail, through whichever channel mail leaves by. The line is opened when the first brief needs it."""

from contextlib import ExitStack

from accounts.errors import NotSent
from accounts.ledger.reps.profiles import Reader
from accounts.playbook import Vendor
from flows import tokens
from flows.briefs.mailing import mail_of
from flows.channels.email import EmailChannel, Outgoing
from flows.channels.email.compose import Mailbox
from flows.channels.email.registry import open_channel
from flows.channels.reps import Delivered, Message, Note, Send
from flows.settings import Settings


class Email:
    """A `channel` that is handed in must be open, and stays open."""

    name = "email"
    changes = False

    def __init__(self, settings: Settings, vendor: Vendor, channel: EmailChannel | None = None) -> None:
        self._settings, self._vendor = settings, vendor
        self._way = channel or open_channel(settings)
        self._open = ExitStack()
        self._is_open = channel is not None

    def reaches(self, reader: Reader) -> bool:
        return True

    def write(self, message: Message) -> Send:
        """Raises InputRefused for a rep nobody can write to, SettingsRefused for a key that cannot sign."""
        secret = self._settings.secret_key.get_secret_value()
        mail = mail_of(
            self._settings, self._vendor, message.page, Mailbox(message.reader.name, message.reader.email), "brief",
            message.brief_id, message.now, as_letter=self._way.letters,
            return_path=tokens.return_path("brief", message.brief_id, secret, self._settings.return_domain),
        )  # fmt: skip
        return lambda: self._send(mail)

    def write_note(self, note: Note) -> Send:
        """The same."""
        mail = mail_of(
            self._settings, self._vendor, note.page, Mailbox(note.reader.name, note.reader.email), note.about, note.id,
            note.now, as_letter=self._way.letters,
        )  # fmt: skip
        return lambda: self._send(mail)

    def update(self, message: Message, ref: str) -> None:
        raise NotSent("a mail cannot be changed", permanent=True)

    def close(self) -> None:
        self._open.close()

    def _send(self, mail: Outgoing) -> Delivered:
        if not self._is_open:
            self._open.enter_context(self._way)
            self._is_open = True
        self._way.send(mail)
        return Delivered(self._way.name)
