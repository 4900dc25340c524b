"""A message for a provider that writes it down itself: the same words and refusals as the finished message has."""

from accounts.errors import InputRefused
from flows.channels.email import Letter
from flows.channels.email.compose import (
    Envelope,
    Mailbox,
    Readable,
    ascii_address,
    header,
    headers_of,
    mailbox,
    unstructured,
)


def write_letter(envelope: Envelope, message: Readable) -> Letter:
    """What `Composer.fill` would write, as values.

    Raises InputRefused for whatever `Composer.fill` refuses: no provider is trusted to keep a line break in a name from
    becoming a header.
    """
    unstructured("Subject", message.subject)
    headers = dict(headers_of(envelope))
    for name, value in headers.items():
        header(name, value)
    _refuse_half_characters(message.text, message.html)
    sender, recipient, reply_to = map(_written, (envelope.sender, envelope.recipient, envelope.reply_to))
    return Letter(sender, recipient, reply_to, message.subject, message.text, message.html, headers)


def _written(box: Mailbox) -> Mailbox:
    """As a reader of the finished message sees it."""
    mailbox(box)
    return Mailbox(" ".join(box.name.split()), ascii_address(box.address))


def _refuse_half_characters(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            cure = "mend the source of it"
            raise InputRefused(f"the text has half a character at {error.start}", cure=cure) from None
