"""Which push addresses may be called at all (PUSH-04): what their text shows, and what their names resolve to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from hip.domain.errors import UnsafeUrl

LONGEST_URL = 2048

IpAddress = IPv4Address | IPv6Address

# RFC 3986's characters: no white space, no backslash, nothing beyond ASCII, no `#`.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+\Z")
_PARTS = re.compile(r"(https?)://([^/?]*)([/?].*)?\Z", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
# Where URL parsers stop agreeing: a name whose last part is a number is some spelling of an IPv4 address.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")

# Names that by definition lead into somebody's own network (RFC 6761, 6762, 8375, and cloud metadata services).
_INNER_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "corp", "home", "arpa", "onion")

# IANA's special-purpose registry, in full: `ipaddress.is_global` knows different parts of it in each Python.
_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata and DNS service stands on a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTarget:
    """A push address taken apart, once. ``host`` is lower case, without brackets; ``request`` path and query verbatim.

    ``address`` is set when the host is an IP address.
    """

    scheme: str
    host: str
    port: int
    request: str = field(repr=False)
    address: IpAddress | None = None

    @property
    def loopback(self) -> bool:
        """True when the text itself says this machine."""
        return self.host == "localhost" or (self.address is not None and is_this_machine(self.address))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRules:
    """PUSH-04. ``ports`` are those a public host may be called on.

    ``allow_loopback_http`` lets ``localhost`` and loopback addresses be called, over http too and on any port; and
    ``trusted_hosts`` pass every rule: both are for the sandbox only.
    """

    ports: frozenset[int] = frozenset({443})
    allow_loopback_http: bool = False
    trusted_hosts: frozenset[str] = frozenset()

    def check(self, url: str) -> PushTarget:
        """Take ``url`` apart, refusing what may never be called. Raises UnsafeUrl, whose text never holds the URL."""
        target = _take_apart(url)
        if target.host in self.trusted_hosts or (target.loopback and self.allow_loopback_http):
            return target
        if target.scheme != "https":
            raise UnsafeUrl("the push address is not https")
        if target.port not in self.ports:
            raise UnsafeUrl("the push address has a port that is not allowed")
        if target.address is not None:
            if not is_public(target.address):
                raise UnsafeUrl("the push address is not a public address")
        elif _inner_name(target.host):
            raise UnsafeUrl("the push address has a host name of an inner network")
        return target

    def check_answers(self, host: str, answers: Sequence[str]) -> tuple[IpAddress, ...]:
        """The addresses ``host`` resolved to, all of them good. One bad answer refuses the host: it may be next.

        A host that says it is this machine must resolve to this machine, any other to public addresses. Raises
        UnsafeUrl.
        """
        try:
            addresses = tuple(dict.fromkeys(ip_address(answer) for answer in answers))
        except ValueError:
            raise UnsafeUrl("the push address resolves to something that is no address") from None
        if host in self.trusted_hosts:
            return addresses
        inner = self.allow_loopback_http and (host == "localhost" or _literal_loopback(host))
        if not all(is_this_machine(address) if inner else is_public(address) for address in addresses):
            raise UnsafeUrl("the push address resolves to an address that is not public")
        return addresses


def is_this_machine(address: IpAddress) -> bool:
    """True for 127.0.0.0/8 and ::1 alone. Python 3.13 calls IPv4 addresses mapped into IPv6 loopback as well."""
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def is_public(address: IpAddress) -> bool:
    """True for addresses that belong to one host of the public internet.

    IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo) are not: what they reach is somebody's choice.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _take_apart(url: str) -> PushTarget:
    if not 0 < len(url) <= LONGEST_URL or not _CHARACTERS.match(url):
        raise UnsafeUrl("the push address has characters that no URL has, or a fragment")
    parts = _PARTS.match(url)
    if parts is None:
        raise UnsafeUrl("the push address is not an http(s) URL")
    scheme, authority, rest = parts[1].lower(), parts[2], parts[3] or ""
    if "@" in authority:
        raise UnsafeUrl("the push address holds user information")
    found = _AUTHORITY.match(authority)
    if found is None:
        raise UnsafeUrl("the push address has no plain host and port")
    host = found[1].lower()
    port = int(found[2]) if found[2] else (443 if scheme == "https" else 80)
    if port > 65535:
        raise UnsafeUrl("the push address has no plain host and port")
    address = _address(host)
    return PushTarget(
        scheme=scheme,
        host=host.strip("[]"),
        port=port,
        request=rest if rest.startswith("/") else f"/{rest}",
        address=address,
    )


def _address(host: str) -> IpAddress | None:
    """The IP address ``host`` spells in the canonical way, None for a name. Raises UnsafeUrl for what is neither."""
    if host.startswith("["):
        try:
            return IPv6Address(host[1:-1])
        except AddressValueError:
            raise UnsafeUrl("the push address has a malformed IPv6 address") from None
    labels = host.split(".")
    if _NUMBER.match(labels[-1]) or (not labels[-1] and len(labels) > 1 and _NUMBER.match(labels[-2])):
        try:
            return IPv4Address(host)
        except AddressValueError:
            raise UnsafeUrl("the push address has an unusual spelling of an IPv4 address") from None
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise UnsafeUrl("the push address has a malformed host name")
    return None


def _inner_name(host: str) -> bool:
    return "." not in host or host.rpartition(".")[2] in _INNER_NAMES


def _literal_loopback(host: str) -> bool:
    try:
        return is_this_machine(ip_address(host))
    except ValueError:
        return False
