"""Replies off a mail server's line, one after the other: several may come in one packet, one may come in many.

smtplib reads through a file object, line by line, and waits for each reply by itself; behind pipelined commands this
takes half the time, and it refuses what is no reply (RFC 5321, 4.2.1) instead of guessing.
"""

import socket
from dataclasses import dataclass

#: Octets of one reply. The RFC asks for 512 a line; some servers write long letters, none writes books.
MOST_OCTETS = 16_384


class Nonsense(Exception):
    """What came is no reply; whatever comes after it belongs to nothing."""


@dataclass(frozen=True, slots=True)
class RawReply:
    """A reply as it came."""

    code: int
    #: The words of each line, without code and line end.
    lines: list[bytes]

    def decoded(self) -> list[str]:
        return [line.decode("utf-8", "replace") for line in self.lines]


class ReplyStream:
    """Reads from `sock`, whose timeout it leaves alone."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting = b""

    @property
    def is_ahead(self) -> bool:
        """More has come than was asked for: line and server are out of step."""
        return bool(self._waiting)

    def next(self) -> RawReply:
        """The next reply. Raises Nonsense, ConnectionError when the line ends before the reply does, TimeoutError."""
        line = self._line()
        code, lines, size = _code(line), [line[4:]], len(line)
        while line[3:4] == b"-":
            line = self._line()
            size += len(line)
            if _code(line) != code or size > MOST_OCTETS:
                raise Nonsense
            lines.append(line[4:])
        return RawReply(code, lines)

    def _line(self) -> bytes:
        end = self._waiting.find(b"\n")
        while end < 0:
            if len(self._waiting) > MOST_OCTETS:
                raise Nonsense
            more = self._sock.recv(65_536)
            if not more:
                raise ConnectionResetError
            self._waiting += more
            end = self._waiting.find(b"\n")
        line, self._waiting = self._waiting[:end], self._waiting[end + 1 :]
        return line.rstrip(b"\r")


def _code(line: bytes) -> int:
    """Three digits, and then a blank, a dash (more lines follow) or nothing."""
    digits = line[:3]
    if not (digits.isdigit() and b"200" <= digits < b"600" and line[3:4] in b" -"):
        raise Nonsense
    return int(digits)
