"""The release gate as the flows ask it: at the request, when pages are planned, and again before each page.

What the rules look at is gathered here; what they say is decided in ``hip.domain.release`` and written down in the
transaction of the state change that follows from it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hip.application.ports import Pusher, Sealer
from hip.application.storage import UnitOfWork
from hip.application.unsent_contexts import add_refused, add_unsent, named
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.consents import Consent, ConsentedContext
from hip.domain.decisions import Decision, RecordDecision, RuleResult, Stage
from hip.domain.errors import KeyMaterialRefused, UnsafeUrl
from hip.domain.hi_types import HiType
from hip.domain.identifiers import PatientReference
from hip.domain.links import CareContext
from hip.domain.pages import Page
from hip.domain.paging import Paging
from hip.domain.release import decide, rel_23
from hip.domain.release_facts import Authority, ReleasePolicy, RequestFacts
from hip.domain.release_records import RecordFacts, Subject
from hip.domain.release_terms import window_of
from hip.domain.transfers import Transfer

NOTHING_IN_RANGE = "no records in range"
"""What the gateway is told of a context whose records the request does not cover."""

NOT_KNOWN = "care context is not known here"
NOT_SOUND = "no valid record"

_CONTEXTS_AT_ONCE = 200
"""How many care contexts are looked up and decided at a time: memory stays flat for any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A record with its bytes in hand; ``content`` is None when the document store has none."""

    record: BundleRecord | None
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The pages are stored and pending, in ``pushes`` pushes; ``refusal`` is the rule that stopped it all."""

    pushes: int
    refusal: RuleResult | None = None


@dataclass(frozen=True, slots=True)
class ReleaseGate:
    """Decides by explicit rules (rules.md REL-…); everything that cannot be evaluated refuses."""

    sealer: Sealer
    pusher: Pusher
    policy: ReleasePolicy
    entries_per_push: int = 1

    async def request(self, uow: UnitOfWork, transfer: Transfer, *, now: datetime) -> tuple[Decision, Consent | None]:
        """The answer to a request that has just come, and the consent it was decided on."""
        consent = await uow.consents.get(transfer.hip_id, transfer.consent_id)
        window = None if consent is None or consent.artefact is None else window_of(consent.artefact)
        earlier = 0 if window is None else await uow.transfers.earlier(transfer, since=transfer.requested_at - window)
        authority = None if consent is None else Authority.of(consent)
        return decide(self._facts(Stage.REQUEST, transfer, authority, now=now, earlier=earlier)), consent

    async def plan(self, uow: UnitOfWork, transfer: Transfer, consent: Consent | None, *, now: datetime) -> Plan:
        """Store every page of the transfer: those to push, numbered from 1, then one for each context without any.

        Only what the artefact names, is linked to its patient, lies in both date ranges and is of a consented type is
        planned (REL-06, 07, 09, 10, 22); each chunk of contexts has its decision record, which says why or why not.
        """
        authority = None if consent is None else Authority.of(consent)
        facts = self._facts(Stage.PLAN, transfer, authority, now=now)
        whole = decide(facts)
        if whole.refusal is not None or consent is None:
            await uow.decisions.append(whole)
            if consent is not None and whole.refusal is not None:
                await add_refused(uow, transfer, consent, whole.refusal.told)
            return Plan(pushes=0, refusal=whole.refusal)
        paging = Paging(entries_per_push=self.entries_per_push)
        without: list[tuple[ConsentedContext, str]] = []
        chunks = _chunks(named(consent))
        for last, chunk in enumerate(chunks, 1):
            pages, unsent, decision = await self._plan_chunk(uow, facts, chunk, paging)
            without += unsent
            results = decision.results if last < len(chunks) else (*decision.results, rel_23(paging.records))
            await uow.transfers.add_pages(pages)
            await uow.decisions.append(replace(decision, results=results))
        if not chunks:
            await uow.decisions.append(decide(facts, whole=True))
        await add_unsent(uow, transfer, without, after=paging.records)
        return Plan(pushes=paging.pushes)

    async def _plan_chunk(
        self, uow: UnitOfWork, facts: RequestFacts, chunk: Sequence[ConsentedContext], paging: Paging
    ) -> tuple[list[Page], list[tuple[ConsentedContext, str]], Decision]:
        hip_id = facts.transfer.hip_id
        found = await uow.care_contexts.several(hip_id, [context.care_context_reference for context in chunk])
        known = {context.reference: context for context in found}
        visits = [context.visit_code for context in found]
        servable = {record.key: record for record in await uow.bundles.servable_of(hip_id, visits)}
        examined: list[tuple[ConsentedContext, list[RecordFacts]]] = []
        for context in chunk:
            here = known.get(context.care_context_reference)
            examined.append((context, list(_records(context, here, servable))))
        decision = decide(facts, [one for _, records in examined for one in records])
        decided = iter(decision.records)
        pages: list[Page] = []
        unsent: list[tuple[ConsentedContext, str]] = []
        for context, records in examined:
            pairs = [(one, next(decided)) for one in records]
            leaving = [one for one, said in pairs if said.leaves]
            if not leaving:
                unsent.append((context, _why_nothing([said for _, said in pairs])))
            pages += [_page(facts.transfer, one, paging) for one in leaving]
        return pages, unsent, decision

    def page(
        self,
        transfer: Transfer,
        page: Page,
        known: CareContext | None,
        authority: Authority | None,
        opened: Opened,
        *,
        now: datetime,
    ) -> Decision:
        """The answer for one page whose bytes are in hand, with the care context and the consent as they are now."""
        context = ConsentedContext(
            # The pair that our books know is what the artefact must name; a page remembers only half of it.
            patient_reference=known.patient_reference if known is not None else PatientReference(""),
            care_context_reference=page.care_context_reference,
        )
        content = opened.content
        one = RecordFacts(
            context=context,
            known=known,
            hi_type=page.hi_type,
            record=opened.record,
            opened=True,
            content_hash=None if content is None else hashlib.sha256(content).hexdigest(),
            subject=None if content is None else Subject.read(content),
        )
        return decide(self._facts(Stage.PAGE, transfer, authority, now=now), [one], page=page.number)

    def again(self, transfer: Transfer, consent: Consent | None, *, now: datetime) -> Decision:
        """The answer for a transfer under way that would otherwise wait and try again."""
        authority = None if consent is None else Authority.of(consent)
        return decide(self._facts(Stage.PAGE, transfer, authority, now=now))

    def _facts(
        self, stage: Stage, transfer: Transfer, authority: Authority | None, *, now: datetime, earlier: int = 0
    ) -> RequestFacts:
        key_fault = push_fault = None
        try:
            self.sealer.check(transfer.request.key_material)
        except KeyMaterialRefused as refusal:
            key_fault = str(refusal)
        try:
            self.pusher.check(transfer.request.data_push_url)
        except UnsafeUrl as refusal:
            push_fault = str(refusal)
        return RequestFacts(
            stage=stage,
            transfer=transfer,
            authority=authority,
            policy=self.policy,
            now=now,
            key_fault=key_fault,
            push_fault=push_fault,
            earlier=earlier,
        )


def _chunks(contexts: Sequence[ConsentedContext]) -> Sequence[Sequence[ConsentedContext]]:
    starts = range(0, len(contexts), _CONTEXTS_AT_ONCE)
    return [contexts[start : start + _CONTEXTS_AT_ONCE] for start in starts]


def _records(
    context: ConsentedContext, known: CareContext | None, servable: dict[BundleKey, BundleRecord]
) -> Iterator[RecordFacts]:
    """Every record of a context: those that are stored and valid, and those that stood behind its link and are gone.

    The latter are built again before their page. A context without any is examined as such, so that it is accounted
    for.
    """
    if known is None:
        yield RecordFacts(context=context, known=None, hi_type=None, record=None)
        return
    stored = {hi_type: servable.get(_key(known, hi_type)) for hi_type in HiType}
    present = [hi_type for hi_type in HiType if stored[hi_type] is not None or hi_type in known.hi_types]
    if not present:
        yield RecordFacts(context=context, known=known, hi_type=None, record=None)
    for hi_type in present:
        record = stored[hi_type]
        yield RecordFacts(context=context, known=known, hi_type=hi_type, record=record, to_build=record is None)


def _key(known: CareContext, hi_type: HiType) -> BundleKey:
    return BundleKey(hip_id=known.hip_id, visit_code=known.visit_code, hi_type=hi_type)


def _page(transfer: Transfer, one: RecordFacts, paging: Paging) -> Page:
    number, push = paging.place(0 if one.record is None else one.record.size)
    return Page(
        hip_id=transfer.hip_id,
        transaction_id=transfer.transaction_id,
        number=number,
        push=push,
        care_context_reference=one.context.care_context_reference,
        visit_code=None if one.known is None else one.known.visit_code,
        hi_type=one.hi_type,
    )


def _why_nothing(decided: Sequence[RecordDecision]) -> str:
    """What the gateway is told of a context of which nothing leaves: never more than it needs to know."""
    rules = {one.refusal.rule for one in decided if one.refusal is not None}
    if rules & {"REL-06", "REL-07"}:
        return NOT_KNOWN
    return NOT_SOUND if rules == {"REL-22"} else NOTHING_IN_RANGE
