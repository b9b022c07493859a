"""Where the gateway is and who we are to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from hip.adapters.gateway import paths


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """One environment of the gateway.

    ``base_url`` is the contract's ``{gw}``, ``/api/hiecm`` included (§1.1); ``cm_id`` is ``sbx`` or ``abdm``.
    ``timeout`` bounds one whole HTTP call; ``throttle_wait`` is the least wait after a 429 (§1.10).
    ``paths`` replaces the path of a call, by its name in ``paths.OUTBOUND``, should the gateway move it.
    ``phone_prefix`` stands before the ten digits of an SMS notify: the gateway takes several forms (§2.4).
    """

    base_url: str
    cm_id: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout: timedelta = timedelta(seconds=30)
    throttle_wait: timedelta = timedelta(seconds=60)
    phone_prefix: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port of the gateway: whose circuit its failures open."""
        return host_of(self.base_url)

    def path(self, call: str) -> str:
        """Where ``call`` is made. Raises KeyError for a name that is no call."""
        return self.paths.get(call) or paths.OUTBOUND[call]

    def url(self, path: str) -> str:
        """``path`` under the base, whether or not the base ends in a slash."""
        return self.base_url.rstrip("/") + path


def host_of(base_url: str) -> str:
    """Host and port, in lower case."""
    return urlsplit(base_url).netloc.rpartition("@")[2].lower()
