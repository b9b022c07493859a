"""What a sandbox HIU is started with, and the ways it can be a difficult requester (contract §3.3, §7.2 item 7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hip.entrypoints.sandbox.moments import Now, utc_now
from hip.entrypoints.sandbox.switches import Switch

FAULTS = {
    "raw-only": "opens pages with a raw 65-byte key only",
    "x509-only": "opens pages with an X.509 key only",
    "strips-zeros": "derives from a shared secret without its leading zero bytes",
    "sends-x509": "its own key travels as X.509",
    "first-push-400": "the first push of each transfer is answered 400",
    "first-push-404": "the first push of each transfer is answered 404",
    "first-push-429": "the first push of each transfer is answered 429",
    "first-push-503": "the first push of each transfer is answered 503",
    "first-push-silent": "the first push of each transfer is stored and never answered",
    "always-400": "every push is answered 400",
    "needs-authorization": "a push without Authorization is answered 401",
    "slow": "a push is answered after 3 seconds",
    "silent": "a push is stored and never answered",
}

REFUSED_ONCE = {f"first-push-{status}": status for status in (400, 404, 429, 503)}
"""With what status these faults answer."""

MIXED_FAULTS = tuple(name for name in FAULTS if name != "silent")
"""What a transfer may draw when everything happens at random. A requester that never answers is pushed to until the
transfer's 20 minutes are over, which no scale shortens."""


class UnknownFault(ValueError):
    """No fault has this name."""


def check_faults(names: Iterable[str]) -> None:
    """Raises UnknownFault."""
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise UnknownFault(f"{', '.join(unknown)}: none of {', '.join(FAULTS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HiuConfig:
    """``public_url`` is the bridge URL; pushes go to ``push_path`` below it, whose final slash matters.

    ``fetch_on_grant``: fetch each artefact and ask for its data as soon as a consent is granted.
    ``faults`` strike every transfer, ``at_random`` those it draws when it asks for data.
    """

    gateway_url: str = "http://gateway.sandbox"
    public_url: str = "http://hiu.sandbox"
    cm_id: str = "sbx"
    client_id: str = "SBXID_HIU"
    client_secret: str = field(default="hiu-secret-of-the-sandbox", repr=False)
    hiu_id: str = "IN0410009001"
    name: str = "Sandbox Requester"
    push_path: str = "/v3/transfer/"
    fetch_on_grant: bool = True
    faults: tuple[str, ...] = ()
    at_random: tuple[Switch, ...] = ()
    wait_scale: float = 1.0
    now: Now = utc_now

    def __post_init__(self) -> None:
        check_faults((*self.faults, *(switch.name for switch in self.at_random)))
