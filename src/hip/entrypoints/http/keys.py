"""API-01: who calls the HMIS API. Keys are compared by hash; deny by default."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from hip.domain.identifiers import HipId
from hip.entrypoints.settings import SANDBOX_KEY, Settings
from hip.entrypoints.tenant_settings import ApiKeySetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The name of the key that was used, and the HIPs it may act for."""

    name: str
    hips: frozenset[HipId]

    def require(self, hip_id: HipId) -> HipId:
        """Raises PermissionDeniedException for a HIP that is not this caller's."""
        if hip_id not in self.hips:
            raise PermissionDeniedException("this key does not act for that facility")
        return hip_id


@dataclass(frozen=True, slots=True)
class ApiKeys:
    keys: tuple[ApiKeySetting, ...]

    @classmethod
    def of(cls, settings: Settings) -> "ApiKeys":
        """The configured keys; in the sandbox, unset, the key ``sandbox`` for every facility."""
        if settings.api_keys is not None:
            return cls(settings.api_keys)
        everyone = tuple(facility.id for facility in settings.facilities) or ("none",)
        digest = hashlib.sha256(SANDBOX_KEY.encode()).hexdigest()
        return cls((ApiKeySetting(name="sandbox", sha256=digest, hips=everyone),))

    def recognise(self, key: str) -> Caller | None:
        """Compares with every key, whatever matches, so that time tells nothing."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        found: Caller | None = None
        for known in self.keys:
            if hmac.compare_digest(known.sha256.lower(), digest):
                found = Caller(name=known.name, hips=frozenset(HipId(h) for h in known.hips))
        return found


def guard(keys: ApiKeys) -> list[Guard]:
    """Guards for a router: the caller is put into ``connection.state.caller``."""

    def require_key(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        caller = keys.recognise(connection.headers.get("x-api-key", ""))
        if caller is None:
            raise NotAuthorizedException("X-API-Key: expected a known key")
        connection.state.caller = caller

    return [require_key]
