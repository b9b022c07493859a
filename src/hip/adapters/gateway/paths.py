"""Where each message lives (contract §0.2): what we call under ``{gw}``, what we listen on under ``{cb}``."""

import re
from collections.abc import Mapping
from enum import StrEnum

from hip.domain.exchanges import Flow

SESSIONS = "/gateway/v3/sessions"
CERTS = "/gateway/v3/certs"
BRIDGE_URL = "/gateway/v3/bridge/url"
BRIDGE_SERVICES = "/gateway/v3/bridge-services"
BRIDGE_SERVICE = "/gateway/v3/bridge-service/serviceId"
"""The id of one service follows."""

CALLS: Mapping[Flow, str] = {
    Flow.GENERATE_TOKEN: "/v3/token/generate-token",
    Flow.LINK_CARE_CONTEXT: "/hip/v3/link/carecontext",
    Flow.CONTEXT_NOTIFY: "/hip/v3/link/context/notify",
    Flow.SMS_NOTIFY: "/hip/v3/link/patient/links/sms/notify2",
    Flow.ON_DISCOVER: "/user-initiated-linking/v3/patient/care-context/on-discover",
    Flow.ON_INIT: "/user-initiated-linking/v3/link/care-context/on-init",
    Flow.ON_CONFIRM: "/user-initiated-linking/v3/link/care-context/on-confirm",
    Flow.ON_SHARE: "/patient-share/v3/on-share",
    Flow.CONSENT_ON_NOTIFY: "/consent/v3/request/hip/on-notify",
    Flow.ON_DEACTIVATE: "/hip/v3/link/patient/links/hip/ondeactivate",
    Flow.HEALTH_INFORMATION_ON_REQUEST: "/data-flow/v3/health-information/hip/on-request",
    Flow.HEALTH_INFORMATION_NOTIFY: "/data-flow/v3/health-information/notify",
}
"""All are POST."""

OUTBOUND: Mapping[str, str] = {
    **{flow.value: path for flow, path in CALLS.items()},
    "sessions": SESSIONS,
    "certs": CERTS,
    "bridge-url": BRIDGE_URL,
    "bridge-services": BRIDGE_SERVICES,
    "bridge-service": BRIDGE_SERVICE,
}
"""Every call by its name, as errors and exchanges have it; an operator may move each (contract §1.1)."""


class Inbound(StrEnum):
    """The callbacks we have an answer to."""

    TOKEN = "token"  # noqa: S105 - a callback, not a secret
    LINK = "link"
    NOTIFY = "notify"
    DISCOVER = "discover"
    LINK_INIT = "link-init"
    LINK_CONFIRM = "link-confirm"
    SHARE = "share"
    CONSENT = "consent"
    HEALTH_INFORMATION = "health-information"
    ACCOUNT = "account"


_LISTENING: Mapping[str, Inbound] = {
    "hip/token/on-generate-token": Inbound.TOKEN,
    "link/on_carecontext": Inbound.LINK,
    "link/on-carecontext": Inbound.LINK,
    "hip/link/on-carecontext": Inbound.LINK,
    "links/context/on-notify": Inbound.NOTIFY,
    "patients/sms/on-notify": Inbound.NOTIFY,
    "links/sms/on-notify": Inbound.NOTIFY,
    "hip/patient/care-context/discover": Inbound.DISCOVER,
    "hip/link/care-context/init": Inbound.LINK_INIT,
    "hip/link/care-context/confirm": Inbound.LINK_CONFIRM,
    "hip/patient/share": Inbound.SHARE,
    "consent/request/hip/notify": Inbound.CONSENT,
    "hip/health-information/request": Inbound.HEALTH_INFORMATION,
    # The v3 path is not published: these are the likely ones (contract §2.14).
    "patients/status/notify": Inbound.ACCOUNT,
    "hip/patient/status/notify": Inbound.ACCOUNT,
}

# Spellings that some source gives without the usual prefix (contract §4, rows 3 and 4).
_BARE: Mapping[str, Inbound] = {
    "links/sms/on-notify": Inbound.NOTIFY,
    "v0.5/links/link/on-add-contexts": Inbound.LINK,
    "v0.5/patients/status/notify": Inbound.ACCOUNT,
}

_PREFIX = re.compile(r"(?:^|/)(?:api/)?v3/")


def recognise(path: str, also: Mapping[str, Inbound] | None = None) -> Inbound | None:
    """Which callback arrives on ``path``: with ``/api/v3/`` or ``/v3/`` (CB-08), trailing and doubled slashes allowed.

    A reverse proxy may have put something of its own before that, as AMRIT's does. None when no flow listens there.
    ``also`` are ends of paths that an operator named, for one that the gateway moved or never published; they go first.
    """
    bare = re.sub(r"/+", "/", path).strip("/")
    named = (inbound for end, inbound in (also or {}).items() if f"/{bare}".endswith(f"/{end.strip('/')}"))
    if (moved := next(named, None)) is not None:
        return moved
    known = (_LISTENING.get(bare[prefix.end() :]) for prefix in _PREFIX.finditer(bare))
    found = next((inbound for inbound in known if inbound is not None), None)
    return found or next((inbound for tail, inbound in _BARE.items() if f"/{bare}".endswith(f"/{tail}")), None)
