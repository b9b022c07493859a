"""Flow: an operator proves or exports the audit (AUD-01, AUD-02)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hip.application.ports import Clock
from hip.application.storage import Units
from hip.domain.audit import AuditEntry, AuditHead, AuditLink, BrokenLink
from hip.domain.decision_seals import SEALED, DecisionSeal
from hip.domain.identifiers import HipId

_LINKS_AT_ONCE = 1000
CONFIGURED = "configuration"


@dataclass(frozen=True, slots=True)
class NoteConfiguration:
    """AUD-01: what the service runs with, written whenever it starts with something else than before."""

    units: Units
    clock: Clock

    async def __call__(self, hips: Sequence[HipId], values: Mapping[str, str]) -> None:
        """An entry for each HIP whose last one differs; what was before stands in that one. No value is a secret."""
        detail = tuple(sorted(values.items()))
        for hip_id in hips:
            async with self.units() as uow:
                last = await uow.audit.latest(hip_id, CONFIGURED)
                if last is None or last.detail != detail:
                    await uow.audit.append(
                        AuditEntry(
                            hip_id=hip_id,
                            at=self.clock(),
                            actor="service",
                            action=CONFIGURED,
                            subject=hip_id,
                            detail=detail,
                        )
                    )
                    await uow.commit()


@dataclass(frozen=True, slots=True)
class AuditTrail:
    units: Units

    async def heads(self, hip_id: HipId | None = None) -> Sequence[AuditHead]:
        """The end of each chain, or of one. Kept elsewhere, a head is an anchor."""
        async with self.units() as uow:
            hips = [hip_id] if hip_id is not None else await uow.audit.chained()
            return [await uow.audit.head(each) for each in hips]

    async def exported(self, hip_id: HipId, *, actor: str, now: datetime) -> None:
        """Write down that the chain, if there is one, is about to be read as a whole: it ends with this entry."""
        async with self.units() as uow:
            if (await uow.audit.head(hip_id)).sequence:
                await uow.audit.append(
                    AuditEntry(hip_id=hip_id, at=now, actor=actor, action="audit-exported", subject=hip_id, detail=())
                )
                await uow.commit()

    async def links(self, hip_id: HipId) -> AsyncGenerator[AuditLink]:
        """The whole chain in order, read in short transactions: writers are not held up and memory stays flat."""
        sequence = 0
        while True:
            async with self.units() as uow:
                links = await uow.audit.chain(hip_id, after=sequence, limit=_LINKS_AT_ONCE)
            for link in links:
                yield link
            if len(links) < _LINKS_AT_ONCE:
                return
            sequence = links[-1].sequence

    async def verify(self, hip_id: HipId, anchors: Sequence[AuditHead] = ()) -> BrokenLink | AuditHead:
        """The first place where the chain does not hold, or its end when it is whole.

        An edit, a deletion, an addition or a reordering breaks the chain itself, and one of the decision records breaks
        the entry that seals them; entries cut off its end contradict
        the head noted beside it; ``anchors`` (those of other HIPs are passed by) find a chain that was cut or written
        anew together with its head.
        """
        (noted,) = await self.heads(hip_id)
        kept = sorted((a for a in (*anchors, noted) if a.hip_id == hip_id), key=lambda a: a.sequence, reverse=True)
        head = AuditHead(hip_id=hip_id)
        async for link in self.links(hip_id):
            broken = head.broken_by(link)
            if broken is not None:
                return broken
            head = link.head
            if not await self._decisions_hold(link.entry):
                return BrokenLink(
                    hip_id=hip_id, sequence=link.sequence, reason="the decision records it seals were changed"
                )
            while kept and kept[-1].sequence <= head.sequence:
                broken = head.contradicting(kept.pop())
                if broken is not None:
                    return broken
        if kept:
            return head.contradicting(kept[0]) or head
        (noted,) = await self.heads(hip_id)
        return head.beyond(noted) or head

    async def _decisions_hold(self, entry: AuditEntry) -> bool:
        """True for an entry that seals nothing."""
        if entry.action != SEALED:
            return True
        seal = DecisionSeal.read(entry.detail)
        if seal is None:
            return False
        async with self.units() as uow:
            found = await uow.decisions.numbered(entry.hip_id, after=seal.first - 1, limit=seal.count + 1)
        return seal.holds([one for one in found if one.number <= seal.last])
