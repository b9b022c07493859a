"""Flow: a large entry is left here for its requester to fetch, once and soon, and only while its consent stands."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hip.application.ports import Clock, Entropy, Ids
from hip.application.release import ReleaseGate
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.errors import NotFound
from hip.domain.pages import Page
from hip.domain.transfers import Transfer
from hip.domain.waiting_entries import WaitingEntry

PATH = "/health-information"

_TOKEN_BYTES = 32
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveEntries:
    """A bundle of more than ``above`` bytes is left here (None: none is); ``url`` is ours, as others see it."""

    units: Units
    clock: Clock
    ids: Ids
    entropy: Entropy
    above: int | None
    url: str

    async def __call__(
        self, transfer: Transfer, pages: Sequence[Page], sizes: Sequence[int], contents: Sequence[str]
    ) -> Sequence[WaitingEntry | None]:
        """Store those of the sealed ``contents`` whose bundles were too large; None stands for one to be pushed.

        Nothing is stored, and the answer is empty, while every entry is pushed whatever its size.
        """
        if self.above is None:
            return ()
        large = [
            WaitingEntry(
                hip_id=transfer.hip_id,
                information_id=self.ids(),
                transaction_id=transfer.transaction_id,
                consent_id=transfer.consent_id,
                number=page.number,
                content=content,
                token=self.entropy(_TOKEN_BYTES).hex(),
                created_at=self.clock(),
            )
            if size > self.above
            else None
            for page, size, content in zip(pages, sizes, contents, strict=True)
        ]
        if any(large):
            async with self.units() as uow:
                for entry in large:
                    if entry is not None:
                        await uow.waiting_entries.add(entry)
                await uow.commit()
        return large

    def link(self, entry: WaitingEntry) -> str:
        """Where it can be fetched; the form is the contract's."""
        return f"{self.url}{PATH}/{entry.information_id}?token={entry.token}"

    async def withdraw(self, entries: Sequence[WaitingEntry | None]) -> None:
        """Their push was not taken: whoever may know the links can do nothing with them any more."""
        waiting = [entry for entry in entries if entry is not None]
        if waiting:
            async with self.units() as uow:
                for entry in waiting:
                    await uow.waiting_entries.remove(entry.hip_id, entry.information_id)
                await uow.commit()


@dataclass(frozen=True, slots=True)
class FetchEntry:
    units: Units
    gate: ReleaseGate
    clock: Clock
    kept: timedelta

    async def __call__(self, information_id: str, token: str) -> str:
        """The sealed content, once. The gate is asked again, under the consent's lock (REL-21).

        Raises NotFound alike for what is unknown, fetched, too old, no longer permitted or asked for with another
        token: nobody learns which.
        """
        nothing = NotFound("health information", "asked for")
        async with self.units() as uow:
            entry = await uow.waiting_entries.find(information_id)
            if entry is None or not hmac.compare_digest(entry.token.encode(), token.encode()):
                raise nothing
            consent = await uow.consents.lock(entry.hip_id, entry.consent_id)
            transfer = await uow.transfers.get(entry.hip_id, entry.transaction_id)
            if transfer is None or not await uow.waiting_entries.remove(entry.hip_id, information_id):
                raise nothing  # somebody else fetched it meanwhile, or its consent ended
            now, until = self.clock(), entry.created_at + self.kept
            # The entry has a time of its own, which the deadline of its transfer neither cuts short nor prolongs.
            decision = self.gate.again(replace(transfer, deadline=until), consent, now=now)
            decision = replace(decision, page=entry.number)
            await uow.decisions.append(decision)
            refusal = decision.refusal
            await uow.audit.append(
                AuditEntry(
                    hip_id=entry.hip_id,
                    at=now,
                    actor="requester",
                    action="entry-fetched" if refusal is None else "entry-refused",
                    subject=entry.transaction_id,
                    detail=(("page", str(entry.number)), ("rule", "" if refusal is None else refusal.rule)),
                )
            )
            await uow.commit()
        if refusal is not None:
            raise nothing
        return entry.content


@dataclass(frozen=True, slots=True)
class SweepEntries:
    """RET-03: what nobody fetched in time is thrown away, and the audit says so."""

    units: Units
    clock: Clock
    kept: timedelta

    async def __call__(self) -> int:
        """How many entries lapsed."""
        now = self.clock()
        async with self.units() as uow:
            lapsed = await uow.waiting_entries.remove_older(than=now - self.kept, limit=_AT_ONCE)
            for entry in lapsed:
                await uow.audit.append(
                    AuditEntry(
                        hip_id=entry.hip_id,
                        at=now,
                        actor="clock",
                        action="entry-lapsed",
                        subject=entry.transaction_id,
                        detail=(("page", str(entry.number)),),
                    )
                )
            if lapsed:
                await uow.commit()
        return len(lapsed)
