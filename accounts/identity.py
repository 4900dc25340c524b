"""Who is who: addresses and domains in their one normal form, and the hashes that outlive them."""

import hashlib


def normalise_email(address: str) -> str:
    """Trimmed and lower case; nothing else, since dots and plus tags do distinguish mailboxes at most companies."""
    return address.strip().lower()


def email_hash(address: str) -> str:
    """SHA-256 (hex) of the normalised address: the key of suppressions, and what survives an erasure."""
    return hashlib.sha256(normalise_email(address).encode()).hexdigest()


def domain_of(address: str) -> str:
    """The part after the last @, lower case; empty when there is none."""
    return normalise_email(address).rpartition("@")[2]


def domain_hash(domain: str) -> str:
    """SHA-256 (hex) of a lower-case domain."""
    return hashlib.sha256(domain.strip().lower().encode()).hexdigest()
