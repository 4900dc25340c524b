"""A message as the bytes that leave: headers and a text and an HTML part, built from prepared furniture.

The standard library's message objects cost 1.5 ms each; this costs a thirtieth of that, reads back the same through the
library's parser (tests/content/test_compose.py), and refuses what the library refuses: a header value with a line
break in it would let a name from a CRM write headers of its own.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Protocol

from accounts.errors import InputRefused
from flows.masking import mask

#: A header line as long as RFC 5322 recommends, without its line break; it forbids more than 998.
_LINE = 78
_MOST = 900
#: Columns of quoted-printable before a soft line break.
_COLUMNS = 75
#: UTF-8 octets in one encoded word: as base64 with its furniture it fits behind ``Reply-To: `` on a line.
_WORD_OCTETS = 39
#: Stands in no quoted-printable text, where "=" is followed by two hex digits or the end of the line.
_BOUNDARY = "=_tandem"
_PART = 'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
_PLAIN_PART, _HTML_PART = _PART % "plain", _PART % "html"
_NEXT = f"\r\n--{_BOUNDARY}\r\n"
_END = f"\r\n--{_BOUNDARY}--\r\n"
_FURNITURE = f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{_BOUNDARY}"'
_FIRST = f"--{_BOUNDARY}\r\n"

_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?: {_ATOM})*")
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class Readable(Protocol):
    """What is written: a rendered message, or anything else with these three."""

    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name as people write it (may be empty) and an address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything around a message. `sender` writes, `reply_to` reads the answers, `return_path` gets the bounces."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox
    #: A bare address; it stands in no header of ours, the receiving server writes it down.
    return_path: str
    #: With its angle brackets.
    message_id: str
    date: datetime
    #: https address that unsubscribes with one POST; None for mail that nobody can unsubscribe from (a rep's brief).
    unsubscribe_url: str | None = None
    #: More headers, by name.
    headers: tuple[tuple[str, str], ...] = ()


class Composer:
    """Writes messages. `sign`: head, body and date of a message -> the headers that sign it, which go on top.

    The body it gets is canonical for DKIM as it stands: `quoted` leaves no blank that a relay might take away.
    """

    def __init__(self, sign: Callable[[bytes, bytes, datetime], bytes] | None = None) -> None:
        self._sign = sign

    def fill(self, envelope: Envelope, message: Readable) -> bytes:
        """The whole message: ASCII, CRLF line ends, no line longer than 998 octets.

        Raises InputRefused for a header value with a control character, and for an address that cannot be written.
        """
        text, html = quoted(message.text).decode("ascii"), quoted(message.html).decode("ascii")
        return self.write(envelope, message.subject, text, html)

    def write(self, envelope: Envelope, subject: str, text: str, html: str) -> bytes:
        """As `fill`, with both parts as `quoted` writes them."""
        more = "".join([f"{name}: {value}\r\n" for name, value in _tokens(envelope)])
        more += "".join([_known_header(name, value) for name, value in envelope.headers])
        head = (
            f"From: {_known_mailbox(envelope.sender)}\r\n"
            f"To: {mailbox(envelope.recipient)}\r\n"
            f"Reply-To: {_known_mailbox(envelope.reply_to)}\r\n"
            f"Subject: {unstructured('Subject', subject)}\r\n"
            f"Date: {_date(envelope.date)}\r\n"
            f"{more}{_FURNITURE}"
        ).encode("ascii")
        body = f"{_FIRST}{_PLAIN_PART}{text}{_NEXT}{_HTML_PART}{html}{_END}".encode("ascii")
        raw = b"%b\r\n\r\n%b" % (head, body)
        return self._sign(head, body, envelope.date) + raw if self._sign else raw


def headers_of(envelope: Envelope) -> list[tuple[str, str]]:
    """What stands in the head besides From, To, Reply-To, Subject and Date; names with their values, not folded yet.

    Raises InputRefused for a Message-ID or address on the web that is not one plain word.
    """
    return [*_tokens(envelope), *envelope.headers]


def _tokens(envelope: Envelope) -> list[tuple[str, str]]:
    """Headers whose values are never folded."""
    headers = [("Message-ID", _token("Message-ID", envelope.message_id))]
    if envelope.unsubscribe_url is not None:
        url = _token("List-Unsubscribe", envelope.unsubscribe_url)
        headers += [("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    return headers


def header(name: str, value: str) -> str:
    """One header with its line end. Raises InputRefused for what cannot stand in it."""
    if not _HEADER_NAME.fullmatch(name):
        raise InputRefused(f"{name!r} is not the name of a header", cure="letters, digits and dashes")
    return f"{name}: {unstructured(name, value)}\r\n"


def unstructured(name: str, value: str) -> str:
    """A header's text, folded; as encoded words (RFC 2047) unless it is plain ASCII that reads back unchanged."""
    if _PLAIN.fullmatch(value) and "=?" not in value:
        if len(name) + 2 + len(value) <= _LINE:
            return value
        if max(map(len, value.split(" "))) <= _MOST:
            return _folded(value, len(name) + 2)
    return _encoded(name, value)


def mailbox(box: Mailbox) -> str:
    """``Ravi Menon <ravi@mail.example>``, in the characters a header can hold.

    Raises InputRefused for a name with a control character and for an address that cannot be written.
    """
    address = ascii_address(box.address)
    if _FORBIDDEN.search(box.name):
        raise _forbidden("a name", box.name)
    name = _display_name(" ".join(box.name.split()))
    if not name:
        return address
    last = len(name) - name.rfind("\n")
    return f"{name} <{address}>" if 10 + last + len(address) <= _LINE else f"{name}\r\n <{address}>"


#: Of several blanks all but the first, and tabs: what relays and DKIM take for one blank.
_BLANKS = re.compile(rb"(?<= ) |\t")
#: Lines that grew by it, or that the library did not count to their end. Tried at the start of each line only: from
#: every place of every line it took five times as long.
_TOO_LONG = re.compile(rb"^[^\r\n]{77,}", re.MULTILINE)


def quoted(text: str) -> bytes:
    """Quoted-printable UTF-8. Line ends of whatever kind become CRLF, as mail has them.

    No blank stands beside another one or before a line end, so that it is canonical for DKIM (RFC 6376, 3.4.4) as it
    stands.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise InputRefused(f"the text has half a character at {error.start}", cure="mend the source of it") from None
    # The line end at the end tells the encoder which kind its soft line breaks must be.
    written = b2a_qp(raw.replace(b"\n", b"\r\n") + b"\r\n")[:-2]
    written = _BLANKS.sub(lambda found: b"=20" if found[0] == b" " else b"=09", written)
    return _TOO_LONG.sub(lambda found: _in_lines(found[0]), written)


def _in_lines(line: bytes) -> bytes:
    """A line that is too long, with soft line breaks; none of them inside an escape."""
    lines = []
    while len(line) > _COLUMNS + 1:
        cut = _COLUMNS
        if (escape := line.rfind(b"=", cut - 2, cut)) >= 0:
            cut = escape
        lines.append(line[:cut])
        line = line[cut:]
    return b"=\r\n".join([*lines, line])


def _display_name(name: str) -> str:
    """A name as one line of words: bare, in quotes, or encoded."""
    if not name:
        return ""
    if name.isascii() and name.isprintable() and "=?" not in name:
        if len(name) <= _LINE // 2 and _ATOMS.fullmatch(name):
            return name
        inside = name.replace("\\", "\\\\").replace('"', '\\"')
        if max(map(len, inside.split(" "))) <= _MOST:
            return f'"{_folded(inside, len("Reply-To: ") + 2)}"'
    return _encoded("a name", name)


def ascii_address(address: str) -> str:
    """An address as headers and mail servers take it: ASCII, a foreign domain as IDNA.

    Raises InputRefused for one that cannot be written to; the message masks it.
    """
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            domain = ""
    if not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) and len(address) <= 320):
        raise InputRefused(f"nobody can be written to at {mask(address)!r}", cure="correct the address")
    return f"{local}@{domain}"


def _encoded(name: str, value: str) -> str:
    """The value as base64 encoded words, each on a line of its own, no character cut in two."""
    if _FORBIDDEN.search(value):
        raise _forbidden(name, value)
    raw, words, start = value.encode(), [], 0
    while start < len(raw):
        end = min(start + _WORD_OCTETS, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"=?utf-8?b?{b64encode(raw[start:end]).decode()}?=")
        start = end
    return "\r\n ".join(words)


def _forbidden(name: str, value: str) -> InputRefused:
    """Says where, and not what: the value may be somebody's name, and errors are read by many."""
    found = _FORBIDDEN.search(value)
    at = f" at character {found.start() + 1}" if found else ""
    return InputRefused(f"{name} has a line break or control character{at}", cure="correct it where it comes from")


def _folded(value: str, used: int) -> str:
    """Plain words, a line break before the one that would be too much; `used` columns are taken on the first line."""
    lines, room = [""], _LINE - used
    for word in value.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _token(name: str, value: str) -> str:
    """A value that is one word and never encoded: a Message-ID, an address on the web."""
    if not (_PLAIN.fullmatch(value) and " " not in value and len(value) <= _MOST):
        raise InputRefused(f"{name} is not one plain word", cure="check base_url and sending_domain")
    return value


@lru_cache(maxsize=4096)
def _known_header(name: str, value: str) -> str:
    """More headers say what mail it is, so many mails have the same."""
    return header(name, value)


@lru_cache(maxsize=4096)
def _known_mailbox(box: Mailbox) -> str:
    """Reps write many messages; their own lines are made once."""
    return mailbox(box)


@lru_cache(maxsize=64)
def _date(date: datetime) -> str:
    return format_datetime(date.astimezone(UTC))
