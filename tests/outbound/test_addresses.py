import random
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain

import pytest
from ssrfguard import DEFAULT_DENIED, Policy

from perdure.errors import ConfigurationError
from perdure.outbound.addresses import is_public, is_within, networks, parsed


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:800::200e", "64:ff9b::808:808"],
)
def test_addresses_of_the_internet(text):
    assert is_public(parsed(text))


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.9", "192.0.2.1", "198.18.0.1", "203.0.113.9", "192.88.99.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fe80::1%1", "fd00::1", "fec0::1", "ff02::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1"),
        *("100::1", "5f00::1", "4000::1", "fd00:ec2::254"),
    ],
)
def test_addresses_that_are_not(text):
    assert not is_public(parsed(text))


def test_nothing_is_public_that_iana_s_registries_call_special():
    """As ssrfguard reads them: at and beside the edges of each block, translated to IPv6, and anywhere."""
    theirs = Policy()
    source = random.Random(7)
    edges = chain.from_iterable(
        (int(block.network.network_address) + step, int(block.network.broadcast_address) + step)
        for block in DEFAULT_DENIED.blocks
        for step in (-1, 0, 1)
    )
    numbers = [*edges, *(source.getrandbits(bits) for bits in (32, 128) for _ in range(1_000))]
    candidates = [IPv4Address(number % 2**32) for number in numbers]
    candidates += [
        IPv6Address(prefix | number % 2**32) for prefix in (0xFFFF << 32, 0x64FF9B << 96) for number in numbers
    ]
    candidates += [IPv6Address(number % 2**128) for number in numbers]
    candidates += [IPv6Address((1 << 125) | (number % 2**125)) for number in numbers]
    public = [one for one in candidates if is_public(parsed(str(one)))]
    assert len(public) > 1_000
    assert [one for one in public if not theirs.permits_address(one)] == []


def test_networks_inside():
    allowed = networks(["10.0.0.0/8", "fd00::/8", "192.168.7.7"])
    inside = ["10.1.2.3", "fd12::1", "192.168.7.7", "::ffff:10.1.2.3"]
    assert all(is_within(parsed(text), allowed) for text in inside)
    assert not any(
        is_within(parsed(text), allowed) for text in ["11.0.0.1", "192.168.7.8", "fe80::1", "64:ff9b::a00:1"]
    )
    assert not is_within(ip_address("10.0.0.1"), networks([]))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "example.com", "10.0.0.0/33", "secret"])
def test_what_is_no_network_is_refused_without_being_repeated(text):
    with pytest.raises(ConfigurationError, match="WEBHOOK_ALLOW_CIDRS") as refused:
        networks([text])
    assert text not in refused.value.detail
