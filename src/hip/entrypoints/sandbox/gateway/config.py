"""What a sandbox gateway is started with."""

from dataclasses import dataclass, field
from datetime import timedelta

from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.gateway.scenarios import Switch
from hip.entrypoints.sandbox.moments import Now, utc_now
from hip.entrypoints.sandbox.parties import Register


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """``wait_scale`` multiplies every wait and every window of seconds, but not the 24 hours of the token block.

    ``keys`` saves the 0.2 s of making two RSA keys when many gateways are built; ``now`` is the gateway's clock, UTC.
    """

    public_url: str = "http://gateway.sandbox"
    cm_id: str = "sbx"
    register: Register = field(default_factory=Register, repr=False)
    wait_scale: float = 1.0
    now: Now = utc_now
    keys: GatewayKeys | None = field(default=None, repr=False)
    session_life: timedelta = timedelta(seconds=1200)
    retry_waits: tuple[float, ...] = (
        1.0,
        3.0,
        9.0,
    )  # seconds between attempts, scaled; the real ones are not published
    timestamp_skew: timedelta = timedelta(minutes=10)  # the real tolerance is not published
    ack_patience: timedelta = timedelta(seconds=30)  # not scaled: an acknowledgement takes real work
    self_fetch: bool = False
    scenarios: tuple[Switch, ...] = ()
    keep_bodies: bool = False
