"""The post office: an SMTP server that writes every letter down before it says 250, and misbehaves as it is told.

A thread a connection, PIPELINING, one recipient a letter. What it wrote down is what arrived: the judgement asks no
one else. Letters are numbered over all its lives; an incident waits for a number and a moment of that letter.
"""

import os
import re
import signal
import socket
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from tests.chaos.board import Board
from tests.chaos.records import Record


class Moment(StrEnum):
    """Where a letter is when something happens."""

    ENVELOPE = "envelope"
    #: The final dot has come, nothing is written down.
    DOT = "dot"
    #: Written down, and the sender does not know.
    KEPT = "kept"
    #: 250 has left.
    ANSWERED = "answered"


class Deed(StrEnum):
    """What happens then."""

    DROP = "drop"
    LATER = "later"
    NEVER = "never"
    CLOSING = "closing"
    SLOW = "slow"
    KILL_WORKER = "kill worker"
    KILL_OFFICE = "kill office"
    KILL_POSTGRES = "kill postgres"


#: What the server says for a deed that is an answer.
REPLIES = {
    Deed.LATER: b"451 4.3.0 Try again later\r\n",
    Deed.NEVER: b"550 5.7.1 Not here\r\n",
    Deed.CLOSING: b"421 4.3.2 Closing\r\n",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """At this moment of the n-th letter, this happens; `slot`: to which worker; `seconds`: how long it is slow."""

    letter: int
    moment: Moment
    deed: Deed
    slot: int = 0
    seconds: float = 0.0


class HungUp(Exception):
    """The line is closed, by us or by them."""


def main() -> None:
    """As a program: the port, the files of the board and of the record, seconds a letter."""
    port, board, record, pace = sys.argv[1:]
    open_office(int(port), Board(Path(board)), Record(Path(record)), (), float(pace))


def open_office(port: int, board: Board, record: Record, incidents: tuple[Incident, ...], pace: float) -> None:
    """What the process does, until it is killed. `pace`: seconds it takes over a letter."""
    listening = socket.create_server(("127.0.0.1", port), backlog=16)
    board.office = os.getpid()
    office = _Office(board, record, {(one.letter, one.moment): one for one in incidents}, pace)
    record.write("opened")
    while True:
        line, _ = listening.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=office.serve, args=(line,), daemon=True).start()


@dataclass(slots=True)
class _Letter:
    number: int
    recipient: str


class _Office:
    def __init__(
        self, board: Board, record: Record, incidents: Mapping[tuple[int, Moment], Incident], pace: float
    ) -> None:
        self._board, self._record, self._incidents, self._pace = board, record, incidents, pace
        self._counting = threading.Lock()

    def serve(self, line: socket.socket) -> None:
        reading = line.makefile("rb")
        with self._counting:
            self._board.lines += 1
        try:
            line.sendall(b"220 post.example ESMTP\r\n")
            self._talk(line, reading)
        except (HungUp, OSError):
            pass
        finally:
            with self._counting:
                self._board.lines -= 1
            reading.close()
            line.close()

    def _talk(self, line: socket.socket, reading: BinaryIO) -> None:
        letter: _Letter | None = None
        while command := reading.readline():
            word = command[:4].upper()
            if word == b"EHLO":
                line.sendall(b"250-post.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n")
            elif word == b"RCPT":
                letter = self._begin(line, command)
            elif word == b"DATA" and letter is None:
                line.sendall(b"554 5.5.1 No valid recipients\r\n")
            elif word == b"DATA" and letter is not None:
                line.sendall(b"354 Go on\r\n")
                self._take(line, letter, _content(reading))
                letter = None
            elif word == b"QUIT":
                line.sendall(b"221 2.0.0 Bye\r\n")
                raise HungUp
            else:  # MAIL, RSET, NOOP
                letter = None
                line.sendall(b"250 2.0.0 Ok\r\n")

    def _begin(self, line: socket.socket, command: bytes) -> _Letter | None:
        with self._counting:
            number = self._board.next_letter()
        found = re.search(rb"<([^>]*)>", command)
        letter = _Letter(number, found[1].decode() if found else "")
        self._record.write("begun", letter=number, recipient=letter.recipient)
        if reply := self._happen(letter, Moment.ENVELOPE):
            _say_no(line, reply)
            return None
        line.sendall(b"250 2.1.5 Ok\r\n")
        return letter

    def _take(self, line: socket.socket, letter: _Letter, content: bytes) -> None:
        time.sleep(self._pace)
        if reply := self._happen(letter, Moment.DOT):
            _say_no(line, reply)
            return
        message_id = re.search(rb"(?mi)^message-id:\s*(\S+)", content)
        self._record.write(
            "kept", letter=letter.number, recipient=letter.recipient, message_id=message_id and message_id[1].decode(),
            content=b64encode(content).decode(),
        )  # fmt: skip
        self._happen(letter, Moment.KEPT)
        line.sendall(b"250 2.0.0 Ok: queued\r\n")
        self._record.write("answered", letter=letter.number)
        self._happen(letter, Moment.ANSWERED)

    def _happen(self, letter: _Letter, moment: Moment) -> bytes | None:
        """What was ordered for this moment of this letter: an answer to give, or a deed that is done here."""
        incident = self._incidents.get((letter.number, moment))
        if incident is None:
            return None
        self._record.write("incident", letter=letter.number, moment=moment, deed=incident.deed, slot=incident.slot,
                           recipient=letter.recipient)  # fmt: skip
        if incident.deed is Deed.DROP:
            raise HungUp
        if incident.deed is Deed.SLOW:
            time.sleep(incident.seconds)
        elif incident.deed is Deed.KILL_WORKER:
            self._board.kill_worker(incident.slot)
        elif incident.deed is Deed.KILL_POSTGRES:
            self._board.kill_postmaster()
        elif incident.deed is Deed.KILL_OFFICE:
            os.kill(os.getpid(), signal.SIGKILL)
        return REPLIES.get(incident.deed)


def _say_no(line: socket.socket, reply: bytes) -> None:
    line.sendall(reply)
    if reply.startswith(b"421"):
        raise HungUp


def _content(reading: BinaryIO) -> bytes:
    """Everything up to the final dot, dots unstuffed. Raises HungUp when the line ends before it."""
    lines = []
    while line := reading.readline():
        if line == b".\r\n":
            return b"".join(lines)
        lines.append(line[1:] if line.startswith(b".") else line)
    raise HungUp
