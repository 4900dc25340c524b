"""From bytes to a mail that can be asked: headers as text, parts as text, whatever the bytes are.

Nothing here raises. A mail is read up to `MOST_BYTES`; what servers and people say stands at its beginning, and what
comes after it is attachments. Who nests parts deeper than `MOST_BOUNDARIES` gets a mail without parts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from functools import cached_property
from html import unescape
from typing import Any

MOST_BYTES = 1_000_000
MOST_BOUNDARIES = 40
MOST_SEPARATORS = 3_000
MOST_PARTS = 100
#: Letters of a part, and of a header, that are read.
MOST_TEXT = 40_000
MOST_HEADER = 4_000
#: Parts that are another mail, or its head.
COPIES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})


@dataclass(frozen=True)
class Part:
    """One leaf of a mail. The parts of a mail that is attached are not among them, only its headers are."""

    #: ``text/plain``
    kind: str
    _source: Message

    @cached_property
    def text(self) -> str:
        """Decoded text with \\n line ends; HTML as its words; a report's fields and an attached mail as they stand."""
        text = _text_of(self._source)[:MOST_TEXT]
        return words_of_html(text) if self.kind == "text/html" else text

    @cached_property
    def attached(self) -> "Mail | None":
        """The mail that is attached here, or whose headers are; None for any other part."""
        if self.kind not in COPIES:
            return None
        inner = next(iter(_children(self._source)), None)
        if inner is not None and inner.keys():
            return Mail(inner)
        return read_mail(_text_of(self._source).lstrip().encode("utf-8", "replace"))


@dataclass(frozen=True)
class Mail:
    """A mail that was read."""

    _source: Message

    def header(self, name: str) -> str:
        """The first header of that name, decoded, on one line; empty when there is none."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """All headers of that name, decoded, each on one line."""
        wanted = name.lower()
        return [_one_line(value) for key, value in self._fields if key == wanted]

    @cached_property
    def _fields(self) -> list[tuple[str, str]]:
        return [(name.lower(), value) for name, value in _raw_items(self._source)]

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all headers, in lower case."""
        return frozenset(name for name, _ in self._fields)

    @cached_property
    def kind(self) -> str:
        """Content type, lower case; ``text/plain`` unless another is named."""
        return self._source.get_content_type()

    @cached_property
    def report_type(self) -> str:
        """``delivery-status``, ``feedback-report`` …; empty for what is no report."""
        if self.kind != "multipart/report":
            return ""
        found = _REPORT_TYPE.search(self.header("content-type"))
        return found[1].lower() if found else ""

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Its leaves in order, `MOST_PARTS` at most."""
        return tuple(_leaves(self._source))

    @cached_property
    def copies(self) -> tuple["Mail", ...]:
        """The mails that are attached, or whose headers are."""
        return tuple(part.attached for part in self.parts if part.attached)

    @cached_property
    def text(self) -> str:
        """What it says: its plain parts, or its HTML's words where there are none."""
        plain = "\n".join(part.text for part in self.parts if part.kind == "text/plain")
        if plain.strip():
            return plain[:MOST_TEXT]
        return "\n".join(part.text for part in self.parts if part.kind == "text/html")[:MOST_TEXT]

    @cached_property
    def subject(self) -> str:
        return self.header("subject")

    @cached_property
    def sender(self) -> str:
        """The bare address in From, lower case; empty when there is none."""
        return next(iter(addresses(self.header("from"))), "")


_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w-]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,253}\w")


def addresses(text: str) -> list[str]:
    """Bare addresses in a text, in order, lower case."""
    return [found.strip(".'").lower() for found in _ADDRESS.findall(text[:MOST_HEADER])] if "@" in text else []


#: With its folded lines. The library takes minutes over one that has a million parameters.
_CONTENT_TYPE = re.compile(rb"^content-type:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)


def read_mail(raw: bytes) -> Mail:
    """The mail in these bytes; of a journal's report, the mail it reports. An mbox's ``From `` line and blank lines in
    front are skipped."""
    head = raw[:MOST_BYTES].lstrip(b"\r\n\t \xef\xbb\xbf")
    if head.startswith(b"From "):
        head = head.partition(b"\n")[2]
    head = _CONTENT_TYPE.sub(lambda found: found[0][:MOST_HEADER], head)
    if head.lower().count(b"boundary=") <= MOST_BOUNDARIES and head.count(b"\n--") <= MOST_SEPARATORS:
        try:
            return _reported(Mail(BytesParser().parsebytes(head)))
        except (RecursionError, MessageError, ValueError, LookupError, TypeError, AssertionError, AttributeError):
            pass  # the library's parser gives up on some malformed mail; its headers can still be read
    return Mail(BytesHeaderParser().parsebytes(head))


def _reported(mail: Mail) -> Mail:
    """What Exchange puts into a journal is a note of its own with the mail attached to it."""
    if _JOURNAL not in mail.names:
        return mail
    return next((part.attached for part in mail.parts if part.kind == "message/rfc822" and part.attached), mail)


_JOURNAL = "x-ms-journal-report"


def _leaves(source: Message) -> Iterator[Part]:
    waiting, seen = [source], 0
    while waiting and seen < MOST_PARTS:
        part, seen = waiting.pop(0), seen + 1
        kind = part.get_content_type()
        if part.is_multipart() and kind.startswith("multipart/"):
            waiting[:0] = _children(part)
        else:
            yield Part(kind, part)


def _children(part: Message) -> list[Message]:
    """The messages in a part; asking a part that has none for its payload would have its charset looked up."""
    payload = part.get_payload() if part.is_multipart() else []
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _text_of(part: Message) -> str:
    if part.is_multipart():  # blocks of a delivery status, or an attached mail
        return "\n\n".join(_as_it_stands(block) for block in _children(part)[:MOST_PARTS])
    return _decoded(part)


def _as_it_stands(block: Message) -> str:
    fields = "\n".join(f"{name}: {value}" for name, value in _raw_items(block))
    body = "" if block.is_multipart() else _decoded(block)
    return f"{fields}\n\n{body}" if body.strip() else fields


def _decoded(part: Message) -> str:
    charset = _charset_of(part)
    return in_charset(_octets(part)[: MOST_TEXT * 4], charset).replace("\r\n", "\n").replace("\r", "\n")


def _octets(part: Message) -> bytes:
    try:
        octets = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AssertionError):  # it looks a charset up that does not exist
        del part["content-type"]
        octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else b""


def _charset_of(part: Message) -> str:
    try:
        named = part.get_content_charset()
    except (ValueError, LookupError, TypeError, AttributeError, UnicodeError):
        return ""
    return named or ""


def in_charset(octets: bytes, charset: str) -> str:
    """Text from octets: in the charset that is named, else as UTF-8, else as what western servers wrote before it."""
    if charset not in ("", "us-ascii", "utf-8", "utf8", "8bit", "unknown-8bit", "x-unknown"):
        try:
            return octets.decode(charset, "replace")
        except (LookupError, ValueError, UnicodeError, TypeError):
            pass
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(octets) == MOST_TEXT * 4 and error.end >= len(octets) - 4:  # cut within a letter
            return octets.decode("utf-8", "replace")
        return octets.decode("cp1252", "replace")


def _raw_items(source: Message) -> Iterator[tuple[str, str]]:
    for name, value in source.raw_items():  # items() makes headers with foreign octets unreadable
        text = value if isinstance(value, str) else str(value)
        if not text.isascii():
            text = in_charset(text.encode("utf-8", "surrogateescape"), "")
        yield str(name), text


def _one_line(value: str) -> str:
    value = " ".join(value[:MOST_HEADER].split())
    return " ".join(_decode_words(value).split()) if "=?" in value else value


def _decode_words(value: str) -> str:
    try:
        pieces: list[tuple[Any, str | None]] = decode_header(value)
        return "".join(
            in_charset(piece, (charset or "").lower()) if isinstance(piece, bytes) else piece
            for piece, charset in pieces
        )
    except (MessageError, ValueError, LookupError, TypeError, UnicodeError):
        return value


#: Ends of lines in HTML.
_BREAKS = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|p|div|tr|li|h[1-6]|hr|table|/table)\b[^<>]*>", re.IGNORECASE)
_QUOTES = re.compile(r"<(/?)blockquote\b[^<>]*>", re.IGNORECASE)
_TAGS = re.compile(r"</?[a-zA-Z!][^<>]*>")


def words_of_html(html: str) -> str:
    """The words of an HTML text; lines in a blockquote get ``> `` in front."""
    for unseen in ("style", "script", "head", "!--"):
        html = _without(html, unseen)
    lines: list[str] = []
    depth = 0
    for number, piece in enumerate(_QUOTES.split(" ".join(html.split()))):
        if number % 2:
            depth = max(0, depth - 1) if piece else depth + 1
            continue
        text = unescape(_TAGS.sub(" ", _BREAKS.sub("\n", piece))).replace("\xa0", " ")
        lines += ["> " * min(depth, 1) + " ".join(line.split()) for line in text.split("\n")]
    return "\n".join(lines)


def _without(html: str, name: str) -> str:
    """The text without these elements; one that never ends takes the rest with it."""
    begin, end = f"<{name}", "-->" if name == "!--" else f"</{name}>"
    lower = html.lower()
    if len(lower) != len(html) or begin not in lower:  # a few letters change their length in lower case
        return html
    kept, at = [], 0
    while (start := lower.find(begin, at)) >= 0:
        if begin == "<head" and lower.startswith("<header", start):
            kept.append(html[at : start + 7])
            at = start + 7
            continue
        kept.append(html[at:start])
        stop = lower.find(end, start)
        at = stop + len(end) if stop >= 0 else len(html)
    return "".join([*kept, html[at:]])
