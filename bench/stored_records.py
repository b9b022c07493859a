"""What ``transfer.py`` finds in the stores: one patient with many linked visits, and a consent that names them all."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.bundles import Bundle, BundleKey, BundleRecord
from hip.domain.consents import Consent, ConsentArtefact, ConsentedContext, ConsentStatus, DateRange, SignatureState
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, LinkReference, VisitCode
from hip.domain.links import CareContext
from hip.domain.patients import Patient

HIP = HipId("IN0410000123")
NAME = "Demo Clinic"
_EXAMPLE = Path(__file__).parents[1] / "examples" / "visits" / "01-meera-kulkarni-88120.json"
_AT = datetime(2026, 3, 12, 10, 5, tzinfo=UTC)
_AT_ONCE = 200
T = TypeVar("T")


@dataclass(frozen=True)
class Records:
    """One OPConsultation of ``size`` bytes a visit; no two hold the same bytes."""

    patient: Patient
    template: dict[str, object]
    size: int

    @classmethod
    def of(cls, size: int) -> "Records":
        record = JsonVisitRecords().read(_EXAMPLE.read_bytes())
        content = FhirComposer().compose(
            record, HiType.OP_CONSULTATION, facility=Facility(hip_id=HIP, name=NAME), version=1
        )
        return cls(patient=record.patient, template=json.loads(content), size=size)

    def key(self, number: int) -> BundleKey:
        return BundleKey(hip_id=HIP, visit_code=VisitCode(f"bench-{number}"), hi_type=HiType.OP_CONSULTATION)

    def content(self, number: int) -> bytes:
        """The bundle of a visit, brought to size in its identifier's system, which every bundle has."""
        bundle = {**self.template, "identifier": {"system": "urn:padding:", "value": f"bench-{number}"}}
        short = len(_spelt(bundle))
        bundle["identifier"] = {"system": "urn:padding:" + "x" * max(0, self.size - short), "value": f"bench-{number}"}
        return _spelt(bundle)

    def hashes(self, numbers: range) -> dict[str, list[str]]:
        """What a requester must hold afterwards, by care context."""
        return {f"bench-{number}": [hashlib.sha256(self.content(number)).hexdigest()] for number in numbers}

    async def store(self, numbers: range, *, documents: MongoDocuments, database: PostgresDatabase) -> None:
        """Bundles, their records and linked care contexts."""
        for chunk in _chunks(numbers):
            bundles = [
                Bundle(key=self.key(n), version=1, content=self.content(n), valid=True, composed_at=_AT) for n in chunk
            ]
            for some in _chunks(bundles, 8):
                await asyncio.gather(*(documents.put(bundle) for bundle in some))
            async with database.unit() as uow:
                for bundle in bundles:
                    await uow.bundles.add(_record(bundle))
                    await uow.care_contexts.save(self._context(bundle.key))
                await uow.commit()

    async def consent(self, consent_id: str, numbers: range, *, database: PostgresDatabase) -> None:
        """Granted, and acknowledged to the gateway."""
        address, now = self.patient.abha_address, datetime.now(UTC)
        if address is None:
            raise ValueError("the example's patient has an ABHA address")
        artefact = ConsentArtefact(
            consent_id=ConsentId(consent_id),
            hip_id=HIP,
            hiu_id="HIU-1",
            patient=address,
            care_contexts=tuple(
                ConsentedContext(
                    patient_reference=self.patient.reference,
                    care_context_reference=CareContextReference(f"bench-{number}"),
                )
                for number in numbers
            ),
            hi_types=frozenset({HiType.OP_CONSULTATION}),
            purpose="CAREMGT",
            access_mode="VIEW",
            date_range=DateRange(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 12, 31, tzinfo=UTC)),
            data_erase_at=now + timedelta(days=30),
        )
        async with database.unit() as uow:
            await uow.consents.save(
                Consent(
                    hip_id=HIP,
                    consent_id=artefact.consent_id,
                    status=ConsentStatus.GRANTED,
                    artefact=artefact,
                    artefact_hash="0" * 64,
                    terms_hash=artefact.fingerprint,
                    signature_state=SignatureState.UNVERIFIED,
                    received_at=now,
                    updated_at=now,
                    acknowledged_at=now,
                )
            )
            await uow.commit()

    def _context(self, key: BundleKey) -> CareContext:
        return CareContext(
            hip_id=HIP,
            reference=CareContextReference(key.visit_code),
            patient_reference=self.patient.reference,
            visit_code=key.visit_code,
            display="OPD visit",
            clinical_date=_AT,
            hi_types=(key.hi_type,),
            link_reference=LinkReference("bench"),
            linked_to=self.patient.abha_address,
            linked_at=_AT,
        )


def _record(bundle: Bundle) -> BundleRecord:
    return BundleRecord(
        key=bundle.key,
        version=bundle.version,
        sha256=bundle.sha256,
        size=len(bundle.content),
        valid=True,
        clinical_date=_AT,
        composed_at=_AT,
    )


def _spelt(bundle: dict[str, object]) -> bytes:
    return json.dumps(bundle, separators=(",", ":"), ensure_ascii=False).encode()


def _chunks(items: Sequence[T], size: int = _AT_ONCE) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
