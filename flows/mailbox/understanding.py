"""What is a mail? A complaint, a bounce, a departure, an absence, a program's, or a person's; asked in this order.

A program's mail is known by its head, by its subject, or by reading like a note from beginning to end; a mail in which
somebody answers us is a person's, also when they write that they will be away.
"""

from datetime import datetime

from flows.mailbox.about import message_ids, returned_to
from flows.mailbox.absences import Away, read_absence
from flows.mailbox.bounces import read_bounces
from flows.mailbox.complaints import read_feedback
from flows.mailbox.departures import read_departure
from flows.mailbox.machines import Machine, is_answer, read_machine
from flows.mailbox.quoting import Split, split
from flows.mailbox.reading import Mail, read_mail
from flows.mailbox.saying import line_with, phrases, plain
from flows.mailbox.understood import Departure, Kind, Understood

#: Letters of a mail in which nothing else than a note is found.
_NOTE = 900


def understand(raw: bytes, received_at: datetime | None = None) -> Understood:
    """What a mail is and says. Never raises.

    raw: the mail as the server keeps it, RFC 5322. received_at: when it came, for notes without a readable Date.
    """
    mail = read_mail(raw)
    return _complaint(mail) or _challenge(mail) or _given_back(mail) or _written(mail, received_at)


def _complaint(mail: Mail) -> Understood | None:
    feedback = read_feedback(mail)
    if feedback is None:
        return None
    kind = Kind.COMPLAINT if feedback.complaint else Kind.AUTO_REPLY
    return _understood(mail, kind, feedback.evidence, 0.98, complaint=feedback.complaint)


def _challenge(mail: Mail) -> Understood | None:
    certain = phrases("machines", "challenges.certain")
    words = mail.text[:_NOTE]
    if certain.find(plain(words)) < 0 or split(words).quotes:
        return None
    return _understood(mail, Kind.CHALLENGE, line_with(words, certain), 0.9)


def _given_back(mail: Mail) -> Understood | None:
    given = read_bounces(mail)
    if given is None:
        return None
    return _understood(mail, given.kind, given.evidence[:200], given.confidence, bounces=given.bounces)


def _written(mail: Mail, received_at: datetime | None) -> Understood:
    """Written by a person or by their program."""
    said = split(mail.text)
    machine = read_machine(mail)
    departure = read_departure(mail, said.own)
    away = read_absence(mail, said.own, received_at, bool(machine.certain or machine.subject))
    kind, evidence, confidence = _who_wrote(mail, said, machine, departure, away)
    words = said.own if kind is Kind.REPLY else ""
    return _understood(
        mail, kind, evidence, confidence, words=words, departure=departure,
        back_at=None if kind is Kind.LEFT_COMPANY else away.back_at,
    )  # fmt: skip


Judged = tuple[Kind, str, float]


def _who_wrote(mail: Mail, said: Split, machine: Machine, departure: Departure | None, away: Away) -> Judged:
    if machine.certain or machine.subject:
        return _by_machine(mail, said, machine, departure, away)
    if machine.bulk or _is_advertising(mail, said):
        return Kind.UNKNOWN, _bulk_line(mail, machine, said), 0.8
    if machine.weak and not _is_conversation(mail, said):
        return _by_machine(mail, said, machine, departure, away)
    if _reads_like_a_note(mail, said, departure, away):
        kind = Kind.LEFT_COMPANY if departure else Kind.OUT_OF_OFFICE
        return kind, _line(said.own, kind), 0.7
    if phrases("machines", "challenges.phrases").find(plain(said.own[:1_500])) >= 0 and not _is_conversation(
        mail, said
    ):
        return Kind.CHALLENGE, line_with(said.own, phrases("machines", "challenges.phrases")), 0.6
    if not said.own.strip():
        return Kind.UNKNOWN, mail.subject[:200], 0.5
    return Kind.REPLY, line_with(said.own, phrases("machines", "receipts.phrases")), _sureness(mail, said)


def _is_advertising(mail: Mail, said: Split) -> bool:
    """Offers a way out, and answers nobody."""
    if said.quotes or is_answer(mail):
        return False
    return phrases("machines", "ways_out").find(plain(mail.text[-4_000:])) >= 0


def _bulk_line(mail: Mail, machine: Machine, said: Split) -> str:
    if machine.bulk:
        return f"{machine.bulk}: {mail.header(machine.bulk)}"[:200]
    return line_with(mail.text, phrases("machines", "ways_out"))


def _sureness(mail: Mail, said: Split) -> float:
    """Whoever neither says "Re:" nor quotes may be writing out of the blue."""
    signs = is_answer(mail) + said.quotes + plain(mail.subject).startswith("re:")
    return (0.5, 0.75, 0.9, 0.95)[signs]


def _by_machine(mail: Mail, said: Split, machine: Machine, departure: Departure | None, away: Away) -> Judged:
    text = plain(f"{mail.subject} {said.own[:1_500]}")
    sure = 0.95 if machine.certain else 0.85
    if departure is not None:
        return Kind.LEFT_COMPANY, _line(said.own, Kind.LEFT_COMPANY), sure
    if away.says_so:
        return Kind.OUT_OF_OFFICE, _line(said.own or mail.subject, Kind.OUT_OF_OFFICE), sure
    if phrases("machines", "challenges.phrases").find(text) >= 0:
        return Kind.CHALLENGE, line_with(said.own, phrases("machines", "challenges.phrases")), 0.8
    if machine.bulk and not machine.subject:
        return Kind.UNKNOWN, machine.evidence, 0.8
    return Kind.AUTO_REPLY, machine.evidence, sure


def _line(words: str, kind: Kind) -> str:
    if kind is Kind.LEFT_COMPANY:
        return line_with(words, phrases("departures", "gone"))
    return line_with(words, phrases("absences", "away"))


def _is_conversation(mail: Mail, said: Split) -> bool:
    """Somebody answers us: with a quote, or in a mail that names ours, or with a question."""
    return said.quotes or is_answer(mail) or "?" in said.own


def _reads_like_a_note(mail: Mail, said: Split, departure: Departure | None, away: Away) -> bool:
    """Without any sign in its head: short, formal, says that somebody is away or gone, and asks nothing."""
    if said.quotes or is_answer(mail) or "?" in said.own or len(said.own) > _NOTE:
        return False
    return departure is not None or (away.says_so and away.formulas)


def _understood(mail: Mail, kind: Kind, evidence: str, confidence: float, **more: object) -> Understood:
    return Understood(
        kind,
        evidence,
        confidence,
        about=message_ids(mail),
        returned_to=returned_to(mail),
        sender=mail.sender,
        **more,  # type: ignore[arg-type]
    )
