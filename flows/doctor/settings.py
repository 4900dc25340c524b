"""The settings: none misspelt, no secret that everybody knows, and a mail server that answers."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from accounts.errors import TandemError
from flows.doctor.finding import Finding, Patient, refused
from flows.operating.prefect_api import is_loopback
from flows.setting_words import variables_of
from flows.settings import Settings, Smtp

#: A key that is shorter can be guessed by trying.
LEAST_KEY_LENGTH = 32
MAKE_A_KEY = (
    "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one; set secret_key (TANDEM_SECRET_KEY)"
)


def variables(patient: Patient) -> Finding:
    """Whether each TANDEM_… variable is a setting: a misspelt one is passed over in silence."""
    known = variables_of(Settings, "TANDEM_")
    for name in sorted(os.environ):
        if name.upper().startswith("TANDEM_") and name.upper() not in known:
            near = get_close_matches(name.upper(), known, 1)
            return Finding(
                "settings", "warn", f"{name} is no setting", f"did you mean {near[0]}?" if near else "docs/settings.md"
            )
    file = Path("tandem.toml")
    if file.is_file() and file.stat().st_mode & 0o077 and _holds_a_secret(file):
        return Finding("settings", "warn", "tandem.toml holds a secret and others may read it", "chmod 600 tandem.toml")
    return Finding("settings", "ok", "tandem.toml" if file.is_file() else "no tandem.toml here: defaults and variables")


def secrets(patient: Patient) -> Finding:
    """Whether the links in our mails could be forged, or read on their way."""
    settings = patient.settings
    key = settings.secret_key.get_secret_value()
    if is_loopback(settings.base_url):
        return Finding("secrets", "ok", "links lead to this machine only")
    if key == Settings.model_fields["secret_key"].default.get_secret_value():
        says = f"links lead to {settings.base_url}, signed with the key that everybody knows"
        return Finding("secrets", "fail", says, MAKE_A_KEY)
    if len(key) < LEAST_KEY_LENGTH:
        return Finding("secrets", "fail", f"the key that signs links has {len(key)} characters", MAKE_A_KEY)
    if urlsplit(settings.base_url).scheme != "https":
        says = f"links lead to {settings.base_url}, readable on their way"
        return Finding("secrets", "warn", says, "put a proxy that speaks HTTPS before tandem serve")
    return Finding("secrets", "ok", "links are signed with a key of your own")


def sender(patient: Patient) -> Finding:
    """Whether what is set can work together once mail really leaves."""
    from flows.channels.email.registry import STAY_HERE

    settings = patient.settings
    if settings.channel in STAY_HERE:
        return Finding("sender", "ok", f"no mail leaves: channel {settings.channel}")
    default = Settings.model_fields["sending_domain"].default
    if settings.sending_domain == default:
        cure = "set sending_domain to a domain you send from"
        return Finding("sender", "fail", f"mail would leave as {default}", cure)
    if is_loopback(settings.base_url):
        says = f"recipients' unsubscribe links lead to {settings.base_url}"
        return Finding("sender", "fail", says, "set base_url to the public address of tandem serve")
    if settings.channel != "smtp":
        return Finding("sender", "ok", f"from {settings.sending_domain} through {settings.channel}")
    return _login(settings.smtp) or Finding(
        "sender", "ok", f"from {settings.sending_domain} through {settings.smtp.host}:{settings.smtp.port}"
    )


def _login(smtp: Smtp) -> Finding | None:
    """What is wrong with the way in to the mail server."""
    if smtp.username and not smtp.password:
        return Finding("sender", "fail", "a user name for SMTP, and no password", "set TANDEM_SMTP__PASSWORD")
    if smtp.password and smtp.security == "none" and not is_loopback(f"//{smtp.host}"):
        return Finding("sender", "fail", "the SMTP password would travel in the open", "set smtp.security to starttls")
    return None


def mail(patient: Patient) -> Finding:
    """Whether the channel answers: for SMTP, with the security and the login that are set."""
    from flows.channels.email.registry import open_channel

    try:
        says = open_channel(patient.settings).check()
    except TandemError as error:
        return refused("mail", error)
    return Finding("mail", "warn" if patient.settings.channel == "memory" else "ok", says)


def _holds_a_secret(file: Path) -> bool:
    """A value under a name that nobody else should read, in whichever table; comments do not count."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return not set(_names_of(table)).isdisjoint(_secrets_of(Settings) | {"database_url"})


def _names_of(table: Mapping[str, Any]) -> Iterator[str]:
    """The names that have a value, of this table and those in it."""
    for name, value in table.items():
        if value:
            yield name
        if isinstance(value, dict):
            yield from _names_of(value)


def _secrets_of(model: type[BaseModel]) -> set[str]:
    """The names of settings that nobody else should read, nested ones by their last part."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            found.add(name)
        elif isinstance(field.default, BaseModel):
            found |= _secrets_of(type(field.default))
    return found
