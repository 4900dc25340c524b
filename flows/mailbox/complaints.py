"""Has somebody called us spam? Providers' feedback reports (ARF, RFC 5965), also those without a report in them."""

from dataclasses import dataclass

from flows.mailbox.reading import Mail, addresses
from flows.mailbox.reports import Fields, address_in, blocks
from flows.mailbox.saying import phrases, plain
from flows.mailbox.understood import Complaint

#: Types that are no complaint: somebody rescued us, or a signature was checked (RFC 6591).
NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "dmarc"})
_NAMED_IN = ("original-rcpt-to", "removal-recipient", "final-recipient")
_COPY_NAMES_IN = ("x-hmxmroriginalrecipient", "x-original-to", "to")


@dataclass(frozen=True, slots=True)
class Feedback:
    """A feedback report; `complaint` is None where it is none."""

    complaint: Complaint | None
    evidence: str


def read_feedback(mail: Mail) -> Feedback | None:
    """The feedback report in this mail; None when there is none."""
    report = next((part.text for part in mail.parts if part.kind == "message/feedback-report"), None)
    if report is not None:
        fields = {name: value for block in blocks(report) for name, value in block.items()}
        return _by_fields(mail, fields)
    if phrases("machines", "complaint_subjects").find(plain(mail.subject)) >= 0 and mail.copies:
        return Feedback(Complaint("abuse", _from_copy(mail), mail.sender), mail.subject[:200])
    return None


def _by_fields(mail: Mail, fields: Fields) -> Feedback:
    kind = (fields.get("feedback-type") or "abuse").lower().split(";")[0].strip()
    evidence = f"Feedback-Type: {kind}"[:200]
    if kind in NO_COMPLAINT:
        return Feedback(None, evidence)
    named = (address_in(fields[name]) for name in _NAMED_IN if name in fields)
    recipient = next(filter(_is_whole, named), "") or _from_copy(mail)
    return Feedback(Complaint(kind, recipient, fields.get("user-agent", "")[:200]), evidence)


def _from_copy(mail: Mail) -> str:
    """Whom our mail was written to, where the attached copy still says so."""
    named = (address for copy in mail.copies for name in _COPY_NAMES_IN for address in addresses(copy.header(name)))
    return next(filter(_is_whole, named), "")


def _is_whole(address: str) -> bool:
    """Not blacked out: ``redacted@acme.example``, ``xxxx@…`` and a hash say nothing."""
    local, at, domain = address.lower().partition("@")
    hidden = "redact" in local or "undisclosed" in local or "hidden" in local or not local.strip("x*-_.")
    return bool(at) and "." in domain and not hidden
