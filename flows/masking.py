"""What may be shown where others read along: masked addresses."""

import re

_ADDRESS = re.compile(r"""[^\s<>()\[\]"',;:=/\\]+@[A-Za-z0-9.\-\u0080-\U0010ffff]+""")


def mask(address: str) -> str:
    """``dana@acme.example`` becomes ``d…a@acme.example``: recognisable to who knows her, useless to who does not."""
    local, _, domain = address.partition("@")
    hidden = f"{local[:1]}…{local[-1:]}" if len(local) > 2 else "…"
    return f"{hidden}@{domain}" if domain else hidden


def mask_within(text: str) -> str:
    """A text of somebody else's, such as a server's answer, with every address in it masked."""
    return _ADDRESS.sub(lambda found: mask(found.group()), text)
