"""Flow: an operator looks into a stored bundle. It is a patient's record, so who looked is written down."""

from dataclasses import dataclass, field

from hip.application.ports import Bundles, Clock
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedBundle:
    """The bytes of the version that is ``shown``, and the ``newest`` version, which may be an invalid later one."""

    content: bytes = field(repr=False)
    shown: BundleRecord
    newest: BundleRecord


@dataclass(frozen=True, slots=True)
class InspectBundle:
    units: Units
    bundles: Bundles
    clock: Clock

    async def __call__(self, key: BundleKey, *, actor: str) -> InspectedBundle:
        """The version that leaves this service, else the newest, with an audit entry. Raises NotFound."""
        async with self.units() as uow:
            versions = await uow.bundles.of_visit(key.hip_id, key.visit_code)
            newest = next((record for record in versions if record.key == key), None)
            if newest is None:
                raise NotFound("bundle", str(key))
            shown = await uow.bundles.servable(key) or newest
            await uow.audit.append(
                AuditEntry(
                    hip_id=key.hip_id,
                    at=self.clock(),
                    actor=actor,
                    action="bundle-inspected",
                    subject=str(key),
                    detail=(("version", str(shown.version)),),
                )
            )
            await uow.commit()
        content = await self.bundles.get(key, shown.version)
        if content is None:
            raise NotFound("document of bundle", str(key))
        return InspectedBundle(content=content, shown=shown, newest=newest)
