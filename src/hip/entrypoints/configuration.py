"""What the service runs with, as the audit may keep it: of secrets only whether they are set."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from hip.application.audit import NoteConfiguration
from hip.application.ports import Facilities
from hip.domain.errors import Transient
from hip.entrypoints.logs import log
from hip.entrypoints.settings import Settings
from hip.entrypoints.tenant_settings import ApiKeySetting, FacilitySetting


async def noted(note: NoteConfiguration, settings: Settings, facilities: Facilities) -> None:
    """Tell the audit. A database that is away does not keep the service from starting: the next start tells it."""
    try:
        await note([facility.hip_id for facility in facilities.all()], described(settings))
    except Transient as failure:
        log.warning("configuration-not-noted", component="audit", error=type(failure).__name__)


def described(settings: Settings) -> Mapping[str, str]:
    """Every setting by its name in the environment."""
    return {f"HIP_{name.upper()}": _shown(getattr(settings, name)) for name in type(settings).model_fields}


def _shown(value: object) -> str:
    match value:
        case SecretStr():
            return "set" if value.get_secret_value() else ""
        case FacilitySetting():
            return value.id
        case ApiKeySetting():
            return f"{value.name} {value.sha256[:8]} for {' '.join(value.hips)}"
        case dict():
            return ", ".join(sorted(f"{key}={one}" if isinstance(one, int) else key for key, one in value.items()))
        case tuple():
            return ", ".join(_shown(one) for one in value)
        case str() if "://" in value:  # a provider's key may stand behind the path
            parts = urlsplit(value)
            return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        case None:
            return ""
        case _:
            return str(value)
