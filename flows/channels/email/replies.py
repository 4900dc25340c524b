"""What a mail server's reply means: one table, from RFC 5321, 3463 and 5248 and what large providers publish.

A reply has three digits (``550``), mostly an enhanced code (``5.1.1``), and words. The enhanced code outranks the
digits, also about how long it holds; where it says no more than "policy" or "other", the words decide; where there is
neither, the digits and the moment do.

    about                          for how long                    what follows
    the reader's address           5 for good, 4 later             for good: told to the intake as a bounce
    the reader's server            4 later                         tried again inside `not_after`
    the message                    5 for good, 4 later             this message only
    us (login, reputation, DKIM)   before RCPT: the run stops      others would fare the same; smtp.py counts them
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from accounts.touch_states import Refusal

R = Refusal

#: What no other message of ours would be spared either.
OURS = frozenset({R.SENDER_REFUSED, R.SENDER_BLOCKLISTED, R.NOT_AUTHENTICATED, R.LOGIN_REFUSED})


class Moment(StrEnum):
    """What the server was answering. Up to MAIL it knows nothing of the reader."""

    CONNECT = "the connection"
    EHLO = "our name"
    STARTTLS = "encryption"
    AUTH = "the login"
    MAIL = "the sender"
    RCPT = "the recipient"
    DATA = "the message's beginning"
    DOT = "the message"


#: What is wrong with the reader's address. Whoever has no mailbox is not written to again.
ADDRESS = frozenset({R.NO_SUCH_MAILBOX, R.NO_SUCH_DOMAIN, R.MAILBOX_DISABLED, R.MAILBOX_FULL, R.BAD_ADDRESS})


#: Moments at which nothing of this one message was said yet, but its sender and size.
BEFORE_READER = frozenset({Moment.CONNECT, Moment.EHLO, Moment.STARTTLS, Moment.AUTH, Moment.MAIL})


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: its lines' words joined by blanks, without the codes in front of them."""

    code: int
    words: str
    #: ``5.1.1``; None where the server gives none.
    enhanced: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.words)))


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal is about, and whether bringing the same message again makes no sense."""

    reason: Refusal
    permanent: bool

    @property
    def is_ours(self) -> bool:
        return self.reason in OURS


#: Subject and detail of the enhanced code -> what it is about. The digit before them says for how long.
BY_ENHANCED: Mapping[str, Refusal] = {
    "1.1": R.NO_SUCH_MAILBOX,
    "1.2": R.NO_SUCH_DOMAIN,
    "1.3": R.BAD_ADDRESS,
    "1.4": R.NO_SUCH_MAILBOX,  # ambiguous, says the RFC: one address for several people is nobody's
    "1.6": R.NO_SUCH_MAILBOX,  # has moved away, and where to is not said
    "1.7": R.SENDER_REFUSED,
    "1.8": R.SENDER_REFUSED,
    "1.10": R.NO_SUCH_DOMAIN,  # a domain that takes no mail (RFC 7505); Exchange says it of an unknown reader
    "2.0": R.MAILBOX_DISABLED,
    "2.1": R.MAILBOX_DISABLED,
    "2.2": R.MAILBOX_FULL,
    "2.3": R.TOO_LARGE,
    "3.1": R.SERVER_BUSY,
    "3.2": R.SERVER_BUSY,
    "3.4": R.TOO_LARGE,
    "4.1": R.SERVER_BUSY,
    "4.2": R.SERVER_BUSY,
    "4.3": R.SERVER_BUSY,
    "4.4": R.NO_SUCH_DOMAIN,
    "4.5": R.TOO_MANY,
    "4.7": R.SERVER_BUSY,
    "5.3": R.TOO_MANY,
    "7.1": R.REFUSED_BY_POLICY,
    "7.7": R.REFUSED_BY_POLICY,
    "7.8": R.LOGIN_REFUSED,
    "7.9": R.LOGIN_REFUSED,
    "7.11": R.LOGIN_REFUSED,
    "7.13": R.MAILBOX_DISABLED,
    "7.14": R.LOGIN_REFUSED,
    "7.17": R.NO_SUCH_MAILBOX,  # the mailbox has another owner since (RFC 7293)
    "7.18": R.NO_SUCH_DOMAIN,
    "7.20": R.NOT_AUTHENTICATED,  # 7.20 to 7.24 DKIM and SPF, 7.25 reverse DNS, 7.26 several of them (RFC 7372)
    "7.21": R.NOT_AUTHENTICATED,
    "7.22": R.NOT_AUTHENTICATED,
    "7.23": R.NOT_AUTHENTICATED,
    "7.24": R.NOT_AUTHENTICATED,
    "7.25": R.NOT_AUTHENTICATED,
    "7.26": R.NOT_AUTHENTICATED,
    "7.27": R.NOT_AUTHENTICATED,  # 7.27, 7.29, 7.30, 7.32, 7.40: Gmail on SPF, TLS, DKIM and DMARC
    "7.28": R.TOO_MANY,
    "7.29": R.NOT_AUTHENTICATED,
    "7.30": R.NOT_AUTHENTICATED,
    "7.32": R.NOT_AUTHENTICATED,
    "7.40": R.NOT_AUTHENTICATED,
    "7.57": R.LOGIN_REFUSED,  # from here on: Exchange Online and Outlook.com
    "7.64": R.LOGIN_REFUSED,
    "7.139": R.LOGIN_REFUSED,
    "7.501": R.SENDER_BLOCKLISTED,
    "7.502": R.SENDER_BLOCKLISTED,
    "7.503": R.SENDER_BLOCKLISTED,
    "7.509": R.NOT_AUTHENTICATED,
    "7.511": R.SENDER_BLOCKLISTED,
    "7.515": R.NOT_AUTHENTICATED,
    "7.705": R.TOO_MANY,
    "7.708": R.SENDER_BLOCKLISTED,
    "7.750": R.SENDER_REFUSED,
}  # fmt: skip

#: Exchange Online numbers its blocklists: 5.7.606 to 5.7.649.
_BLOCKLISTS = re.compile(r"7\.6(0[6-9]|[1-4]\d)")

#: Codes that mean several things: where words of the next table are found, they decide.
VAGUE = frozenset({"0.0", "1.0", "2.0", "2.1", "3.0", "3.2", "4.0", "4.1", "4.2", "5.0", "6.0", "7.0", "7.1",
                   "7.7", "7.9"})  # fmt: skip


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


#: What servers write, in the order of trust: the first that is found decides.
BY_WORDS: tuple[tuple[re.Pattern[str], Refusal], ...] = (
    (_words(r"gr[ae]y-?list|postgrey"), R.GREYLISTED),
    (_words(r"relay(ing)?\b.*\b(denied|not permitted|prohibited)|unable to relay|authentication (is )?required"
            r"|must (be )?authenticat|log ?in first|not authenticated"), R.LOGIN_REFUSED),
    (_words(r"dmarc|dkim|\bspf\b|reverse dns|\bptr\b|rdns|unauthenticated e?mail"
            r"|cannot find your (reverse )?hostname"), R.NOT_AUTHENTICATED),
    (_words(r"spamhaus|spamcop|sorbs|barracuda|black-?list|block-?list|\b[dr]n?s?bl\b|blocked using"
            r"|(low|bad|poor) reputation of the send|(ip|sender|domain)\b.*\breputation|banned"
            r"|listed (at|in|by|on)\b"), R.SENDER_BLOCKLISTED),
    (_words(r"sender (\w+ )?(address )?(rejected|denied|refused|invalid)|sender verify|invalid sender"),
     R.SENDER_REFUSED),
    (_words(r"over ?quota|quota (is )?exceeded|exceed\w* (\w+ ){0,3}(storage|quota)"
            r"|(mailbox|inbox) (\w+ ){0,3}full|out of storage"), R.MAILBOX_FULL),
    (_words(r"(user|recipient|mailbox|address|account)\W+((is|was|does|do|has|been|that|you|tried|to|reach)\s+)*"
            r"(unknown|not (exist|found|known|listed)|no longer|doesn'?t (exist|have))"
            r"|(unknown|invalid|no such) (local )?(user|recipient|mailbox|address|account|person)|nobody here"
            r"|recipient ?not ?found|user (doesn'?t|does not) have|no mailbox here"
            r"|recipient address rejected: access denied"), R.NO_SUCH_MAILBOX),
    (_words(r"(domain|host)\W+(\w+ )?(not found|does not exist|unknown)|no such domain|null ?mx|nullmx"
            r"|does not accept mail"), R.NO_SUCH_DOMAIN),
    (_words(r"(mailbox|account|user|recipient)\b.*\b(disabled|inactive|suspended|deactivated|locked)"),
     R.MAILBOX_DISABLED),
    (_words(r"too (many|quick|fast|much)|rate.{0,3}limit|limit exceeded|throttl|at a rate|too frequent"
            r"|unusual (rate|amount|traffic)|slow down"), R.TOO_MANY),
    (_words(r"too (large|big)|(size|length) (limit|exceed)|exceed\w* (\w+ ){0,4}size|maximum size"), R.TOO_LARGE),
    (_words(r"spam|unsolicited|junk|bulk ?mail|phish|virus|malware|suspicious|\buce\b|\bph\d\d"
            r"|(low reputation|content).{0,40}(reject|block|refus|denied)"), R.REFUSED_AS_SPAM),
    (_words(r"polic(y|ies)|not (accepted|allowed|permitted|authori[sz]ed)|access denied"), R.REFUSED_BY_POLICY),
    (_words(r"busy|overload|temporar|try (again|later)|later|unavailable|not available|resources|timeout|timed out"
            r"|shutting down|closing"), R.SERVER_BUSY),
)  # fmt: skip

#: Three digits alone, by the moment they were said at; None: whenever.
BY_DIGITS: Mapping[tuple[int, Moment | None], Refusal] = {
    (421, None): R.SERVER_BUSY,
    (432, None): R.LOGIN_REFUSED,
    (450, None): R.SERVER_BUSY,
    (451, None): R.SERVER_BUSY,
    (452, None): R.SERVER_BUSY,
    (454, None): R.SERVER_BUSY,
    (530, None): R.LOGIN_REFUSED,
    (534, None): R.LOGIN_REFUSED,
    (535, None): R.LOGIN_REFUSED,
    (538, None): R.LOGIN_REFUSED,
    (552, Moment.RCPT): R.MAILBOX_FULL,
    (552, None): R.TOO_LARGE,
    (553, Moment.RCPT): R.BAD_ADDRESS,
    (550, Moment.MAIL): R.SENDER_REFUSED,
    (551, Moment.RCPT): R.NO_SUCH_MAILBOX,
    (553, Moment.MAIL): R.SENDER_REFUSED,
    (554, Moment.CONNECT): R.SENDER_BLOCKLISTED,
    (554, Moment.MAIL): R.SENDER_REFUSED,
}

#: Characters of a reply that are read; nobody has said anything new after that.
MOST_WORDS = 1_000

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ :]+|$)")


def read_reply(code: int, lines: list[str]) -> Reply:
    """From the lines after their codes; the enhanced code stands at the beginning of each, or of none."""
    found = _ENHANCED.match(lines[0]) if lines else None
    enhanced = found[1] if found else None
    words = " ".join(" ".join(_ENHANCED.sub("", line, count=1) if enhanced else line for line in lines).split())
    return Reply(code, words[:MOST_WORDS], enhanced)


def meaning_of(moment: Moment, reply: Reply) -> Meaning:
    """What a refusal (4xx or 5xx) at this moment means."""
    return Meaning(_reason(moment, reply), _is_permanent(reply))


def _is_permanent(reply: Reply) -> bool:
    """421 hangs up and asks us back, whatever it says besides."""
    if reply.code == 421:
        return False
    return reply.enhanced.startswith("5") if reply.enhanced else reply.code >= 500


def _reason(moment: Moment, reply: Reply) -> Refusal:
    detail = reply.enhanced.partition(".")[2] if reply.enhanced else ""
    known = BY_ENHANCED.get(detail) or (R.SENDER_BLOCKLISTED if _BLOCKLISTS.fullmatch(detail) else None)
    if known is None or detail in VAGUE:
        said = next((reason for pattern, reason in BY_WORDS if pattern.search(reply.words)), None)
        known = said or known
    digits = BY_DIGITS.get((reply.code, moment)) or BY_DIGITS.get((reply.code, None))
    reason = known or digits or R.REFUSED_BY_SERVER
    return R.SENDER_REFUSED if moment in BEFORE_READER and reason in ADDRESS else reason
