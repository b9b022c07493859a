"""Flow: somebody asks what was decided, about whom and why. Who looked is written down (AUD-01)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hip.application.ports import Clock
from hip.application.storage import Listing, Units
from hip.domain.audit import AuditEntry
from hip.domain.decisions import Decision, digest
from hip.domain.errors import NotFound
from hip.domain.identifiers import AbhaAddress, ConsentId, HipId, TransactionId
from hip.domain.pages import Page
from hip.domain.transfers import Transfer

_ALL = 100_000
"""More decisions than one consent ever has: a plan for each chunk of contexts and one record for each page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A transfer with everything that decided what became of it; ``decisions`` oldest first."""

    transfer: Transfer
    pages: Sequence[Page]
    decisions: Sequence[Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionQuery:
    """Decision records about all of these that are set. ``patient`` is an ABHA address, ``requester`` an HIU id."""

    transaction_id: TransactionId | None = None
    consent_id: ConsentId | None = None
    patient: AbhaAddress | None = None
    requester: str | None = None

    @property
    def subject(self) -> tuple[tuple[str, str], ...]:
        """What was looked for, as the audit keeps it: the patient as a digest."""
        values = {
            "transaction": self.transaction_id,
            "consent": self.consent_id,
            "patient": self.patient_digest,
            "requester": self.requester,
        }
        return tuple((name, value) for name, value in values.items() if value)

    @property
    def patient_digest(self) -> str | None:
        """As a decision record names the patient."""
        return None if self.patient is None else digest(self.patient.text)


@dataclass(frozen=True, slots=True)
class ExplainRelease:
    units: Units
    clock: Clock

    async def transfer(self, hip_id: HipId, transaction_id: TransactionId, *, actor: str) -> Explanation:
        """Why each page of the transfer left or stayed. Raises NotFound."""
        async with self.units() as uow:
            transfer = await uow.transfers.get(hip_id, transaction_id)
            if transfer is None:
                raise NotFound("transfer", transaction_id)
            pages = await uow.transfers.pages(hip_id, transaction_id)
            of_consent = await uow.decisions.list(Listing(hip_id=hip_id, limit=_ALL), consent_id=transfer.consent_id)
            # That the consent ended belongs to no transaction, and explains this one all the same.
            decided = [one for one in reversed(of_consent) if one.transaction_id in (None, transaction_id)]
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=self.clock(),
                    actor=actor,
                    action="transfer-viewed",
                    subject=transaction_id,
                    detail=(("decisions", str(len(decided))),),
                )
            )
            await uow.commit()
        return Explanation(transfer=transfer, pages=pages, decisions=decided)

    async def decisions(
        self, hips: Sequence[HipId], query: DecisionQuery, listing: Listing, *, actor: str
    ) -> Sequence[Decision]:
        """Newest first, of each of ``hips`` in turn; ``listing`` says since when and how many of each."""
        found: list[Decision] = []
        async with self.units() as uow:
            for hip_id in hips:
                of_hip = await uow.decisions.list(
                    Listing(hip_id=hip_id, since=listing.since, limit=listing.limit),
                    transaction_id=query.transaction_id,
                    consent_id=query.consent_id,
                    patient=query.patient_digest,
                    requester=query.requester,
                )
                found += of_hip
                await uow.audit.append(
                    AuditEntry(
                        hip_id=hip_id,
                        at=self.clock(),
                        actor=actor,
                        action="decisions-viewed",
                        subject=hip_id,
                        detail=(*query.subject, ("found", str(len(of_hip)))),
                    )
                )
            await uow.commit()
        return found

    async def listed(self, found: Mapping[HipId, int], kind: str, listing: Listing, *, actor: str) -> None:
        """Write down that a list of ``kind`` (visits, consents) was looked at, and how many of each HIP it showed."""
        limits = (("since", "" if listing.since is None else listing.since.isoformat()), ("limit", str(listing.limit)))
        async with self.units() as uow:
            for hip_id, number in found.items():
                await uow.audit.append(
                    AuditEntry(
                        hip_id=hip_id,
                        at=self.clock(),
                        actor=actor,
                        action=f"{kind}-listed",
                        subject=hip_id,
                        detail=(*limits, ("found", str(number))),
                    )
                )
            await uow.commit()

    async def viewed(self, hip_id: HipId, kind: str, key: str, *, actor: str) -> None:
        """Write down that one ``kind`` (visit, consent) was looked at."""
        async with self.units() as uow:
            await uow.audit.append(
                AuditEntry(hip_id=hip_id, at=self.clock(), actor=actor, action=f"{kind}-viewed", subject=key, detail=())
            )
            await uow.commit()
