"""Thousands of connections to one server, each of which begins a request, or does not, and then only waits."""

import selectors
import socket
import time
from contextlib import suppress

#: What the first, the second, the third … says when it is let in.
OPENINGS = (
    b"",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
    b"POST /p/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n",
)
#: Connections that are asked for at a time; a queue of the system's holds some thousand.
WAVE = 500
#: From one network, if nothing else is said: fewer than one may hold of a thousand places.
FROM_ONE = 40


class Crowd:
    """So many connections; `from_one`: how many of them from one network, at most the 28,000 ports to one server."""

    def __init__(self, port: int, number: int, from_one: int = FROM_ONE) -> None:
        self._server, self._number, self._from_one = ("127.0.0.1", port), number, from_one
        self._lines: list[socket.socket] = []
        self._heard = selectors.DefaultSelector()
        #: Who was told to come later, and who was hung up on without a word.
        self.refused = self.cut_off = 0

    def come(self) -> None:
        """All of them."""
        for first in range(0, self._number, WAVE):
            numbers = range(first, min(first + WAVE, self._number))
            wave = [self._ask(number) for number in numbers]
            for number, line in zip(numbers, wave, strict=True):
                self._enter(line, OPENINGS[number % len(OPENINGS)])

    def listen(self, seconds: float, until: int = 0) -> None:
        """Hears refusals, for so long, or until so many are out."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (not until or self.refused + self.cut_off < until):
            for key, _ in self._heard.select(min(left, 0.1)):
                self._hear(key.fileobj)  # type: ignore[arg-type]

    @property
    def inside(self) -> int:
        return len(self._lines) - self.refused - self.cut_off

    def leave(self) -> None:
        for line in self._lines:
            line.close()
        self._heard.close()

    def _ask(self, number: int) -> socket.socket:
        line = socket.socket()
        line.bind((f"127.{1 + number // self._from_one}.0.1", 0))
        line.setblocking(False)
        line.connect_ex(self._server)
        self._lines.append(line)
        return line

    def _enter(self, line: socket.socket, opening: bytes) -> None:
        line.settimeout(30)
        with suppress(BrokenPipeError, ConnectionResetError):  # refused by now: it is heard soon
            line.sendall(opening)
        line.setblocking(False)
        self._heard.register(line, selectors.EVENT_READ)

    def _hear(self, line: socket.socket) -> None:
        try:
            said = line.recv(4096)
        except ConnectionError:
            said = b""
        if said[9:12] in (b"503", b"429") and b"retry-after" in said:
            self.refused += 1
        else:
            self.cut_off += 1
        self._heard.unregister(line)
        line.close()
