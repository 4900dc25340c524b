"""Where a request came from: the networks of mail security, by prefix, from networks.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from accounts.errors import InputRefused
from accounts.machines.verdict import Family, Sign

FILE = Path(__file__).with_name("networks.toml")
#: What comes in is kept no finer than this; a narrower prefix would never be met.
NARROWEST = {4: 24, 6: 48}
#: Prefixes by IP version and length: a look-up asks once per length in use.
_Table = Mapping[int, Mapping[int, Mapping[int, "Network"]]]


@dataclass(frozen=True, slots=True)
class Network:
    """Whose it is, and how far it speaks for a machine by itself."""

    name: str
    sure: float
    source: str


def network_sign(address: str) -> Sign | None:
    """What the place says: `address` is an IP address or a prefix; None for places nobody has listed."""
    found = find(address)
    return Sign(Family.NETWORK, found.sure, f"from a network of {found.name}") if found else None


@lru_cache(maxsize=8192)
def find(address: str) -> Network | None:
    """Whose network an address or a prefix lies in; the narrowest entry counts. None for nonsense as well."""
    try:
        asked = ip_network(address.strip(), strict=False)
    except ValueError:
        return None
    by_length = _table()[asked.version]
    number, bits = int(asked.network_address), asked.max_prefixlen
    lengths = (length for length in sorted(by_length, reverse=True) if length <= asked.prefixlen)
    return next(filter(None, (by_length[length].get(number >> (bits - length)) for length in lengths)), None)


@cache
def _table() -> _Table:
    return read_networks(FILE)


def read_networks(path: Path) -> _Table:
    """The file as a table. Raises InputRefused, naming the entry, for one that could never be met or says nonsense."""
    table: dict[int, dict[int, dict[int, Network]]] = {4: {}, 6: {}}
    for key, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        where = f"{path}: [{key}]"
        network = _network(entry, where)
        for prefix in entry.get("prefixes", ()):
            read = _prefix(prefix, where)
            shift = read.max_prefixlen - read.prefixlen
            table[read.version].setdefault(read.prefixlen, {})[int(read.network_address) >> shift] = network
    return table


def _network(entry: Mapping[str, Any], where: str) -> Network:
    missing = [name for name in ("name", "sure", "prefixes", "source") if not entry.get(name)]
    if missing:
        raise InputRefused(f"has no {' and no '.join(missing)}", where=where, cure="see the head of the file")
    if not 0 < entry["sure"] < 1:
        raise InputRefused(f"sure = {entry['sure']} is no share of certainty", where=where, cure="write 0.7")
    return Network(entry["name"], float(entry["sure"]), entry["source"])


def _prefix(value: str, where: str) -> IPv4Network | IPv6Network:
    try:
        read = ip_network(value)
    except ValueError as error:
        raise InputRefused(f"{value!r} is no prefix: {error}", where=where, cure="write 192.0.2.0/24") from None
    if read.prefixlen > NARROWEST[read.version]:
        cure = f"write /{NARROWEST[read.version]} or shorter: nothing finer is kept of a request"
        raise InputRefused(f"{value} is too narrow to be met", where=where, cure=cure)
    return read
