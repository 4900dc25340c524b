"""What may be shown where others read along: masked addresses."""


def mask(address: str) -> str:
    """``dana@acme.example`` becomes ``d…a@acme.example``: recognisable to who knows her, useless to who does not."""
    local, _, domain = address.partition("@")
    hidden = f"{local[:1]}…{local[-1:]}" if len(local) > 2 else "…"
    return f"{hidden}@{domain}" if domain else hidden
