"""What a sandbox patient app is started with."""

from dataclasses import dataclass, field

from hip.entrypoints.sandbox.moments import Now, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientAppConfig:
    """One app serves every patient of the sandbox, as a web app would, and is the telephone of every mobile number."""

    gateway_url: str = "http://gateway.sandbox"
    public_url: str = "http://phr.sandbox"
    cm_id: str = "sbx"
    client_id: str = "SBXID_PHR"
    client_secret: str = field(default="phr-secret-of-the-sandbox", repr=False)
    phr_id: str = "sandbox-phr"
    name: str = "Sandbox Patient App"
    now: Now = utc_now
