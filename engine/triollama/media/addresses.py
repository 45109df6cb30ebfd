"""Which addresses are on the public internet. Pure.

`ipaddress.is_global` says most of it; what is added here differs between releases of Python, or is
an address with another one inside it, through which a private one could be reached.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

__all__ = ["Address", "Network", "is_public", "is_within", "parse_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where a network has IPv6 only, its resolver gives public hosts of IPv4 such addresses."""

_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # shared by customers of one provider
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # IPv4 inside, in a form long out of use
        "64:ff9b:1::/48",  # a network's own NAT64
        "2001::/32",  # Teredo: IPv4 inside
        "2002::/16",  # 6to4: IPv4 inside
        "fec0::/10",
        "ff00::/8",
    )
)


def parse_address(text: str) -> Address:
    """An address as `socket.getaddrinfo` gives it; of IPv4 inside IPv6, the inner one.

    Raises:
        ValueError: it is none.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether it is neither private, loopback, link-local, multicast, nor anything special."""
    return address.is_global and not address.is_multicast and not is_within(address, _NEVER)


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether it belongs to one of them."""
    return any(address.version == each.version and address in each for each in networks)
