"""What the owner of a domain publishes so that mail from it is believed: the records, and whether what stands in the
DNS says the same. Knows no network: it is told what was found.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from flows.channels.email.dkim_keys import Signature, read_signatures, signing_domain
from flows.channels.email.registry import STAY_HERE
from flows.doctor.finding import State
from flows.doctor.resolver import LookUp
from flows.operating.prefect_api import is_loopback
from flows.settings import Settings

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Kind = Literal["TXT", "MX"]

#: Mail services by the end of their servers' names, and what their manuals tell domain owners to put into SPF.
RELAYS = {
    "amazonaws.com": "include:amazonses.com",
    "gmail.com": "include:_spf.google.com",
    "mailgun.org": "include:mailgun.org",
    "office365.com": "include:spf.protection.outlook.com",
    "outlook.com": "include:spf.protection.outlook.com",
    "postmarkapp.com": "include:spf.mtasv.net",
    "resend.com": "include:amazonses.com",
    "sendgrid.net": "include:sendgrid.net",
}
#: A server on this machine: nobody but its owner knows the address it has outside.
OUR_ADDRESS = "ip4:THE.ADDRESS.OF.YOUR.SERVER"
OUR_SERVER = "10 YOUR.MAIL.SERVER."


class Verdict(NamedTuple):
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to publish. `judge` says what it makes of what stands there."""

    name: str
    kind: Kind
    value: str
    #: What it is for, in a few words.
    why: str
    judge: Callable[[Sequence[str]], Verdict]
    #: A name that outranks it, where something stands there.
    before: str | None = None

    def found(self, look_up: LookUp) -> list[str] | None:
        """What receivers see; None: nobody answered."""
        first = look_up(self.before, self.kind) if self.before else []
        return look_up(self.name, self.kind) if first == [] else first

    def zone_line(self) -> str:
        """As a zone file has it: a long text is cut into strings of 255 octets."""
        value = self.value
        if self.kind == "TXT":
            value = " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
        return f"{self.name}. 3600 IN {self.kind} {value}"


def records(settings: Settings) -> tuple[Record, ...]:
    """What to publish for these settings, the signatures first. Raises SettingsRefused for a key that cannot sign.

    Of a provider over HTTP only DMARC is ours to know: its signatures and return path are named on its own pages.
    """
    policy = _dmarc(settings)
    if writes_itself(settings):
        return (policy,)
    signatures = tuple(_dkim(one, signing_domain(settings)) for one in read_signatures(settings))
    return (*signatures, _spf(settings), policy, _mx(settings))


def writes_itself(settings: Settings) -> bool:
    """Whether a provider writes the message down, and so signs it and gets the bounces."""
    return settings.channel not in STAY_HERE | {"smtp"}


def organisation(domain: str) -> str:
    """The domain somebody registered: ``lumenflow.co.uk`` of ``mail.lumenflow.co.uk`` (RFC 7489, 3.2)."""
    return str(_public_suffixes().privatesuffix(domain) or domain)


@cache
def _public_suffixes() -> "PublicSuffixList":
    """Reading the list takes 30 ms."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def tags(record: str) -> dict[str, str]:
    """``v=DKIM1; k=rsa; p=…`` by name; blanks inside values mean nothing."""
    parts = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): re.sub(r"\s", "", value) for name, _, value in parts if name.strip()}


def _dkim(signature: Signature, domain: str) -> Record:
    ours = tags(signature.key.record)

    def judge(found: Sequence[str]) -> Verdict:
        if not found:
            return Verdict("fail", "not published: receivers cannot verify our signature")
        if len(found) > 1:
            return Verdict("fail", f"{len(found)} records where one may be")
        theirs = tags(found[0])
        if not theirs.get("p"):
            return Verdict("fail", "the published key is withdrawn: its p= is empty")
        if theirs["p"] != ours["p"] or theirs.get("k", "rsa") != ours["k"]:
            return Verdict("fail", "another key is published than the one that signs")
        if "y" in theirs.get("t", "").split(":"):
            return Verdict("warn", "published for testing (t=y): receivers may pass it over")
        return Verdict("ok", "published")

    name = f"{signature.selector}._domainkey.{domain}"
    return Record(name, "TXT", signature.key.record, f"DKIM, {signature.key.kind}: who signed", judge)


def _spf(settings: Settings) -> Record:
    allowed = _mechanism(settings)

    def judge(found: Sequence[str]) -> Verdict:
        policies = [text for text in found if text.lower().split(" ")[0] == "v=spf1"]
        if not policies:
            return Verdict("fail", "no SPF record: nobody may send with this return path")
        if len(policies) > 1:
            return Verdict("fail", f"{len(policies)} SPF records: receivers take none of them")
        words = policies[0].lower().split()
        if {"+all", "all"} & set(words):
            return Verdict("fail", "+all: the whole world may send as you")
        if allowed == OUR_ADDRESS or allowed in words:
            return Verdict("ok", f"published: {policies[0]}")
        return Verdict("warn", f"does not name {allowed} itself: see that {policies[0]!r} allows it")

    return Record(settings.return_domain, "TXT", f"v=spf1 {allowed} ~all", "SPF: who may send", judge)


def _mechanism(settings: Settings) -> str:
    """What lets the mail server of the settings send."""
    host = settings.smtp.host.lower().rstrip(".")
    if settings.channel != "smtp" or is_loopback(f"//{host}"):
        return OUR_ADDRESS
    for end, mechanism in RELAYS.items():
        if host == end or host.endswith(f".{end}"):
            return mechanism
    if re.fullmatch(r"[\d.]+", host):
        return f"ip4:{host}"
    return f"ip6:{host.strip('[]')}" if ":" in host else f"a:{host}"


def _dmarc(settings: Settings) -> Record:
    domain = organisation(settings.sending_domain)

    def judge(found: Sequence[str]) -> Verdict:
        policies = [policy for policy in map(tags, found) if policy.get("v", "").upper() == "DMARC1"]
        if not policies:
            return Verdict("fail", "no DMARC record: large receivers ask for one")
        if len(policies) > 1:
            return Verdict("fail", f"{len(policies)} DMARC records: receivers take none of them")
        return _aligned(policies[0], settings)

    value = f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
    before = f"_dmarc.{settings.sending_domain}" if settings.sending_domain != domain else None
    return Record(f"_dmarc.{domain}", "TXT", value, "DMARC: what to do with forgeries", judge, before)


def _aligned(policy: dict[str, str], settings: Settings) -> Verdict:
    """Whether a policy that asks for the very same domain (strict alignment) gets it."""
    own = settings.sending_domain
    signed = settings.dkim.is_set and (policy.get("adkim", "r").lower() != "s" or signing_domain(settings) == own)
    returned = policy.get("aspf", "r").lower() != "s" or settings.return_domain == own
    says = f"published, p={policy.get('p', 'none')}"
    if writes_itself(settings) or signed or returned:
        return Verdict("ok", says)
    return Verdict("fail", f"{says}, with strict alignment: neither signature nor return path is of {own}")


def _mx(settings: Settings) -> Record:
    def judge(found: Sequence[str]) -> Verdict:
        if not found:
            return Verdict("fail", "no mail server: bounces are lost, and some receivers refuse such senders")
        if any(server.split()[-1] == "." for server in found):
            return Verdict("fail", "says that it takes no mail (null MX): bounces are lost")
        return Verdict("ok", f"published: {', '.join(found)}")

    return Record(settings.return_domain, "MX", OUR_SERVER, "where bounces come back to: takes bounce+…", judge)
