"""What is a mail? A complaint, a bounce, a departure, an absence, a program's, or a person's; asked in this order.

A program's mail is known by its head, by its subject, or by reading like a note from beginning to end; a mail in which
somebody answers us is a person's, also when they write that they will be away.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from flows.mailbox.about import message_ids, returned_to, written_by
from flows.mailbox.absences import Away, read_absence
from flows.mailbox.bounces import GivenBack, given_back_unsaid, read_bounces
from flows.mailbox.complaints import read_feedback
from flows.mailbox.departures import read_departure
from flows.mailbox.envelopes import server_sign
from flows.mailbox.machines import Machine, is_answer, read_machine
from flows.mailbox.optouts import asks_in_subject
from flows.mailbox.quoting import Split, split
from flows.mailbox.reading import Mail, read_mail
from flows.mailbox.reports import blocks
from flows.mailbox.saying import line_with, phrases, plain
from flows.mailbox.understood import Departure, Kind, Understood

#: Letters of a mail in which nothing else than a note is found.
_NOTE = 900
#: Letters of a mail that are searched for formulas, and letters at its foot for a way out.
_READ, _FOOT = 1_500, 4_000
#: Phrases of a receipt that make one.
_THANKS = 2


def understand(raw: bytes, received_at: datetime | None = None) -> Understood:
    """What a mail is and says. Never raises.

    raw: the mail as the server keeps it, RFC 5322. received_at: when it came, for notes without a readable Date.
    """
    mail = read_mail(raw)
    found = _complaint(mail) or _challenge(mail) or _given_back(mail) or _receipt(mail) or _written(mail, received_at)
    return replace(
        found, about=message_ids(mail), returned_to=returned_to(mail), written_by=written_by(mail), sender=mail.sender
    )


def _complaint(mail: Mail) -> Understood | None:
    feedback = read_feedback(mail)
    if feedback is None:
        return None
    kind = Kind.COMPLAINT if feedback.complaint else Kind.AUTO_REPLY
    return Understood(kind, feedback.evidence, 0.98, complaint=feedback.complaint)


def _challenge(mail: Mail) -> Understood | None:
    """Before bounces: some send it in the form of one."""
    certain = phrases("machines", "challenges.certain")
    words = mail.text[:_NOTE]
    if certain.find(plain(words)) < 0 or split(words).quotes:
        return None
    return Understood(Kind.CHALLENGE, line_with(words, certain), 0.9)


def _given_back(mail: Mail) -> Understood | None:
    given = read_bounces(mail)
    return _of_bounces(given) if given else None


def _of_bounces(given: GivenBack) -> Understood:
    return Understood(given.kind, given.evidence[:200], given.confidence, bounces=given.bounces)


def _receipt(mail: Mail) -> Understood | None:
    """ "Was read", "was deleted without being read" (RFC 8098): a program's word, whoever moved the mouse."""
    told = next((part.text for part in mail.parts if part.kind == "message/disposition-notification"), None)
    if told is None:
        return None
    said = next((block["disposition"] for block in blocks(told) if "disposition" in block), "")
    return Understood(Kind.AUTO_REPLY, f"Disposition: {said}"[:200], 0.95)


def _written(mail: Mail, received_at: datetime | None) -> Understood:
    """Written by a person or by their program."""
    said, machine = split(mail.text), read_machine(mail)
    away = read_absence(mail, said.own, received_at, machine.is_sure)
    text = Written(mail, said, machine, read_departure(mail, said.own), away)
    judged = next(filter(None, (question(text) for question in QUESTIONS)), None)
    if judged is None and (sign := server_sign(mail)):
        return _of_bounces(given_back_unsaid(mail, sign))
    kind, evidence, confidence = judged or _by_person(text)
    return Understood(
        kind,
        evidence,
        confidence,
        back_at=None if kind is Kind.LEFT_COMPANY else away.back_at,
        departure=text.departure,
        words=(said.own or mail.subject) if kind is Kind.REPLY else "",
    )


@dataclass(frozen=True, slots=True)
class Written:
    """What was read of a mail that somebody or some program wrote."""

    mail: Mail
    said: Split
    machine: Machine
    departure: Departure | None
    away: Away

    @property
    def answers(self) -> bool:
        """It quotes us, or names the mail it answers."""
        return self.said.quotes or is_answer(self.mail)

    @property
    def converses(self) -> bool:
        return self.answers or "?" in self.said.own

    def says(self, key: str) -> str:
        """The line that says it, if any does; `key` leads into phrases/machines.toml."""
        asked = phrases("machines", key)
        found = asked.find(plain(f"{self.mail.subject} {self.said.own[:_READ]}")) >= 0
        return line_with(self.said.own or self.mail.subject, asked) if found else ""


#: Kind, evidence, confidence.
Judged = tuple[Kind, str, float]


def _by_sure_program(text: Written) -> Judged | None:
    return _by_program(text) if text.machine.is_sure else None


def _by_own_word(text: Written) -> Judged | None:
    begins = plain(text.said.own[:200]).startswith(phrases("machines", "subjects.first_words").whole)
    return _by_program(text) if begins else None


def _by_server(text: Written) -> Judged | None:
    """A note or a receipt in a server's envelope; what is neither came back."""
    told = text.departure is not None or text.away.says_so or text.says("receipts.phrases")
    return _by_program(text) if told and server_sign(text.mail) else None


def _by_newsletter(text: Written) -> Judged | None:
    """Mail through a list in which somebody answers us is that person's."""
    if text.answers:
        return None
    ways_out = phrases("machines", "ways_out")
    if text.machine.bulk:
        return Kind.UNKNOWN, f"{text.machine.bulk}: {text.mail.header(text.machine.bulk)}"[:200], 0.8
    if ways_out.find(plain(text.mail.text[-_FOOT:])) >= 0:
        return Kind.UNKNOWN, line_with(text.mail.text, ways_out), 0.8
    return None


def _by_likely_program(text: Written) -> Judged | None:
    return _by_program(text) if text.machine.weak and not text.converses else None


def _by_note(text: Written) -> Judged | None:
    """Without any sign in its head: short, formal, says that somebody is away or gone, and asks nothing."""
    if text.converses or len(text.said.own) > _NOTE:
        return None
    if text.departure is not None:
        return Kind.LEFT_COMPANY, _line(text, Kind.LEFT_COMPANY), 0.7
    if text.away.says_so and text.away.formulas:
        return Kind.OUT_OF_OFFICE, _line(text, Kind.OUT_OF_OFFICE), 0.7
    return None


def _by_receipt(text: Written) -> Judged | None:
    """Without any sign in its head either: says twice what only a thank-you of a program says, and asks nothing."""
    if text.converses or len(text.said.own) > _NOTE:
        return None
    thanks = phrases("machines", "receipts.phrases")
    if thanks.count(plain(f"{text.mail.subject} {text.said.own}")) < _THANKS:
        return None
    return Kind.AUTO_REPLY, line_with(text.said.own, thanks), 0.7


def _by_invitation(text: Written) -> Judged | None:
    """Somebody asks us to a meeting, or answers when we did (RFC 5546): often without a word besides its subject."""
    asks = any(part.kind == "text/calendar" and "\nMETHOD:" in part.text for part in text.mail.parts)
    return (Kind.REPLY, text.mail.subject[:200], 0.9) if asks and not text.said.own.strip() else None


def _by_gatekeeper(text: Written) -> Judged | None:
    said = "" if text.converses else text.says("challenges.phrases")
    return (Kind.CHALLENGE, said, 0.6) if said else None


def _by_enclosure(text: Written) -> Judged | None:
    """Sealed (programs do not do that), or an answer that is in what it encloses. A person has to open it."""
    kinds = {part.kind for part in text.mail.parts}
    is_sealed = not kinds.isdisjoint(_SEALED)
    encloses = is_answer(text.mail) and any(not kind.startswith(("text/", "message/")) for kind in kinds)
    said_elsewhere = (is_sealed or encloses) and not text.said.own.strip()
    return (Kind.REPLY, text.mail.subject[:200], 0.8) if said_elsewhere else None


_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted")


def _by_subject_alone(text: Written) -> Judged | None:
    said = "" if text.said.own.strip() else asks_in_subject(text.mail.subject)
    return (Kind.REPLY, said[:200], 0.9) if said else None


def _by_nobody(text: Written) -> Judged | None:
    return None if text.said.own.strip() else (Kind.UNKNOWN, text.mail.subject[:200], 0.5)


#: Asked in this order; the first that is answered decides. What none of them knows a person wrote, unless a server did.
QUESTIONS = (
    _by_sure_program, _by_own_word, _by_server, _by_newsletter, _by_likely_program, _by_note, _by_receipt,
    _by_gatekeeper, _by_invitation, _by_enclosure, _by_subject_alone, _by_nobody,
)  # fmt: skip


def _by_program(text: Written) -> Judged:
    sure = 0.95 if text.machine.certain else 0.85
    if text.departure is not None:
        return Kind.LEFT_COMPANY, _line(text, Kind.LEFT_COMPANY), sure
    if text.away.says_so:
        return Kind.OUT_OF_OFFICE, _line(text, Kind.OUT_OF_OFFICE), sure
    if said := text.says("challenges.phrases"):
        return Kind.CHALLENGE, said, 0.8
    if text.machine.bulk and not text.machine.subject:
        return Kind.UNKNOWN, text.machine.evidence, 0.8
    return Kind.AUTO_REPLY, text.machine.evidence or _first_line(text), sure


def _by_person(text: Written) -> Judged:
    """Whoever neither says "Re:" nor quotes may be writing out of the blue."""
    signs = is_answer(text.mail) + text.said.quotes + plain(text.mail.subject).startswith("re:")
    return Kind.REPLY, _first_line(text), (0.5, 0.75, 0.9, 0.95)[signs]


def _first_line(text: Written) -> str:
    return next((line.strip() for line in text.said.own.split("\n") if line.strip()), "")[:200]


def _line(text: Written, kind: Kind) -> str:
    asked = phrases("departures", "gone") if kind is Kind.LEFT_COMPANY else phrases("absences", "away")
    return line_with(text.said.own or text.mail.subject, asked)
