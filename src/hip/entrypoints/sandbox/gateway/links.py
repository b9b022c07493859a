"""The care contexts that are linked, as the gateway knows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hip.entrypoints.sandbox.gateway.entries import PatientEntry
from hip.entrypoints.sandbox.moments import Now, stamp
from hip.entrypoints.sandbox.views import LinkedContext

By = Literal["HIP", "PATIENT"]


@dataclass(slots=True)
class Link:
    """One care context of one patient at one facility, and since when each of its HI types is linked."""

    hip_id: str
    abha_address: str
    patient_reference: str
    reference: str
    display: str
    by: By
    linked_at: datetime
    hi_types: dict[str, datetime] = field(default_factory=dict)

    def shown(self) -> LinkedContext:
        """For the control API."""
        return LinkedContext(
            hip_id=self.hip_id,
            abha_address=self.abha_address,
            patient_reference=self.patient_reference,
            reference=self.reference,
            display=self.display,
            hi_types=tuple(self.hi_types),
            linked_at=stamp(self.linked_at),
            by=self.by,
        )


@dataclass(slots=True)
class Links:
    """Links are additive: a context linked again under another HI type gains that type."""

    now: Now
    _links: dict[tuple[str, str, str, str], Link] = field(default_factory=dict)

    def find(self, hip_id: str, abha_address: str, patient_reference: str, reference: str) -> Link | None:
        """The link of this context, if there is one."""
        return self._links.get((hip_id, abha_address.casefold(), patient_reference, reference))

    def of(self, abha_address: str = "", hip_id: str = "") -> list[Link]:
        """Links of a patient, of a facility, or of all."""
        return [
            link
            for (facility, address, _, _), link in self._links.items()
            if (not hip_id or facility == hip_id) and (not abha_address or address == abha_address.casefold())
        ]

    def has(self, hip_id: str, abha_address: str, patient_reference: str, reference: str, hi_type: str) -> bool:
        """Whether this context is linked under this HI type."""
        link = self.find(hip_id, abha_address, patient_reference, reference)
        return link is not None and hi_type in link.hi_types

    def add(self, hip_id: str, abha_address: str, entries: Iterable[PatientEntry], by: By) -> list[str]:
        """Link what is not linked yet. Returns the references that were linked already under the same HI type."""
        already = []
        for entry in entries:
            for context in entry.care_contexts:
                at = (hip_id, abha_address.casefold(), entry.reference_number, context.reference_number)
                link = self._links.get(at)
                if link is None:
                    link = self._links[at] = Link(
                        hip_id,
                        abha_address,
                        entry.reference_number,
                        context.reference_number,
                        context.display,
                        by,
                        self.now(),
                    )
                if entry.hi_type in link.hi_types:
                    already.append(context.reference_number)
                else:
                    link.hi_types[entry.hi_type] = self.now()
        return already

    def extend(self, link: Link, hi_types: Sequence[str]) -> None:
        """New data of these HI types in a context that is linked."""
        for hi_type in hi_types:
            link.hi_types.setdefault(hi_type, self.now())

    def drop(self, abha_address: str) -> set[str]:
        """Remove a patient's links. Returns the facilities that had some."""
        gone = [at for at in self._links if at[1] == abha_address.casefold()]
        for at in gone:
            del self._links[at]
        return {at[0] for at in gone}
