"""Is a mail a server's own, by its envelope and its address? What it says does not matter here.

Notices travel with an empty return path (RFC 5321, 4.5.5; programs that answer do the same: RFC 3834, 3.3) and from the
two names that belong to servers (RFC 3464, 2; RFC 5321, 4.5.1). No person's program writes to our return paths: an
answer goes to Reply-To or From, and only what is told about a mail comes back to where it left from.
"""

from flows.mailbox.about import delivered_to
from flows.mailbox.machines import is_answer
from flows.mailbox.reading import Mail
from flows.tokens import looks_like_return_path

#: Never a person; the other one is read by people now and then.
_DAEMON, _POSTMASTER = "mailer-daemon", "postmaster"


def server_sign(mail: Mail) -> str:
    """The line that gives a server away; empty for what people may have written."""
    local = mail.sender.partition("@")[0]
    if is_returned_to_nobody(mail):
        return "Return-Path: <>"
    if local == _DAEMON:
        return f"From: {mail.sender}"
    if is_answer(mail):
        return ""
    if local == _POSTMASTER:
        return f"From: {mail.sender}"
    return next((f"To: {address}" for address in delivered_to(mail) if looks_like_return_path(address)), "")


def is_returned_to_nobody(mail: Mail) -> bool:
    """Whether its return path is empty, as far as the server kept it."""
    return "return-path" in mail.names and mail.header("return-path").strip() in ("<>", "")
