"""Asking the DNS, briefly: whoever gets no answer goes on without one."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.errors import InputRefused

#: (name, ``TXT`` or ``MX``) -> what stands there; empty: nothing does; None: nobody answered.
LookUp = Callable[[str, str], "list[str] | None"]
#: How long one question may take, in seconds.
PATIENCE = 2.0
#: Names that never stand in the public DNS (RFC 2606, 6761); asking for them only tells others what we do.
RESERVED = ("example", "test", "invalid", "localhost", "local", "internal", "example.com", "example.net", "example.org")


def is_reserved(domain: str) -> bool:
    labels = domain.lower().rstrip(".")
    return "." not in labels or any(labels == name or labels.endswith(f".{name}") for name in RESERVED)


@dataclass
class Resolver:
    """`server`: ``1.1.1.1`` or ``127.0.0.1:5353``; the machine's own if None. Silent once nobody answered."""

    server: str | None = None
    _silent: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Raises InputRefused for a server that is no address."""
        if self.server is not None:
            _address(self.server)

    def __call__(self, name: str, kind: str) -> list[str] | None:
        import dns.exception
        import dns.resolver

        if self._silent:
            return None
        try:
            resolver = dns.resolver.Resolver(configure=self.server is None)
            if self.server is not None:
                host, resolver.port = _address(self.server)
                resolver.nameservers = [host]
            resolver.use_edns(payload=1232)  # a key of 2048 bits does not fit into the 512 octets of old
            answer = resolver.resolve(name, kind, lifetime=PATIENCE, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError):
            self._silent = True
            return None
        return [_text(entry) for entry in answer]


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "53")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        cure = "an address, such as 1.1.1.1 or 127.0.0.1:5353"
        raise InputRefused(f"{server!r} is no name server", cure=cure) from None


def _text(entry: "object") -> str:
    """A TXT record is cut into strings of 255 octets; together they are one text."""
    strings = getattr(entry, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(entry)
