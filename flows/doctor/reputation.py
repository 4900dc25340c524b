"""Whether mail that leaves is believed: signed, of one domain, with a one-click way out, and published."""

from urllib.parse import urlsplit

from accounts.errors import TandemError
from flows.channels.email.dkim_keys import MAKE_A_KEY, read_signatures, signing_domain
from flows.channels.email.registry import STAY_HERE
from flows.doctor.finding import Finding, Patient, refused
from flows.doctor.records import organisation, records, writes_itself
from flows.doctor.resolver import is_reserved
from flows.operating.prefect_api import is_loopback

#: Shorter keys have been broken; receivers trust them less and less.
GOOD_BITS = 2048


def signing(patient: Patient) -> Finding | None:
    """Whether the keys that sign are there, are of use, and are nobody else's."""
    settings = patient.settings
    try:
        signatures = read_signatures(settings)
    except TandemError as error:
        return refused("DKIM", error)
    if writes_itself(settings):
        return Finding("DKIM", "ok", f"{settings.channel} signs, with the keys it shows on its pages")
    if not signatures:
        if settings.channel in STAY_HERE:
            return None
        cure = f"{MAKE_A_KEY['rsa']}; set dkim.rsa_key_file, publish what tandem dns says"
        return Finding("DKIM", "warn", "mail leaves unsigned, unless the mail server signs it", cure)
    for file in (settings.dkim.rsa_key_file, settings.dkim.ed25519_key_file):
        if file is not None and file.stat().st_mode & 0o077:
            return Finding("DKIM", "warn", f"{file} may be read by others", f"chmod 600 {file}")
    weak = [one for one in signatures if one.key.kind == "rsa" and one.key.bits < GOOD_BITS]
    if weak:
        says = f"the RSA key has {weak[0].key.bits} bits"
        return Finding("DKIM", "warn", says, f"{MAKE_A_KEY['rsa']}, and a new selector")
    if not any(one.key.kind == "rsa" for one in signatures):
        says = "an Ed25519 key alone: some receivers verify RSA only"
        return Finding("DKIM", "warn", says, f"add one: {MAKE_A_KEY['rsa']}")
    names = ", ".join(f"{one.selector} ({one.key.kind}, {one.key.bits} bits)" for one in signatures)
    return Finding("DKIM", "ok", f"{signing_domain(settings)} signs with {names}")


def alignment(patient: Patient) -> Finding | None:
    """Whether signature or return path speaks for the domain in From: DMARC asks for one of them."""
    settings = patient.settings
    if settings.channel in STAY_HERE and not settings.dkim.is_set:
        return None
    own = organisation(settings.sending_domain)
    signer = signing_domain(settings) if settings.dkim.is_set else None
    if writes_itself(settings):
        says = f"From is of {own}; {settings.channel} must have this domain as verified"
        return Finding("alignment", "ok", says)
    if signer is not None and organisation(signer) != own:
        says = f"From is of {own}, signatures are of {signer}"
        return Finding("alignment", "fail", says, f"set dkim.domain to {settings.sending_domain}")
    if organisation(settings.return_domain) != own:
        says = f"From is of {own}, bounces go to {settings.return_domain}: SPF counts for nothing"
        return Finding("alignment", "warn" if signer else "fail", says, f"set bounce_domain to one of {own}")
    return Finding("alignment", "ok", f"From, return path{' and signature' if signer else ''} are of {own}")


def one_click(patient: Patient) -> Finding | None:
    """Whether mailbox providers can offer their own way out: RFC 8058 asks for HTTPS and one POST without a login."""
    settings = patient.settings
    if is_loopback(settings.base_url):
        return None
    if urlsplit(settings.base_url).scheme != "https":
        says = f"one-click unsubscribing does not work over {settings.base_url}"
        return Finding("one-click", "fail", says, "set base_url to an https address")
    return Finding("one-click", "ok", f"List-Unsubscribe leads to {settings.base_url}/u/…")


def published(patient: Patient) -> Finding | None:
    """Whether the DNS says what the settings need; asked only of domains from which mail leaves."""
    settings = patient.settings
    if patient.look_up is None or settings.channel in STAY_HERE or is_reserved(settings.sending_domain):
        return None
    try:
        wanted = records(settings)
    except TandemError:
        return None  # the finding of `signing`
    verdicts = []
    for record in wanted:
        found = record.found(patient.look_up)
        if found is None:
            return Finding("DNS", "warn", "no name server answers: not compared", "tandem dns, once on the network")
        verdicts.append((record, record.judge(found)))
    for state in ("fail", "warn"):
        bad = [f"{record.name}: {verdict.says}" for record, verdict in verdicts if verdict.state == state]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return Finding("DNS", state, f"{bad[0]}{more}", "tandem dns says what to publish")
    return Finding("DNS", "ok", f"{len(verdicts)} records say what they should")
