"""E-mail through a mail server: TLS with verified certificates, AUTH, connections that are kept and used again.

Where it fails decides what it means (RFC 5321); what the server says about it is read in replies.py.

    connecting, EHLO, STARTTLS, AUTH      Unreachable       nobody is to blame but the line
    MAIL refused for good                 Unreachable       our sender, so every message would fare the same
    MAIL, RCPT, DATA refused              NotSent           5xx permanent, 4xx later, with the reason
    larger than the server takes          NotSent           permanent, before a byte has left (RFC 1870)
    lost before the final dot left        NotSent, later    after a second try over a fresh connection
    the final dot refused                 NotSent           5xx permanent, 4xx later, with the reason
    lost after the final dot              OutcomeUnknown    the server may have taken it
    421, or 452 "too many"                a fresh connection gets one try; then NotSent, later; at MAIL Unreachable
    five mishaps in a row                 Unreachable       before the next message is begun

A further message is never begun before the answer to the last: at most one outcome per connection can be unknown.
What is said on a connection stands in smtp_line.py, how one is opened in smtp_connect.py.
"""

import re
import ssl
from collections import deque
from functools import cached_property
from threading import BoundedSemaphore
from time import sleep
from types import TracebackType
from typing import Self

from accounts.errors import NotSent, OutcomeUnknown, Unreachable
from accounts.touch_states import Refusal
from flows.channels.email import OneByOne, Outgoing, Sent
from flows.channels.email.replies import OURS
from flows.channels.email.smtp_connect import connect
from flows.channels.email.smtp_line import HungUp, Line
from flows.masking import mask
from flows.settings import Smtp as SmtpSettings
from flows.trust import trust_of

#: How long we wait before we knock again at a server that has had too much of us, in seconds.
BREATH = 1.0
#: After so many mishaps in a row the next message would be one more: time for a person to look.
MOST_MISHAPS = 5
#: What counts as one, besides lines that break: nothing of it is about the one message.
_MISHAPS = OURS | {Refusal.SERVER_BUSY, Refusal.TOO_MANY}

_ODD = re.compile(r"[\s<>\x00-\x1f\x7f]")


class Smtp(OneByOne):
    """At most `settings.connections` connections, opened when needed; `send` may be called from that many threads.

    domain: what we call ourselves in EHLO.
    """

    name = "smtp"

    def __init__(self, settings: SmtpSettings, domain: str) -> None:
        self.lanes = settings.connections
        self._settings, self._domain = settings, domain
        self._room = BoundedSemaphore(self.lanes)
        #: The line used last is the least likely to be gone: last in, first out.
        self._idle: deque[Line] = deque()
        #: Since the last message that was taken. Lanes count without a lock: one more or less decides nothing.
        self._mishaps = 0
        self._last_mishap = ""

    def __enter__(self) -> Self:
        """Opens the first connection. Raises Unreachable before anything is claimed for sending."""
        self._mishaps = 0
        self._idle.append(self._new_line())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            self._idle.pop().close()

    def send(self, message: Outgoing) -> Sent:
        _refuse_odd_envelope(message)
        if self._mishaps >= MOST_MISHAPS:
            what = f"{self._mishaps} messages in a row failed by the server or by us; the last one: {self._last_mishap}"
            raise Unreachable(what, where=self._where, cure="mend it, then run again")
        try:
            with self._room:
                sent = self._send(message)
        except (NotSent, OutcomeUnknown) as error:
            if isinstance(error, OutcomeUnknown) or error.reason in _MISHAPS:
                self._mishaps += 1
                self._last_mishap = error.what
            raise
        self._mishaps = 0
        return sent

    def check(self) -> str:
        """Connects and logs in. Raises Unreachable with the cure."""
        self._new_line().close()
        who = f" as {self._settings.username}" if self._settings.username else ""
        return f"smtp: {self._where} answers{who}, {self._settings.security}"

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return trust_of(self._settings.ca_file, "smtp.ca_file")

    def _new_line(self) -> Line:
        trust = self._trust if self._settings.security != "none" else None
        return Line(connect(self._settings, self._domain, trust), self._settings.timeout_seconds)

    def _send(self, message: Outgoing) -> Sent:
        """Over a kept line, and once more over a fresh one when that line turns out to be gone."""
        kept = self._kept_line()
        if kept is not None:
            try:
                return self._send_on(kept, message)
            except HungUp as error:
                if error.reason is Refusal.TOO_MANY:
                    sleep(BREATH)
        try:
            return self._send_on(self._new_line(), message)
        except HungUp as error:
            what = f"the mail server sent us away: {error}"
            if error.is_about_everybody:
                raise Unreachable(what, where=self._where, reason=error.reason) from None
            raise NotSent(what, permanent=False, reason=error.reason or Refusal.SERVER_BUSY) from None

    def _kept_line(self) -> Line | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _send_on(self, line: Line, message: Outgoing) -> Sent:
        """A line that refused a message is good for the next one; a line that broke is not."""
        is_good = False
        try:
            answer = line.deliver(message)
            is_good = line.is_usable
        except NotSent:
            is_good = line.is_usable
            raise
        finally:
            if is_good:
                self._idle.append(line)
            else:
                line.drop()
        return Sent(self.name, answer)


def _refuse_odd_envelope(message: Outgoing) -> None:
    """An address that could end its own command never reaches the line."""
    for address in (message.sender, message.recipient):
        if not address or _ODD.search(address):
            what = f"{mask(address)!r} cannot stand in an envelope"
            raise NotSent(what, permanent=True, reason=Refusal.BAD_ADDRESS)
