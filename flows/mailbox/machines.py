"""Did a program write this? The headers that programs write, and the subjects they write under."""

from dataclasses import dataclass

from accounts.identity import domain_of
from flows.mailbox.reading import Mail, addresses
from flows.mailbox.saying import phrases, plain, table

#: What people's programs put before the subject they answer or pass on.
ANSWERS = (
    "re:", "re ", "re :", "fw:", "fwd:", "aw:", "antw:", "wg:", "tr:", "tr :", "rv:", "r:", "i:", "res:", "enc:",
    "doorst:", "sv:", "vs:", "vb:", "vl:", "odp:", "pd:", "ynt:", "ilt:", "回复:", "答复:", "转发:", "返信:", "転送:",
)  # fmt: skip
_NOBODY = (
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "ne-pas-repondre",
    "no-responder",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What speaks for a program, each as the line it rests on; empty where nothing does."""

    #: Says so itself, or writes what no person's program writes.
    certain: str
    #: Also stands in mail that people write through servers and lists.
    weak: str
    subject: str
    #: Newsletters and lists.
    bulk: str

    @property
    def is_sure(self) -> bool:
        return bool(self.certain or self.subject)

    @property
    def evidence(self) -> str:
        return self.certain or self.subject or self.weak or self.bulk


def read_machine(mail: Mail) -> Machine:
    """The signs of a program in a mail's head."""
    found = _headers(mail)
    nobody = mail.sender.partition("@")[0].startswith(_NOBODY)
    return Machine(
        certain=next((line for weak, line in found if not weak), f"From: {mail.sender}" if nobody else ""),
        weak=next((line for weak, line in found if weak), ""),
        subject=mail.subject[:200] if is_automatic(mail.subject) else "",
        bulk=next((name for name in table("machines")["lists"]["bulk"] if name in mail.names), ""),
    )


def is_automatic(subject: str) -> bool:
    """Whether programs write under such a subject. Who answers such a mail is a person: "Re: Automatic reply: …"."""
    bare = plain(subject)
    if bare.startswith(ANSWERS):
        return False
    automatic = phrases("machines", "subjects.automatic").whole
    return bare.startswith(automatic) or phrases("machines", "subjects.inside").find(bare) >= 0


def is_answer(mail: Mail) -> bool:
    """Whether a person's program wrote it as an answer: it names the mail it answers and says "Re:"."""
    return plain(mail.subject).startswith(ANSWERS) and bool(mail.names & {"in-reply-to", "references"})


def _headers(mail: Mail) -> list[tuple[bool, str]]:
    said: list[tuple[bool, str]] = []
    passed_on = _is_passed_on(mail)
    for rule in table("machines")["headers"]:
        name = rule["name"]
        if name not in mail.names or (passed_on and rule.get("of_rules", False)):
            continue
        for value in mail.headers(name):
            bare = value.strip().lower()
            if _counts(bare, rule):
                said.append((rule.get("weak", False), f"{name}: {value}"[:200]))
    return said


def _is_passed_on(mail: Mail) -> bool:
    """A rule of a mailbox in another house has handed it on, as a rep's does that sends answers on to us."""
    whose = [address for value in mail.headers("x-ms-exchange-inbox-rules-loop") for address in addresses(value)]
    return bool(whose) and domain_of(mail.sender) not in map(domain_of, whose)


def _counts(value: str, rule: dict[str, object]) -> bool:
    not_, values = rule.get("not"), rule.get("values")
    if isinstance(not_, list) and value.partition(";")[0].strip() in not_:
        return False
    return not isinstance(values, list) or value.startswith(tuple(values))
