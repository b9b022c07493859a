"""The books of one run over pages: what the gate said before each page, and what became of each.

Several pages are under way at once. Whatever they have to write at the same moment is written in one transaction, for
a commit costs more than the pushing of a page: while one is under way, the next gathers. Nobody goes on before their
own line is committed, so each page still has its own answer of the gate before it starts, and its own state after it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hip.application.page_ends import save_pages
from hip.application.ports import Clock
from hip.application.release import Opened, ReleaseGate
from hip.application.storage import UnitOfWork, Units
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.decisions import Decision
from hip.domain.errors import DomainError, IllegalTransition, Transient
from hip.domain.identifiers import CareContextReference
from hip.domain.links import CareContext
from hip.domain.pages import Page, PageState
from hip.domain.release_facts import Authority
from hip.domain.transfers import Transfer


class Replaced(Exception):
    """A newer bundle was stored while the older one was being read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A page that the gate lets go, with the bytes it was asked about."""

    page: Page
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was written of a group: pages as they are now, decisions, and what may be pushed.

    ``stopped`` is what the gate said when nothing more of the transfer may leave.
    """

    pages: Sequence[Page] = ()
    decisions: Sequence[Decision] = ()
    leaving: Sequence[Leaving] = ()
    stopped: str | None = None


@dataclass(slots=True, eq=False)
class _Line:
    """One group to write of: the answer for what was ``opened``; or that it is ``unsent``; or how it ended, errored for
    a ``reason``."""

    group: Sequence[Page]
    opened: Sequence[Opened] | None = None
    reason: str | None = None
    unsent: bool = False
    written: Answer | Exception | None = None


@dataclass(slots=True)
class _Seen:
    """What one transaction reads for its lines."""

    pages: dict[int, Page]
    servable: dict[BundleKey, BundleRecord]
    contexts: dict[CareContextReference, CareContext]


@dataclass(slots=True, kw_only=True)
class PageBooks:
    """``authority`` is the consent as last read: its row is locked and compared before each page, its artefact is read
    again only when something of it changed."""

    transfer: Transfer
    units: Units
    gate: ReleaseGate
    clock: Clock
    authority: Authority | None = field(default=None, repr=False)
    _waiting: list[_Line] = field(default_factory=list, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def decide(self, group: Sequence[Page], opened: Sequence[Opened]) -> Answer:
        """Ask the gate for each page, write its answers down and count the attempts, the consent's row locked (REL-21).

        Raises Replaced when something in ``opened`` is not what would be served any more.
        """
        return await self._write(_Line(group, opened=opened))

    async def end(self, group: Sequence[Page], reason: str | None) -> None:
        """The pages of one push were all taken, or none was, for ``reason``."""
        await self._write(_Line(group, reason=reason))

    async def unsent(self, group: Sequence[Page]) -> None:
        """What ``decide`` let go did not leave: it waits, and has used up no attempt."""
        await self._write(_Line(group, unsent=True))

    async def _write(self, line: _Line) -> Answer:
        self._waiting.append(line)
        try:
            async with self._turn:
                if line.written is None:  # else whoever had the turn before wrote it with theirs
                    lines, self._waiting = self._waiting, []
                    await self._write_all(lines)
        finally:
            if line in self._waiting:  # cancelled: its page will not be pushed, so nobody shall read that it was
                self._waiting.remove(line)
        if isinstance(line.written, Answer):
            return line.written
        raise line.written or Transient("the page's line was not written")

    async def _write_all(self, lines: Sequence[_Line]) -> None:
        written: Sequence[Answer | Exception] = [Transient("the transaction broke off") for _ in lines]
        try:
            async with self.units() as uow:
                found = await self._lines(uow, lines)
                await uow.commit()
            written = found
        except Exception as failure:  # noqa: BLE001 - it is every line's, and raised to each
            written = [failure for _ in lines]
        finally:
            for line, result in zip(lines, written, strict=True):
                line.written = result

    async def _lines(self, uow: UnitOfWork, lines: Sequence[_Line]) -> Sequence[Answer | Exception]:
        asked = [page for line in lines if line.opened is not None for page in line.group]
        if asked:
            await self._lock_consent(uow)
        seen = await self._read(uow, [page for line in lines for page in line.group], asked)
        written: list[Answer | Exception] = []
        for line in lines:
            try:
                written.append(self._line(line, seen))
            except (DomainError, Replaced) as failure:
                written.append(failure)
        answers = [one for one in written if isinstance(one, Answer)]
        await uow.decisions.append_all([decision for answer in answers for decision in answer.decisions])
        await save_pages(uow, self.transfer, [page for answer in answers for page in answer.pages])
        return written

    async def _lock_consent(self, uow: UnitOfWork) -> None:
        held, transfer = self.authority, self.transfer
        consent = (
            await uow.consents.lock(transfer.hip_id, transfer.consent_id)
            if held is None
            else await uow.consents.lock_again(held.consent)
        )
        if consent is None or held is None or consent is not held.consent:
            self.authority = None if consent is None else Authority.of(consent)

    async def _read(self, uow: UnitOfWork, group: Sequence[Page], asked: Sequence[Page]) -> _Seen:
        hip_id = self.transfer.hip_id
        numbers = sorted({page.number for page in group})
        pages = await uow.transfers.lock_pages(hip_id, self.transfer.transaction_id, numbers)
        seen = _Seen(pages={page.number: page for page in pages}, servable={}, contexts={})
        if asked:
            visits = sorted({key_of(page).visit_code for page in asked})
            seen.servable = {record.key: record for record in await uow.bundles.servable_of(hip_id, visits)}
            references = sorted({page.care_context_reference for page in asked})
            seen.contexts = {one.reference: one for one in await uow.care_contexts.several(hip_id, references)}
        return seen

    def _line(self, line: _Line, seen: _Seen) -> Answer:
        if line.opened is not None:
            return self._asked(line.group, line.opened, seen)
        now, reason = self.clock(), line.reason
        current = [seen.pages.get(page.number, page) for page in line.group]
        if line.unsent:
            return Answer(pages=[page.unsent() for page in current if page.state is PageState.PENDING])
        return Answer(
            pages=[page.delivered(now=now) if reason is None else page.errored(reason, now=now) for page in current]
        )

    def _asked(self, group: Sequence[Page], opened: Sequence[Opened], seen: _Seen) -> Answer:
        """A page that is not pending any more needs no answer; a refusal of the whole transfer leaves it as it is."""
        now = self.clock()
        pages: list[Page] = []
        decisions: list[Decision] = []
        leaving: list[Leaving] = []
        for page, found in zip(group, opened, strict=True):
            current = seen.pages.get(page.number)
            if current is None or current.state is not PageState.PENDING:
                continue
            if found.record != seen.servable.get(key_of(page)):
                raise Replaced
            known = seen.contexts.get(page.care_context_reference)
            decision = self.gate.page(self.transfer, current, known, self.authority, found, now=now)
            decisions.append(decision)
            if decision.refusal is not None:
                return Answer(pages=pages, decisions=decisions, stopped=decision.refusal.told)
            [record] = decision.records
            current = current.attempted()
            if record.refusal is not None:
                current = current.errored(record.refusal.told, now=now)
            elif found.content is not None:
                leaving.append(Leaving(page=current, content=found.content))
            pages.append(current)
        return Answer(pages=pages, decisions=decisions, leaving=leaving)


def key_of(page: Page) -> BundleKey:
    """What the page carries. Raises IllegalTransition for a page that never had a record."""
    if page.visit_code is None or page.hi_type is None:
        raise IllegalTransition("page", page.state, "a push without a record")
    return BundleKey(hip_id=page.hip_id, visit_code=page.visit_code, hi_type=page.hi_type)
