"""A mail server of a few lines that says exactly what it is told to, however impolite: for what real ones do at night.

with rude_server(DATA=[b"451 later\\r\\n"]) as server:      the first DATA is put off, the next ones are taken
with rude_server(DOT=HANG_UP) as server:                  each line is cut after the final dot
with rude_server(MAIL=(b"250-2.1.0 o", b"k\\r\\n250", b" 2.1.0 ok\\r\\n"))      in three packets
"""

import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

HANG_UP = b""
#: Octets as they leave; several in a tuple are packets of their own; a list is used up one after the other.
Said = bytes | tuple[bytes, ...] | Sequence[bytes | tuple[bytes, ...]]

POLITE: dict[str, bytes] = {
    "GREETING": b"220 rude.example\r\n", "EHLO": b"250-rude.example\r\n250-SIZE 9000\r\n250 PIPELINING\r\n",
    "HELO": b"250 rude.example\r\n", "MAIL": b"250 2.1.0 ok\r\n", "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go on\r\n",
    "DOT": b"250 2.0.0 taken\r\n", "RSET": b"250 2.0.0 ok\r\n", "QUIT": b"221 bye\r\n",
}  # fmt: skip
#: Between packets, in seconds.
PAUSE = 0.01


class RudeServer(socketserver.ThreadingTCPServer):
    """What it was told, by connection: `commands`, and the messages it got to the final dot, taken or not."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, said: dict[str, Said], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.said: dict[str, Any] = {verb: list(it) if isinstance(it, list) else it for verb, it in said.items()}
        self.commands: list[list[str]] = []
        self.messages: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def answer(self, verb: str) -> tuple[bytes, ...]:
        told = self.said.get(verb)
        if isinstance(told, list):
            told = told.pop(0) if told else None
        told = POLITE[verb] if told is None else told
        return told if isinstance(told, tuple) else (told,)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side hung up: nothing to print."""


class _Conversation(socketserver.StreamRequestHandler):
    server: RudeServer
    disable_nagle_algorithm = True  # or it would answer three commands at once after a nap

    def handle(self) -> None:
        heard: list[str] = []
        self.server.commands.append(heard)
        in_message = False
        talking = self._say("GREETING")
        while talking and (line := self.rfile.readline()):
            heard.append(line.decode("utf-8", "replace").rstrip())
            verb = heard[-1][:4].upper()
            if verb not in POLITE:
                self.wfile.write(b"500 what?\r\n")
                continue
            talking = self._say(verb)
            in_message = verb == "DATA" and self._last.startswith(b"354")
            if talking and in_message:
                talking = self._take() and self._say("DOT")

    def _take(self) -> bool:
        """False: the line ended before the final dot did."""
        lines: list[bytes] = []
        while line := self.rfile.readline():
            if line == b".\r\n":
                self.server.messages.append(b"".join(lines))
                return True
            lines.append(line)
        return False

    def _say(self, verb: str) -> bool:
        """False: hangs up instead."""
        self._last = b""
        for number, packet in enumerate(self.server.answer(verb)):
            if packet == HANG_UP:
                return False
            if number:
                time.sleep(PAUSE)
            self.wfile.write(packet)
            self._last += packet
        return True


@contextmanager
def rude_server(port: int = 0, **said: Said) -> Iterator[RudeServer]:
    """Listening while the block runs; `said` overrules single answers by verb, or GREETING, or DOT."""
    with RudeServer(said, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
