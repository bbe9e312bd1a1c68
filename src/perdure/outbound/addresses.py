"""Which addresses the internet may be reached at, and which are inside: the rule alone, without a network.

Addresses are judged, never names: ``127.1``, ``0x7f000001`` and ``①②⑦.0.0.1`` are all this machine, and a name may
lead anywhere. ``ipaddress`` alone does not do: up to Python 3.13 it calls multicast, the translations of IPv4 into
IPv6 (NAT64, 6to4, Teredo) and some documentation networks global. So what is public is a list of refusals, with its
answer as the last of them. A test compares all with another library's reading of IANA's registries.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from perdure.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED: Networks = tuple(
    ip_network(network)
    for network in (
        "100.64.0.0/10",  # carriers' own
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        # Beyond 2000::/3 as it is today, and named so that the rule stands without that:
        "64:ff9b:1::/48",  # NAT64 of a network's own
        "100::/64",  # discarded
        "5f00::/16",  # segment routing
    )
)


def networks(texts: Iterable[str]) -> Networks:
    """The networks that WEBHOOK_ALLOW_CIDRS names; a single address is a network too."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise ConfigurationError(
                "WEBHOOK_ALLOW_CIDRS must be networks such as 10.20.0.0/16 or fd00::/8, comma separated, with no bit "
                "set beyond the prefix."
            ) from None
    return tuple(found)


def parsed(text: str) -> Address:
    """The address that ``text`` is, an IPv4 one where it stands in IPv6 clothes (``::ffff:127.0.0.1``)."""
    address = ip_address(text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def is_within(address: Address, allowed: Networks) -> bool:
    return any(address in network for network in allowed)


def is_public(address: Address) -> bool:
    """Whether ``address`` is one of the internet, for everybody, and leads to one machine of it."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # as good as the IPv4 address that it is translated to
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    return not is_within(address, _REFUSED) and address.is_global and not _is_special(address)


def _is_special(address: Address) -> bool:
    return (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
    )
