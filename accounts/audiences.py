"""Who should see the ads of a stage, what each platform knows them by, and what has to change there.

People are known by the SHA-256 of their address in the platform's own normal form, companies by their domain. Ads need
a consent of their own: a basis for e-mail says nothing about advertising. Audiences pool all accounts of a stage; none
is ever made for one account, since that would name people.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal, NamedTuple

from accounts.vocabulary import EmailStatus, MemberState, Reason

Kind = Literal["people", "companies"]


class AudienceKey(NamedTuple):
    """One audience on one platform; `name` is ``<play>/<stage>``."""

    platform: str
    play: str
    stage: str
    kind: Kind

    @property
    def name(self) -> str:
        return f"{self.play}/{self.stage}"

    def __str__(self) -> str:
        """``linkedin people new-business/evaluation``."""
        return f"{self.platform} {self.kind} {self.name}"


class Prospect(NamedTuple):
    """A stakeholder, as far as it matters for ads. Times are aware UTC."""

    email: str
    stage: str
    first_contacted_at: datetime | None
    ads_consent_basis: str | None
    ads_consent_at: datetime | None
    email_status: str
    opted_out_at: datetime | None
    suppressed: bool = False
    account_held: bool = False
    person_held: bool = False
    vetoed: bool = False
    #: The address stands in several accounts, and nobody has decided, or another one was decided for.
    owner_conflict: bool = False
    #: The rep who works on the account wants no ads there, or nothing for this person.
    off_limits: bool = False


class Firm(NamedTuple):
    """An account, as far as it matters for ads to its company."""

    domain: str | None
    name: str
    #: None: in no stage of this play that sees ads.
    stage: str | None
    first_contacted_at: datetime | None
    held: bool = False
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who should be in each audience, and who should not, with the reason."""

    members: Mapping[str, frozenset[str]]
    excluded: Mapping[Reason, int]
    #: Addresses or domains a platform cannot use as they are.
    unusable: int = 0
    #: domain -> company name, for platforms that match by both.
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be marked in the ledger; uploads follow the marks, removals first."""

    add: frozenset[str]
    remove: frozenset[str]


def linkedin_address(address: str) -> str | None:
    """Lower case without any white space (Matched Audiences, SHA256_EMAIL)."""
    return _with_both_halves("".join(address.split()).lower())


def google_address(address: str) -> str | None:
    """Trimmed, lower case; at gmail.com and googlemail.com without dots and plus suffix in the local part.

    Source: Data Manager API, "Format user data", and its formatter: white space inside is an error there, so it is no
    usable address here. The suffix is dropped at these two domains only.
    """
    plain = address.strip().lower()
    if re.search(r"\s", plain) or plain.count("@") != 1:
        return None
    local, _, domain = plain.partition("@")
    if domain in ("gmail.com", "googlemail.com"):
        local = local.partition("+")[0].replace(".", "")
    return _with_both_halves(f"{local}@{domain}")


def meta_address(address: str) -> str | None:
    """Lower case, without blanks, tabs, line ends, NUL, VT and dots at either end (Custom Audiences, EMAIL_SHA256)."""
    return _with_both_halves(address.strip(" \t\r\n\0\x0b.").lower())


ADDRESS_FORMS: Mapping[str, Callable[[str], str | None]] = {
    "linkedin": linkedin_address,
    "google": google_address,
    "meta": meta_address,
}


def member_of(platform: str, address: str) -> str | None:
    """The SHA-256 (hex) a platform knows a person by; None for an address it cannot use."""
    return _hashed(ADDRESS_FORMS[platform](address))


#: Domains of mailbox providers: an ad to this "company" would reach the public.
PUBLIC_MAILBOXES = frozenset((
    "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "ymail.com",
    "aol.com", "icloud.com", "me.com", "mac.com", "gmx.de", "gmx.net", "gmx.at", "web.de", "t-online.de", "freenet.de",
    "mail.de", "posteo.de", "orange.fr", "wanadoo.fr", "free.fr", "laposte.net", "sfr.fr", "proton.me",
    "protonmail.com", "mail.com",
))  # fmt: skip

_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def usable_domain(domain: str | None) -> str | None:
    """A company's domain in ASCII, lower case, without ``www.``; None for none, nonsense or a mailbox provider."""
    bare = (domain or "").strip().lower().rstrip(".").removeprefix("www.")
    try:
        plain = bare.encode("idna").decode() if not bare.isascii() else bare
    except UnicodeError:
        return None
    return plain if _DOMAIN.fullmatch(plain) and plain not in PUBLIC_MAILBOXES else None


def why_no_ads(person: Prospect, now: datetime) -> Reason | None:
    """The first reason not to show this person ads; None if there is none."""
    if person.email_status == EmailStatus.COMPLAINED or (person.opted_out_at and person.opted_out_at <= now):
        return Reason.OPTED_OUT
    if person.suppressed:
        return Reason.SUPPRESSED
    if person.email_status == EmailStatus.LEFT:
        return Reason.LEFT
    if person.email_status != EmailStatus.OK:
        return Reason.BOUNCED
    if not person.ads_consent_basis or (person.ads_consent_at and person.ads_consent_at > now):
        return Reason.NO_CONSENT
    if person.first_contacted_at is None or person.first_contacted_at > now:
        return Reason.NOT_CONTACTED
    stops = (
        (person.account_held, Reason.ACCOUNT_HELD), (person.person_held, Reason.STAKEHOLDER_HELD),
        (person.vetoed, Reason.VETOED), (person.off_limits, Reason.PERSON_OFF_LIMITS),
        (person.owner_conflict, Reason.OWNER_CONFLICT),
    )  # fmt: skip
    return next((reason for stands, reason in stops if stands), None)


def want_people(prospects: Iterable[Prospect], platforms: Collection[str], now: datetime) -> dict[str, Wanted]:
    """Platform -> who should be in the audience of each stage, known as that platform knows them."""
    members: dict[str, dict[str, set[str]]] = {platform: {} for platform in platforms}
    excluded: Counter[Reason] = Counter()
    unusable: Counter[str] = Counter()
    for person in prospects:
        reason = why_no_ads(person, now)
        if reason is not None:
            excluded[reason] += 1
            continue
        for platform in platforms:
            member = member_of(platform, person.email)
            if member is None:
                unusable[platform] += 1
            else:
                members[platform].setdefault(person.stage, set()).add(member)
    return {
        platform: Wanted({stage: frozenset(found) for stage, found in stages.items()}, excluded, unusable[platform])
        for platform, stages in members.items()
    }


def want_companies(firms: Iterable[Firm], stages: Collection[str], now: datetime) -> Wanted:
    """Which domains should be in the audience of each of `stages` (in the play's order).

    A company ad cannot be aimed at one division: a domain is in only if every account that has it was contacted and
    none is held, and then in the audience of the one that is furthest along.
    """
    order = {stage: number for number, stage in enumerate(stages)}
    by_domain, unusable = _by_domain(firms)
    members: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    excluded: Counter[Reason] = Counter()
    for domain, owners in by_domain.items():
        furthest = max(owners, key=lambda firm: order.get(firm.stage or "", -1))
        if furthest.stage is None:
            continue
        reason = next((reason for firm in owners if (reason := _why_no_company_ads(firm, now))), None)
        if reason is not None:
            excluded[reason] += 1
            continue
        members.setdefault(furthest.stage, set()).add(domain)
        names[domain] = furthest.name
    return Wanted({stage: frozenset(found) for stage, found in members.items()}, excluded, unusable, names)


def find_changes(wanted: Collection[str], states: Mapping[str, MemberState]) -> Changes:
    """What separates the ledger's word about an audience from what is wanted.

    A member that is `pending_add` and no longer wanted has to be removed: an upload may have gone out unconfirmed.
    """
    wanted = wanted if isinstance(wanted, frozenset | set) else frozenset(wanted)
    coming = {member for member, state in states.items() if state in (MemberState.ADDED, MemberState.PENDING_ADD)}
    return Changes(frozenset(wanted - coming), frozenset(coming - wanted))


def servability(confirmed: int, minimum: int, kind: Kind) -> str:
    """Whether the platform will show anything to this audience, as far as we can know.

    Platforms count matched members, which are fewer than uploaded people and other than uploaded companies.
    """
    if kind == "companies":
        companies = "1 company" if confirmed == 1 else f"{confirmed} companies"
        return f"{companies}, {minimum} members needed"
    if confirmed < minimum:
        return f"{confirmed} of {minimum}, not servable yet"
    return f"{confirmed} of {minimum}, servable once {minimum} match"


def _by_domain(firms: Iterable[Firm]) -> tuple[dict[str, list[Firm]], int]:
    """Domain -> the accounts that have it; and how many accounts in a stage with ads have no usable domain."""
    found: dict[str, list[Firm]] = {}
    unusable = 0
    for firm in firms:
        domain = usable_domain(firm.domain)
        if domain:
            found.setdefault(domain, []).append(firm)
        elif firm.stage:
            unusable += 1
    return found, unusable


def _why_no_company_ads(firm: Firm, now: datetime) -> Reason | None:
    if firm.first_contacted_at is None or firm.first_contacted_at > now:
        return Reason.NOT_CONTACTED
    if firm.suppressed:
        return Reason.SUPPRESSED
    return Reason.ACCOUNT_HELD if firm.held else None


def _with_both_halves(address: str) -> str | None:
    local, at, domain = address.rpartition("@")
    return address if local and at and domain else None


@lru_cache(maxsize=262_144)
def _hashed(address: str | None) -> str | None:
    """Three platforms mostly agree on a person's normal form; the digest is computed once."""
    return sha256(address.encode()).hexdigest() if address else None
