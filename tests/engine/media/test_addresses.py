"""Public and other addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.media.addresses import is_public, is_within, parse_address


@pytest.mark.parametrize(
    "text",
    ["1.1.1.1", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_addresses(text: str) -> None:
    """Hosts of the internet, also where IPv4 is written inside IPv6."""
    assert is_public(parse_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001:0:7f00:1::1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_other_addresses(text: str) -> None:
    """Private, loopback, link-local, multicast, reserved, and what has such a one inside."""
    assert not is_public(parse_address(text))


@given(st.ip_addresses())
def test_no_private_address_is_public(address: ipaddress.IPv4Address) -> None:
    """Whatever Python calls private is refused; the judgement is total."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged(address: ipaddress.IPv4Address) -> None:
    """The same verdict, written plainly, mapped into IPv6, or as NAT64 writes it."""
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | int(address))
    through = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(address))
    verdicts = {is_public(parse_address(str(each))) for each in (address, mapped, through)}
    assert verdicts == {is_public(address)}


def test_networks_of_the_other_version() -> None:
    """They hold no address of this one."""
    assert not is_within(parse_address("::1"), [ipaddress.ip_network("0.0.0.0/0")])
    assert is_within(parse_address("10.1.2.3"), [ipaddress.ip_network("10.1.2.0/24")])
