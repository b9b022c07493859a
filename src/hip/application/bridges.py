"""Flow: an operator looks at, or changes, where the gateway sends our callbacks (contract §1.7, AUD-01)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hip.application.ports import Clock, Facilities
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.errors import HipError
from hip.domain.identifiers import hip_id


class Bridge(Protocol):
    """Our client's bridge at the gateway. All raise GatewayRefused and Transient."""

    async def bridge_services(self) -> Mapping[str, Any]: ...
    async def bridge_service(self, service_id: str) -> Mapping[str, Any]: ...
    async def set_bridge_url(self, url: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LookAfterBridge:
    """One bridge serves every HIP of the deployment, so the audit of each is told."""

    units: Units
    bridge: Bridge
    facilities: Facilities
    clock: Clock

    async def show(self, *, actor: str) -> Mapping[str, Any]:
        """The bridge and its services as the gateway has them, once it is written down who looked."""
        await self._note("bridge-viewed", actor)
        return await self.bridge.bridge_services()

    async def show_service(self, service_id: str, *, actor: str) -> Mapping[str, Any]:
        """One service as the gateway has it: whether it is active, what it is, whose bridge leads to it.

        Raises InvalidValue (ABDM-1035) for what cannot be the id of one, GatewayRefused (ABDM-1025) for an unknown one.
        """
        known = hip_id(service_id, field="serviceId")
        await self._note("bridge-viewed", actor, ("service", known))
        return await self.bridge.bridge_service(known)

    async def set(self, url: str, *, actor: str) -> None:
        """Register ``url``. Written down before it is asked for, for the answer may get lost; a failure as well."""
        await self._note("bridge-url-set", actor, ("url", url))
        try:
            await self.bridge.set_bridge_url(url)
        except HipError as failure:
            await self._note("bridge-url-not-set", actor, ("url", url), ("error", type(failure).__name__))
            raise

    async def _note(self, action: str, actor: str, *detail: tuple[str, str]) -> None:
        async with self.units() as uow:
            for facility in self.facilities.all():
                await uow.audit.append(
                    AuditEntry(
                        hip_id=facility.hip_id,
                        at=self.clock(),
                        actor=actor,
                        action=action,
                        subject=facility.hip_id,
                        detail=detail,
                    )
                )
            await uow.commit()
