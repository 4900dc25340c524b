"""Whose certificates are believed, on every line that is encrypted: to the mail server, to the mailbox."""

import ssl
from pathlib import Path

from accounts.errors import SettingsRefused


def trust_of(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """The system's authorities, and the one of `ca_file`; names are checked.

    setting: what `ca_file` is called in the settings. Raises SettingsRefused for a file without a certificate.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError:
            raise SettingsRefused(
                "no certificate authority can be read from it", where=setting, cure="name a PEM file"
            ) from None
    return context
